"""What the archive holds of the issued invoices: exactly one original of each kind, whole, and nothing beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from duijie.journal.tables_originals import original
from sandbox import bureau_files

MAKERS = {"xml": bureau_files.xml, "ofd": bureau_files.ofd, "pdf": bureau_files.pdf}


def wrong(engine: Engine, bureau: Any, archive: Path) -> Iterator[str]:
    """Everything that is wrong, in words."""
    with engine.connect() as tx:
        rows = tx.execute(select(original)).all()
    issued = _issued(bureau)
    held = Counter((row.number, row.kind) for row in rows)
    for place in {(number, kind) for number in issued for kind in MAKERS} | set(held):
        number, kind = place
        if held[place] != (number in issued):
            yield f"there are {held[place]} {kind} of {number}"
    for row in rows:
        path = archive / row.place
        if row.faults:
            yield f"{row.kind} of {row.number} is said to be wrong: {row.faults}"
        if not path.exists() or path.read_bytes() != MAKERS[row.kind](issued[row.number], bureau):
            yield f"{row.kind} of {row.number} is not what the bureau gave"
    named = {archive / row.place for row in rows}
    yield from (f"{path.name} is of no invoice" for path in archive.rglob("*") if path.is_file() and path not in named)


def _issued(bureau: Any) -> dict[str, Any]:
    numbers = [row["number"] for row in bureau.blues() if bureau.status(row) == "issued"]
    numbers += [row["red_number"] for row in bureau.forms() if row["red_number"]]
    return {number: bureau.by_number(number) for number in numbers}


__all__ = ["wrong"]
