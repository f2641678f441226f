"""金蝶云星空 general ledger: read the vouchers that carry our key, write new ones, never audit them.

The vendor has no key of ours on a voucher, and its number is given by the ledger. Our key travels in a custom text
field of the voucher head that the implementer adds once (setting `key_field`). The vendor does not keep it unique,
so the sink is safe by look-up; `ValidateRepeatJson` is a second guard, which may remember what was deleted: its refusal
with nothing under our key is followed by a Save without it. One payload is one Save, one after the
other: the ledger numbers vouchers per period and word without gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

from connectors.k3cloud.bills import GUARD, REPEATED
from connectors.k3cloud.life import LifeCycle
from connectors.k3cloud.queries import conditions, some_of
from connectors.k3cloud.vouchers import FORM, VoucherBook
from duijie.codec import Record
from duijie.connect.errors import AlreadyThere, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Window

AUDITED = frozenset("BC")


class VoucherStream:
    """Vouchers of the book that carry our key, by FModifyDate (ledger's local time, whole seconds)."""

    name = "voucher"
    entity = "voucher"
    key = "key"

    def __init__(self, book: VoucherBook) -> None:
        self._book = book

    def partitions(self) -> Iterable[str]:
        """One book per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Vouchers changed in the window, or those with the window's keys."""
        self._book.require_key_field()
        for condition in conditions(window, self._book.key_field):
            for vouchers in self._book.read(condition):
                yield Page(vouchers)


class VoucherSink:
    """GL_VOUCHER Save. A payload is {"key": ours, "model": what mappings/k3cloud/voucher.out.yaml made}."""

    name = "voucher"
    entity = "voucher"
    safety = Safety.LOOKUP
    batch = 20

    def __init__(self, book: VoucherBook) -> None:
        self._book = book
        self._life = LifeCycle(book.client, book.retrier, FORM, "FVOUCHERID")

    def key_of(self, payload: Record) -> str:
        """Our key, as the custom field will hold it."""
        return str(payload["key"])

    def figures_of(self, payload: Record) -> Figures:
        """Sum of debits and of credits, in yuan."""
        entries = payload["model"]["FEntity"]
        return {
            "debit": sum((Decimal(entry["FDEBIT"]) for entry in entries), Decimal(0)),
            "credit": sum((Decimal(entry["FCREDIT"]) for entry in entries), Decimal(0)),
        }

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By the key field; of several with one key the oldest counts, `raw.copies` says how many there are."""
        self._book.require_key_field()
        held: dict[str, list[Record]] = {}
        for condition in some_of(self._book.key_field, keys):
            for page in self._book.read(condition):
                for voucher in page:
                    held.setdefault(voucher["key"], []).append(voucher)
        return {key: _found(held[key]) for key in keys if key in held}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One Save per payload, in order; the voucher stays unaudited (制单 ≠ 审核)."""
        return [self._book.retrier.outcome(partial(self._save, payload)) for payload in payloads]

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Delete each voucher that nobody has submitted or audited; what an accountant has in hand is left to them."""
        return [self._book.retrier.outcome(partial(self._delete, native_id)) for native_id in native_ids]

    def _delete(self, native_id: str) -> Done:
        if self._life.status(native_id) in AUDITED:
            raise VendorRejected(
                f"凭证 {native_id} 已提交或审核, 系统不删除会计已处理的凭证; 请在总账中反审核后删除或做红字凭证",
                en=f"voucher {native_id} is submitted or audited and is not deleted; un-audit or red-post it",
                code="k3cloud:audited",
                where=native_id,
            )
        self._life.reach(native_id, "gone")
        return Done(native_id, "")

    def _save(self, payload: Record) -> Done:
        self._book.require_key_field()
        model = {
            "FAccountBookID": {"FNumber": self._book.account_book},
            **payload["model"],
            self._book.key_field: payload["key"],
        }
        result = self._sent(payload["key"], {"NeedReturnFields": ["FVOUCHERGROUPNO"], "Model": model})
        returned = (result.get("NeedReturnData") or [{}])[0]
        number = returned.get("FVOUCHERGROUPNO") or result.get("Number", "")
        return Done(str(result["Id"]), str(number), result)

    def _sent(self, key: str, data: Record) -> Record:
        try:
            return self._book.client.form("Save", FORM, {**GUARD, **data})
        except AlreadyThere as error:
            if error.code != REPEATED or self.find([key]):
                raise
            return self._book.client.form("Save", FORM, data)


def _found(vouchers: list[Record]) -> Found:
    first = vouchers[0]
    figures = {"debit": first["debit"], "credit": first["credit"]}
    return Found(first["id"], first["number"], figures, {**first, "copies": len(vouchers)})
