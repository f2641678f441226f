"""`duijie journal`: what is where, and why."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlalchemy import func, select

from duijie.cli.output import AsJson, show, told
from duijie.journal import Journal, documents, trace
from duijie.journal.tables import delivery, delivery_event, incident, message

app = typer.Typer(no_args_is_help=True)


@app.command()
@told
def status(as_json: AsJson = False) -> None:
    """Messages by stream and state, deliveries by sink and state."""
    journal = Journal.open()
    by_stream = select(message.c.connection, message.c.stream, message.c.state, func.count())
    by_sink = select(delivery.c.sink, delivery.c.state, func.count(), func.sum(delivery.c.amount))
    with journal.reading() as tx:
        streams = tx.execute(by_stream.group_by(message.c.connection, message.c.stream, message.c.state)).all()
        sinks = tx.execute(by_sink.group_by(delivery.c.sink, delivery.c.state)).all()
    rows = [{"去处": f"收 {c}/{s}", "状态": state, "笔数": n, "金额": ""} for c, s, state, n in streams]
    rows += [
        {"去处": f"发 {sink}", "状态": state, "笔数": n, "金额": f"{documents.yuan(total):,}" if total else ""}
        for sink, state, n, total in sinks
    ]
    show(rows, as_json, "日志库")


@app.command("show")
@told
def show_key(
    key: Annotated[str, typer.Argument(help="A document key, or its last part such as an order number.")],
    as_json: AsJson = False,
) -> None:
    """Everything that happened to one document: each delivery and each of its transitions."""
    journal = Journal.open()
    query = select(
        delivery.c.key, delivery.c.sink, delivery_event.c.at, delivery_event.c.before, delivery_event.c.after,
        delivery_event.c.who, delivery_event.c.why, delivery.c.native_no,
    ).join(delivery_event, delivery_event.c.delivery_id == delivery.c.id)  # fmt: skip
    wanted = (delivery.c.key == key) | delivery.c.key.endswith(f":{key}", autoescape=True)
    with journal.reading() as tx:
        found = tx.execute(query.where(wanted).order_by(delivery_event.c.id)).all()
    rows = [
        {
            "单据": r.key,
            "去处": r.sink,
            "时间": r.at.isoformat(timespec="milliseconds"),
            "状态": f"{r.before} → {r.after}",
            "执行": r.who,
            "原因": r.why,
            "对方单号": r.native_no,
        }
        for r in found
    ]
    show(rows, as_json, f"单据 {key}")


@app.command()
@told
def incidents(
    last: Annotated[int, typer.Option(help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Calls that failed and were dealt with: lost answers, limits, refreshed tokens."""
    journal = Journal.open()
    query = select(incident.c.at, incident.c.connection, incident.c.kind, incident.c.detail)
    with journal.reading() as tx:
        found = tx.execute(query.order_by(incident.c.id.desc()).limit(last)).all()
    rows = [
        {"时间": r.at.isoformat(timespec="seconds"), "连接": r.connection, "种类": r.kind, "详情": r.detail}
        for r in found
    ]
    show(rows, as_json, "已自愈的异常")


@app.command()
@told
def replays(
    last: Annotated[int, typer.Option(help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Replays: who, when, why, what was asked for, what came of it."""
    rows = [
        {
            "编号": one.id,
            "开始": one.started_at.isoformat(timespec="seconds"),
            "结束": one.ended_at.isoformat(timespec="seconds") if one.ended_at else "未完成",
            "谁": one.who,
            "数据流": f"{one.flow}: {one.stream}",
            "条件": one.wanted,
            "原因": one.why,
            "结果": ", ".join(f"{word} {number}" for word, number in one.counts.items() if number),
        }
        for one in trace.replays(Journal.open(), last)
    ]
    show(rows, as_json, "重放记录")


@app.command()
@told
def migrate() -> None:
    """Bring the journal's schema up to date."""
    Journal.open()
    typer.echo("日志库结构已是最新")
