"""Which systems are compared by what: mappings/rules/reconcile.yaml, one entry a pair.

A side names a connection's stream and a row mapping (mappings/reconcile/*.in.yaml: raw record → key and amount).
`through: RULE` replaces a row's key by that of the document which the rule made of it and adds the amounts up (sums of
nothing are left out): so orders in the PSI system meet the vouchers they went into. `among: RULE` keeps the rows whose
`of` (the order they belong to) that rule has used: a refund counts only where its sale was posted. `sink` gives the
keys for streams that are read by key. `standing` explains a class of difference for good, in words (e.g. 未上架).

A difference is explained when an open work item holds its record, by a standing explanation, or where it is an invoice
with a wrong title that was reversed and issued anew, or its red one; anything else is unexplained and raises an alert.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import yaml
from sqlalchemy import insert, select

from duijie.connect.errors import ConfigError, DataError
from duijie.connect.protocol import Stream, Window
from duijie.journal import Journal, deliveries, documents, work
from duijie.journal.lookup import JournalLookup
from duijie.journal.tables import comparison, difference, work_item, work_item_record
from duijie.mapping import load_mapping
from duijie.reconcile.compare import Difference, Result, Row, compare

Counts = Counter[str]
Streams = Callable[[str, str], Stream]


class Side(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where one side's rows come from."""

    connection: str
    stream: str
    mapping: str
    since: datetime
    until: datetime | None = None
    through: str = ""
    among: str = ""
    sink: str = ""
    distinct: bool = False
    sum: bool = False


