"""`duijie journal retry` and `cancel`: what a person may do with deliveries, tried first unless `--yes` is given."""

from __future__ import annotations

import getpass
from typing import Annotated, Any

import typer

from duijie.cli.output import AsJson, console, show, told
from duijie.console.words import STATES
from duijie.journal import Journal, chosen, documents
from duijie.journal.chosen import Choice, Wanted

SHOWN = 20
Ids = Annotated[list[int] | None, typer.Option("--id", help="A delivery's number; may be repeated.")]
Key = Annotated[str, typer.Option(help="A document's key, its last part, or the number at the target.")]
Sink = Annotated[str, typer.Option(help="Only this sink, such as xingchen/sales_order.")]
States = Annotated[list[str] | None, typer.Option("--state", help="Only this state (被拒 or rejected); repeatable.")]
Reason = Annotated[str, typer.Option(help="Only where the reason contains this text.")]
Sure = Annotated[bool, typer.Option("--yes", help="Do it; without it only shows what would be done.")]


@told
def retry(
    ids: Ids = None,
    key: Key = "",
    sink: Sink = "",
    state: States = None,
    reason: Reason = "",
    why: Annotated[str, typer.Option(help="Kept in the history of each delivery.")] = "",
    is_sure: Sure = False,
    as_json: AsJson = False,
) -> None:
    """Send blocked, rejected or cancelled deliveries round again, once their cause is removed."""
    journal = Journal.open()
    choice = chosen.to_retry(journal, _wanted(ids, key, sink, state, reason))
    _show(choice, as_json, "重试" + _trial(is_sure))
    if is_sure:
        done = chosen.retry(journal, choice.rows, getpass.getuser(), why)
        _tell(as_json, f"已放行 {done} 笔, 由流程下次运行发送")


@told
def cancel(
    ids: Ids = None,
    key: Key = "",
    sink: Sink = "",
    state: States = None,
    reason: Reason = "",
    why: Annotated[str, typer.Option(help="Why they are given up; required.")] = "",
    is_sure: Sure = False,
    as_json: AsJson = False,
) -> None:
    """Give deliveries up that wait. What was sent, or may be at the target, is refused."""
    journal = Journal.open()
    choice = chosen.to_cancel(journal, _wanted(ids, key, sink, state, reason))
    _show(choice, as_json, "取消" + _trial(is_sure))
    if is_sure:
        done = chosen.cancel(journal, choice.rows, getpass.getuser(), why)
        _tell(as_json, f"已取消 {done} 笔")


def _wanted(ids: list[int] | None, key: str, sink: str, states: list[str] | None, reason: str) -> Wanted:
    names = {word: state for state, word in STATES.items()}
    return Wanted(tuple(ids or ()), key, sink, tuple(names.get(one, one) for one in states or ()), reason)


def _trial(is_sure: bool) -> str:
    return "" if is_sure else " (试算, 未写入; 加 --yes 执行)"


def _show(choice: Choice, as_json: bool, title: str) -> None:
    rows = [_row(one) for one in choice.rows[: None if as_json else SHOWN]]
    show(rows, as_json, title)
    if as_json:
        return
    rest = len(choice.rows) - len(rows)
    more = f", 另有 {rest} 笔未列出" if rest else ""
    console.print(f"共 {len(choice.rows)} 笔, 金额 {documents.yuan(choice.money):,}{more}", highlight=False)
    for reason, number in choice.left.items():
        console.print(f"  不动 {number} 笔: {reason}", highlight=False)
    if choice.more:
        console.print(f"  一次最多 {chosen.MOST} 笔, 其余请再执行一次", highlight=False)


def _row(one: chosen.Row) -> dict[str, Any]:
    return {
        "编号": one.id,
        "单据": one.key,
        "去处": one.sink,
        "状态": STATES[one.state],
        "金额": f"{documents.yuan(one.amount):,}",
        "次数": one.attempts,
        "原因": one.reason,
    }


def _tell(as_json: bool, said: str) -> None:
    if not as_json:
        console.print(said, highlight=False)
