"""凭证: read back with their entries, saved once by the number of their source, reversed when audited.

`source_bill_no` is the vendor's own guard: a second voucher with it is refused. One that was reversed (已冲销) keeps
it: that one is not there any more, and nothing can be written in its place. Vouchers are saved, not audited
(制单 ≠ 审核). Sources: 金蝶开放平台 "凭证列表", "凭证详情", "凭证保存", "凭证冲销", "凭证字列表", "币别列表".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

from connectors.xingchen.catalogue import BD, CUSTOMER, FI, MATERIAL, SUPPLIER, Reference
from connectors.xingchen.client import VALIDATION, Client, before_writing, refusal
from connectors.xingchen.lists import Reading, by_id, first, pages
from connectors.xingchen.names import Names
from connectors.xingchen.sinks import AUDITED, OPERATE, already_there, saved_id
from connectors.xingchen.streams import MISSING, if_there
from duijie.codec import Record
from duijie.connect.errors import AlreadyThere, DuijieError, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Window
from duijie.connect.retry import side_by_side

VOUCHERS = FI + "voucher"
DETAIL = FI + "voucher_detail"
REVERSE = FI + "voucher_reverse"
ENTITY = "gl_voucher"
ZERO = Decimal(0)
WORD = Reference("group_name", "group_id", FI + "voucher_type", "name", "凭证字")
CURRENCY = Reference("currency_name", "currency_id", BD + "currency", "name", "币别")
DIMENSIONS: Mapping[str, Reference] = {
    kind: Reference("number", "id", path, "number", label, is_detail=True)
    for kind, path, label in (
        ("bd_customer", CUSTOMER.detail, "客户"),
        ("bd_supplier", SUPPLIER.detail, "供应商"),
        ("bd_material", MATERIAL.detail, "商品"),
        ("bd_department", BD + "department_detail", "部门"),
        ("bd_employee", BD + "emp_detail", "职员"),
        ("bd_store", BD + "store_detail", "仓库"),
    )
}


class Vouchers:
    """Vouchers changed in a window, list row and detail together: the source's number is in the list only."""

    name, entity, key = "voucher", "voucher", "id"

    def __init__(self, client: Client, reading: Reading) -> None:
        self._client = client
        self._reading = reading

    def partitions(self) -> Iterable[str]:
        """One 账套, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Vouchers of the window, or those with these ids. Raises errors of the tree."""
        if window.keys:
            yield Page([one for one in side_by_side(self._by_id, window.keys) if one])
            return
        changed = self._reading.changed_in(window, self._client.now())
        for rows in pages(self._client, VOUCHERS, changed, self._reading, by_id):
            yield Page([one for one in side_by_side(self._completed, rows) if one])

    def _completed(self, row: Record) -> Record | None:
        detail = if_there(lambda: self._client.get(DETAIL, {"id": by_id(row)}))
        return detail and {**row, **detail}

    def _by_id(self, native_id: str) -> Record | None:
        detail = if_there(lambda: self._client.get(DETAIL, {"id": native_id}))
        if detail is None:
            return None
        period = str(detail["period"])
        asked = {"start_period": period, "end_period": period, "number": str(detail["number"])}
        listed = (row for rows in pages(self._client, VOUCHERS, asked, self._reading, by_id) for row in rows)
        row = next((row for row in listed if by_id(row) == native_id), None)
        return row and {**row, **detail}


