"""Feeds 三单匹配 from the journal: supplier invoices, purchase orders, receipts and what was settled before.

A difference is a work item of the accountant that names the line; the invoice is tried again at every run, so that a
receipt that comes late, or a corrected order, releases it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive.matching import Limits, Ordered, load_limits, ordered_lines, settled_by, settlement
from duijie.flow import withdrawn
from duijie.journal import Journal, documents

if TYPE_CHECKING:
    from duijie.derive.making import Making

Counts = Counter[str]
RULE = "purchase_settlement"


def purchase_settlements(making: Making) -> Counts:
    """Match every supplier invoice that has not been settled."""
    limits = load_limits(making.rules / "purchase_invoice.yaml")
    waiting = making.unused(RULE, "purchase_invoice")
    counts: Counts = Counter(sources=len(waiting))
    if not waiting:
        return counts
    orders, receipts, names = _orders(making.journal), _receipts(making.journal), _suppliers(making.journal)
    for invoice in waiting:
        settled = settled_by(one.body for one in documents.current(making.journal, RULE))
        seller = invoice.body["seller"]
        keys = names[seller["name"]] | names[seller.get("tax_no") or seller["name"]]
        mine = [order for key in sorted(keys) for order in orders[key]]
        counts[_one(making, invoice, ordered_lines(mine, receipts, settled), limits)] += 1
    return counts


def _one(making: Making, invoice: documents.Document, lines: list[Ordered], limits: Limits) -> str:
    try:
        made = settlement(invoice.body, lines, limits)
        making.store(RULE, made, RULE, [(invoice, documents.fen(made["gross"]))])
    except InvalidDocument as error:
        making.wait(invoice, "match", error.zh)
        return "waiting"
    return "new_documents"


def _orders(journal: Journal) -> Mapping[str, list[Record]]:
    """Orders that count, by their supplier's key."""
    found: dict[str, list[Record]] = defaultdict(list)
    for one in documents.current(journal, "purchase_order"):
        if one.body["status"] != "cancelled" and not withdrawn(one.body):
            found[one.body["supplier"]["key"]].append(one.body)
    return found


def _receipts(journal: Journal) -> list[Record]:
    receipts = (one.body for one in documents.current(journal, "goods_receipt"))
    return [one for one in receipts if one["kind"] == "purchase" and not withdrawn(one)]


def _suppliers(journal: Journal) -> Mapping[str, set[str]]:
    """Keys of suppliers by name and by tax number, as parties and orders tell them."""
    found: dict[str, set[str]] = defaultdict(set)
    for party in documents.current(journal, "party"):
        if party.body["role"] != "customer":
            for name in (party.body["name"], party.body.get("tax_no")):
                found[name or party.body["name"]].add(party.key)
    for order in documents.current(journal, "purchase_order"):
        supplier = order.body["supplier"]
        found[supplier.get("name") or supplier["key"]].add(supplier["key"])
    return found
