"""Base data of the account set: units, materials, customers, suppliers, warehouses, word classes, currencies.

Lists show fewer fields than details, as the vendor's do: a material's 税率 and custom fields are in its detail only.
Bank accounts and addresses come back encrypted. Texts of refusals are the vendor's where they are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sandbox.store import Record, Store
from sandbox.xingchen_lists import Refused, page, require, served

SECRET = ("bank_account", "addr")
BILLS = ("sal_order", "pur_order", "sal_out_bound", "pur_inbound")


@dataclass(frozen=True)
class Sort:
    """One sort of base data: what it is called, what its list shows, from where its ids count."""

    collection: str
    title: str
    first_id: int
    listed: tuple[str, ...]
    entity: str = ""
    saved: tuple[str, ...] = ()
    prefix: str = ""


NAMED = ("id", "number", "name")
MATERIAL = Sort(
    "material",
    "商品",
    100000,
    (*NAMED, "model", "parent_name", "barcode", "base_unit_id", "base_unit_number", "base_unit_name", "is_multi_unit"),
    "bd_material",
    ("number", "name", "model", "barcode", "enable", "tax_rate", "gross_weight", "custom_field"),
    "SP",
)
TAXED = ("invoice_name", "taxpayer_no", "bank", "bank_account", "addr", "rate", "remark", "custom_field")
CUSTOMER = Sort("customer", "客户", 5000, (*NAMED, "remark", "enable"), "bd_customer", ("number", "name", *TAXED), "KH")
SUPPLIER = Sort("supplier", "供应商", 6000, NAMED, "bd_supplier", ("number", "name", *TAXED), "GYS")
STORE = Sort("store", "仓库", 3000, (*NAMED, "remark", "enable", "create_time", "modify_time"), "bd_store")
UNIT = Sort("unit", "计量单位", 90000, (*NAMED, "precision"))
GROUP = Sort("group", "商品类别", 40000, NAMED)
WORD = Sort("voucher_type", "凭证字", 20, NAMED)
CURRENCY = Sort("currency", "币别", 1, (*NAMED, "rate"))
SORTS = {one.collection: one for one in (MATERIAL, CUSTOMER, SUPPLIER, STORE, UNIT, GROUP, WORD, CURRENCY)}


class BaseData:
    """Records by number, in one collection a sort."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._numbers: dict[tuple[str, str], str] = {}
        for name in SORTS:
            self._index(name)

    def add(self, name: str, rows: list[Record], now: int) -> None:
        """The rows whose number is new, with ids of their own; of several with one number the first counts."""
        base = SORTS[name].first_id + len(self.store.all(name))
        fresh: dict[str, Record] = {}
        for row in rows:
            if self.store.get(name, row["number"]) is None:
                fresh.setdefault(row["number"], row)
        common = {"enable": "1", "create_time": now, "modify_time": now}
        made = {key: {"id": str(base + n), **common, **row} for n, (key, row) in enumerate(fresh.items(), 1)}
        self.store.put_many(name, made)
        self._index(name)

    def found(self, name: str, number: Any, native_id: Any = None) -> Record:
        """A record by number or id. Raises Refused."""
        by_id = self._numbers.get((name, str(native_id)), "")
        kept = self.store.get(name, str(number) if number else by_id)
        if kept is None:
            raise Refused(f"参数number[{number}]不存在" if number else f"参数id[{native_id}]不存在")
        return kept

    def listed(self, sort: Sort, query: Record, _: int) -> Record:
        """One page."""
        return page(query, self.store.all(sort.collection), sort.listed)

    def detail(self, sort: Sort, query: Record, _: int) -> Record:
        """All there is of one record, by id or number."""
        kept = self.found(sort.collection, query.get("number"), query.get("id"))
        shown = [name for name in kept if sort is not MATERIAL or name != "modify_time"]
        return {name: encrypted(name, value) for name, value in served(kept, shown).items()}

    def save(self, sort: Sort, body: Record, now: int) -> Record:
        """Create, or with `id` change; the number must be free."""
        name = sort.collection
        kept = self.found(name, None, body["id"]) if body.get("id") else None
        require(bool(body.get("name")), f"{sort.title}名称不能为空")
        number = str(body.get("number") or (kept or {}).get("number") or f"{sort.prefix}{self.store.next(name):05d}")
        holder = self.store.get(name, number)
        require(holder is None or holder["id"] == (kept or {}).get("id"), f"编码[{number}]组合值与其他表单重复")
        native_id = kept["id"] if kept else str(sort.first_id + 500000 + self.store.next(f"{name}_id"))
        given = {field: body[field] for field in sort.saved if field in body}
        made = {"id": native_id, "enable": "1", "create_time": now, **(kept or {}), **given, "number": number}
        if sort is MATERIAL:
            made |= self._material(body)
        if kept:
            self.store.drop(name, kept["number"])
        self.store.put(name, number, {**made, "modify_time": now})
        self._numbers[name, native_id] = number
        return {"ids": [native_id], "id_number_map": {native_id: number}}

    def operate(self, sort: Sort, operation: str, ids: list[str]) -> Record:
        """删除 of what no bill names; base data knows no audit here."""
        require(operation == "delete", f"{sort.title}不支持操作{operation}")
        rows = [self.found(sort.collection, None, one) for one in ids]
        for row in rows:
            require(not self._is_used(sort, row["number"]), f"{sort.title}[{row['number']}]已被引用, 不能删除")
        for row in rows:
            self.store.drop(sort.collection, row["number"])
            self._numbers.pop((sort.collection, row["id"]), None)
        return {"ids": ids, "id_number_map": {row["id"]: row["number"] for row in rows}}

    def _material(self, body: Record) -> Record:
        require(bool(body.get("base_unit_id")), '基础资料"base_unit"字段不能为空')
        unit = self.found("unit", None, body["base_unit_id"])
        rate = str(body.get("tax_rate", "0"))
        require(rate.replace(".", "", 1).isdigit(), f"税率[{rate}]不是有效的数字")
        group = self.found("group", body["parent_number"]) if body.get("parent_number") else {"name": ""}
        named = {"base_unit_id": unit["id"], "base_unit_number": unit["number"], "base_unit_name": unit["name"]}
        return {**named, "tax_rate": rate, "parent_name": group["name"], "is_multi_unit": False}

    def _is_used(self, sort: Sort, number: str) -> bool:
        named = f"{sort.collection}_number"
        bills = (bill for name in BILLS for bill in self.store.all(name))
        return any(
            bill.get(named) == number or any(line.get(named) == number for line in bill["material_entity"])
            for bill in bills
        )

    def _index(self, name: str) -> None:
        self._numbers |= {(name, row["id"]): row["number"] for row in self.store.all(name)}


def encrypted(name: str, value: Any) -> Any:
    """Sensitive fields as the vendor sends them: not to be read without its key."""
    return sha256(str(value).encode()).hexdigest() if name in SECRET and value else value
