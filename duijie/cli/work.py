"""`duijie work`: what waits for a person, and sending it round again."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from duijie.alerts.standing import people_of
from duijie.cli.output import AsJson, console, show, told
from duijie.console.words import ENTITIES, KINDS, age
from duijie.flow import load_flows
from duijie.journal import Journal, documents, views, work
from duijie.replay import Routes, preview_item, replay_item

app = typer.Typer(no_args_is_help=True)


Flows = Annotated[Path, typer.Option("--flows", help="The folder of flow files.")]
DEFAULT = Path("dags/flows")
Item = Annotated[int, typer.Argument(help="The work item's number.")]


@app.command("list")
@told
def list_items(
    owner: Annotated[str, typer.Option(help="Only those of this owner (责任方).")] = "",
    kind: Annotated[str, typer.Option(help="Only this kind, such as unmapped or 对照缺失.")] = "",
    as_json: AsJson = False,
) -> None:
    """Open work items with owner, impact and next step."""
    journal = Journal.open()
    now = journal.now()
    rows = [_row(one, now) for one in views.items(journal, kind=kind_of(kind), owner=owner)]
    if as_json or not rows:
        show(rows, as_json, "待处理")
    for row in rows if not as_json else ():
        _tell(row)


def _row(one: views.Item, now: datetime) -> dict[str, Any]:
    return {
        "编号": one.id,
        "类别": one.kind,
        "对象": one.subject,
        "责任": " ".join(filter(None, (one.owner, people_of(one.owner)))),
        "已等": age(one.created_at, now),
        "单据": one.records,
        "金额": f"{documents.yuan(one.money):,}",
        "原因": one.reason,
        "下一步": one.next_step,
    }


def _tell(row: Mapping[str, Any]) -> None:
    """A few lines: sentences in the cells of a table are read letter by letter."""
    kind, number = KINDS.get(row["类别"], row["类别"]), f"[bold]{row['编号']}[/bold]"
    console.print(f"{number}  {kind} · {row['对象']} · {row['责任']} · 已等 {row['已等']}", highlight=False)
    held = f"{row['单据']} 张单据, {row['金额']} 元" if row["单据"] else "没有单据被它挡住"
    for line in (held, row["原因"], f"→ {row['下一步']}"):
        console.print(Padding(Text(line), (0, 0, 0, 4)))


@app.command("show")
@told
def show_item(item: Item, as_json: AsJson = False) -> None:
    """One work item with every document that it holds, and why each of them waits."""
    journal = Journal.open()
    found = views.items(journal, item_id=item)
    if not found:
        raise work.unknown(item)
    held = views.records(journal, item)
    why = views.reasons(journal, held)
    rows = [
        {
            "单据": ENTITIES.get(one.entity, one.entity),
            "号码": one.key,
            "流程": one.flow,
            "金额": f"{documents.yuan(one.amount):,}",
            "原因": why[one.entity, one.key],
        }
        for one in held
    ]
    if not as_json:
        _tell(_row(found[0], journal.now()))
    more = f" (共 {found[0].records} 张, 金额最大的 {len(rows)} 张)" if found[0].records > len(rows) else ""
    show(rows, as_json, f"待处理 {item} 的单据{more}")


@app.command()
@told
def replay(
    item: Item,
    flows: Flows = DEFAULT,
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be released.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send everything that one work item holds round again: its cause was removed."""
    journal, known = Journal.open(), Routes(load_flows(flows), flows.absolute().parent.parent)
    who = getpass.getuser()
    counts = preview_item(journal, item, known) if is_dry else replay_item(journal, item, who, known)
    rows = [{"放行": name, "笔数": number} for name, number in counts.words.items()]
    show(rows, as_json, f"重放 {item}" + (" (试算)" if is_dry else ""))


@app.command()
@told
def claim(item: Item, who: Annotated[str, typer.Option(help="In whose name.")] = "") -> None:
    """Put a name (yours) on an open work item."""
    work.claim(Journal.open(), item, who or getpass.getuser())
    console.print(f"待处理 {item} 已认领")


@app.command()
@told
def close(item: Item, note: Annotated[str, typer.Option(help="What was done.", prompt="处理说明")]) -> None:
    """Close a work item with a note."""
    work.close(Journal.open(), item, getpass.getuser(), note)
    console.print(f"待处理 {item} 已关闭")


def kind_of(text: str) -> str:
    """A kind by its name in the journal or by the word people read."""
    return next((kind for kind, word in KINDS.items() if word == text), text)
