"""What people write for what the vendor wants: names of units, numbers of base data, and source orders by their ids.

Ids are of one 账套 and mean nothing elsewhere, so a payload carries names and numbers, and they are looked up just
before it is saved. A bill that names its source order is tied to it by ids; the vendor drops a mere number in silence
and refuses one that is not there (金蝶开放平台 "采购入库单保存", "销售出库单保存": src_bill_type_id, src_inter_id,
src_entry_id).
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from connectors.xingchen.catalogue import LINES, Kind, Reference
from connectors.xingchen.client import Client
from connectors.xingchen.lists import Reading, by_id, pages
from connectors.xingchen.streams import MISSING, Shelf, if_there
from duijie.codec import Record
from duijie.connect.errors import VendorRejected


class Names:
    """Looks up what the payloads of one writing name; each thing once."""

    def __init__(self, client: Client, reading: Reading) -> None:
        self._client = client
        self._reading = reading
        self._lock = Lock()
        self._lists: dict[str, list[Record]] = {}
        self._orders: dict[str, Record] = {}

    def id_of(self, reference: Reference, value: str) -> str:
        """The vendor's id. Raises VendorRejected where there is no such thing."""
        if reference.is_detail:
            found = if_there(lambda: self._client.get(reference.path, {reference.match: value}))
        else:
            found = next((row for row in self._rows(reference.path) if str(row.get(reference.match)) == value), None)
        if found is None:
            raise _absent(reference.label, value)
        return by_id(found)

    def replaced(self, record: Record, references: tuple[Reference, ...]) -> Record:
        """The record with ids for the names in it."""
        made = dict(record)
        for reference in references:
            if reference.name in made:
                made[reference.becomes] = self.id_of(reference, str(made.pop(reference.name)))
        return made

    def tied(self, line: Record, source: Kind) -> Record:
        """A bill's line tied to the order line it names by `src_bill_no` and `src_seq`; others as they are."""
        if "src_bill_no" not in line:
            return line
        number, place = str(line["src_bill_no"]), str(line["src_seq"])
        order = self._order(source, number)
        entry = next((one for one in order[LINES] if str(one.get("seq")) == place), None)
        if entry is None:
            raise _absent("源单分录", f"{number} 第 {place} 行")
        ids = {"src_bill_type_id": source.entity, "src_inter_id": by_id(order), "src_entry_id": by_id(entry)}
        return {**line, "material_id": str(entry["material_id"]), **ids}

    def _rows(self, path: str) -> list[Record]:
        with self._lock:
            if path not in self._lists:
                read = pages(self._client, path, {}, self._reading, by_id)
                self._lists[path] = [row for rows in read for row in rows]
            return self._lists[path]

    def _order(self, source: Kind, number: str) -> Record:
        if number not in self._orders:
            order = Shelf(self._client, self._reading, source).whole(number)
            if order is None:
                raise _absent("源单", number)
            self._orders[number] = order
        return self._orders[number]


def with_ids(payload: Record, names: Names, references: tuple[Reference, ...], source: Kind | None) -> Record:
    """A bill's payload as the vendor takes it: head and lines with ids."""
    made = names.replaced(payload, references)
    if LINES in made:
        lines: list[Mapping[str, object]] = [names.replaced(line, references) for line in made[LINES]]
        made[LINES] = [names.tied(dict(line), source) for line in lines] if source else lines
    return made


def _absent(label: str, value: str) -> VendorRejected:
    return VendorRejected(
        f"金蝶中没有{label} “{value}”, 请先在金蝶建立或更正单据上的编码, 然后重放",
        en=f"there is no {label} {value!r}; create it or correct the code on the document, then replay",
        code=MISSING,
        where=value,
    )
