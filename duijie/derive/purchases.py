"""Feeds 三单匹配 from the journal: supplier invoices, purchase orders, receipts and what was settled before.

A difference is a work item of the accountant that names the line; the invoice is tried again at every run, so that a
receipt that comes late, or a corrected order, releases it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive.matching import Line, load_limits, ordered_lines, settled_by, settlement
from duijie.flow import withdrawn
from duijie.journal import Journal, documents
from duijie.journal.documents import Document
from duijie.schemas import check

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
    bodies = [one.body for one in receipts.values()]
    for invoice in waiting:
        settled = settled_by(one.body for one in documents.current(making.journal, RULE))
        seller = invoice.body["seller"]
        keys = names[seller["name"]] | names[seller.get("tax_no") or seller["name"]]
        mine = [order for key in sorted(keys) for order in orders[key]]
        try:
            made = settlement(invoice.body, ordered_lines(mine, bodies, settled), limits)
            _store(making, invoice, made, receipts, settled)
        except InvalidDocument as error:
            making.wait(invoice, "match", error.zh)
            counts["waiting"] += 1
            continue
        counts["new_documents"] += 1
    return counts


def _store(
    making: Making, invoice: Document, made: Record, receipts: Mapping[str, Document], settled: Mapping[Line, Decimal]
) -> None:
    """Put the settlement and link it to its invoice and its receipts, in one transaction.

    A receipt's line is marked with how much of it was settled before: a second run that began from the same state
    breaks the primary key, so that nothing is settled twice.
    """
    check(RULE, made)
    journal, key = making.journal, made["key"]
    with journal.writing() as tx:
        documents.put(tx, journal, RULE, made, (None, f"rules/{RULE}"))
        documents.mark_derived(tx, RULE, [invoice], key)
        documents.connect(tx, journal, RULE, invoice, (RULE, key, documents.fen(made["gross"])))
        for number, at in sorted({(one["receipt_no"], one["line_no"]) for one in _taken(made)}):
            rule = f"{RULE}:{at}@{settled.get((number, at), Decimal(0)).normalize():f}"
            documents.mark_derived(tx, rule, [receipts[number]], key)
        for number in sorted({one["receipt_no"] for one in _taken(made)}):
            documents.connect(tx, journal, RULE, receipts[number], (RULE, key, 0))
        making.passed(tx, [invoice])


def _taken(made: Record) -> Iterator[Record]:
    for line in made["lines"]:
        yield from line["receipts"]


def _orders(journal: Journal) -> Mapping[str, list[Record]]:
    """Orders that count, by their supplier's key."""
    found: dict[str, list[Record]] = defaultdict(list)
    for one in documents.current(journal, "purchase_order"):
        if one.body["status"] != "cancelled" and not withdrawn(one.body):
            found[one.body["supplier"]["key"]].append(one.body)
    return found


def _receipts(journal: Journal) -> dict[str, Document]:
    """Receipts of purchases that count, by number."""
    found = (one for one in documents.current(journal, "goods_receipt") if one.body["kind"] == "purchase")
    return {one.body["receipt_no"]: one for one in found if not withdrawn(one.body)}


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
