"""A person's yes before something large leaves, or a red one: asked once per content, decided once, kept for ever.

A delivery that waits for it is `blocked` under one work item of the kind `approval`; a yes sends it round again, a no
cancels it. Another content of the same document is asked for again. The console, `duijie invoice approve` and Airflow's
human-in-the-loop task all call these functions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import Row, select, update

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.desk import Desk
from duijie.invoicing.rules import LifeRules
from duijie.journal import Journal, bulk, deliveries, documents, work
from duijie.journal.deliveries import Change, Delivery
from duijie.journal.documents import Document, yuan
from duijie.journal.tables import delivery
from duijie.journal.tables_invoicing import approval
from duijie.journal.work import Finding


@dataclass(frozen=True)
class Waiting:
    """What waits for a yes; `amount` in yuan with tax."""

    entity: str
    key: str
    flow: str
    sink: str
    amount: Decimal
    asked_at: datetime


def needed(entity: str, document: Document, rules: LifeRules) -> bool:
    """Whether a person must agree to this document: its amount with tax is above what the rules let pass."""
    limit = rules.approve_over.get(entity)
    return limit is not None and abs(documents.amount_of(document.body)) > documents.fen(limit)


def ask_first(tx: Transaction, journal: Journal, document: tuple[str, Record], flow: str, sink: str) -> None:
    """Let a document (entity, body) wait for a yes before its delivery is planned, whatever it comes to."""
    entity, body = document
    row = {"entity": entity, "key": body["key"], "hash": codec.digest(body), "flow": flow, "sink": sink,
           "amount": documents.amount_of(body), "state": "waiting", "asked_at": journal.now()}  # fmt: skip
    tx.execute(journal.insert_new(approval).values(**row))


def ask(tx: Transaction, desk: Desk, one: Delivery, limit: Decimal | None) -> None:
    """Let a claimed delivery wait for a yes. `limit`: the amount it is above; None where a person asked for it."""
    amount = documents.amount_of(one.document.body)
    ask_first(tx, desk.journal, (one.document.entity, one.document.body), desk.flow, desk.name)
    why = f"超过 {limit:,} 元" if limit is not None else "由人提交"
    reason = f"价税合计 {yuan(amount):,} 元, {why}, 须经审批后才发出"
    if desk.settle(tx, {one.claim: Change("blocked", f"等待审批: {reason}")}):
        finding = Finding("approval", f"{desk.name}:{one.document.key}", reason)
        work.open_item(tx, desk.journal, desk.flow, finding, [(one.document.entity, one.document.key, amount)])


def decided(journal: Journal, entity: str, asked: Sequence[Document]) -> dict[str, str]:
    """By key, what was decided on exactly these contents: waiting, approved or refused; absent: never asked."""
    hashes = {one.key: codec.digest(one.body) for one in asked}
    query = select(approval.c.key, approval.c.hash, approval.c.state).where(approval.c.entity == entity)
    with journal.reading() as tx:
        rows = tx.execute(query.where(bulk.among(tx, approval.c.key, list(hashes)))).all() if hashes else []
    return {row.key: row.state for row in rows if hashes[row.key] == row.hash}


def waiting(journal: Journal) -> list[Waiting]:
    """Everything that waits for a yes, longest first."""
    query = select(approval).where(approval.c.state == "waiting").order_by(approval.c.id)
    with journal.reading() as tx:
        rows = tx.execute(query).all()
    return [Waiting(r.entity, r.key, r.flow, r.sink, yuan(r.amount), r.asked_at) for r in rows]


def approve(journal: Journal, keys: Collection[str], who: str, why: str = "") -> int:
    """Say yes to what waits under these keys; returns how many go on. Raises ConfigError naming keys that do not."""
    with journal.writing() as tx:
        rows = _decide(tx, journal, keys, "approved", who, why)
        for row in rows:
            said = f"{who} 已批准" + (f": {why}" if why else "")
            deliveries.release_in(tx, journal, _blocked(tx, row), said, who)
            work.close_subject(tx, journal, "approval", f"{row.sink}:{row.key}", said)
    return len(rows)


def refuse(journal: Journal, keys: Collection[str], who: str, why: str) -> int:
    """Say no: what waits is cancelled. Raises ConfigError for keys that do not wait, and without a reason."""
    if not why.strip():
        raise ConfigError("拒绝审批须写明原因", en="say why it is refused", where=next(iter(keys), ""))
    with journal.writing() as tx:
        rows = _decide(tx, journal, keys, "refused", who, why)
        for row in rows:
            said = f"{who} 未批准: {why.strip()}"
            deliveries.cancel_in(tx, journal, _blocked(tx, row), who, said)
            work.close_subject(tx, journal, "approval", f"{row.sink}:{row.key}", said)
    return len(rows)


def _decide(tx: Transaction, journal: Journal, keys: Collection[str], state: str, who: str, why: str) -> list[Row[Any]]:
    wanted = list(dict.fromkeys(keys))
    mine = update(approval).where(approval.c.state == "waiting", bulk.among(tx, approval.c.key, wanted))
    values = {"state": state, "decided_at": journal.now(), "by": who[:120], "why": why.strip()}
    rows = list(tx.execute(mine.values(**values).returning(approval.c.key, approval.c.sink, approval.c.entity)).all())
    if missing := sorted(set(wanted) - {row.key for row in rows}):
        raise ConfigError(
            f"没有等待审批的 {', '.join(missing[:5])}: 可能已由别人处理; 请刷新后再看",
            en=f"nothing waits for approval under {', '.join(missing[:5])}",
            where=missing[0],
        )
    return rows


def _blocked(tx: Transaction, row: Row[Any]) -> list[int]:
    query = select(delivery.c.id).where(delivery.c.sink == row.sink, delivery.c.key == row.key)
    return list(tx.execute(query.where(delivery.c.entity == row.entity, delivery.c.state == "blocked")).scalars())
