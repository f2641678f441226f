"""People with duties and a journal with an invoice in every state, for the 开票工作台."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from duijie.codec import Record
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login
from duijie.console.invoice_red import Choice, left, made
from duijie.journal import Journal, work
from duijie.journal.deliveries import Change
from duijie.reconcile.billing import compare_billing
from tests.reconcile.billing_world import MAPPINGS, RULES, World

SINK = "nuonuo/invoice_request"


def empty(home: Path, monkeypatch: pytest.MonkeyPatch, people: Path) -> Journal:
    """A journal with nothing in it and a users file beside it."""
    monkeypatch.setenv("DUIJIE_HOME", str(home))
    monkeypatch.setenv("DUIJIE_CONSOLE_USERS", str(home / "users.json"))
    shutil.copy(people, home / "users.json")
    return Journal.open(f"sqlite:///{home / 'journal.db'}")


SCAN = Login("张三", "scan", "请扫码", "data:image/png;base64,iVBORw0KGgo=")


class Platform:
    """Issues invoices as far as the console is concerned, and counts how often it is asked."""

    spec = None
    streams: Mapping[str, object] = {}
    sinks: Mapping[str, object] = {}
    ability = Ability(Limits())

    def __init__(self, drawer: Login = SCAN) -> None:
        self.drawer = drawer
        self.asked: list[str] = []
        self.sent: list[Copy] = []

    def credit_line(self) -> CreditLine:
        self.asked.append("credit")
        return CreditLine(Decimal("1000000.00"), Decimal("950000.00"), Decimal("50000.00"))

    def login(self) -> Login:
        self.asked.append("login")
        return self.drawer

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        raise AssertionError("pages do not fetch")

    def resend(self, invoice: Record, copy: Copy) -> None:
        self.sent.append(copy)


class Desk(World):
    """Requests in every state: their numbers by state are in `no`."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.no: dict[str, str] = {}

    def fill(self) -> None:
        """Orders 1–9, then what the flows would have made of them, then 票单勾稽."""
        for number, state in enumerate(("issuing", "waiting_login", "failed"), 1):
            order = self.order(number, "113.00", "54.50")
            request = self.request(order)
            self.invoice(request, state, **({"reason": "购方税号不存在"} if state == "failed" else {}))
            self.no[state] = request["request_no"]
        for number, state in enumerate(("issued", "reversed", "reversing"), 4):
            order = self.order(number, "113.00", "54.50", "1130.00")
            request = self.request(order)
            blue = self.invoice(request)
            self.no[state] = request["request_no"]
            if state == "reversed":
                self.reds(request, blue, "issued")
            if state == "reversing":
                self.reds(request, blue, "waiting_confirmation")
        self.deliver(
            "invoice_request", SINK, Change("done", native_no="9001", payload_hash="ab" * 32, receipt={"x": 1})
        )
        self.no["submitted"] = self.request(self.order(7, "22.60"))["request_no"]
        self.deliver("invoice_request", SINK, Change("done", native_no="9002"))
        self.no["open"] = self.request(self.order(8, "33.90"))["request_no"]
        self.order(9, "45.20")
        held = self.order(10, "56.50")
        with self.journal.writing() as tx:
            finding = work.Finding("invoice", "invoice_requests:10", "E-TAXCODE-MISSING 第 1 行没有税收分类编码")
            work.open_item(tx, self.journal, "invoices", finding, [("sales_order", held["key"], 5650)])
        self.post()
        compare_billing(self.journal, "billing", MAPPINGS)

    def reds(self, request: dict[str, object], blue: dict[str, object], status: str) -> None:
        """A red of the whole blue."""
        every = {one.place: Decimal(one.gross) for one in left(request, [])}
        self.invoice(self.put("red_request", made(request, blue, Choice("sales_return", every), RULES, [])), status)
