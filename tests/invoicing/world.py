"""A platform at the other end of the seam, and an engine that requests invoices of it: no network, a clock to turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from duijie.codec import Record
from duijie.connect.invoicing import Ability, CreditLine, Limits, Login, marks, not_offered
from duijie.connect.protocol import Done, Figures, Found, Halt, Outcome, Page, Refused, Safety, Unknown, Window
from duijie.engine import Engine
from duijie.flow import Deliver, Flow, Poll
from duijie.journal import Journal, documents
from duijie.journal.tables import alert, delivery, work_item

OUT = """
mapping: p/invoice_request.out
from: {entity: invoice_request}
to: {system: p, sink: invoice_request}
version: 1
fields:
  no: request_no
  buyer: buyer.name
  net: net
  tax: tax
"""
IN = """
mapping: p/invoice.in
from: {system: p, stream: invoice}
to: {entity: invoice}
version: 1
fields:
  key: no
  request_no: no
  colour: '"blue"'
  status: status
  number: {value: number, when: 'number != ""'}
  cause: {value: cause, when: 'cause != ""'}
  reason: {value: cause, when: 'cause != ""'}
  issued_at: {value: issued_at, when: 'number != ""'}
  net: net
  tax: tax
  gross: net + tax
"""
RULES = "approve_over: {invoice_request: 100000.00}\n"
SINK = "p/invoice_request"


@dataclass
class Platform:
    """Issues within a credit line. `tells`: what a request over the line meets, "halt" at once or "poll" in the result.

    `line` None: no credit line is told. `fate`: what the next writes of a number meet first.
    """

    tells: str = "halt"
    line: Decimal | None = None
    credit: Decimal = Decimal("1000000.00")
    drawer: str = "in"
    qr: str = ""
    held: dict[str, Record] = field(default_factory=dict)
    fate: dict[str, list[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)
    ability = Ability(Limits())

    name, entity, key, safety, batch = "invoice_request", "invoice_request", "no", Safety.NATURAL_KEY, 50

    @property
    def sinks(self) -> Mapping[str, Any]:
        return {"invoice_request": self}

    @property
    def streams(self) -> Mapping[str, Any]:
        return {"invoice": SimpleNamespace(name="invoice", entity="invoice", key="no", partitions=lambda: [""],
                                           read=self.read)}  # fmt: skip

    def key_of(self, payload: Record) -> str:
        return str(payload["no"])

    def figures_of(self, payload: Record) -> Figures:
        return {"gross": payload["net"] + payload["tax"], "tax": payload["tax"]}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        return marks(payload["buyer"], "", [])

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        self.calls.append("find")
        rows = {key: self.held[key] for key in keys if key in self.held}
        return {key: Found(f"id-{key}", row["number"], {"gross": row["net"] + row["tax"], "tax": row["tax"]}, {},
                           {"购方": row["buyer"]}, row["status"] == "issuing")
                for key, row in rows.items()}  # fmt: skip

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        return [self._write(one) for one in payloads]

    def _write(self, payload: Record) -> Outcome:
        no = payload["no"]
        self.calls.append(f"write {no}")
        fate = (self.fate.get(no) or ["ok"]).pop(0)
        if fate == "refuse":
            return Refused("E", "抬头有误, 请更正", "bad title")
        if fate in ("lost before", "late"):
            return Unknown("应答丢失", "lost", 30.0 if fate == "late" else 0.0)
        if self.drawer != "in":
            return Halt("login", "开票员未登录", "log in", self.qr)
        if no in self.held:
            return Unknown("单号已存在", "exists")
        if self.tells == "halt" and payload["net"] > self.credit:
            return Halt("credit", f"授信额度不足, 剩余 {self.credit}", "no credit")
        self.held[no] = {**payload, "status": "issuing", "number": "", "cause": "", "issued_at": ""}
        self._issue(self.held[no], fate)
        return Unknown("应答丢失", "lost") if fate == "lost" else Done(f"id-{no}", "")

    def _issue(self, row: Record, fate: str) -> None:
        if fate in ("buyer", "issuing"):
            row |= {"status": "failed", "cause": "buyer"} if fate == "buyer" else {}
        elif row["net"] > self.credit:
            row |= {"status": "failed", "cause": "credit"}
        else:
            self.credit -= row["net"]
            row |= {"status": "issued", "number": f"2699{len(self.held):016d}", "cause": ""}
            row |= {"issued_at": "2026-11-29T10:00:00+08:00"}

    def read(self, window: Window) -> Iterator[Page]:
        self.calls.append(f"poll {len(window.keys)}")
        yield Page([dict(self.held[key]) for key in window.keys if key in self.held])

    def credit_line(self) -> CreditLine:
        self.asks.append("credit")
        if self.line is None:
            raise not_offered("P", "授信额度", "the credit line")
        return CreditLine(self.line, self.line - self.credit, self.credit)

    def login(self) -> Login:
        self.asks.append("login")
        return Login("张三", self.drawer, "请扫码", self.qr)  # type: ignore[arg-type]

    def fetch(self, invoice: Record, kind: str) -> bytes:
        raise not_offered("P", "下载", "files")

    def resend(self, invoice: Record, copy: object) -> None:
        raise not_offered("P", "重发", "sending again")

    @property
    def writes(self) -> int:
        return sum(one.startswith("write") for one in self.calls)


class Retrying(Platform):
    """A platform that tries the same number again when it is told to."""

    def resubmit(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        self.calls += [f"resubmit {one['no']}" for one in payloads]
        for one in payloads:
            self._issue(self.held[one["no"]], "ok")
        return [Done(native_id, "") for native_id in native_ids]


class World(Engine):
    """The engine over one journal with this platform as its only connection."""

    def __init__(self, folder: Path, platform: Platform, rules: str = RULES) -> None:
        for name, text in (("p/invoice_request.out", OUT), ("p/invoice.in", IN), ("rules/invoicing", rules)):
            path = folder / "mappings" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.lstrip(), encoding="utf-8")
        super().__init__(Journal.open(f"sqlite:///{folder / 'journal.db'}"), root=folder)
        self.platform = platform
        self.moment = datetime(2026, 11, 20, 2, tzinfo=UTC)
        self.journal.now = lambda: self.moment  # type: ignore[method-assign]
        self.step = Deliver(name="d", connection="p", sink="invoice_request", entity="invoice_request",
                            mapping="p/invoice_request.out")  # fmt: skip
        self.ask = Poll(name="q", connection="p", stream="invoice", mapping="p/invoice.in", sink=SINK, entity="invoice")
        self.flow = Flow("invoices", "开票", (self.step, self.ask))

    def connector(self, conn_id: str) -> Any:
        return self.platform

    def later(self, **span: int) -> None:
        self.moment += timedelta(**span)

    def want(self, *numbers: int, net: str = "100.00", buyer: str = "甲公司") -> None:
        amount = Decimal(net)
        tax = (amount * Decimal("0.13")).quantize(Decimal("0.01"))
        with self.journal.writing() as tx:
            for number in numbers:
                key = no(number)
                body = {"key": key, "request_no": key, "kind": "normal", "buyer": {"name": buyer}, "net": amount,
                        "tax": tax, "gross": amount + tax}  # fmt: skip
                documents.put(tx, self.journal, "invoice_request", body, (None, "test"))

    def deliver(self) -> Record:
        return dict(self.run(self.flow, self.step))

    def poll(self, seconds: int = 5) -> Record:
        self.later(seconds=seconds)
        return dict(self.run(self.flow, self.ask))

    def rows(self) -> dict[str, str]:
        with self.journal.reading() as tx:
            return {row.key: row.state for row in tx.execute(select(delivery).order_by(delivery.c.id))}

    def alerts(self, rule: str = "halt") -> list[Any]:
        query = select(alert).where(alert.c.dedupe.startswith(rule)).order_by(alert.c.id)
        with self.journal.reading() as tx:
            return list(tx.execute(query))

    def items(self, kind: str) -> list[Any]:
        query = select(work_item).where(work_item.c.kind == kind, work_item.c.state != "closed")
        with self.journal.reading() as tx:
            return list(tx.execute(query))


def no(number: int) -> str:
    """A request number of 20 characters."""
    return f"DJ{number:018d}"


def numbers(first: int, last: int) -> Iterable[int]:
    """From the first to the last, both included."""
    return range(first, last + 1)
