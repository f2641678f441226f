"""The part of `duijie invoice` about the life of a request: halts, a person's yes, asking again, deadlines."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from duijie.cli.output import AsJson, console, show, told
from duijie.console.words import ENTITIES
from duijie.invoicing import approvals, attempts, deadlines, halts
from duijie.invoicing.rules import load
from duijie.journal import Journal

Keys = Annotated[list[str], typer.Argument(help="Our numbers (单号), as shown by the list.")]
Why = Annotated[str, typer.Option(help="The reason, kept with the decision.")]
RULES = Path("mappings/rules")
REASONS = {"credit": "授信额度不足", "login": "开票员须登录"}
STATES = {"parked": "已暂停", "released": "已恢复, 待试", "trying": "先试一张"}


@told
def list_halts(as_json: AsJson = False) -> None:
    """Sinks that a platform has halted, and what each needs."""
    rows = [
        {
            "写入口": one.sink,
            "原因": REASONS[one.reason],
            "状态": STATES[one.state],
            "需要": f"{one.needed:,}" if one.needed is not None else "",
            "可用": f"{one.available:,}" if one.available is not None else "",
            "二维码": one.qr,
            "自": f"{one.halted_at:%Y-%m-%d %H:%M}",
            "说明": one.said,
        }
        for one in halts.standing(Journal.open())
    ]
    show(rows, as_json, "暂停的开票")


@told
def resume(
    connection: Annotated[str, typer.Argument(help="The connection whose sinks go on.")],
    why: Why = "人工恢复",
) -> None:
    """Let a halted connection go on: one request goes first, the queue follows once it is through."""
    for sink in halts.resume(Journal.open(), connection, getpass.getuser(), why):
        console.print(f"{sink} 已恢复: 先试一张, 通过后其余自动继续")


@told
def list_waiting(as_json: AsJson = False) -> None:
    """What waits for a person's yes."""
    rows = [
        {"单号": one.key, "单据": ENTITIES.get(one.entity, one.entity), "写入口": one.sink,
         "价税合计": f"{one.amount:,}", "自": f"{one.asked_at:%Y-%m-%d %H:%M}"}
        for one in approvals.waiting(Journal.open())
    ]  # fmt: skip
    show(rows, as_json, "等待审批")


@told
def approve(keys: Keys, why: Why = "") -> None:
    """Say yes: they leave with the next run."""
    console.print(f"已批准 {approvals.approve(Journal.open(), keys, getpass.getuser(), why)} 张")


@told
def refuse(keys: Keys, why: Why = "") -> None:
    """Say no, with the reason: they are cancelled."""
    console.print(f"已拒绝 {approvals.refuse(Journal.open(), keys, getpass.getuser(), why)} 张")


@told
def again(keys: Keys, why: Why = "人工重新申请") -> None:
    """Ask again for requests that the platform has definitely failed."""
    number = attempts.want(Journal.open(), keys, getpass.getuser(), why)
    console.print(f"{number} 张将在下次运行时重新申请")


@told
def overdue(as_json: AsJson = False) -> None:
    """What has waited so long that a person must act."""
    rows = [
        {"写入口": one.sink, "事项": one.title, "自": f"{one.since:%Y-%m-%d %H:%M}", "下一步": one.next_step}
        for one in deadlines.overdue(Journal.open(), load(RULES))
    ]
    show(rows, as_json, "逾期事项")
