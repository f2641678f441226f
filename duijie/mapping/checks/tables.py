"""Code tables: rows that can never be asked for, codes without a row, rows alike, tables nobody reads."""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from duijie.mapping.checks.facts import Fact, Written, constant, joined, listing, said
from duijie.mapping.checks.report import Report, suggestion
from duijie.mapping.checks.shapes import COUNT, SEEN, Described
from duijie.mapping.document import Block, Item, Listing, Scalar
from duijie.mapping.findings import Spot

_ENOUGH = 50  # records that were seen before their silence means something


@dataclass(frozen=True)
class Row:
    """One row of a table; `spot` is where its code stands."""

    code: str
    spot: Spot
    gives: Fact


@dataclass(frozen=True)
class Table:
    """A table of the file, its rows by code."""

    name: str
    spot: Spot
    rows: Mapping[str, Row]


@dataclass(frozen=True)
class Use:
    """One call of table()."""

    table: Table
    node: ast.expr
    code: Fact
    fallback: bool


def read_tables(root: Block) -> dict[str, Table]:
    """The tables of a mapping file."""
    held = root.get("tables")
    entries = held.entries if isinstance(held, Block) else ()
    return {entry.key: _table(entry.key, entry.spot, entry.item) for entry in entries if isinstance(entry.item, Block)}


def _table(name: str, spot: Spot, block: Block) -> Table:
    return Table(name, spot, {row.key: Row(row.key, row.spot, given(row.item)) for row in block.entries})


def given(item: Item) -> Fact:
    """What is known of plain data in the file."""
    if isinstance(item, Scalar):
        return constant(item.value, item.spot)
    if isinstance(item, Listing):
        return listing(joined(map(given, item.items)))
    return Fact(frozenset({"object"}), shapes=(Written({entry.key: given(entry.item) for entry in item.entries}),))


def found(table: Table, code: Fact) -> Fact:
    """What table() gives for a code."""
    codes = _codes(code)
    return joined(row.gives for row in table.rows.values() if codes is None or row.code in codes)


def _codes(code: Fact) -> set[str] | None:
    return None if code.values is None else {said(value) for value in code.values}


def check(tables: Iterable[Table], uses: Iterable[Use], report: Report) -> None:
    """Tell what is wrong with the tables and their calls."""
    calls: dict[str, list[Use]] = {}
    for use in uses:
        calls.setdefault(use.table.name, []).append(use)
    for table in tables:
        _like(table, report)
        if table.name not in calls:
            report.tell("DJ405", table.spot, f"表 {table.name} 从未使用", f"table {table.name} is never used")
            continue
        _unasked(table, calls[table.name], report)
        for use in calls[table.name]:
            _missing(table, use, report)


def _like(table: Table, report: Report) -> None:
    seen: dict[str, Row] = {}
    for row in table.rows.values():
        plain = unicodedata.normalize("NFKC", row.code).casefold().strip()
        first = seen.setdefault(plain, row)
        if (
            first is not row
            and first.gives.values is not None
            and set(first.gives.values) == set(row.gives.values or ())
        ):
            report.tell(
                "DJ407",
                row.spot,
                f"表 {table.name} 的编码 {row.code!r} 与第 {first.spot.line} 行的 {first.code!r} 相似",
                f"code {row.code!r} of table {table.name} is like {first.code!r} on line {first.spot.line}",
            )


def _unasked(table: Table, uses: list[Use], report: Report) -> None:
    asked = [_codes(use.code) for use in uses]
    known = [codes for codes in asked if codes is not None]
    if len(known) == len(asked):
        codes = set().union(*known)
        for row in table.rows.values():
            if row.code not in codes:
                zh, en = suggestion(row.code, codes)
                report.tell(
                    "DJ406",
                    row.spot,
                    f"表 {table.name} 的编码 {row.code} 不会出现{zh}",
                    f"code {row.code} of table {table.name} never comes{en}",
                )
        return
    seen = [_seen(use.code) for use in uses]
    sampled = set().union(*(codes for codes in seen if codes))
    for row in table.rows.values() if all(codes is not None for codes in seen) else ():
        if row.code not in sampled:
            report.tell(
                "DJ406",
                row.spot,
                f"样本中从未出现表 {table.name} 的编码 {row.code}",
                f"no recorded sample has code {row.code} of table {table.name}",
                "note",
            )


def _seen(code: Fact) -> set[str] | None:
    """The values enough recorded samples have at this place."""
    place = code.shapes[0] if code.shapes and len(code.shapes) == 1 else None
    if not isinstance(place, Described) or place.schema.get(COUNT, 0) < _ENOUGH:
        return None
    held: set[str] | None = place.schema.get(SEEN)
    return held


def _missing(table: Table, use: Use, report: Report) -> None:
    codes = _codes(use.code)
    for code in sorted(codes or ()) if not use.fallback else ():
        if code not in table.rows:
            zh, en = suggestion(code, table.rows)
            report.node(
                "DJ304", use.node, f"表 {table.name} 没有编码 {code}{zh}", f"table {table.name} has no row {code}{en}"
            )
