"""What the rules of invoicing read of the journal, and what they leave there: sources and links."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection as Transaction

from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.connect.invoicing import Limits
from duijie.derive import tax_codes
from duijie.flow import Derive, withdrawn
from duijie.journal import Journal, documents
from duijie.journal.documents import Document

if TYPE_CHECKING:
    from duijie.derive.making import Making

Refunds = Mapping[str, Sequence[Document]]
RULE, RED_RULE = "invoice", "red_invoice"
READY = ("shipped", "finished")


def ready(making: Making) -> list[Document]:
    """Orders that wish for an invoice, have left the house, and of which none was asked for."""
    return [
        one
        for one in making.unused(RULE, "sales_order")
        if one.body.get("invoice_wish") and one.body["status"] in READY
    ]


def refunds_of(journal: Journal) -> dict[str, list[Document]]:
    """Refunds that were paid out and that no request and no red invoice has taken account of, by order."""
    found: dict[str, list[Document]] = defaultdict(list)
    for one in documents.not_yet_derived(journal, RED_RULE, "sales_refund"):
        if one.body["status"] == "success" and not withdrawn(one.body):
            found[one.body["order_key"]].append(one)
    return found


def coded(journal: Journal, orders: Sequence[Record]) -> list[Record]:
    """Orders whose lines without a tax class code have their product's, where it has one."""
    if all(line.get("tax_class_code") for order in orders for line in order["lines"]):
        return list(orders)
    products = (one.body for one in documents.current(journal, "product"))
    by_sku = {body["sku"]: body["tax_class_code"] for body in products if body.get("tax_class_code")}
    return [tax_codes.with_codes(order, by_sku) for order in orders]


def limits_of(step: Derive) -> Limits | None:
    """The limits of the platform that a step asks, from its setting `limits`. Raises ConfigError for a wrong one."""
    if "limits" not in step.settings:
        return None
    try:
        return msgspec.convert(step.settings["limits"], Limits, strict=False)
    except msgspec.ValidationError as error:
        zh = f"步骤 {step.name} 的 limits 有误: {error}, 请更正流程文件"
        raise ConfigError(zh, en=f"limits of step {step.name}: {error}", where=step.name) from error


def bodies(refunds: Refunds) -> dict[str, list[Record]]:
    """The refunds' records, by order."""
    return {key: [one.body for one in found] for key, found in refunds.items()}


def connect(tx: Transaction, journal: Journal, sources: Sequence[Document], made: Sequence[Record]) -> None:
    """Link orders and refunds to the requests that hold something of them, with what these hold of each order."""
    for source in sources:
        order_key = source.key if source.entity == "sales_order" else source.body["order_key"]
        for request in made:
            mine = [line for line in request["lines"] if line.get("order_key", request["order_key"]) == order_key]
            if mine:
                amount = sum(documents.fen(line["gross"]) for line in mine) if source.entity == "sales_order" else 0
                documents.connect(tx, journal, RULE, source, ("invoice_request", request["key"], amount))


def use(tx: Transaction, used: Sequence[Document], result_key: str) -> None:
    """Mark orders and refunds as used by a request; no red invoice is made of these refunds any more."""
    documents.mark_derived(tx, RULE, used, result_key)
    documents.mark_derived(tx, RED_RULE, [one for one in used if one.entity == "sales_refund"], result_key)


__all__ = ["RED_RULE", "RULE", "Refunds", "bodies", "coded", "connect", "limits_of", "ready", "refunds_of", "use"]
