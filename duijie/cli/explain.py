"""`duijie explain`: where a value of the journal came from, down to the raw message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from duijie import codec
from duijie.cli.output import AsJson, console, told
from duijie.connect.errors import ConfigError
from duijie.console.words import ENTITIES, LOOKUPS, moment
from duijie.engine import ROOT
from duijie.flow import load_flows
from duijie.journal import Journal
from duijie.mapping.values import show as shown_value
from duijie.provenance import Explained, Explainer, Origin, Place, Source, Why

DELIVERY = ("delivery", "投递")
BROAD = 12
NAMES = {name: entity for entity, name in ENTITIES.items()}


@told
def explain(
    entity: Annotated[str, typer.Argument(help="sales_order, 凭证, … or delivery.")],
    key: Annotated[str, typer.Argument(help="The document's key or its last part; a delivery's number.")],
    field: Annotated[str, typer.Argument(help="A field such as lines[0].net; without it, all of them.")] = "",
    version: Annotated[int, typer.Option(help="Of the document; 0 is the current one.")] = 0,
    sources: Annotated[int, typer.Option(min=1, help="How many sources of a sum are followed.")] = 5,
    flows: Annotated[Path, typer.Option(help="The folder of flow files.")] = Path("dags/flows"),
    as_json: AsJson = False,
) -> None:
    """Why a field of a document, or of what was sent, has its value: rule, place, who changed it, and its sources."""
    root = flows.resolve().parent.parent if flows.is_dir() else ROOT
    explainer = Explainer(Journal.open_to_read(), root, load_flows(root / "dags" / "flows"), sources)
    found = _asked(explainer, entity, key, field, version)
    if as_json:
        typer.echo(codec.encode_ordered(found.as_dict()).decode())
        return
    show(found, field)


def _asked(explainer: Explainer, entity: str, key: str, field: str, version: int) -> Explained:
    if entity not in DELIVERY:
        return explainer.document(NAMES.get(entity, entity), key, field, version)
    if not key.isdigit():
        raise ConfigError(
            f"投递须给编号, 不是 {key}; 编号见“联查”页的“经过”", en=f"a delivery is named by its number, not {key}"
        )
    return explainer.delivery(int(key), field)


def show(found: Explained, field: str, out: Console = console) -> None:
    """Print one field as a tree down to the message, or all of them as a table."""
    out.print(f"[bold]{escape(origin_words(found.origin))}[/bold] · {escape(found.mapping)}")
    for note in found.notes:
        _note(out, note)
    if not field or len(found.whys) > BROAD:
        out.print(_table(found))
        return
    for why in found.whys:
        tree = Tree(f"[bold]{escape(why.field)}[/bold] = {escape(shown_value(why.value))}", guide_style="dim")
        _grow(tree, why)
        out.print(tree)


def _note(out: Console, note: str) -> None:
    colour = "yellow" if note.startswith("注意") else "dim"
    out.print(f"[{colour}]{escape(note)}[/{colour}]", soft_wrap=True)


def _table(found: Explained) -> Table:
    table = Table("字段", "值", "规则", "位置", "最后修改", header_style="bold")
    for why in found.whys:
        place = why.place
        value = shown_value(why.value)
        table.add_row(*map(escape, (why.field, value, why.rule, str(place or ""), changed(place, 0) if place else "")))
    return table


def _grow(tree: Tree, why: Why) -> None:
    place = f"  [cyan]{escape(str(why.place))}[/cyan]  [dim]{escape(changed(why.place))}[/dim]" if why.place else ""
    tree.add(f"规则 [green]{escape(why.rule)}[/green]{place}")
    for step in why.steps:
        name = "条件" if step.role == "when" else f"其中 {step.name} ="
        value = escape(shown_value(step.value))
        at = f"[cyan]{escape(str(step.place))}[/cyan]  [dim]{escape(changed(step.place))}[/dim]"
        tree.add(f"{escape(name)} [green]{escape(step.rule)}[/green] → {value}  {at}")
    for line in _rows(why):
        tree.add(escape(line))
    for source in why.sources:
        _follow(tree, source)
    if why.more:
        tree.add(f"… 另有 {why.more} 个来源 (--sources {why.more + len(why.sources)} 全部展开)")
    for note in why.notes:
        colour = "yellow" if note.startswith("注意") else "dim"
        tree.add(f"[{colour}]{escape(note)}[/{colour}]")


def _rows(why: Why) -> Iterator[str]:
    for row in why.rows:
        answer = "" if isinstance(row.answer, dict) else f" → {shown_value(row.answer)}"
        kept = f"  {row.kept_by} {moment(row.kept_at)}" if row.kept_at else ""
        place = f"  {row.place}  {changed(row.place)}" if row.place else ""
        name = ENTITIES.get(row.name, row.name) if row.kind == "ref" else row.name
        yield f"{LOOKUPS.get(row.kind, row.kind)} {name} {shown_value(row.code)}{answer}{place}{kept}"


def _follow(tree: Tree, source: Source) -> None:
    value = escape(shown_value(source.value))
    branch = tree.add(
        f"← [bold]{escape(source.path)}[/bold] = {value}  [magenta]{escape(origin_words(source.origin))}[/]"
    )
    if source.why:
        _grow(branch, source.why)


def origin_words(origin: Origin) -> str:
    """Where something stands, for people."""
    match origin.kind:
        case "message":
            return f"报文 #{origin.id} {origin.name} {origin.key} · {moment(origin.at)} 收到"
        case "document":
            version = f" 第 {origin.version} 版" if origin.version else ""
            return f"{ENTITIES.get(origin.name, origin.name)} {origin.key}{version}"
        case "delivery":
            return f"投递 #{origin.id} {origin.name} {origin.key}"
        case "settings":
            return "流程设置"
    return "样本"


def changed(place: Place, longest: int = 40) -> str:
    """Who changed a line last, for people; at most so much of what they said."""
    change = place.change
    if change.unknown:
        return change.unknown
    summary = change.summary if len(change.summary) <= longest else change.summary[:longest] + "…" * bool(longest)
    return f"{change.who} {datetime.fromisoformat(change.at):%Y-%m-%d} {change.commit[:7]} {summary}".rstrip()
