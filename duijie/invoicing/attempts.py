"""Asking again for an invoice that a platform has definitely refused: once, in the one way that the platform knows.

::

    waiting ──→ sent ──→ ended      the same number again, where the sink is `Resubmitting`
       │         ├─────→ failed     the platform failed it once more: the next row waits
       │         └─────→ refused    it takes no further retry: a person decides
       └──────→ renewed             a new request under a new number, made in the transaction that says so

A new number follows from the failed one, so that whoever makes it makes the same, and a number has one successor only.
It is made when the failure is in the journal, and the platform, asked once more, still has no invoice of the old one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import func, select, update

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.derive.invoices import number_of
from duijie.invoicing import polling
from duijie.journal import Journal, bulk, documents, work
from duijie.journal.documents import Document
from duijie.journal.tables import delivery, derived, document, link
from duijie.journal.tables_invoicing import attempt

BLUE = "invoice_request"
PREFIX = 2
SETTLING = timedelta(seconds=60)
BY_PLATFORM = ("credit", "login")


@dataclass(frozen=True)
class Attempt:
    """A failed request that may be asked for again. `wanted_by`: the person who said so, else "" ."""

    id: int
    key: str
    cause: str
    state: str
    new_key: str
    at: datetime
    wanted_by: str
    invoice_id: int


def successor(key: str) -> str:
    """The number of the request that follows a failed one: as long, with the same beginning."""
    return number_of(key[:PREFIX], f"{key}/again", len(key))


def failed(tx: Transaction, journal: Journal, sink: str, key: str, cause: str, invoice_id: int) -> None:
    """The platform has failed a request: what was asked for again ends, and the next attempt waits."""
    mine = (attempt.c.sink == sink) & (attempt.c.key == key)
    tx.execute(update(attempt).where(mine, attempt.c.state == "sent").values(state="failed"))
    number = int(tx.execute(select(func.coalesce(func.max(attempt.c.number), 0)).where(mine)).scalar_one()) + 1
    row = {"sink": sink, "key": key, "number": number, "state": "waiting", "cause": cause, "invoice_id": invoice_id,
           "at": journal.now(), "by": ""}  # fmt: skip
    tx.execute(journal.insert_new(attempt).values(**row))


def ended(tx: Transaction, sink: str, key: str) -> None:
    """The request was issued after all."""
    mine = update(attempt).where(attempt.c.sink == sink, attempt.c.key == key)
    tx.execute(mine.where(attempt.c.state.in_(("sent", "waiting"))).values(state="ended"))


def waiting(journal: Journal, sink: str, state: str = "waiting") -> list[Attempt]:
    """Failed requests of a sink in a state, oldest first."""
    query = select(attempt).where(attempt.c.sink == sink, attempt.c.state == state).order_by(attempt.c.id)
    with journal.reading() as tx:
        return [_attempt(row) for row in tx.execute(query)]


def of(tx: Transaction, sink: str, key: str) -> Attempt | None:
    """The newest attempt after a failure of a request."""
    query = select(attempt).where(attempt.c.sink == sink, attempt.c.key == key).order_by(attempt.c.number.desc())
    row = tx.execute(query.limit(1)).first()
    return _attempt(row) if row else None


def _attempt(row: Any) -> Attempt:
    return Attempt(row.id, row.key, row.cause, row.state, row.new_key, row.at, row.by, row.invoice_id)


def last_of(journal: Journal, key: str) -> str:
    """The request that stands for a request now: itself, or the last of its successors."""
    query = select(attempt.c.new_key).where(attempt.c.state == "renewed")
    with journal.reading() as tx:
        while after := tx.execute(query.where(attempt.c.key == key)).scalar():
            key = str(after)
    return key


def want(journal: Journal, keys: Collection[str], who: str, why: str) -> int:
    """A person wants failed requests asked for again. Raises ConfigError naming those that have not failed."""
    wanted = list(dict.fromkeys(keys))
    with journal.writing() as tx:
        mine = update(attempt).where(attempt.c.state == "waiting", bulk.among(tx, attempt.c.key, wanted))
        found = set(tx.execute(mine.values(by=who[:120], why=why).returning(attempt.c.key)).scalars())
    if missing := sorted(set(wanted) - found):
        raise ConfigError(
            f"{', '.join(missing[:5])} 没有明确的开票失败, 不能重新申请: 结果未知的请先查询清楚",
            en=f"{', '.join(missing[:5])} has not definitely failed",
            where=missing[0],
        )
    return len(found)


def ready(journal: Journal, sink: str) -> list[Attempt]:
    """Those that may be asked for again now: the platform failed them, a person wants it, or they were corrected."""
    rows = waiting(journal, sink)
    mended = corrected(journal, sink, [one.key for one in rows])
    return [one for one in rows if one.cause in BY_PLATFORM or one.wanted_by or one.key in mended]


def corrected(journal: Journal, sink: str, keys: Collection[str]) -> set[str]:
    """Those of the failed requests whose document has changed since it was sent."""
    newer = document.alias("newer")
    query = select(delivery.c.target_key).join(document, document.c.id == delivery.c.document_id)
    query = query.join(newer, (newer.c.entity == document.c.entity) & (newer.c.key == document.c.key) & newer.c.current)
    query = query.where(delivery.c.sink == sink, delivery.c.state == "done", newer.c.id > document.c.id)
    with journal.reading() as tx:
        return set(tx.execute(query.where(bulk.among(tx, delivery.c.target_key, list(keys)))).scalars())


def mark_sent(journal: Journal, sink: str, some: Sequence[Attempt], seconds: int) -> list[Attempt]:
    """Committed before the platform is told to try them again; returns those that were still waiting."""
    ids = [one.id for one in some]
    with journal.writing() as tx:
        mine = update(attempt).where(attempt.c.state == "waiting", bulk.among(tx, attempt.c.id, ids))
        moved = set(tx.execute(mine.values(state="sent", at=journal.now()).returning(attempt.c.id)).scalars())
        for one in some:
            if one.id in moved:
                polling.reopen(tx, journal, sink, one.key, seconds)
    return [one for one in some if one.id in moved]


def back(tx: Transaction, one: Attempt) -> None:
    """It was certainly not tried again: it waits on."""
    tx.execute(update(attempt).where(attempt.c.id == one.id, attempt.c.state == "sent").values(state="waiting"))


def refused(tx: Transaction, one: Attempt) -> None:
    """The platform will not try it again: a person must decide."""
    tx.execute(update(attempt).where(attempt.c.id == one.id, attempt.c.state == "sent").values(state="refused"))


def renew(tx: Transaction, journal: Journal, sink: str, one: Attempt, current: Mapping[str, Document]) -> str:
    """Make the request that follows a failed one, with its newest content; returns its number, "" where it has one.

    What was made of an order counts as made under the new number from here on.
    """
    request = current[one.key]
    new_key = successor(one.key)
    mine = update(attempt).where(attempt.c.id == one.id, attempt.c.state == "waiting")
    values = {"state": "renewed", "new_key": new_key, "at": journal.now()}
    if not tx.execute(mine.values(**values)).rowcount:
        return ""
    body: Record = {**request.body, "key": new_key, "request_no": new_key}
    documents.put(tx, journal, BLUE, body, (None, "invoicing/again"))
    documents.connect(tx, journal, "again", request, (BLUE, new_key, documents.amount_of(body)))
    links = select(link).where(link.c.to_entity == BLUE, link.c.to_key == one.key, link.c.kind != "again")
    for row in tx.execute(links).all():
        copied = {name: getattr(row, name) for name in ("kind", "from_entity", "from_key", "to_entity", "amount")}
        tx.execute(journal.insert_new(link).values(**copied, to_key=new_key, created_at=journal.now()))
    tx.execute(update(derived).where(derived.c.result_key == one.key).values(result_key=new_key))
    work.close_subject(tx, journal, "invoice", f"{sink}:{one.key}", f"已以新单号 {new_key} 重新申请")
    return new_key
