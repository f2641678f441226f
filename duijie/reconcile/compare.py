"""Comparing two lists of rows in DuckDB: totals, then a full join by key, every difference classified.

Amounts are integer fen all the way, so that equal means equal. Classes follow the trade's words: 漏单 (missing on the
right), 多单 (missing on the left), 重复 (a key twice on one side), 金额不符.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from duijie import codec


@dataclass(frozen=True)
class Row:
    """One row of one side: key, amount in fen, and the record it belongs to where that has another key."""

    key: str
    amount: int
    of: str = ""


@dataclass(frozen=True)
class Difference:
    """A key that is not the same on both sides; amounts in fen, None where a side has none."""

    key: str
    kind: str
    left: int | None
    right: int | None


@dataclass(frozen=True)
class Result:
    """Totals of both sides and every difference."""

    left_count: int
    right_count: int
    left_amount: int
    right_amount: int
    differences: tuple[Difference, ...]


_JOIN = """
WITH l AS (SELECT key, count(*) AS n, sum(amount)::BIGINT AS amount FROM left_side GROUP BY key),
     r AS (SELECT key, count(*) AS n, sum(amount)::BIGINT AS amount FROM right_side GROUP BY key)
SELECT coalesce(l.key, r.key) AS key,
       CASE WHEN r.key IS NULL THEN '漏单' WHEN l.key IS NULL THEN '多单'
            WHEN l.n <> r.n THEN '重复' ELSE '金额不符' END AS kind,
       l.amount, r.amount
FROM l FULL JOIN r ON l.key = r.key
WHERE l.key IS NULL OR r.key IS NULL OR l.n <> r.n OR l.amount <> r.amount
ORDER BY key
"""


def compare(left: Iterable[Row], right: Iterable[Row]) -> Result:
    """Compare two sides; rows with equal keys on one side count as doubled."""
    with duckdb.connect(":memory:") as db, tempfile.TemporaryDirectory() as folder:
        totals = [_load(db, name, rows, Path(folder)) for name, rows in (("left_side", left), ("right_side", right))]
        differences = tuple(Difference(*row) for row in db.execute(_JOIN).fetchall())
    (left_count, left_amount), (right_count, right_amount) = totals
    return Result(left_count, right_count, left_amount, right_amount, differences)


def _load(db: duckdb.DuckDBPyConnection, table: str, rows: Iterable[Row], folder: Path) -> tuple[int, int]:
    path = folder / f"{table}.json"
    path.write_bytes(b"\n".join(codec.encode({"key": row.key, "amount": row.amount}) for row in rows))
    columns = {"key": "VARCHAR", "amount": "BIGINT"}
    db.read_json(str(path), columns=columns, format="newline_delimited").create(table)
    [(count, amount)] = db.table(table).aggregate("count(*), coalesce(sum(amount), 0)::BIGINT").fetchall()
    return int(count), int(amount)
