"""`duijie mapping preview`: what the mappings of a flow, as they are now, would change of what is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from duijie.cli.output import AsJson, console, errors, show, told
from duijie.connect.errors import ConfigError
from duijie.engine import ROOT
from duijie.flow import Deliver, Poll, Pull, Step, load_flows
from duijie.journal import Journal, documents
from duijie.journal.inbox import Source
from duijie.mapping import load_mapping
from duijie.provenance import Explainer
from duijie.replay.again import WORDS
from duijie.replay.preview import Preview, of_deliveries, of_messages
from duijie.replay.routes import Routes

_ALWAYS = ("messages", "unchanged", "changed", "new", "failing")
_WORDS = {**WORDS, "messages": "条数", "unknown": "无从比较"}


@told
def preview(
    name: Annotated[str, typer.Argument(metavar="FLOW", help="流程 / the flow")],
    last: Annotated[int, typer.Option(min=1, help="最近多少条 / how many of the newest")] = 100,
    step: Annotated[str, typer.Option(help="只看此步骤 / only this step")] = "",
    flows: Annotated[Path, typer.Option(help="流程文件夹 / the folder of flow files")] = Path("dags/flows"),
    as_json: AsJson = False,
) -> None:
    """What a flow's mappings, as they are now, would change of what is recorded, field by field. Writes nothing."""
    found = list(_previews(flows, name, step, last))
    if as_json:
        show([_plain(one) for one in found], True)
        return
    names = [key for key in _WORDS if key in _ALWAYS or any(one.counts[key] for one in found)]
    show([_row(one, names) for one in found], False, f"映射试算 {name}: 未写入任何内容")
    for one in found:
        _more(one)


def _previews(folder: Path, name: str, only: str, last: int) -> Iterator[Preview]:
    root = folder.resolve().parent.parent if folder.is_dir() else ROOT
    known = load_flows(folder)
    if name not in known:
        raise ConfigError(
            f"没有流程 {name}, 可选: {', '.join(known)}", en=f"no flow {name}; known: {', '.join(known)}", where=name
        )
    journal = Journal.open_to_read()
    steps = (
        [known[name].step(only)]
        if only
        else [one for one in known[name].steps if isinstance(one, (Pull, Poll, Deliver))]
    )
    routes = {route.source: route for route in Routes(known, root).of(name)}
    explainer = Explainer(journal, root, known)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        for one in steps:
            task = progress.add_task(f"试算 {one.name}", total=1)
            yield _preview(journal, root, one, routes, explainer, last)
            progress.update(task, completed=1)


def _preview(journal: Journal, root: Path, step: Step, routes: Any, explainer: Explainer, last: int) -> Preview:
    if isinstance(step, (Pull, Poll)):
        return of_messages(journal, routes[Source(step.connection, step.stream)], step.name, last)
    if isinstance(step, Deliver):
        mapping = load_mapping(root / "mappings" / f"{step.mapping}.yaml")
        return of_deliveries(journal, step, mapping, last, explainer.payload)
    raise ConfigError(f"步骤 {step.name} 没有映射", en=f"step {step.name} has no mapping", where=step.name)


def _row(one: Preview, names: list[str]) -> dict[str, Any]:
    counts = {_WORDS[name]: one.counts[name] for name in names}
    money = {"金额前": f"{documents.yuan(one.before):,}", "金额后": f"{documents.yuan(one.after):,}"}
    return {"步骤": one.step, "位置": one.place, **counts, **money}


def _more(one: Preview) -> None:
    for name, change in sorted(one.fields.items(), key=lambda each: -each[1].count):
        console.print(f"{one.step} 字段 {name}: {change.count} 处", highlight=False, markup=False)
        for key, example in change.examples:
            console.print(f"  {key} {example}", highlight=False, markup=False)
    for reason, count in one.reasons.items():
        console.print(f"{one.step} 新失败 {count} 条: {reason}", highlight=False, markup=False)


def _plain(one: Preview) -> dict[str, Any]:
    fields = {
        name: {"count": change.count, "examples": [[key, *example] for key, example in change.examples]}
        for name, change in one.fields.items()
    }
    money = {"before": documents.yuan(one.before), "after": documents.yuan(one.after)}
    head = {"step": one.step, "place": one.place, "mapping": one.mapping, "counts": dict(one.counts)}
    return {**head, "fields": fields, "reasons": dict(one.reasons), **money}
