"""Objects of 纷享销客 as sinks: create, update by `_id`, and 作废 (data/invalid), which the vendor can take back.

The vendor gives a create no request id and takes duplicates. Our key travels in a custom text field of the object and
is looked up before anything is sent again. A record that is 作废 is not there.
Source: 纷享销客开放平台 "新增对象数据", "编辑对象数据", "作废对象数据".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.fxiaoke.objects import Kind, Lines, Reference
from connectors.fxiaoke.records import CHANGED, ID, Records
from duijie.codec import Record
from duijie.connect.errors import DataError, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side

GONE = "invalid"
OWNER = "owner"  # an update must not name it: the vendor changes owners by a call of its own


class ObjectSink:
    """One object. A payload is {"key": ours, "object": its fields, "details": {line object: lines}}; details may lack.

    A field that refers to another object holds our code of it (the key of a customer, a SKU); its `_id` is sent.
    """

    safety = Safety.LOOKUP
    batch = 50

    def __init__(self, records: Records, kind: Kind) -> None:
        self._records = records
        self._kind = kind
        self._key = records.fields.key_of(kind.api_name)
        self.name = kind.sink
        self.entity = kind.entity

    def key_of(self, payload: Record) -> str:
        """Our key, as the custom field will hold it."""
        return str(payload["key"])

    def figures_of(self, payload: Record) -> Figures:
        """Amounts in yuan; none where the object carries none."""
        return self._figures(payload["object"])

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By the key field; of several with one key the oldest counts, `raw.copies` says how many there are."""
        self._records.require_key_field(self._kind.api_name, self._kind.title)
        held: dict[str, list[Record]] = {}
        for row in self._standing(self._key, keys):
            held.setdefault(str(row[self._key]), []).append(row)
        return {key: self._found(held[key]) for key in keys if key in held}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One create per payload, side by side; outcomes in the order of the payloads."""
        return self._each(self._create, payloads)

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """One update per payload. Lines that differ from those at the target are refused: they cannot be updated."""
        return self._each(lambda pair: self._update(*pair), list(zip(payloads, native_ids, strict=True)))

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """作废 each; what is 作废 already stays so."""
        return self._each(self._invalidate, native_ids)

    def _each(self, call: Callable[[Any], Done], items: Sequence[Any]) -> Sequence[Outcome]:
        retrier = self._records.retrier
        return side_by_side(lambda item: retrier.outcome(lambda: call(item)), items)

    def _create(self, payload: Record) -> Done:
        self._records.require_key_field(self._kind.api_name, self._kind.title)
        key = self.key_of(payload)
        made = {
            "dataObjectApiName": self._kind.api_name,
            OWNER: [self._records.client.user],
            **self._resolved(payload["object"], self._kind.found),
            self._key: key,
        }
        data = {"object_data": made, "details": self._details(payload)}
        answer = self._records.client.data("create", data, lambda: self._as_answer(key))
        native_id = str(answer["dataId"])
        return Done(native_id, native_id, answer)

    def _update(self, payload: Record, native_id: str) -> Done:
        if self._kind.lines is not None:
            self._require_same(self._kind.lines, self._details(payload), native_id)
        changed = {name: value for name, value in payload["object"].items() if name != OWNER}
        made = {
            "dataObjectApiName": self._kind.api_name,
            ID: native_id,
            **self._resolved(changed, self._kind.found),
        }
        answer = self._records.client.data("update", {"object_data": made})
        return Done(native_id, native_id, answer)

    def _invalidate(self, native_id: str) -> Done:
        data = {"dataObjectApiName": self._kind.api_name, "object_data_id": native_id}
        try:
            answer = self._records.client.data("invalid", data)
        except VendorRejected:
            if not self._is_gone(native_id):
                raise
            answer = {}
        return Done(native_id, native_id, answer)

    def _details(self, payload: Record) -> Record:
        lines = self._kind.lines
        if lines is None:
            return {}
        given = payload.get("details", {}).get(lines.api_name, [])
        return {lines.api_name: self._resolved_rows(given, lines.references)}

    def _resolved(self, given: Record, references: Sequence[Reference]) -> Record:
        [made] = self._resolved_rows([given], references)
        return made

    def _resolved_rows(self, given: Sequence[Record], references: Sequence[Reference]) -> list[Record]:
        made = [dict(row) for row in given]
        for one in references:
            ids = self._ids(one, [str(row[one.field]) for row in made if one.field in row])
            for row in made:
                if one.field in row:
                    row[one.field] = ids[str(row[one.field])]
        return made

    def _ids(self, reference: Reference, codes: Sequence[str]) -> Mapping[str, str]:
        """The `_id` of each code, of the oldest where several have it. Raises DataError."""
        name = self._records.fields.code_of(reference)
        held: dict[str, list[Record]] = {}
        for row in self._standing(name, codes, reference.api_name):
            held.setdefault(str(row[name]), []).append(row)
        if missing := sorted(set(codes) - held.keys()):
            what = f"{reference.title} {'、'.join(missing)}"
            raise DataError(
                f"纷享销客没有{what} (字段 {name}); 请先写入该{reference.title}, 或在纷享销客补填该字段后重放",
                en=f"no {reference.api_name} with {name} {', '.join(missing)}; write it first, then replay",
                code="fxiaoke:reference",
                where=reference.field,
            )
        return {code: str(_oldest(rows)[ID]) for code, rows in held.items()}

    def _require_same(self, lines: Lines, details: Record, native_id: str) -> None:
        there = self._records.lines(lines, [native_id])[native_id]
        wanted = details[lines.api_name]
        if sorted(_compared(lines, row) for row in wanted) != sorted(_compared(lines, row) for row in there):
            raise DataError(
                f"{self._kind.title} {native_id} 的明细已变, 而接口如何修改明细未公布; "
                "请在纷享销客中修改该单明细, 核对一致后重放",
                en=f"the lines of {native_id} differ and cannot be updated; change them in the CRM, then replay",
                code="fxiaoke:lines",
                where=native_id,
            )

    def _standing(self, name: str, values: Sequence[str], api_name: str = "") -> Iterator[Record]:
        """The records with one of these values that are not 作废."""
        for rows in self._records.having(api_name or self._kind.api_name, name, values):
            yield from (row for row in rows if row.get("life_status") != GONE)

    def _as_answer(self, key: str) -> Record | None:
        found = self.find([key]).get(key)
        return {"errorCode": 0, "dataId": found.native_id} if found else None

    def _is_gone(self, native_id: str) -> bool:
        rows = [row for page in self._records.having(self._kind.api_name, ID, [native_id]) for row in page]
        return bool(rows) and rows[0].get("life_status") == GONE

    def _figures(self, row: Record) -> Figures:
        return {name: Decimal(str(row[one])) for name, one in self._kind.figures.items() if row.get(one)}

    def _found(self, rows: Sequence[Record]) -> Found:
        first = _oldest(rows)
        native_id = str(first[ID])
        return Found(native_id, native_id, self._figures(first), {**first, "copies": len(rows)})


def _oldest(rows: Sequence[Record]) -> Record:
    return min(rows, key=lambda row: (int(row.get("create_time") or row[CHANGED]), str(row[ID])))


def _compared(lines: Lines, row: Record) -> tuple[Any, ...]:
    references = tuple(str(row.get(one.field)) for one in lines.references)
    return (*references, *(Decimal(str(row.get(name) or 0)) for name in lines.compared))
