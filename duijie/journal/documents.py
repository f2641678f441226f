"""Documents: canonical records by entity, key and version; only a changed content makes a new version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.codec import Record
from duijie.journal import bulk
from duijie.journal.journal import Journal
from duijie.journal.tables import derived, document, link
from duijie.schemas import MOST, TOTALS

FEN = 100
ORIGINS = {  # entity → (kind of the link, the entities it may come of, the field that holds that one's key)
    "sales_refund": ("refund", ("sales_order",), "order_key"),
    "invoice": ("issued", ("invoice_request", "red_request"), "request_no"),
}


@dataclass(frozen=True)
class Document:
    """One version of a canonical record."""

    id: int
    entity: str
    key: str
    version: int
    body: Record

    @classmethod
    def of(cls, row: Any) -> Document:
        """From a row of (id, entity, key, version, body)."""
        return cls(row.id, row.entity, row.key, row.version, codec.decode(row.body))


_COLUMNS = (document.c.id, document.c.entity, document.c.key, document.c.version, document.c.body)


def fen(value: Any) -> int:
    """A money amount as integer fen. Raises ValueError for a fraction of a fen and for what is no amount of money."""
    amount = Decimal(value)
    if not -MOST < amount < MOST:
        raise ValueError(f"{amount:.3g} is no amount of money")
    cents = amount * FEN
    if cents != cents.to_integral_value():
        raise ValueError(f"{value} has fractions of a fen")
    return int(cents)


def yuan(cents: int | None) -> Decimal:
    """Integer fen as yuan with two places."""
    return (Decimal(cents or 0) / FEN).quantize(Decimal("0.01"))


def amount_of(body: Record) -> int:
    """The document's own total in fen, 0 where it has none."""
    return next((fen(body[name]) for name in TOTALS if body.get(name) is not None), 0)


def number_of(body: Record) -> str:
    """The number that people know a document by: its own, else the last part of its key."""
    return str(body.get("number") or str(body["key"]).rpartition(":")[2])[:200]


_STANDING = select(document.c.id, document.c.key, document.c.version, document.c.hash, document.c.body)
_INSERT_ONE = insert(document).returning(document.c.id)


@dataclass(frozen=True)
class Made:
    """A record to put. `is_sure`: its source has said it twice, so it holds even where it looks older than the last."""

    entity: str
    body: Record
    message_id: int | None
    mapping: str
    is_sure: bool = False


@dataclass
class _Kept:
    """What stands under a key: a row of the table (by its id), or one that is about to be inserted."""

    version: int
    hash: str
    body: bytes
    id: int | None = None
    row: Record | None = None


def put(tx: Transaction, journal: Journal, entity: str, body: Record, origin: tuple[int | None, str]) -> int | None:
    """Store a document; returns its id, or None when nothing changed or a newer version is already there.

    `origin` is (message id, mapping name and version).
    """
    rows, _ = _new_rows(tx, journal, entity, [Made(entity, body, *origin)])
    if not rows:
        return None
    made = int(tx.execute(_INSERT_ONE, rows[0]).scalar_one())
    link_origin(tx, journal, entity, body)
    return made


def put_many(tx: Transaction, journal: Journal, made: Sequence[Made]) -> list[str]:
    """Store documents in the order given, with few statements; returns what became of each.

    "new" (the first version), "changed", "unchanged", "older" (its source changed what is kept later than this).
    """
    fates: list[str] = [""] * len(made)
    for entity in dict.fromkeys(one.entity for one in made):
        places = [place for place, one in enumerate(made) if one.entity == entity]
        rows, found = _new_rows(tx, journal, entity, [made[place] for place in places])
        for place, fate in zip(places, found, strict=True):
            fates[place] = fate
        if rows:
            bulk.insert_all(tx, document, rows)
        for place in places if entity in ORIGINS else ():
            if fates[place] in ("new", "changed"):
                link_origin(tx, journal, entity, made[place].body)
    return fates


def _new_rows(tx: Transaction, journal: Journal, entity: str, made: Sequence[Made]) -> tuple[list[Record], list[str]]:
    """The rows to insert, of which the last of a key is current, and each one's fate; retires what they replace."""
    keys = {str(one.body["key"]) for one in made}
    held = _STANDING.where(document.c.entity == entity, bulk.among(tx, document.c.key, keys), document.c.current)
    kept = {row.key: _Kept(row.version, row.hash, row.body, row.id) for row in tx.execute(held)}
    now = journal.now()
    rows: list[Record] = []
    fates: list[str] = []
    retired: list[int] = []
    for one in made:
        key, encoded = str(one.body["key"]), codec.encode(one.body)
        hashed = hashlib.sha256(encoded).hexdigest()
        old = kept.get(key)
        fates.append(_fate(one, hashed, old))
        if fates[-1] not in ("new", "changed"):
            continue
        if old is not None and old.row is not None:
            old.row["current"] = False
        elif old is not None and old.id is not None:
            retired.append(old.id)
        rows.append(_row(one, key, encoded, hashed, old.version + 1 if old else 1, now))
        kept[key] = _Kept(rows[-1]["version"], hashed, encoded, row=rows[-1])
    if retired:
        tx.execute(update(document).where(bulk.among(tx, document.c.id, retired)).values(current=False))
    return rows, fates


