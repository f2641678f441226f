"""Every request for an invoice with its state, in memory: what is decoded once is not decoded again.

Documents never change, so a page that is asked for again reads only the ids that are current and the documents it has
not seen. Amounts are fen.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from duijie import codec
from duijie.codec import Record
from duijie.flow import withdrawn
from duijie.journal import Journal, bulk
from duijie.journal.documents import fen
from duijie.journal.tables import delivery, derived, document, work_item, work_item_record
from duijie.reconcile.billing.standing import Sent, state_of

ENTITIES = ("invoice_request", "red_request", "invoice", "sales_order")
BLUE, RED, ORDER = "blue", "red", "order"
SHIPPED = ("shipped", "finished")
BATCH = 1000


@dataclass(frozen=True)
class Slim:
    """What the board needs of a document; `body` holds a few of its fields."""

    id: int
    entity: str
    key: str
    at: datetime
    body: Record


@dataclass(frozen=True)
class Row:
    """One line of the queue. `kind`: blue, red, or an order that nothing was asked for yet."""

    kind: str
    no: str
    state: str
    reason: str
    buyer: str
    amount: int
    orders: tuple[str, ...]
    since: datetime
    sink: str = ""
    number: str = ""
    issued_at: datetime | None = None
    blue_no: str = ""
    red: int = 0
    special: bool = False
    item: int | None = None


@dataclass
class Seen:
    """What one look at the journal gave."""

    blues: dict[str, Slim] = field(default_factory=dict)
    reds: dict[str, Slim] = field(default_factory=dict)
    invoices: dict[str, Slim] = field(default_factory=dict)
    orders: list[Slim] = field(default_factory=list)
    sent: dict[tuple[str, str], list[Sent]] = field(default_factory=dict)
    held: dict[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Overlay:
    """What goes before what documents and deliveries say, each as (state, reason).

    `decided`: by (entity, key), what waits for a yes or got a no. `halted`: by sink, what stops everything there.
    """

    decided: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    halted: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class Board:
    """The queue; safe to share between threads."""

    def __init__(self, journal: Journal, overlay: Callable[[Journal], Overlay]) -> None:
        self._journal = journal
        self._overlay = overlay
        self._kept: dict[int, Slim] = {}
        self._lock = threading.Lock()

    def rows(self) -> list[Row]:
        """Everything, newest first."""
        with self._lock:
            seen = self._look()
        over = self._overlay(self._journal)
        reds = defaultdict(list)
        for one in seen.reds.values():
            reds[one.body["blue_request_no"]].append(self._red(one, seen, over))
        rows = [row for found in reds.values() for row in found if row.state in RED_SHOWN]
        rows += [_blue(one, seen, over, reds.get(no, [])) for no, one in seen.blues.items()]
        rows += [_order(one, seen) for one in seen.orders]
        return sorted(rows, key=lambda row: row.since, reverse=True)

    @staticmethod
    def _red(one: Slim, seen: Seen, over: Overlay) -> Row:
        state, reason, sink = _state(one, seen, over)
        told = seen.invoices.get(one.body["request_no"])
        return Row(
            kind=RED,
            no=one.body["request_no"],
            state=state,
            reason=reason,
            buyer=one.body["buyer"],
            amount=one.body["gross"],
            orders=tuple(one.body["orders"]),
            since=one.at,
            sink=sink,
            number=told.body["number"] if told else "",
            issued_at=told.body["issued_at"] if told else None,
            blue_no=one.body["blue_request_no"],
        )

    def _look(self) -> Seen:
        seen = Seen(sent=_sent(self._journal), held=_held(self._journal))
        for one in self._current():
            if one.entity == "sales_order":
                seen.orders.append(one)
            else:
                place = {"invoice_request": seen.blues, "red_request": seen.reds, "invoice": seen.invoices}[one.entity]
                place[one.body["request_no"]] = one
        return seen

    def _current(self) -> list[Slim]:
        """Current documents of the board; of orders those that want an invoice and have no request."""
        columns = (document.c.id, document.c.entity, document.c.key, document.c.created_at)
        used = select(derived.c.key).where(derived.c.rule == "invoice", derived.c.entity == "sales_order")
        wanted = document.c.entity.in_(ENTITIES[:3])
        open_order = (document.c.entity == "sales_order") & document.c.key.not_in(used)
        with self._journal.reading() as tx:
            rows = tx.execute(select(*columns).where(document.c.current, wanted | open_order)).all()
            unknown = [row for row in rows if row.id not in self._kept]
            for start in range(0, len(unknown), BATCH):
                self._decode(tx, unknown[start : start + BATCH])
        here = {row.id for row in rows}
        for gone in set(self._kept) - here:
            del self._kept[gone]
        return [self._kept[row.id] for row in rows if self._kept[row.id].body]

    def _decode(self, tx: Any, rows: Sequence[Any]) -> None:
        query = select(document.c.id, document.c.body).where(bulk.among(tx, document.c.id, [row.id for row in rows]))
        bodies = {row.id: codec.decode(row.body) for row in tx.execute(query)}
        for row in rows:
            slim = _SLIM[row.entity](bodies[row.id])
            self._kept[row.id] = Slim(row.id, row.entity, row.key, row.created_at, slim)


RED_SHOWN = ("approval", "failed", "parked", "login", "refused")


def _blue(one: Slim, seen: Seen, over: Overlay, reds: Iterable[Row]) -> Row:
    state, reason, sink = _state(one, seen, over)
    told = seen.invoices.get(one.body["request_no"])
    taken = sum(red.amount for red in reds if red.state == "issued")
    if state == "issued":
        moving = [red for red in reds if red.state not in ("issued", "failed", "cancelled", "refused")]
        if moving:
            state, reason = "reversing", f"红字申请 {moving[0].no} 处理中"
        elif taken and -taken >= one.body["gross"]:
            state = "reversed"
        elif taken:
            reason = f"已部分红冲 {-taken // 100}.{-taken % 100:02}"
    return Row(
        kind=BLUE,
        no=one.body["request_no"],
        state=state,
        reason=reason,
        buyer=one.body["buyer"],
        amount=one.body["gross"],
        orders=tuple(one.body["orders"]),
        since=one.at,
        sink=sink,
        number=told.body["number"] if told else "",
        issued_at=told.body["issued_at"] if told else None,
        red=taken,
        special=one.body["special"],
    )


def _order(one: Slim, seen: Seen) -> Row:
    item, reason = seen.held.get(one.key, (None, ""))
    return Row(
        kind=ORDER,
        no=one.key,
        state="failed" if item else "open",
        reason=reason,
        buyer=one.body["buyer"],
        amount=one.body["gross"],
        orders=(one.key,),
        since=one.at,
        special=one.body["special"],
        item=item,
    )


def _state(one: Slim, seen: Seen, over: Overlay) -> tuple[str, str, str]:
    """(state of the board, reason, the sink it goes to)."""
    sent = seen.sent.get((one.entity, one.key), [])
    sink = sent[-1].sink if sent else ""
    told = seen.invoices.get(one.body["request_no"])
    if told is None and (one.entity, one.key) in over.decided:
        return *over.decided[one.entity, one.key], sink
    if told is None and sent and sent[-1].state == "pending" and sink in over.halted:
        return *over.halted[sink], sink
    state, reason = state_of(told.body if told else None, sent)
    if state == "wait":
        state = "submitted" if sent and sent[-1].state in ("claimed", "sent", "unknown", "done") else "open"
    return state, reason, sink


def _sent(journal: Journal) -> dict[tuple[str, str], list[Sent]]:
    """(entity, key) → how its newest delivery stands."""
    columns = (delivery.c.entity, delivery.c.key, delivery.c.sink, delivery.c.state, delivery.c.reason)
    query = select(*columns).where(delivery.c.entity.in_(("invoice_request", "red_request"))).order_by(delivery.c.id)
    with journal.reading() as tx:
        return {(row.entity, row.key): [Sent(row.sink, row.state, row.reason)] for row in tx.execute(query)}


def _held(journal: Journal) -> dict[str, tuple[int, str]]:
    """Order → the work item of 开票校验 that holds it, and why."""
    query = select(work_item_record.c.key, work_item.c.id, work_item.c.reason)
    query = query.join(work_item, work_item.c.id == work_item_record.c.work_item_id)
    query = query.where(work_item_record.c.entity == "sales_order", work_item.c.kind == "invoice")
    with journal.reading() as tx:
        return {key: (number, reason) for key, number, reason in tx.execute(query.where(work_item.c.state != "closed"))}


def _slim_request(body: Record) -> Record:
    return {
        "request_no": body["request_no"],
        "buyer": body["buyer"]["name"],
        "gross": fen(body["gross"]),
        "orders": body.get("order_keys") or [body["order_key"]],
        "special": body["kind"] == "special",
    }


def _slim_red(body: Record) -> Record:
    return {
        "request_no": body["request_no"],
        "blue_request_no": body["blue_request_no"],
        "buyer": body["buyer"]["name"],
        "gross": fen(body["gross"]),
        "orders": [body["order_key"]] if body.get("order_key") else [],
    }


def _slim_invoice(body: Record) -> Record:
    kept: Record = {name: body[name] for name in ("request_no", "status", "cause", "reason") if name in body}
    issued = datetime.fromisoformat(body["issued_at"]) if body.get("issued_at") else None
    return {**kept, "number": body.get("number", ""), "issued_at": issued}


def _slim_order(body: Record) -> Record:
    """Empty for one that no invoice is to be made of."""
    if "invoice_wish" not in body or body["status"] not in SHIPPED or withdrawn(body):
        return {}
    wish = body["invoice_wish"]
    return {"buyer": wish["title"], "gross": fen(body["gross"]), "special": wish["kind"] == "special"}


_SLIM: dict[str, Callable[[Record], Record]] = {
    "invoice_request": _slim_request,
    "red_request": _slim_red,
    "invoice": _slim_invoice,
    "sales_order": _slim_order,
}