class Pair(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Two sides that must agree. `standing`: class of difference → its lasting explanation."""

    title: str
    left: Side
    right: Side
    standing: dict[str, str] = {}


def load_pairs(path: Path) -> dict[str, Pair]:
    """Read reconcile.yaml. Raises ConfigError naming the file and the place."""
    try:
        return msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), dict[str, Pair])
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(f"对账规则 {path} 有误: {error}", en=f"{path} is wrong: {error}", where=str(path)) from error


def compare_pairs(journal: Journal, names: tuple[str, ...], streams: Streams, mappings: Path) -> Counts:
    """Compare each named pair; differences are kept, unexplained ones raise an alert each pair."""
    pairs = load_pairs(mappings / "rules" / "reconcile.yaml")
    unknown = [name for name in names if name not in pairs]
    if unknown:
        raise ConfigError(
            f"没有名为 {', '.join(unknown)} 的对账, 可选: {', '.join(pairs)}",
            en=f"no pair named {', '.join(unknown)}",
            where="reconcile.yaml",
        )
    counts: Counts = Counter()
    for name in names:
        pair = pairs[name]
        left = _rows(journal, pair.left, streams, mappings)
        right = _rows(journal, pair.right, streams, mappings)
        result = compare(left, right)
        belongs = {row.key: row.of for row in (*left, *right) if row.of}
        explained = _explain(pair, result, _Items(journal), belongs, corrected(journal))
        _keep(journal, name, pair, result, explained)
        counts["pairs"] += 1
        counts["differences"] += len(result.differences)
        counts["unexplained"] += sum(not why for why, _ in explained)
    return counts


def _rows(journal: Journal, side: Side, streams: Streams, mappings: Path) -> list[Row]:
    rows = list(_read(journal, side, streams(side.connection, side.stream), mappings))
    if side.through:
        rows = _through(journal, side.through, rows)
    if side.distinct:
        rows = [Row(key, 0) for key in sorted({row.key for row in rows})]
    return _summed(rows) if side.sum else rows


def _read(journal: Journal, side: Side, stream: Stream, mappings: Path) -> Iterator[Row]:
    mapping = load_mapping(mappings / f"{side.mapping}.yaml")
    among = _tails(journal, side.among) if side.among else {}
    lookup = JournalLookup(journal, side.connection)
    for window in _windows(journal, side, stream):
        for page in stream.read(window):
            for record in page.records:
                try:
                    row = mapping.run(record, lookup, {"partition": window.partition})
                except DataError:
                    row = {"key": str(record.get(stream.key, "?")), "amount": 0}
                if row is not None and (not side.among or _tail(str(row.get("of"))) in among):
                    yield Row(str(row["key"]), documents.fen(row["amount"]), str(row.get("of", "")))


def _windows(journal: Journal, side: Side, stream: Stream) -> Iterator[Window]:
    now = journal.now()
    if side.sink:
        keys = tuple(target for _, target in deliveries.keys_done(journal, side.sink))
        if keys:
            yield Window(side.since, now, keys=keys)
        return
    for part in stream.partitions():
        since = side.since
        while since < (until := side.until or now):
            end = min(since + timedelta(days=1), until)
            yield Window(since, end, part)
            since = end


def _summed(rows: list[Row]) -> list[Row]:
    totals: dict[str, int] = defaultdict(int)
    for row in rows:
        totals[row.key] += row.amount
    return [Row(key, amount) for key, amount in totals.items() if amount]


def _through(journal: Journal, rule: str, rows: list[Row]) -> list[Row]:
    """Rows by the documents that a rule made of theirs; a row the rule never used keeps its own key."""
    made = _tails(journal, rule)
    return _summed([Row(made.get(_tail(row.key), row.key), row.amount, row.of) for row in rows])


def _tails(journal: Journal, rule: str) -> dict[str, str]:
    return {_tail(key): result for key, result in documents.derived_keys(journal, rule).items()}


def _tail(key: str) -> str:
    return key.rpartition(":")[2]


class _Items:
    """Open work items by the records they hold: by the whole key and by its last part."""

    def __init__(self, journal: Journal) -> None:
        query = select(work_item_record.c.key, work_item.c.id, work_item.c.reason)
        query = query.join(work_item, work_item.c.id == work_item_record.c.work_item_id)
        self._by_key: dict[str, tuple[str, int]] = {}
        with journal.reading() as tx:
            for key, item_id, reason in tx.execute(query.where(work_item.c.state != "closed")):
                self._by_key[key] = self._by_key[_tail(key)] = (reason, item_id)

    def holding(self, key: str) -> tuple[str, int | None]:
        """(reason, work item id) for a key, or ("", None)."""
        return self._by_key.get(key) or self._by_key.get(_tail(key)) or ("", None)


def corrected(journal: Journal) -> dict[str, str]:
    """Invoices with a wrong title and what reversed them, by our numbers, where the two come to nothing."""
    issued = (one.body for one in documents.current(journal, "invoice") if one.body["status"] == "issued")
    gross = {one["request_no"]: one["gross"] for one in issued}
    told: dict[str, str] = {}
    for note in documents.current(journal, "invoice_correction"):
        blue, red = note.body["request_no"], note.body["red_request_no"]
        if blue in gross and red in gross and gross[blue] + gross[red] == 0:
            told |= dict.fromkeys((blue, red), f"抬头更正: {blue} 已由 {red} 全额红冲, 以新单号重开")
    return told


def _explain(
    pair: Pair, result: Result, items: _Items, belongs: Mapping[str, str], corrected: Mapping[str, str]
) -> list[tuple[str, int | None]]:
    explained = []
    for one in result.differences:
        reason, item_id = items.holding(belongs.get(one.key, one.key))
        explained.append((reason or pair.standing.get(one.kind, "") or corrected.get(one.key, ""), item_id))
    return explained


def _keep(journal: Journal, name: str, pair: Pair, result: Result, explained: list[tuple[str, int | None]]) -> None:
    unexplained = sum(not why for why, _ in explained)
    head = {
        "pair": name,
        "title": pair.title,
        "at": journal.now(),
        "left_count": result.left_count,
        "right_count": result.right_count,
        "left_amount": result.left_amount,
        "right_amount": result.right_amount,
        "differences": len(result.differences),
        "unexplained": unexplained,
    }
    with journal.writing() as tx:
        kept = tx.execute(insert(comparison).values(**head).returning(comparison.c.id)).scalar_one()
        rows = [_row(kept, one, why) for one, why in zip(result.differences, explained, strict=True)]
        if rows:
            tx.execute(insert(difference), rows)
        if unexplained:
            text = f"对账“{pair.title}”有 {unexplained} 处未解释的差异"
            work.raise_alert(tx, journal, f"reconcile|{name}", "重要", text, "在控制台“对账”中逐条核对")
        else:
            work.recovered(tx, journal, f"reconcile|{name}")


def _row(kept: int, one: Difference, why: tuple[str, int | None]) -> Mapping[str, object]:
    return {
        "comparison_id": kept,
        "key": one.key,
        "kind": one.kind,
        "left_amount": one.left,
        "right_amount": one.right,
        "explanation": why[0],
        "work_item_id": why[1],
    }


__all__ = ["Pair", "Side", "compare_pairs", "corrected", "load_pairs"]