class VoucherSink:
    """凭证保存, one voucher a call."""

    name, entity = "voucher", "voucher"
    safety = Safety.NATURAL_KEY
    batch = 50

    def __init__(self, client: Client, reading: Reading) -> None:
        self._client = client
        self._reading = reading

    def key_of(self, payload: Record) -> str:
        """The number of the source."""
        return str(payload["source_bill_no"])

    def figures_of(self, payload: Record) -> Figures:
        """Both sides, in yuan."""
        return {
            side: sum((Decimal(str(entry.get(f"{side}_amount") or 0)) for entry in payload["entry_list"]), ZERO)
            for side in ("debit", "credit")
        }

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Vouchers by the number of their source, those that were reversed left out."""
        found = side_by_side(self._row, keys)
        return {key: _found(row) for key, row in zip(keys, found, strict=True) if row and not _is_reversed(row)}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """Save each voucher."""
        names = Names(self._client, self._reading)
        return [self._outcome(partial(self._create, payload, names)) for payload in payloads]

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Save under its id; the vendor refuses a voucher that is audited or whose period is closed."""
        names = Names(self._client, self._reading)
        pairs = zip(payloads, native_ids, strict=True)
        return [self._outcome(partial(self._change, payload, one, names)) for payload, one in pairs]

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Delete what nobody has audited; an audited voucher is 冲销 by a red one. What is gone or reversed is done."""
        pairs = zip(payloads, native_ids, strict=True)
        return [self._outcome(partial(self._take_back, payload, one)) for payload, one in pairs]

    def _outcome(self, call: partial[Done]) -> Outcome:
        return self._client.retrier.outcome(call)

    def _row(self, key: str) -> Record | None:
        return first(self._client, VOUCHERS, {"source_bill_no": key}, self._reading, "source_bill_no")

    def _create(self, payload: Record, names: Names) -> Done:
        """Save. Raises AlreadyThere for any refusal of a voucher that is there: the words for it are not documented.

        Raises VendorRejected where that one was reversed.
        """
        prepared = before_writing(lambda: _prepared(payload, names), "对照资料")
        try:
            return self._save(prepared)
        except (VendorRejected, AlreadyThere) as error:
            row = None if error.code == MISSING else self._row(self.key_of(payload))
            if row is None:
                raise
            raise _used_up(row, error) if _is_reversed(row) else already_there(self.key_of(payload), error) from error

    def _change(self, payload: Record, native_id: str, names: Names) -> Done:
        prepared = before_writing(lambda: _prepared(payload, names), "对照资料")
        return self._save({**prepared, "id": native_id})

    def _save(self, item: Record) -> Done:
        data = self._client.post(VOUCHERS, {"items": [item]})
        if data.get("errors"):
            raise _refusal(data["errors"], str(item["source_bill_no"]))
        return Done(saved_id(data, str(item["source_bill_no"])), str(item["source_bill_no"]), data)

    def _take_back(self, payload: Record, native_id: str) -> Done:
        number = str(payload.get("source_bill_no") or native_id)
        held = self._held(payload, native_id)
        if held is None or _is_reversed(held):
            return Done(native_id, number)
        if held["bill_status"] == AUDITED:
            return Done(native_id, number, self._red(native_id))
        asked = {"entity_number": ENTITY, "operate_type": "delete", "ids": [native_id]}
        return Done(native_id, number, self._client.post(OPERATE, asked))

    def _held(self, payload: Record, native_id: str) -> Record | None:
        if not payload:
            return if_there(lambda: self._client.get(DETAIL, {"id": native_id}))
        row = self._row(self.key_of(payload))
        return row if row and by_id(row) == native_id else None

    def _red(self, native_id: str) -> Record:
        data = self._client.post(REVERSE, {"ids": [native_id]})
        made: Record = next((row for row in data.get("rows") or [] if by_id(row) == native_id), {})
        if not made.get("reverse_voucher_id"):
            raise _refusal([made.get("message") or "未生成冲销凭证"], native_id)
        return data


def _found(row: Record) -> Found:
    figures = {side: Decimal(str(row[f"{side}_total"])) for side in ("debit", "credit")}
    return Found(by_id(row), str(row["source_bill_no"]), figures, row)


def _is_reversed(row: Record) -> bool:
    return str(row.get("have_reverse")).lower() == "true"


def _used_up(row: Record, error: DuijieError) -> VendorRejected:
    key = str(row["source_bill_no"])
    return VendorRejected(
        f"来源单号 {key} 的凭证已被冲销, 金蝶拒绝再用该单号 ({error.zh}); 请在金蝶手工补录该凭证, 然后关闭本待处理",
        en=f"the voucher of {key} was reversed, its number is refused ({error.en}); enter it by hand, then close this",
        code="xingchen:reversed",
        where=key,
    )


def _prepared(payload: Record, names: Names) -> Record:
    made = names.replaced(payload, (WORD,))
    made["entry_list"] = [_entry(entry, names) for entry in payload["entry_list"]]
    return made


def _entry(entry: Record, names: Names) -> Record:
    made = names.replaced(entry, (CURRENCY,))
    if "assist_list" in made:
        made["assist_list"] = [_dimension(one, names) for one in made["assist_list"]]
    return made


def _dimension(one: Record, names: Names) -> Record:
    """辅助核算 with the id behind its number; 辅助资料 (bd_auxinfo) of a mapping's own brings its id itself."""
    reference = DIMENSIONS.get(one["type"])
    return {**one, "id": names.id_of(reference, str(one["number"]))} if reference else one


def _refusal(errors: Sequence[object], where: str) -> DuijieError:
    """The vendor's reasons as one error; a reason is a text, or an object that holds one."""
    said = "; ".join(str(one.get("message", one)) if isinstance(one, Mapping) else str(one) for one in errors)
    return refusal(VALIDATION, said, where)
