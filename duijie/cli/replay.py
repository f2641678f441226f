"""`duijie replay`: a corrected mapping over the messages that are stored; first what would change, then the change."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from duijie.cli.output import AsJson, console, errors, show, told
from duijie.cli.work import DEFAULT, Flows, kind_of
from duijie.console.words import CHINA
from duijie.difference import told as differences
from duijie.engine import Engine
from duijie.flow import load_flows
from duijie.journal import Journal, documents
from duijie.journal.lookup import JournalLookup
from duijie.replay import WORDS, Asked, Replay, Route, Routes, Summary, Wanted, count, is_figure

Moment = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"], help="In China.")
]


@told
def replay(
    flow: Annotated[str, typer.Option(help="The flow; without it, all of them.")] = "",
    key: Annotated[list[str] | None, typer.Option(help="A message's or document's key; may be repeated.")] = None,
    reason: Annotated[str, typer.Option(help="A work item's kind (unmapped, 对照缺失) or text in a reason.")] = "",
    since: Moment = None,
    until: Moment = None,
    is_changed: Annotated[
        bool, typer.Option("--mapping-changed", help="What another version of the mapping has mapped last.")
    ] = False,
    why: Annotated[str, typer.Option(help="Kept with the replay.")] = "",
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    flows: Flows = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Map stored messages again. Only documents whose result differs become a new version and are sent again.

    Of every key the last message received counts. Stock figures are read again at the next pull instead.
    """
    wanted = Wanted(tuple(key or ()), kind_of(reason), _moment(since), _moment(until), is_changed)
    wanted.check()
    rounds = Rounds(flows, flow, wanted, why)
    if is_dry or not is_sure:
        summaries = rounds.trial()
        _show(summaries, as_json, "重放试算: 未写入任何内容")
        if is_dry or all(one.is_empty and not one.counts["messages"] for one in summaries):
            return
        typer.confirm("按以上结果重放?", abort=True, err=True)
    _show(rounds.carry_out(), as_json, "重放完成: 变化的单据由各流程下次运行时重新发送")


class Rounds:
    """One replay for every stream of the flows that were asked for."""

    def __init__(self, folder: Path, name: str, wanted: Wanted, why: str) -> None:
        self._journal = Journal.open()
        root = folder.absolute().parent.parent
        self._routes = Routes(load_flows(folder), root)
        self._engine = Engine(self._journal, root=root)
        self._wanted = wanted
        self._why = why
        names = [name] if name else list(self._routes.flows)
        self._chosen = [route for each in names for route in self._routes.of(each)]

    def trial(self) -> list[Summary]:
        """What would change."""
        return [one.trial_of_figures() if self._is_figure(route) else one.trial() for route, one in self._each("试算")]

    def carry_out(self) -> list[Summary]:
        """Change it."""
        return [one.read_again() if self._is_figure(route) else one.carry_out() for route, one in self._each("重放")]

    def _is_figure(self, route: Route) -> bool:
        return is_figure(route.entities, self._routes.flows.values(), self._engine.sink)

    def _each(self, verb: str) -> Iterator[tuple[Route, Replay]]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
            for route in self._chosen:
                total = count(self._journal, route, self._wanted)
                title = f"{verb} {route.flow}: {route.source.connection}/{route.source.stream}"
                task = progress.add_task(title, total=total)
                lookup = JournalLookup(self._journal, route.source.connection)
                asked = Asked(route, self._wanted, getpass.getuser(), self._why)
                yield route, Replay(self._journal, asked, lookup, partial(progress.advance, task))


def _moment(given: datetime | None) -> datetime | None:
    return given.replace(tzinfo=CHINA) if given and given.tzinfo is None else given


def _show(summaries: list[Summary], as_json: bool, title: str) -> None:
    if as_json:
        show([_plain(one) for one in summaries], True)
        return
    shown = [one for one in summaries if one.counts]
    names = dict.fromkeys(name for one in shown for name in one.words)
    rows = [{**_head(one), **{name: one.words.get(name, 0) for name in names}, **_money(one)} for one in shown]
    show(rows, False, title)
    for one in shown:
        _show_more(one)


def _head(one: Summary) -> dict[str, Any]:
    source = one.route.source
    return {"流程": one.route.flow, "数据流": f"{source.connection}/{source.stream}", "映射": one.route.stamp}


def _money(one: Summary) -> dict[str, str]:
    return {"金额前": f"{documents.yuan(one.before):,}", "金额后": f"{documents.yuan(one.after):,}"}


def _show_more(one: Summary) -> None:
    if one.counts["reread"]:
        console.print(
            f"{one.route.source.stream}: 即时数不从旧报文重放, {one.counts['reread']} 个将在下次拉取时重新读取"
        )
    for sample in one.samples:
        said = sample.reason or differences(sample.changes)
        console.print(f"  {WORDS[sample.fate]} {sample.key} {said}", highlight=False, markup=False)
    for sink, number in one.delivered.items():
        console.print(f"  {sink} 已有其中 {number} 张: 内容不同而目标不能更新的转待处理, 不会覆盖")
    if one.used:
        console.print(f"  金额有变的单据已用于 {len(one.used)} 张凭证或开票申请: 它们不会自动更改, 转待处理")


def _plain(one: Summary) -> dict[str, Any]:
    samples = [
        {"key": each.key, "fate": each.fate, "reason": each.reason, "changes": [list(c) for c in each.changes]}
        for each in one.samples
    ]
    money = {"before": documents.yuan(one.before), "after": documents.yuan(one.after)}
    used = [f"{entity}:{key}" for entity, key in sorted(one.used)]
    more = {"delivered": dict(one.delivered), "used": used, "reasons": dict(one.reasons), "samples": samples}
    return {"flow": one.route.flow, **_source(one), "counts": dict(one.counts), **money, **more}


def _source(one: Summary) -> dict[str, str]:
    source = one.route.source
    return {"connection": source.connection, "stream": source.stream, "mapping": one.route.stamp}
