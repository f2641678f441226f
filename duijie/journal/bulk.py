"""Many rows in one statement.

PostgreSQL parses, plans and answers a statement for every row of an `executemany`, and SQLAlchemy spells out every
value of a long VALUES or IN. A column as an array is one parameter: the statement stays the same for any number of
rows, and costs a fraction. SQLite runs in this process and gains nothing by it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Insert,
    String,
    Table,
    Text,
    any_,
    bindparam,
    column,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy import Connection as Transaction
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import TypeEngine

from duijie.codec import Record
from duijie.journal.journal import Journal


def insert_all(tx: Transaction, table: Table, rows: Sequence[Record]) -> None:
    """Insert rows that all name the same columns."""
    _insert(tx, insert(table), rows)


def insert_new(
    tx: Transaction, journal: Journal, table: Table, rows: Sequence[Record], *told: ColumnElement[Any]
) -> list[Any]:
    """Insert rows that all name the same columns, but for those that are there; returns `told` of the new ones."""
    return list(_insert(tx, journal.insert_new(table).returning(*told), rows).all())


def _insert(tx: Transaction, into: Insert, rows: Sequence[Record]) -> Any:
    if not _is_postgres(tx):
        return tx.execute(into, list(rows))
    given = _given(into.table, {name: name for name in rows[0]}, rows)
    return tx.execute(into.from_select(list(rows[0]), select(*given.c)))


def update_all(tx: Transaction, table: Table, rows: Mapping[int, Record], **alike: ColumnElement[Any]) -> None:
    """Set the same columns of rows by their ids, each to values of its own; `alike` to the same in all of them."""
    names = list(next(iter(rows.values())))
    if _is_postgres(tx):
        given = _given(table, {"row_id": "id"} | {name: name for name in names}, _named(rows))
        changed = update(table).where(table.c.id == given.c.row_id)
        tx.execute(changed.values(**{name: given.c[name] for name in names}, **alike))
    else:
        new: dict[str, ColumnElement[Any]] = {name: bindparam(f"new_{name}") for name in names}
        values = [{"row_id": at, **{f"new_{name}": row[name] for name in names}} for at, row in rows.items()]
        tx.execute(update(table).where(table.c.id == bindparam("row_id")).values(**new, **alike), values)


def _named(rows: Mapping[int, Record]) -> list[Record]:
    return [{"row_id": at, **row} for at, row in rows.items()]


def among(tx: Transaction, tested: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Whether a column has one of these values."""
    if _is_postgres(tx):
        return tested == any_(literal(list(values), ARRAY(_element(tested.type))))
    return tested.in_(list(values))


def _given(table: Any, names: Mapping[str, str], rows: Sequence[Record]) -> FromClause:
    """Rows as a table of arrays; `names`: theirs, and the columns whose types they have."""
    arrays = [literal([row[name] for row in rows], ARRAY(_element(table.c[of].type))) for name, of in names.items()]
    columns = [column(name, table.c[of].type) for name, of in names.items()]
    return func.unnest(*arrays).table_valued(*columns).render_derived(name="given")


def _element(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Without a length: a cast to `varchar(80)` would cut off what an insert refuses."""
    return Text() if isinstance(kind, String) else kind


def _is_postgres(tx: Transaction) -> bool:
    return tx.dialect.name == "postgresql"
