"""What an order itself says about payment and shipment: no document of its own stands behind these yet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from duijie.journal.documents import Document

SHIPPED = ("shipped", "finished")


@dataclass(frozen=True)
class Fact:
    """One such statement; `at` and `amount` (yuan) only where the order names them."""

    title: str
    at: datetime | None
    amount: Decimal | None = None
    note: str = ""


def facts(one: Document) -> list[Fact]:
    """出库 and 收款 of a sales order, as far as its fields know; nothing for other documents."""
    if one.entity != "sales_order":
        return []
    body, found = one.body, []
    paid, shipped = _moment(body.get("paid_at")), _moment(body.get("shipped_at"))
    if shipped or body.get("status") in SHIPPED:
        found.append(Fact("出库", shipped, note="" if shipped else "店铺显示已发货, 未给出时间"))
    if paid:
        found.append(Fact("收款", paid, body.get("gross"), "买家已付款给店铺"))
    return found


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
