"""`duijie work`: what waits for a person, and sending it round again."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer
from sqlalchemy import func, select

from duijie.cli.output import AsJson, show, told
from duijie.journal import Journal, documents
from duijie.journal.tables import work_item, work_item_record

app = typer.Typer(no_args_is_help=True)


@app.command("list")
@told
def list_items(as_json: AsJson = False) -> None:
    """Open work items with owner, impact and next step."""
    journal = Journal.open()
    held = func.count(work_item_record.c.key)
    money = func.coalesce(func.sum(work_item_record.c.amount), 0)
    query = (
        select(work_item, held.label("held"), money.label("money"))
        .outerjoin(work_item_record, work_item_record.c.work_item_id == work_item.c.id)
        .where(work_item.c.state != "closed")
        .group_by(work_item.c.id)
        .order_by(money.desc(), work_item.c.id)
    )
    with journal.reading() as tx:
        found = tx.execute(query).all()
    rows = [
        {
            "编号": r.id,
            "类别": r.kind,
            "责任": r.owner,
            "单据": r.held,
            "金额": f"{documents.yuan(r.money):,}",
            "原因": r.reason,
            "下一步": r.next_step,
        }
        for r in found
    ]
    show(rows, as_json, "待处理")


@app.command()
@told
def replay(
    item: Annotated[int, typer.Argument(help="The work item's number.")],
    as_json: AsJson = False,
) -> None:
    """Send everything that one work item holds round again: its cause was removed."""
    from duijie.replay import replay_item  # noqa: PLC0415

    counts = replay_item(Journal.open(), item, getpass.getuser())
    show([{"放行": name, "笔数": number} for name, number in counts.items()], as_json, f"重放 {item}")
