"""A journal of orders, invoices and vouchers for 票单勾稽, made by the product's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import update

from duijie.codec import Record
from duijie.derive import invoices, reds
from duijie.derive.making import make
from duijie.derive.rounding import split_tax
from duijie.flow import Derive
from duijie.journal import Journal, deliveries, documents, planning
from duijie.journal.deliveries import Change
from duijie.journal.tables import document
from duijie.schemas import check

ROOT = Path(__file__).parents[2]
MAPPINGS = ROOT / "mappings"
RULES = invoices.load_rules(MAPPINGS / "rules" / "invoice.yaml")
DAY = "2026-11-11"
BUYER = {"name": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E"}
PRODUCTS = {"A1": ("手工面条 500g", "0.13"), "B2": ("农家鲜蔬礼盒", "0.09")}


def line(number: int, order: int, sku: str, gross: str) -> Record:
    name, rate = PRODUCTS[sku]
    split = split_tax(Decimal(gross), Decimal(rate))
    return {
        "line_no": number,
        "oid": f"{order}{number}",
        "sku": sku,
        "name": name,
        "unit": "件",
        "tax_class_code": "1030203030000000000",
        "qty": Decimal(1),
        "price": Decimal(gross),
        "discount": Decimal("0.00"),
        "tax_rate": Decimal(rate),
        **split._asdict(),
    }


class World:
    """One shop's journal; orders are numbered, amounts are texts in yuan."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.numbers = 0

    def order(self, number: int, *gross: str, wish: bool = True, freight: str = "0.00", **more: Any) -> Record:
        """A paid and shipped order of a line for each amount, of goods at 13 % and 9 % in turn."""
        lines = [line(at, number, ("A1", "B2")[(at - 1) % 2], one) for at, one in enumerate(gross, 1)]
        goods = sum((one["gross"] for one in lines), Decimal("0.00"))
        body: Record = {
            "key": f"taobao:S01:{number}",
            "platform": "taobao",
            "shop": "S01",
            "order_no": str(number),
            "status": "shipped",
            "business_date": DAY,
            **dict.fromkeys(("ordered_at", "paid_at", "shipped_at", "modified_at"), f"{DAY}T10:00:00+08:00"),
            "buyer": {"key": "K1", "name": BUYER["name"]},
            "goods_amount": goods,
            "seller_discount": Decimal("0.00"),
            "platform_discount": Decimal("0.00"),
            "freight": Decimal(freight),
            "gross": goods + Decimal(freight),
            "lines": lines,
            **more,
        }
        if wish:
            body["invoice_wish"] = {"title": BUYER["name"], "tax_no": BUYER["tax_no"], "kind": "normal"}
        return self.put("sales_order", body)

    def refund(self, order: Record, at: int, amount: str, **more: Any) -> Record:
        """A successful refund of a line of an order."""
        one = order["lines"][at - 1]
        split = split_tax(Decimal(amount), one["tax_rate"])
        body = {
            "key": f"taobao:S01:R{order['order_no']}{at}",
            "platform": "taobao",
            "shop": "S01",
            "refund_no": f"R{order['order_no']}{at}",
            "order_key": order["key"],
            "order_no": order["order_no"],
            "status": "success",
            "kind": "money_only",
            "business_date": "2026-11-13",
            "modified_at": "2026-11-13T09:00:00+08:00",
            "oid": one["oid"],
            "sku": one["sku"],
            "qty": Decimal(1),
            "amount": Decimal(amount),
            "tax_rate": one["tax_rate"],
            "net": split.net,
            "tax": split.tax,
            "phase": "after_completion",
            **more,
        }
        return self.put("sales_refund", body)

    def request(self, order: Record, **more: Any) -> Record:
        """The blue request that the rules make of an order; `more` replaces fields."""
        made = self.put("invoice_request", {**invoices.blue_request(order, RULES), **more})
        source = documents.get(self.journal, "sales_order", order["key"])
        assert source is not None
        with self.journal.writing() as tx:
            documents.mark_derived(tx, "invoice", [source], made["key"])
        return made

    def red_request(self, order: Record, refund: Record, request: Record, blue: Record) -> Record:
        """The red request that the rules make of a refund."""
        return self.put("red_request", reds.red_request(refund, order, blue, request, RULES))

    def invoice(self, request: Record, status: str = "issued", **more: Any) -> Record:
        """What the platform holds of a request, blue or red."""
        self.numbers += 1
        is_red = "blue_request_no" in request
        body: Record = {
            "key": request["request_no"],
            "request_no": request["request_no"],
            "colour": "red" if is_red else "blue",
            "status": status,
            **{name: request[name] for name in ("net", "tax", "gross")},
        }
        if status == "issued":
            body |= {"number": f"26991{self.numbers:015}", "issued_at": "2026-11-12T12:00:00+08:00"}
            body |= {"kind": "normal", "buyer_name": BUYER["name"]}
        return self.put("invoice", {**body, **more})

    def billed(self, order: Record) -> tuple[Record, Record]:
        """Request and issued invoice of an order."""
        request = self.request(order)
        return request, self.invoice(request)

    def post(self) -> None:
        """Vouchers of everything that has none, delivered to one ledger."""
        self.vouchers()
        self.deliver("voucher", "k3cloud/voucher", Change("done", native_no="记-1"))

    def vouchers(self) -> None:
        """Vouchers of everything that has none, not delivered."""
        for name, rule, after in (("sales", "sale", ""), ("refunds", "refund", "sale")):
            step = Derive(name=name, make="vouchers", rule=rule, after=after)
            make(self.journal, "vouchers", step, MAPPINGS)

    def plan(self, entity: str, sink: str) -> None:
        """Give what a sink has not got yet a delivery."""
        wanted = [(one, documents.amount_of(one.body)) for one in planning.unplanned(self.journal, entity, sink)]
        planning.plan(self.journal, "flow", sink, wanted)

    def came_to(self, sink: str) -> None:
        """Every order is delivered there."""
        self.deliver("sales_order", sink, Change("done", native_no="1"))

    def deliver(self, entity: str, sink: str, change: Change) -> None:
        """Deliver what a sink has not got yet, with that outcome."""
        self.plan(entity, sink)
        for row in deliveries.claim(self.journal, sink, ("pending",), 1000):
            deliveries.settle(self.journal, "claimed", {row.claim: Change("sent", target_key=row.document.key)})
            deliveries.settle(self.journal, "sent", {row.claim: change})

    def put(self, entity: str, body: Record) -> Record:
        """Keep a valid document."""
        check(entity, body)
        with self.journal.writing() as tx:
            documents.put(tx, self.journal, entity, body, (None, "test"))
        return body

    def change(self, entity: str, key: str, values: Mapping[str, Any]) -> Record:
        """A new version of a document."""
        found = documents.get(self.journal, entity, key)
        assert found is not None
        return self.put(entity, {**found.body, **values})

    def came_at(self, moment: Any) -> None:
        """Say that every document came at a moment."""
        with self.journal.writing() as tx:
            tx.execute(update(document).values(created_at=moment))