def _fate(one: Made, hashed: str, old: _Kept | None) -> str:
    if old is None:
        return "new"
    if old.hash == hashed:
        return "unchanged"
    return "older" if not one.is_sure and is_older(one.body, codec.decode(old.body)) else "changed"


def _row(one: Made, key: str, encoded: bytes, hashed: str, version: int, now: datetime) -> Record:
    return {
        "entity": one.entity,
        "key": key,
        "version": version,
        "current": True,
        "hash": hashed,
        "body": encoded,
        "amount": amount_of(one.body),
        "number": number_of(one.body),
        "message_id": one.message_id,
        "mapping": one.mapping,
        "created_at": now,
    }


def link_origin(tx: Transaction, journal: Journal, entity: str, body: Record) -> None:
    """Link a document to the one that it names in its own body as the one it came of; no money is made of it (0)."""
    kind, sources, field = ORIGINS.get(entity, ("", (), ""))
    if not (named := str(body.get(field, ""))):
        return
    query = select(document.c.entity).where(document.c.entity.in_(sources), document.c.key == named)
    source = sources[0] if len(sources) == 1 else tx.execute(query.limit(1)).scalar()
    if source:
        _link(tx, journal, kind, (source, named), (entity, str(body["key"]), 0))


def is_older(body: Record, kept: Record) -> bool:
    """Whether a record was changed at its source before the one that is kept; never where a time is missing."""
    mine, theirs = body.get("modified_at"), kept.get("modified_at")
    return bool(mine and theirs and mine < theirs)


def current(journal: Journal, entity: str, batch: int = 1000) -> Iterator[Document]:
    """Every current document of an entity, oldest first, in batches that keep memory flat."""
    after = 0
    while True:
        query = select(*_COLUMNS).where(document.c.entity == entity, document.c.current, document.c.id > after)
        with journal.reading() as tx:
            rows = tx.execute(query.order_by(document.c.id).limit(batch)).all()
        if not rows:
            return
        yield from map(Document.of, rows)
        after = rows[-1].id


def get(journal: Journal, entity: str, key: str) -> Document | None:
    """The current version, or None."""
    query = select(*_COLUMNS).where(document.c.entity == entity, document.c.key == key, document.c.current)
    with journal.reading() as tx:
        row = tx.execute(query).first()
    return Document.of(row) if row else None


def has_number(entity: str, number: str) -> ColumnElement[bool]:
    """Which rows are the current document of that number: found by the number, not among all that are current."""
    return (document.c.number == number) & (document.c.entity.concat("") == entity) & document.c.current


def by_ids(tx: Transaction, ids: Iterable[int]) -> dict[int, Document]:
    """Documents by id."""
    rows = tx.execute(select(*_COLUMNS).where(bulk.among(tx, document.c.id, list(ids))))
    return {row.id: Document.of(row) for row in rows}


def not_yet_derived(journal: Journal, rule: str, entity: str) -> list[Document]:
    """Current documents of an entity that a rule has not used yet."""
    used = select(derived.c.key).where(derived.c.rule == rule, derived.c.entity == entity)
    query = select(*_COLUMNS).where(document.c.entity == entity, document.c.current, document.c.key.not_in(used))
    with journal.reading() as tx:
        return [Document.of(row) for row in tx.execute(query.order_by(document.c.key))]


def derived_keys(journal: Journal, rule: str) -> dict[str, str]:
    """Source key → result key of everything a rule has used."""
    query = select(derived.c.key, derived.c.result_key).where(derived.c.rule == rule)
    with journal.reading() as tx:
        return {key: result for key, result in tx.execute(query)}


def mark_derived(tx: Transaction, rule: str, sources: Iterable[Document], result_key: str) -> None:
    """Say that a rule used these documents; a second use breaks the primary key and rolls everything back."""
    rows = [
        {"rule": rule, "entity": s.entity, "key": s.key, "document_id": s.id, "result_key": result_key} for s in sources
    ]
    if rows:
        tx.execute(insert(derived), rows)


def derived_count(journal: Journal, rule: str) -> dict[str, int]:
    """How many results a rule has made, by the group part of their keys (all but the supplement number).

    Those whose sources were put aside since (`reversals`) count too.
    """
    aside = derived.c.rule.startswith(f"{rule}:", autoescape=True)
    query = select(derived.c.result_key).where((derived.c.rule == rule) | aside).distinct()
    counts: dict[str, int] = {}
    with journal.reading() as tx:
        for (key,) in tx.execute(query):
            group = str(key).rpartition(":")[0]
            counts[group] = counts.get(group, 0) + 1
    return counts


def connect(tx: Transaction, journal: Journal, kind: str, source: Document, target: tuple[str, str, int]) -> None:
    """Link (联查) a document to (entity, key, amount in fen); a link is made once."""
    _link(tx, journal, kind, (source.entity, source.key), target)


def _link(tx: Transaction, journal: Journal, kind: str, source: tuple[str, str], target: tuple[str, str, int]) -> None:
    entity, key, amount = target
    row = {
        "kind": kind,
        "from_entity": source[0],
        "from_key": source[1],
        "to_entity": entity,
        "to_key": key,
        "amount": amount,
        "created_at": journal.now(),
    }
    tx.execute(journal.insert_new(link).values(**row))


def count(journal: Journal) -> dict[str, int]:
    """Current documents by entity."""
    query = select(document.c.entity, func.count()).where(document.c.current).group_by(document.c.entity)
    with journal.reading() as tx:
        return {entity: number for entity, number in tx.execute(query)}
