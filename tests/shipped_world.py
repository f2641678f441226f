"""A day through the shipped mappings, without any system: raw records in, orders, vouchers and payloads out.

The project is a copy under git, so that a test may change a mapping and ask who did.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from duijie.codec import Record
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.deliver import Delivering
from duijie.derive.making import make
from duijie.engine import ROOT
from duijie.flow import Deliver, Derive, Flow, Poll, Pull, load_flows
from duijie.journal import Journal, codes, inbox
from duijie.journal.codes import Code
from duijie.journal.inbox import Source
from duijie.journal.lookup import JournalLookup
from duijie.mapping import load_mapping
from duijie.pull import Refinery

TID = 3204086667211110000
ORDER = f"taobao:S01:{TID}"
PHONE, PERSON, ADDRESS, MAIL = "13912345678", "欧阳小明", "浙江省杭州市西湖区文三路188号3幢502室", "xiaoming@qq.com"
COMPANY, TAX_NO = "杭州恒信嘉禾科技有限公司", "91330106MA2DEMK14E"
SECRET = "geheimer-token-1"


class Target:
    """Takes whatever it is given."""

    name, entity, batch, safety = "any", "any", 50, Safety.NATURAL_KEY

    def __init__(self) -> None:
        self.written: list[Record] = []

    def key_of(self, payload: Record) -> str:
        return str(payload.get("bill_no") or payload.get("key") or payload["order"]["orderNo"])

    def figures_of(self, payload: Record) -> Figures:
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        return {}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        self.written += payloads
        return [Done(f"id-{self.key_of(one)}", self.key_of(one)) for one in payloads]


def product(number: str, rate: str) -> Record:
    return {
        "id": f"10{number}",
        "number": number,
        "name": f"商品 {number}",
        "base_unit_id": "90001",
        "base_unit_number": "件",
        "base_unit_name": "件",
        "tax_rate": rate,
        "custom_field": {"tax_class_code": "1030299990000000000"},
    }


def order(tid: int = TID, **more: object) -> Record:
    """Two lines at two rates, freight, a company's invoice wish, and everything about a person that must not leak."""
    line = {"num": 1, "discount_fee": "0.00"}
    lines = [
        {**line, "oid": tid + 1, "outer_sku_id": "A1", "title": "面条", "num": 2, "total_fee": "120.00",
         "divide_order_fee": "113.00"},
        {**line, "oid": tid + 2, "outer_sku_id": "B2", "title": "苹果", "total_fee": "10.90",
         "divide_order_fee": "10.90"},
    ]  # fmt: skip
    made = {
        "tid": tid,
        "shop": "S01",
        "status": "TRADE_FINISHED",
        "created": "2026-11-11 09:00:00",
        "pay_time": "2026-11-11 09:02:00",
        "modified": "2026-11-12 09:02:00",
        "payment": "131.90",
        "post_fee": "8.00",
        "buyer_open_uid": "AAG8936014895639",
        "buyer_nick": PERSON,
        "receiver_name": PERSON,
        "receiver_mobile": PHONE,
        "receiver_address": ADDRESS,
        "buyer_message": f"请送到{ADDRESS}, 打 {PHONE} 找{PERSON}, 或写信到 {MAIL}",
        "session_token": SECRET,
        "invoice_name": COMPANY,
        "invoice_kind": "2",
        "buyer_tax_no": TAX_NO,
        "orders": {"order": lines},
    }
    return {**made, **more}


def refund(number: int = 77, tid: int = TID, amount: str = "56.50") -> Record:
    return {
        "refund_id": number,
        "tid": tid,
        "oid": tid + 1,
        "shop": "S01",
        "status": "SUCCESS",
        "has_good_return": True,
        "refund_phase": "aftersale",
        "reason": "不想要了",
        "refund_fee": amount,
        "num": 1,
        "outer_id": "A1",
        "sku": "A1|",
        "buyer_open_uid": "AAG8936014895639",
        "created": "2026-11-12 10:00:00",
        "modified": "2026-11-12 10:00:00",
        "end_time": "2026-11-12 10:00:00",
    }


class Shipped:
    """A copy of the shipped mappings and flows, and a journal."""

    def __init__(self, root: Path, kept: Journal) -> None:
        self.root = root
        self.kept = kept
        for folder in ("mappings", "dags/flows", "schemas"):
            shutil.copytree(ROOT / folder, root / folder)
        self.git("init", "-q")
        self.commit("all there is", "Li Lei")

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout

    def commit(self, message: str, who: str) -> None:
        self.git("add", ".")
        person = ("-c", f"user.name={who}", "-c", "user.email=x@example.com")
        self.git(*person, "commit", "-q", "-m", message)

    def correct(self, name: str, old: str, new: str) -> None:
        path = self.root / "mappings" / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    @property
    def flows(self) -> dict[str, Flow]:
        return load_flows(self.root / "dags" / "flows")

    def step(self, flow: str, name: str) -> Pull | Poll | Deliver | Derive:
        found = self.flows[flow].step(name)
        assert isinstance(found, Pull | Poll | Deliver | Derive)
        return found

    def pull(self, flow: str, step_name: str, key: str, records: Sequence[Record], entity: str) -> dict[str, int]:
        step = self.step(flow, step_name)
        assert isinstance(step, Pull | Poll)
        source = Source(step.connection, step.stream, "S01")
        inbox.store(self.kept, source, key, records)
        mapping = load_mapping(self.root / "mappings" / f"{step.mapping}.yaml")
        lookup = JournalLookup(self.kept, step.connection)
        return dict(Refinery(self.kept, flow, entity, mapping, lookup).run(source, step.settings))

    def products(self) -> None:
        rows = [product("A1", "13"), product("B2", "9")]
        self.pull("orders", "pull_products", "number", rows, "product")

    def orders(self, *records: Record) -> dict[str, int]:
        return self.pull("orders", "pull_orders", "tid", records or [order()], "sales_order")

    def refunds(self, *records: Record) -> dict[str, int]:
        return self.pull("orders", "pull_refunds", "refund_id", records or [refund()], "sales_refund")

    def invoices(self, *records: Record) -> dict[str, int]:
        return self.pull("invoices", "poll_invoices", "serialNo", records, "invoice")

    def code(self, kind: str, connection: str, code: str, counterpart: str) -> None:
        codes.put(self.kept, [Code(kind, connection, code, counterpart)], "王会计")

    def derive(self, flow: str, step_name: str) -> dict[str, int]:
        step = self.step(flow, step_name)
        assert isinstance(step, Derive)
        return dict(make(self.kept, flow, step, self.root / "mappings"))

    def deliver(self, flow: str, step_name: str) -> Target:
        step = self.step(flow, step_name)
        assert isinstance(step, Deliver)
        target = Target()
        mapping = load_mapping(self.root / "mappings" / f"{step.mapping}.yaml")
        lookup = JournalLookup(self.kept, step.connection)
        Delivering(self.kept, flow, step, target, mapping, lookup).run()
        return target

    def day(self) -> None:
        """Products, an order, its delivery and its voucher."""
        self.products()
        self.code("customer", "xingchen", "S01", "KH001")
        self.code("customer", "k3cloud", "S01", "KH001")
        self.orders()
        self.deliver("orders", "deliver_orders")
        self.derive("vouchers", "derive_sales")
