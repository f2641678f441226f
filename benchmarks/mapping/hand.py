"""The same mapping as a competent engineer would write it by hand: plain dicts, Decimal, one pass.

`hand` trusts that a platform's amounts have two decimals. `hand_quantised` rounds each of them half-up to cents first,
so that "5" and "5.5" come out as 5.00 and 5.50. Neither says which field of which order was wrong when one is.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from platform import python_version
from typing import Any

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.orders import CATALOGUE, CUSTOMERS, STORES
from benchmarks.mapping.timing import each
from duijie.codec import Record

CENT = Decimal("0.01")
RATE = Decimal("0.13")
TAXED = 1 + RATE
STATUS = {
    "WAIT_BUYER_PAY": "unpaid",
    "WAIT_SELLER_SEND_GOODS": "paid",
    "SELLER_CONSIGNED_PART": "shipped",
    "WAIT_BUYER_CONFIRM_GOODS": "shipped",
    "TRADE_FINISHED": "finished",
    "TRADE_CLOSED": "closed",
}
CARRIERS = {
    "SF": "顺丰",
    "ZTO": "中通",
    "YTO": "圆通",
    "STO": "申通",
    "YUNDA": "韵达",
    "JD": "京东",
    "EMS": "EMS",
    "DBKD": "德邦",
}
INVOICE_KINDS = {"0": "normal", "1": "normal", "2": "special"}


def _moment(text: str) -> str:
    return text.replace(" ", "T") + "+08:00"


def hand(order: Record) -> Record:
    """An order of the PSI system. Amounts keep the decimals they came with."""
    lines, discounts = [], Decimal(order["coupon_fee"])
    gross, freight = Decimal(order["payment"]), Decimal(order["post_fee"])
    goods = gross - freight
    tax = tax_left = (goods * RATE / TAXED).quantize(CENT, ROUND_HALF_UP)
    items = order["orders"]
    last = len(items)
    for number, item in enumerate(items, 1):
        sku = item["sku_code"] or item["item_code"]
        product = CATALOGUE[sku]
        amount, discount = Decimal(item["payment"]), Decimal(item["discount"])
        discounts += discount
        line_tax = tax_left if number == last else (amount * RATE / TAXED).quantize(CENT, ROUND_HALF_UP)
        tax_left -= line_tax
        line = {
            "line_no": number,
            "oid": item["oid"],
            "sku": sku,
            "product": product["id"],
            "name": item["title"],
            "spec": item["spec"],
            "unit": product["unit"],
            "tax_class": product["tax_class"],
            "qty": item["num"],
            "price": Decimal(item["price"]),
            "discount": discount,
            "gross": amount,
            "tax_rate": product["tax_rate"],
            "net": amount - line_tax,
            "tax": line_tax,
        }
        if item["refund"] != "NO_REFUND":
            line["refunding"] = True
        lines.append(line)
    return _header(order, lines, (goods, discounts, Decimal(order["subsidy_fee"]), freight, gross, goods - tax, tax))


def hand_quantised(order: Record) -> Record:
    """An order of the PSI system, every amount with two decimals."""
    gross = Decimal(order["payment"]).quantize(CENT, ROUND_HALF_UP)
    freight = Decimal(order["post_fee"]).quantize(CENT, ROUND_HALF_UP)
    goods = gross - freight
    tax = tax_left = (goods * RATE / TAXED).quantize(CENT, ROUND_HALF_UP)
    discounts = Decimal(order["coupon_fee"]).quantize(CENT, ROUND_HALF_UP)
    lines = []
    items = order["orders"]
    last = len(items)
    for number, item in enumerate(items, 1):
        sku = item["sku_code"] or item["item_code"]
        product = CATALOGUE[sku]
        amount = Decimal(item["payment"]).quantize(CENT, ROUND_HALF_UP)
        discount = Decimal(item["discount"]).quantize(CENT, ROUND_HALF_UP)
        discounts += discount
        line_tax = tax_left if number == last else (amount * RATE / TAXED).quantize(CENT, ROUND_HALF_UP)
        tax_left -= line_tax
        line = {
            "line_no": number,
            "oid": item["oid"],
            "sku": sku,
            "product": product["id"],
            "name": item["title"],
            "spec": item["spec"],
            "unit": product["unit"],
            "tax_class": product["tax_class"],
            "qty": item["num"],
            "price": Decimal(item["price"]).quantize(CENT, ROUND_HALF_UP),
            "discount": discount,
            "gross": amount,
            "tax_rate": product["tax_rate"],
            "net": amount - line_tax,
            "tax": line_tax,
        }
        if item["refund"] != "NO_REFUND":
            line["refunding"] = True
        lines.append(line)
    subsidy = Decimal(order["subsidy_fee"]).quantize(CENT, ROUND_HALF_UP)
    return _header(order, lines, (goods, discounts, subsidy, freight, gross, goods - tax, tax))


def _header(order: Record, lines: list[Record], money: tuple[Decimal, ...]) -> Record:
    platform, shop, number = order["platform"], order["shop"], order["tid"]
    receiver, buyer, invoice = order["receiver"], order["buyer"], order["invoice"]
    goods, discount, subsidy, freight, gross, net, tax = money
    ordered = _moment(order["created"])
    pay_time = order.get("pay_time")
    result: dict[str, Any] = {
        "key": f"{platform}:{shop}:{number}",
        "order_no": number,
        "platform": platform,
        "shop": shop,
        "customer": CUSTOMERS[shop],
        "status": STATUS[order["status"]],
        "business_date": (pay_time or ordered)[:10],
        "ordered_at": ordered,
    }
    if pay_time:
        result["paid_at"] = _moment(pay_time)
    if consign_time := order.get("consign_time"):
        result["shipped_at"] = _moment(consign_time)
    if end_time := order.get("end_time"):
        result["finished_at"] = _moment(end_time)
    result["warehouse"] = STORES[order["warehouse"]]
    result["carrier"] = CARRIERS[order["carrier"]]
    if waybill := order.get("waybill"):
        result["waybill"] = waybill
    result["buyer_key"] = f"{platform}:{buyer['uid']}"
    result["buyer"] = buyer["nick"]
    result["receiver"] = receiver["name"]
    result["phone"] = receiver.get("mobile") or receiver.get("phone") or ""
    result["address"] = (
        f"{receiver['state']} {receiver['city']} {receiver['district']} {receiver['town']}{receiver['address']}"
    )
    result["zip"] = receiver.get("zip") or "000000"
    result["urgent"] = order["flag"] == 1 or order["points"] >= 500
    result["currency"] = "CNY"
    result["goods"] = goods
    result["discount"] = discount
    result["subsidy"] = subsidy
    result["freight"] = freight
    result["gross"] = gross
    result["net"] = net
    result["tax"] = tax
    result["remark"] = "; ".join([note for note in (order.get("buyer_message"), order.get("seller_memo")) if note])
    if invoice["need"]:
        result["invoice"] = made = {"kind": INVOICE_KINDS[invoice["kind"]], "title": invoice["title"]}
        if tax_no := invoice.get("tax_no"):
            made["tax_no"] = tax_no
        made["amount"] = goods
    result["lines"] = lines
    return result


def by_hand() -> Contender:
    """The floor: trusts that amounts have two decimals."""
    return Contender("hand", python_version(), each(hand), hand, note="trusts that amounts have two decimals")


def by_hand_quantised() -> Contender:
    """The floor with every amount rounded to cents first."""
    note = "rounds every amount to cents first"
    return Contender("hand_quantised", python_version(), each(hand_quantised), hand_quantised, note=note)
