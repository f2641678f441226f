"""Amounts as whole fen for engines that count in floats, where 0.1 + 0.2 is not 0.3; converted outside the timing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from benchmarks.mapping.orders import CATALOGUE
from duijie.codec import Record

SENT = ("payment", "post_fee", "coupon_fee", "subsidy_fee", "price", "discount")
MADE = ("goods", "discount", "subsidy", "freight", "gross", "net", "tax", "price", "amount")
PRODUCTS: dict[str, Record] = {sku: {**row, "tax_rate": float(row["tax_rate"])} for sku, row in CATALOGUE.items()}


def in_fen(order: Record) -> Record:
    """An order whose amounts are integers."""
    return {**_sent(order), "orders": [_sent(line) for line in order["orders"]]}


def in_yuan(result: Record) -> Record:
    """A result whose amounts are Decimals again."""
    made = {key: _yuan(key, value) for key, value in result.items()}
    if "invoice" in made:
        made["invoice"] = in_yuan(made["invoice"])
    if "lines" in made:
        made["lines"] = [in_yuan(line) for line in made["lines"]]
    return made


def _sent(record: Record) -> Record:
    return {key: int(Decimal(value) * 100) if key in SENT else value for key, value in record.items()}


def _yuan(key: str, value: Any) -> Any:
    return Decimal(value) / 100 if key in MADE else value


def taxed(lines: list[Record], goods: int) -> tuple[int, list[Record]]:
    """The tax of the goods, and their lines with number, code and tax; the last line takes what the others leave."""
    made = []
    tax = left = (goods * 26 + 113) // 226
    for number, line in enumerate(lines, 1):
        own = left if number == len(lines) else (line["payment"] * 26 + 113) // 226
        left -= own
        made.append({**line, "no": number, "sku": line["sku_code"] or line["item_code"], "tax": own})
    return tax, made


def given(result: Any) -> Any:
    """Without the keys whose value is null."""
    return {
        key: given(value)
        if isinstance(value, dict)
        else [given(each) for each in value]
        if isinstance(value, list)
        else value
        for key, value in result.items()
        if value is not None
    }
