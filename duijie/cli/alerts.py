"""`duijie alerts`: which channels there are and how they do, a test message, open alerts, claims and mutes."""

from __future__ import annotations

import getpass
from datetime import timedelta
from typing import Annotated

import typer

from duijie.alerts import config, sending, standing
from duijie.cli.output import AsJson, console, show, told
from duijie.connect.errors import ConfigError
from duijie.console.words import age, moment
from duijie.journal import Journal, alarms, documents, work

app = typer.Typer(no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="The alert's number, without A and date.")]
Who = Annotated[str, typer.Option(help="In whose name.")]


@app.command("list")
@told
def list_channels(as_json: AsJson = False) -> None:
    """The channels of the alert file and how they do; addresses and secrets are not shown."""
    journal = Journal.open()
    rows = [
        {
            "渠道": one.name,
            "类型": one.type,
            "机器人": one.robots,
            "后备": one.next,
            "静默时段": one.quiet,
            "24小时已发": one.sent,
            "24小时失败": one.failed,
            "状态": f"{one.resting} 台暂停至 {moment(one.rests_until)}: {one.reason}" if one.resting else "正常",
        }
        for one in standing.channels(journal, config.load())
    ]
    show(rows, as_json, "告警渠道")


@app.command()
@told
def test(
    channel: Annotated[str, typer.Argument(help="Only this channel.")] = "",
    as_json: AsJson = False,
) -> None:
    """Send a test message by every robot of one channel, or of all. Ends with 1 when one of them failed."""
    alerting = config.load()
    if channel and channel not in alerting.channels:
        raise ConfigError(
            f"没有告警渠道 {channel}, 可选: {', '.join(alerting.channels)}",
            en=f"no alert channel {channel}",
            where=channel,
        )
    journal = Journal.open()
    names = [channel] if channel else list(alerting.channels)
    found = [one for name in names for one in sending.test(journal, alerting, name)]
    show([{"机器人": robot, "结果": said} for robot, said in found], as_json, "告警渠道测试")
    if any(said != sending.SENT for _, said in found):
        raise typer.Exit(1)


@app.command("open")
@told
def list_open(as_json: AsJson = False) -> None:
    """Open alerts with owner, impact, age and what will be told next."""
    journal = Journal.open()
    now = journal.now()
    rows = [
        {
            "编号": one.number,
            "级别": one.row.level,
            "告警": one.row.title,
            "原因": one.row.cause,
            "建议": one.row.body,
            "次数": one.row.count,
            "单据": one.records,
            "金额": f"{documents.yuan(one.money):,}",
            "责任人": one.owner + (" (已认领)" if one.row.claimed_by else ""),
            "已持续": age(one.row.created_at, now),
            "下一步": f"{sending.PURPOSES[one.next_purpose]} {moment(one.next_at)}" if one.next_at else "",
        }
        for one in standing.alerts(journal, standing.known()[0])
    ]
    show(rows, as_json, "未恢复告警")


@app.command()
@told
def claim(number: Number, who: Who = "") -> None:
    """Put a name (yours) on an open alert: it escalates no further."""
    work.claim_alert(Journal.open(), number, who or getpass.getuser())
    console.print(f"告警 {number} 已认领")


@app.command()
@told
def mute(
    scope: Annotated[str, typer.Argument(help="A rule (step) or one object of it (step|orders|pull).")],
    hours: Annotated[int, typer.Option(min=1, max=168, help="For how long.")],
    reason: Annotated[str, typer.Option(help="Why.", prompt="静音原因")],
    who: Who = "",
) -> None:
    """Send nothing of a rule or an object for some hours; it is still counted and shown."""
    journal = Journal.open()
    alarms.mute(journal, scope, journal.now() + timedelta(hours=hours), who or getpass.getuser(), reason)
    console.print(f"{scope} 静音 {hours} 小时")


@app.command()
@told
def mutes(as_json: AsJson = False) -> None:
    """The mutes in force."""
    rows = [
        {"编号": one.id, "对象": one.scope, "至": moment(one.until), "原因": one.reason, "谁": one.who}
        for one in alarms.mutes(Journal.open())
    ]
    show(rows, as_json, "静音")


@app.command()
@told
def unmute(number: Annotated[int, typer.Argument(help="The mute's number.")]) -> None:
    """End a mute: what waited for its end goes with the next run."""
    alarms.unmute(Journal.open(), number)
    console.print(f"静音 {number} 已解除")
