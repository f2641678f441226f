"""Canonical requests for blue and red invoices: what the connectors of invoice platforms are tested with."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from duijie.codec import Record
from duijie.schemas import check

COMPANY = {"name": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E"}
RATE = Decimal("0.13")
CENT = Decimal("0.01")


def split(gross: Decimal) -> Record:
    """Net, tax and gross at 13 %."""
    tax = (gross * RATE / (1 + RATE)).quantize(CENT, ROUND_HALF_UP)
    return {"net": gross - tax, "tax": tax, "gross": gross}


def request(number: str, seller: str, amounts: Sequence[str] = ("113.00",), **changes: Any) -> Record:
    """A blue request; every line is two pieces at 13 %."""
    lines = [_line(place, Decimal(amount)) for place, amount in enumerate(amounts, 1)]
    made = {
        "key": number,
        "request_no": number,
        "kind": "special",
        "seller_tax_no": seller,
        "buyer": COMPANY,
        "order_key": f"taobao:S01:{number}",
        "ordered_at": "2026-11-11T09:00:00+08:00",
        "remark": f"订单号 {number}",
        **{name: sum((line[name] for line in lines), Decimal("0.00")) for name in ("net", "tax", "gross")},
        "lines": lines,
        **changes,
    }
    check("invoice_request", made)
    return made


def red(number: str, blue: Record, made: Record, back: Sequence[tuple[int, str]] = (), **changes: Any) -> Record:
    """A red request for the issued `blue` of the request `made`; `back` names lines and amounts, none: all of it."""
    lines = [_red_line(at, made["lines"][at - 1], Decimal(amount)) for at, amount in back]
    source = lines or [{name: -made[name] for name in ("net", "tax", "gross")}]
    asked = {
        "key": number,
        "request_no": number,
        "reason": "sales_return",
        "blue_request_no": made["request_no"],
        "blue_number": blue["number"],
        "blue_kind": made["kind"],
        "blue_issued_at": blue["issued_at"],
        "seller_tax_no": made["seller_tax_no"],
        "buyer": made["buyer"],
        "order_key": made["order_key"],
        "refund_key": f"refund:{number}",
        **{name: sum((line[name] for line in source), Decimal("0.00")) for name in ("net", "tax", "gross")},
        "lines": lines,
        **changes,
    }
    check("red_request", asked)
    return asked


def _line(place: int, gross: Decimal) -> Record:
    amounts = split(gross)
    head = {"line_no": place, "name": f"面条 {place}", "sku": f"A{place}", "unit": "件", "qty": Decimal(2)}
    price = (amounts["net"] / 2).quantize(Decimal("0.00000001"))
    return {**head, "price": price, "tax_class_code": "1030299990000000000", "tax_rate": RATE, **amounts}


def _red_line(at: int, line: Record, gross: Decimal) -> Record:
    amounts = {name: -value for name, value in split(gross).items()}
    named = {name: line[name] for name in ("name", "unit", "tax_class_code", "tax_rate")}
    return {"line_no": at, **named, "qty": Decimal(0), "price": Decimal(0), **amounts, "blue_line": at}
