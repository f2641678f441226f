"""One request for an invoice as its page shows it: what became of it and when, reds, who asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import select

from duijie import codec
from duijie.codec import Record
from duijie.connect.secrets import mask_record
from duijie.console import words
from duijie.console.invoice_words import REASONS, STATUS
from duijie.invoicing import approvals
from duijie.invoicing.reds import VOID
from duijie.journal import Journal, documents
from duijie.journal.documents import Document, yuan
from duijie.journal.tables import delivery, delivery_event, document
from duijie.journal.tables_billing import invoice_ask
from duijie.journal.tables_invoicing import approval

REQUESTS = ("invoice_request", "red_request")
OVER = ("failed", "cancelled", "refused")


@dataclass(frozen=True)
class Step:
    """Something that happened to a request."""

    at: datetime
    what: str
    who: str = ""
    why: str = ""


@dataclass(frozen=True)
class Try:
    """One delivery to a platform: `serial` and `hash` say what was sent, `answer` what came back."""

    id: int
    sink: str
    serial: str
    hash: str
    times: int
    state: str
    reason: str
    number: str
    answer: str


@dataclass(frozen=True)
class Asked:
    """Who asked for a red."""

    who: str
    display: str
    why: str
    at: datetime


@dataclass(frozen=True)
class One:
    """A request, its invoice where the platform has told of one, its reds and everything that happened."""

    request: Document
    invoice: Document | None
    reds: Sequence[tuple[Document, Document | None]]
    tries: Sequence[Try]
    steps: Sequence[Step]
    asked: Asked | None

    @property
    def is_red(self) -> bool:
        """Whether it is a request for a red one."""
        return self.request.entity == "red_request"


def one(journal: Journal, no: str) -> One | None:
    """A blue or red request by its number."""
    found = next((doc for entity in REQUESTS if (doc := documents.get(journal, entity, no))), None)
    if found is None:
        return None
    asked = asked_by(journal, found.entity, [no]).get(no)
    tries, events = _deliveries(journal, found)
    steps = [*_made(journal, found, asked), *events, *_told(journal, no), *_decided(journal, found)]
    steps.sort(key=lambda step: step.at)
    reds = [(red, documents.get(journal, "invoice", red.key)) for red in reds_of(journal, no)]
    return One(found, documents.get(journal, "invoice", no), reds, tries, steps, asked)


def reds_of(journal: Journal, blue_no: str) -> list[Document]:
    """Red requests of a blue."""
    return [one for one in documents.current(journal, "red_request") if one.body["blue_request_no"] == blue_no]


def standing_reds(journal: Journal, blue_no: str) -> list[Record]:
    """Those of them that have taken something back, or still may."""
    found = []
    refused = refusals(journal)
    for red in reds_of(journal, blue_no):
        told = documents.get(journal, "invoice", red.key)
        failed = told is not None and told.body["status"] == "failed"
        if not failed and (red.entity, red.key) not in refused and not _is_given_up(journal, red):
            found.append(red.body)
    return found


def refusals(journal: Journal) -> dict[tuple[str, str], str]:
    """(entity, key) → who said no and why, of documents whose newest content was refused."""
    query = select(approval.c.entity, approval.c.key, approval.c.state, approval.c.by, approval.c.why)
    with journal.reading() as tx:
        newest = {(row.entity, row.key): row for row in tx.execute(query.order_by(approval.c.id))}
    return {key: f"{row.by}: {row.why}" for key, row in newest.items() if row.state == "refused"}


def _is_given_up(journal: Journal, red: Document) -> bool:
    query = select(delivery.c.state).where(delivery.c.entity == "red_request", delivery.c.key == red.key)
    with journal.reading() as tx:
        states = set(tx.execute(query).scalars())
    return bool(states) and states <= {"cancelled", "rejected"}


def buyer_forms(journal: Journal, number: str) -> list[Record]:
    """The red forms of the buyer on an invoice that stand."""
    forms = (one.body for one in documents.current(journal, "red_form"))
    return [
        one
        for one in forms
        if one["blue_number"] == number and one["initiator"] == "buyer" and one["state"] not in VOID
    ]


def ask_red(journal: Journal, body: Record, asked: Asked, route: tuple[str, str]) -> None:
    """Keep a red request that somebody asks for and let it wait for a yes. `route`: (flow, sink) it will go by."""
    blue = documents.get(journal, "invoice_request", body["blue_request_no"])
    with journal.writing() as tx:
        documents.put(tx, journal, "red_request", body, (None, "console/red"))
        if blue is not None:
            amount = documents.fen(body["gross"])
            documents.connect(tx, journal, "red_invoice", blue, ("red_request", body["key"], amount))
        _hold(tx, journal, body, asked, route)


def hold(journal: Journal, body: Record, asked: Asked, route: tuple[str, str]) -> None:
    """Let a red request that is there already wait for a yes."""
    with journal.writing() as tx:
        _hold(tx, journal, body, asked, route)


def _hold(tx: Transaction, journal: Journal, body: Record, asked: Asked, route: tuple[str, str]) -> None:
    row = {"entity": "red_request", "key": body["key"], "who": asked.who, "display": asked.display, "why": asked.why}
    tx.execute(journal.insert_new(invoice_ask).values(**row, at=asked.at))
    approvals.ask_first(tx, journal, ("red_request", body), *route)


def asked_by(journal: Journal, entity: str, keys: Sequence[str]) -> dict[str, Asked]:
    """Who asked for these, by key; those that the system made are absent."""
    query = select(invoice_ask).where(invoice_ask.c.entity == entity, invoice_ask.c.key.in_(keys))
    with journal.reading() as tx:
        return {row.key: Asked(row.who, row.display, row.why, row.at) for row in tx.execute(query)}


def _made(journal: Journal, found: Document, asked: Asked | None) -> Iterator[Step]:
    query = select(document.c.created_at, document.c.version, document.c.mapping)
    query = query.where(document.c.entity == found.entity, document.c.key == found.key)
    with journal.reading() as tx:
        rows = tx.execute(query.order_by(document.c.version)).all()
    for row in rows:
        what = "生成申请" if row.version == 1 else f"申请变更为第 {row.version} 版"
        who = asked.display if asked and row.version == 1 else "系统"
        why = f"{REASONS[found.body['reason']]}: {asked.why}" if asked and row.version == 1 else ""
        yield Step(row.created_at, what, who, why)


def _deliveries(journal: Journal, found: Document) -> tuple[list[Try], list[Step]]:
    query = select(delivery).where(delivery.c.entity == found.entity, delivery.c.key == found.key)
    with journal.reading() as tx:
        rows = tx.execute(query.order_by(delivery.c.id)).all()
        mine = delivery_event.c.delivery_id.in_([row.id for row in rows])
        events = tx.execute(select(delivery_event).where(mine).order_by(delivery_event.c.id)).all()
    steps = [
        Step(one.at, f"{words.STATES[one.before]} → {words.STATES[one.after]}", one.who, one.why) for one in events
    ]
    return [_try(row) for row in rows], steps


def _try(row: Any) -> Try:
    answer = mask_record(codec.decode(row.receipt)) if row.receipt else {}
    shown = codec.encode_ordered(answer).decode() if answer else ""
    return Try(
        id=row.id,
        sink=row.sink,
        serial=row.target_key,
        hash=row.payload_hash,
        times=row.attempts,
        state=row.state,
        reason=row.reason,
        number=row.native_no,
        answer=shown,
    )


def _decided(journal: Journal, found: Document) -> Iterator[Step]:
    query = select(approval).where(approval.c.entity == found.entity, approval.c.key == found.key)
    with journal.reading() as tx:
        rows = tx.execute(query.order_by(approval.c.id)).all()
    for row in rows:
        yield Step(row.asked_at, "提交审批", "系统", f"价税合计 {yuan(row.amount):,} 元")
        if row.decided_at:
            yield Step(row.decided_at, "批准" if row.state == "approved" else "未批准", row.by, row.why)


def _told(journal: Journal, no: str) -> Iterator[Step]:
    """What the platform said of it, each time it said something else."""
    query = select(document.c.created_at, document.c.body).where(document.c.entity == "invoice", document.c.key == no)
    with journal.reading() as tx:
        rows = tx.execute(query.order_by(document.c.version)).all()
    for row in rows:
        body = codec.decode(row.body)
        number = f", 发票号 {body['number']}" if body.get("number") else ""
        yield Step(row.created_at, f"平台: {STATUS[body['status']]}{number}", "平台", body.get("reason", ""))
