"""What a journal holds, as figures that two copies can be compared by: rows, sums of money, a tree of hashes per table.

The rows of a table are read in the order of its key and hashed in leaves of 5,000; the table's root is the hash of its
leaves, the journal's fingerprint the hash of all roots. SQLite and PostgreSQL give the same hashes for the same rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, MetaData, String, Table, select, text
from sqlalchemy import Connection as Transaction

LEAF = 5000
MONEY = "amount"
CHECKS = {
    "deliveries_without_document": """SELECT count(*) FROM delivery d
        WHERE NOT EXISTS (SELECT 1 FROM document o WHERE o.id = d.document_id)""",
    "events_without_delivery": """SELECT count(*) FROM delivery_event e
        WHERE NOT EXISTS (SELECT 1 FROM delivery d WHERE d.id = e.delivery_id)""",
    "states_that_their_history_denies": """SELECT count(*) FROM delivery d JOIN delivery_event e
        ON e.id = (SELECT max(l.id) FROM delivery_event l WHERE l.delivery_id = d.id) WHERE e.after <> d.state""",
}


class Figures(msgspec.Struct, frozen=True):
    """One table: rows, sums of its money columns in fen, the root and the leaves of its hashes."""

    rows: int
    sums: dict[str, int]
    root: str
    leaves: list[str]


class Proof(msgspec.Struct, frozen=True):
    """A whole journal; `checks` count what must not be."""

    tables: dict[str, Figures]
    checks: dict[str, int]

    @property
    def fingerprint(self) -> str:
        """One hash for everything."""
        roots = "\n".join(f"{name} {one.rows} {one.root}" for name, one in sorted(self.tables.items()))
        return hashlib.sha256(roots.encode()).hexdigest()


@dataclass(frozen=True)
class Difference:
    """A table in which two journals differ, and from which row of its order on."""

    table: str
    what: str


def take(tx: Transaction) -> Proof:
    """The proof of what one transaction sees; reads every row once."""
    known = MetaData()
    known.reflect(bind=tx)
    tables = {name: _figures(tx, table) for name, table in sorted(known.tables.items())}
    return Proof(tables, {name: int(tx.execute(text(sql)).scalar_one()) for name, sql in CHECKS.items()})


def _figures(tx: Transaction, table: Table) -> Figures:
    money = [index for index, column in enumerate(table.columns) if column.name.endswith(MONEY)]
    sums = dict.fromkeys((list(table.columns)[index].name for index in money), 0)
    leaves: list[str] = []
    rows = 0
    for leaf in _leaves(tx, table):
        hashed = hashlib.sha256()
        for row in leaf:
            hashed.update(repr(tuple(map(_plain, row))).encode())
            for index, name in zip(money, sums, strict=True):
                sums[name] += row[index] or 0
        rows += len(leaf)
        leaves.append(hashed.hexdigest())
    return Figures(rows, sums, hashlib.sha256("".join(leaves).encode()).hexdigest(), leaves)


def _leaves(tx: Transaction, table: Table) -> Iterator[Any]:
    collation = "C" if tx.dialect.name == "postgresql" else "BINARY"  # text in the order of its bytes
    query = select(table).order_by(*(_bytewise(one, collation) for one in table.primary_key.columns))
    yield from tx.execution_options(stream_results=True).execute(query).partitions(LEAF)


def _bytewise(column: ColumnElement[Any], collation: str) -> ColumnElement[Any]:
    return column.collate(collation) if isinstance(column.type, String) else column


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (
            (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat(timespec="microseconds")
        )
    if isinstance(value, date):
        return value.isoformat()
    return bytes(value) if isinstance(value, memoryview) else value


def differences(kept: Proof, found: Proof) -> list[Difference]:
    """Where the second does not hold what the first says; empty when they are the same in every row."""
    names = sorted({*kept.tables, *found.tables})
    wrong = [Difference(name, what) for name in names if (what := _between(kept.tables, found.tables, name))]
    for name, number in kept.checks.items():
        if found.checks.get(name) != number:
            wrong.append(Difference(name, f"应为 {number}, 实为 {found.checks.get(name)}"))
    return wrong


def _between(kept: Mapping[str, Figures], found: Mapping[str, Figures], name: str) -> str:
    if name not in kept or name not in found:
        return "多出此表" if name in found else "缺少此表"
    one, other = kept[name], found[name]
    if one.rows != other.rows:
        return f"应有 {one.rows} 行, 实有 {other.rows} 行"
    if one.sums != other.sums:
        return f"金额合计应为 {one.sums}, 实为 {other.sums}"
    if one.root == other.root:
        return ""
    leaf = next(index for index, pair in enumerate(zip(one.leaves, other.leaves, strict=True)) if pair[0] != pair[1])
    return f"第 {leaf * LEAF + 1}–{min((leaf + 1) * LEAF, one.rows)} 行内容不同"
