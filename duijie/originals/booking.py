"""Puts the receiver's XBRL beside the purchase voucher that booked an invoice, in the same archive as its files."""

from __future__ import annotations

from pathlib import Path

from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.journal import Journal, documents
from duijie.journal.documents import Document
from duijie.originals import kept, xbrl
from duijie.originals.archive import Archive
from duijie.originals.kept import Kept
from duijie.originals.received import ENTITY


def book(journal: Journal, archive: Archive, number: str, voucher_key: str, voucher_no: str, root: Path) -> bytes:
    """Write the XBRL of a received invoice and its voucher, keep it and return it.

    `voucher_no`: the number the ledger gave (记-0001). Raises ConfigError where either is not there, InvalidDocument
    where the voucher comes to less than the invoice, so that it cannot have booked it.
    """
    invoice, voucher = _must_have(journal, ENTITY, number), _must_have(journal, "voucher", voucher_key)
    gross, total = invoice.body["gross"], voucher.body["debit"]
    if abs(gross) > abs(total):
        raise InvalidDocument(
            f"凭证 {voucher_key} 的合计 {total} 小于发票 {number} 的价税合计 {gross}, 请核对凭证号",
            en=f"voucher {voucher_key} comes to less than invoice {number}",
            where=voucher_key,
        )
    taxonomy = xbrl.load_taxonomy(root / "mappings" / "rules" / "xbrl.yaml")
    made = xbrl.write(xbrl.booked(invoice.body, voucher.body, voucher_no, taxonomy), taxonomy)
    place, sha256 = archive.keep(made, "xbrl", voucher.body["date"])
    with journal.writing() as tx:
        kept.note(tx, journal, Kept(ENTITY, invoice.key, "xbrl", sha256, len(made), place, voucher_key[:120], number))
        documents.connect(tx, journal, "booked", invoice, ("voucher", voucher_key, documents.amount_of(invoice.body)))
    return made


def _must_have(journal: Journal, entity: str, key: str) -> Document:
    found = documents.get(journal, entity, key)
    if found is None:
        what = "进项发票" if entity == ENTITY else "凭证"
        raise ConfigError(f"没有{what} {key}, 请核对号码", en=f"there is no {entity} {key}", where=key)
    return found
