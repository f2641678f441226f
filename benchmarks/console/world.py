"""A journal of `size` documents as a shop's year leaves it: orders, refunds, invoices, vouchers, and what waits.

Rows are inserted in bulk, past the journal's own functions, which commit one by one; columns that those functions fill
are filled in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from typing import Any

from sqlalchemy import Table, insert, text

from duijie import codec
from duijie.flow import Flow
from duijie.journal import Journal
from duijie.journal.documents import amount_of, number_of
from duijie.journal.tables import (
    comparison,
    delivery,
    delivery_event,
    document,
    incident,
    link,
    message,
    run,
    work_item,
    work_item_record,
)

Row = dict[str, Any]
SHARES = {  # of the documents, in percent
    "sales_order": 45,
    "sales_refund": 9,
    "invoice_request": 15,
    "invoice": 18,
    "red_request": 3,
    "party": 8,
    "voucher": 2,
}
SINKS = {
    "sales_order": (("orders", "xingchen/sales_order"),),
    "invoice_request": (("invoices", "nuonuo/invoice_request"),),
    "red_request": (("red_invoices", "nuonuo/red_request"),),
    "party": (("crm", "fxiaoke/party"),),
    "voucher": (("vouchers", "k3cloud/voucher"), ("vouchers", "tryton/voucher")),
}
STREAMS = {"sales_order": "trade", "sales_refund": "refund", "invoice": "invoice"}
PATH = ("pending", "claimed", "sent", "done")
UNFINISHED = {0: "pending", 1: "unknown", 2: "blocked", 3: "rejected"}
OPEN_ITEMS, RECORDS_PER_ITEM, INCIDENTS, RUN_DAYS = 400, 12, 5000, 30
KINDS = ("unmapped", "invalid", "rejected", "conflict")
BATCH = 5000


class World:
    """Fills a journal; `keys` are the numbers that pages are asked for."""

    def __init__(self, journal: Journal, size: int) -> None:
        self.journal = journal
        self.now = journal.now()
        self.many = {entity: size * share // 100 for entity, share in SHARES.items()}

    def fill(self, flows: dict[str, Flow]) -> None:
        """Every table that the pages read."""
        self._put(message, self._messages())
        self._put(document, self._documents())
        with self.journal.writing() as tx:  # rows are made as they end, which the journal lets no one do
            on = " ON delivery" if self.journal.is_postgres else ""
            tx.execute(text(f"DROP TRIGGER delivery_begins{on}"))
        self._put(delivery, self._deliveries())
        self._put(delivery_event, self._events())
        self._put(link, self._links())
        self._put(run, self._runs(flows))
        self._put(work_item, self._items())
        self._put(work_item_record, self._records())
        self._put(incident, self._incidents())
        self._put(comparison, self._comparisons())

    def key(self, entity: str, number: int) -> str:
        """The key of an entity's n-th document."""
        shop = f"taobao:S{number % 5:02}:"
        return {
            "sales_order": f"{shop}{self.order_no(number)}",
            "sales_refund": f"{shop}{32 * 10**17 + number * 10**5 + 16}",
            "invoice_request": f"DJ{number:018}",
            "red_request": f"DR{number:018}",
            "invoice": f"DJ{number:018}" if number < self.many["invoice_request"] else f"DR{self._red(number):018}",
            "party": f"taobao:buyer{number:06}",
            "voucher": f"sale:S{number % 5:02}:2026-11-11:{number}",
        }[entity]

    def _red(self, number: int) -> int:
        return number - self.many["invoice_request"]

    @staticmethod
    def order_no(number: int) -> int:
        """The shop's number of the n-th order."""
        return 3204 * 10**15 + number * 10**4 + 1001

    @staticmethod
    def invoice_no(number: int) -> str:
        """The platform's number of the n-th invoice."""
        return f"{26992 * 10**15 + number:020}"

    def _at(self, number: int) -> datetime:
        return self.now - timedelta(minutes=number % 500_000)

    def _put(self, table: Table, rows: Iterable[Row]) -> None:
        left = iter(rows)
        while some := list(islice(left, BATCH)):
            with self.journal.writing() as tx:
                tx.execute(insert(table), some)

    def _messages(self) -> Iterator[Row]:
        for entity, stream in STREAMS.items():
            for number in range(self.many[entity]):
                body = codec.encode(self._body(entity, number) | {"filler": "x" * 1200})
                state = "blocked" if number % 500 == 0 else "mapped"
                row = {"connection": "taobao", "stream": stream, "key": self.key(entity, number).rpartition(":")[2]}
                hashed = f"{entity}{number}"
                yield row | {"hash": hashed, "body": body, "state": state, "received_at": self._at(number)}

    def _documents(self) -> Iterator[Row]:
        for entity, many in self.many.items():
            for number in range(many):
                body = self._body(entity, number)
                row = {"entity": entity, "key": body["key"], "version": 1, "current": True, "hash": f"{entity}{number}"}
                row |= {"body": codec.encode(body), "amount": amount_of(body), "created_at": self._at(number)}
                yield row | {"mapping": f"x/{entity}.in@1", "number": number_of(body)}

    def _body(self, entity: str, number: int) -> Row:
        gross = Decimal(10 + number % 990) + Decimal("0.13")
        line = {"sku": f"A{number % 700}", "qty": 2, "gross": gross, "net": gross, "tax": Decimal("0.00")}
        lines = [{**line, "line_no": at} for at in range(3)]
        order = self.key("sales_order", number)
        own: dict[str, Row] = {
            "sales_order": {"order_no": order[-19:], "status": "finished", "paid_at": self._at(number), "gross": gross},
            "sales_refund": {"order_key": order, "status": "success", "amount": gross},
            "invoice_request": {"order_key": order, "request_no": self.key("invoice_request", number), "gross": gross},
            "red_request": {"refund_key": self.key("sales_refund", number), "gross": -gross},
            "invoice": {"status": "issued", "colour": "blue", "number": self.invoice_no(number), "gross": gross},
            "party": {"name": f"客户 {number}", "kind": "person"},
            "voucher": {"debit": gross, "credit": gross},
        }
        if entity in ("red_request", "invoice"):
            own[entity]["request_no"] = self.key(entity, number)
        return {"key": self.key(entity, number), "lines": lines, **own[entity]}

    def _deliveries(self) -> Iterator[Row]:
        first = 1
        for entity, many in self.many.items():
            for number in range(many):
                for flow, sink in SINKS.get(entity, ()):
                    yield self._delivery(first + number, entity, number, flow, sink)
            first += many

    def _delivery(self, document_id: int, entity: str, number: int, flow: str, sink: str) -> Row:
        state = UNFINISHED.get(number % 1000, "done")
        key, at = self.key(entity, number), self._at(number)
        row = {"document_id": document_id, "entity": entity, "key": key, "sink": sink, "flow": flow, "state": state}
        target = {"target_key": f"TB{key[-19:]}", "native_id": f"9{number:09}", "native_no": f"{sink[:2]}-{number}"}
        blank = dict.fromkeys(target, "")
        times = {"due_at": at, "created_at": at, "changed_at": at}
        return row | times | (target if state == "done" else blank) | {"amount": 1000 + number, "attempts": 1}

    def _events(self) -> Iterator[Row]:
        many = sum(self.many[entity] * len(sinks) for entity, sinks in SINKS.items())
        for number in range(1, many + 1):
            for before, after in pairwise(PATH):
                yield {"delivery_id": number, "at": self._at(number), "before": before, "after": after, "who": "w:1"}

    def _links(self) -> Iterator[Row]:
        plan = [
            ("sale", "sales_order", "voucher", self.many["sales_order"], self.many["voucher"]),
            ("party", "sales_order", "party", self.many["sales_order"], self.many["party"]),
            ("invoice", "sales_order", "invoice_request", self.many["invoice_request"], self.many["invoice_request"]),
            ("red_invoice", "sales_refund", "red_request", self.many["red_request"], self.many["red_request"]),
            ("refund", "sales_order", "sales_refund", self.many["sales_refund"], self.many["sales_refund"]),
            ("issued", "invoice_request", "invoice", self.many["invoice_request"], self.many["invoice"]),
        ]
        for kind, source, target, many, targets in plan:
            for number in range(many):
                pair = {"from_entity": source, "from_key": self.key(source, number), "to_entity": target}
                yield {"kind": kind, **pair, "to_key": self.key(target, number % targets), "created_at": self.now}
        for number in range(self.many["red_request"]):
            pair = {"from_entity": "red_request", "from_key": self.key("red_request", number), "to_entity": "invoice"}
            yield {"kind": "issued", **pair, "to_key": self.key("red_request", number), "created_at": self.now}

    def _runs(self, flows: dict[str, Flow]) -> Iterator[Row]:
        minutes = {"alerts": 1, "orders": 5, "stock": 10, "invoices": 15, "red_invoices": 30, "crm": 60}
        every = {name: minutes.get(name, 1440) for name in flows}
        counts = '{"read":12,"new_documents":3,"delivered":3}'
        for minute in range(RUN_DAYS * 1440):
            at = self.now - timedelta(minutes=RUN_DAYS * 1440 - minute)
            for name, flow in flows.items():
                if minute % every[name] == 0:
                    for step in flow.steps:
                        times = {"started_at": at, "ended_at": at + timedelta(seconds=20)}
                        yield {"flow": name, "step": step.name, **times, "counts": counts}

    def _items(self) -> Iterator[Row]:
        for number in range(OPEN_ITEMS):
            named = {"kind": KINDS[number % len(KINDS)], "subject": f"s{number}", "open_subject": f"s{number}"}
            told = {"reason": f"对照缺失: 商品 A{number}", "next_step": "补上对照", "owner": "运营", "flow": "orders"}
            yield named | told | {"created_at": self._at(number)}

    def _records(self) -> Iterator[Row]:
        for number in range(OPEN_ITEMS * RECORDS_PER_ITEM):
            key = str(self.order_no(number))
            row = {"work_item_id": 1 + number // RECORDS_PER_ITEM, "entity": "sales_order", "key": key}
            yield row | {"flow": "orders", "amount": number}

    def _incidents(self) -> Iterator[Row]:
        kinds = ("AnswerLost", "RateLimited", "TokenExpired", "NotSent")
        for number in range(INCIDENTS):
            row = {"connection": ("taobao", "xingchen")[number % 2], "kind": kinds[number % 4], "detail": "x"}
            yield row | {"at": self.now - timedelta(minutes=10 * number)}

    def _comparisons(self) -> Iterator[Row]:
        for number in range(8 * RUN_DAYS):
            head = {"pair": f"p{number % 8}", "title": f"对账 {number % 8}", "at": self._at(number)}
            sums = {"left_count": 1, "right_count": 1, "left_amount": 1, "right_amount": 1}
            yield {**head, **sums, "differences": 0, "unexplained": 0}
