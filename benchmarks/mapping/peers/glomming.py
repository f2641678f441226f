"""glom: specs for paths, choices and lists; arithmetic, look-ups and the tax split through Python functions."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from importlib.metadata import version
from operator import add, sub
from typing import Any

from glom import SKIP, Coalesce, Glommer, Invoke, M, S, Spec, Switch, T, Val

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.hand import CARRIERS, CENT, INVOICE_KINDS, RATE, STATUS, TAXED
from benchmarks.mapping.orders import CATALOGUE, CUSTOMERS, STORES
from benchmarks.mapping.timing import each
from duijie.codec import Record


def _moment(text: str) -> str:
    return text.replace(" ", "T") + "+08:00"


def _money(text: str) -> Decimal:
    return Decimal(text).quantize(CENT, ROUND_HALF_UP)


def _goods(order: Record) -> Decimal:
    return _money(order["payment"]) - _money(order["post_fee"])


def _tax(amount: Decimal) -> Decimal:
    return (amount * RATE / TAXED).quantize(CENT, ROUND_HALF_UP)


def _taxed(order: Record) -> list[Record]:
    """Lines with number, product and tax; the last takes what is left of the order's tax."""
    made = []
    left, lines = _tax(_goods(order)), order["orders"]
    for number, line in enumerate(lines, 1):
        amount = _money(line["payment"])
        own = left if number == len(lines) else _tax(amount)
        left -= own
        sku = line["sku_code"] or line["item_code"]
        extra = {"no": number, "sku": sku, "product": CATALOGUE[sku], "amount": amount, "net": amount - own}
        made.append({**line, **extra, "tax": own})
    return made


LINE = {
    "line_no": "no",
    "oid": "oid",
    "sku": "sku",
    "product": "product.id",
    "name": "title",
    "spec": "spec",
    "unit": "product.unit",
    "tax_class": "product.tax_class",
    "qty": "num",
    "price": ("price", _money),
    "discount": ("discount", _money),
    "gross": "amount",
    "tax_rate": "product.tax_rate",
    "net": "net",
    "tax": "tax",
    "refunding": Coalesce(("refund", lambda state: state != "NO_REFUND"), skip=False, default=SKIP),
}
INVOICE = {
    "kind": ("kind", INVOICE_KINDS.__getitem__),
    "title": "title",
    "tax_no": Coalesce("tax_no", default=SKIP),
    "amount": S.goods,
}
ORDER = (
    S(goods=Spec(_goods), paid=Coalesce("pay_time", "created")),
    S(tax=Spec((S.goods, _tax))),
    {
        "key": lambda order: f"{order['platform']}:{order['shop']}:{order['tid']}",
        "order_no": "tid",
        "platform": "platform",
        "shop": "shop",
        "customer": ("shop", CUSTOMERS.__getitem__),
        "status": ("status", STATUS.__getitem__),
        "business_date": (S.paid, lambda text: text[:10]),
        "ordered_at": ("created", _moment),
        "paid_at": Coalesce(("pay_time", _moment), default=SKIP),
        "shipped_at": Coalesce(("consign_time", _moment), default=SKIP),
        "finished_at": Coalesce(("end_time", _moment), default=SKIP),
        "warehouse": ("warehouse", STORES.__getitem__),
        "carrier": ("carrier", CARRIERS.__getitem__),
        "waybill": Coalesce("waybill", default=SKIP),
        "buyer_key": lambda order: f"{order['platform']}:{order['buyer']['uid']}",
        "buyer": "buyer.nick",
        "receiver": "receiver.name",
        "phone": Coalesce("receiver.mobile", "receiver.phone", default=""),
        "address": ("receiver", lambda r: f"{r['state']} {r['city']} {r['district']} {r['town']}{r['address']}"),
        "zip": Coalesce("receiver.zip", skip=None, default="000000"),
        "urgent": lambda order: order["flag"] == 1 or order["points"] >= 500,
        "currency": Val("CNY"),
        "goods": S.goods,
        "discount": Invoke(add).specs(("orders", [("discount", _money)], sum), ("coupon_fee", _money)),
        "subsidy": ("subsidy_fee", _money),
        "freight": ("post_fee", _money),
        "gross": ("payment", _money),
        "net": Invoke(sub).specs(S.goods, S.tax),
        "tax": S.tax,
        "remark": lambda order: "; ".join(order[name] for name in ("buyer_message", "seller_memo") if name in order),
        "invoice": Switch([(M(T["invoice"]["need"]), ("invoice", INVOICE))], default=SKIP),
        "lines": (_taxed, [LINE]),
    },
)


def build() -> Contender:
    """One spec for the order, one for its lines."""
    glom = Glommer().glom

    def one(order: Record) -> Any:
        return glom(order, ORDER)

    return Contender("glom", version("glom"), each(one), one, note="arithmetic and the tax split are Python functions")
