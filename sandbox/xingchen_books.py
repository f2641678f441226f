"""What the account set holds besides bills: materials, units, customers, warehouses, stock.

Lists show fewer fields than details, as the vendor's do: a material's 税率 and custom fields are in its detail only.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.store import Record, Store
from sandbox.xingchen_lists import Refused, page
from sandbox.xingchen_orders import OrderBook

BEGINNING = 1767225600000  # 2026-01-01T00:00:00Z: when what is seeded was last changed
MATERIAL_FIELDS = (
    "id",
    "number",
    "name",
    "model",
    "parent_name",
    "barcode",
    "base_unit_id",
    "base_unit_number",
    "base_unit_name",
    "is_multi_unit",
)
STOCK_FIELDS = ("material_id", "material_name", "material_number", "stock_number", "stock_name", "qty", "valid_qty")
NAMED = ("id", "number", "name")
Operation = Callable[[Record, int], Any]


class Books:
    """The account set; operations take (parameters or body, now in ms)."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._stock_of: dict[str, list[str]] = {}
        self._index()
        orders = OrderBook(store, self._reserve)
        self._operations: dict[tuple[str, str], Operation] = {
            ("GET", "/jdy/v2/bd/material"): self._lister("material", MATERIAL_FIELDS),
            ("GET", "/jdy/v2/bd/material_detail"): self._material_detail,
            ("GET", "/jdy/v2/bd/measure_unit"): self._lister("unit", NAMED),
            ("GET", "/jdy/v2/bd/customer"): self._lister("customer", NAMED),
            ("GET", "/jdy/v2/bd/store"): self._lister("store", NAMED),
            ("GET", "/jdy/v2/scm/inventory"): self._inventory,
            ("GET", "/jdy/v2/scm/sal_order"): orders.list,
            ("GET", "/jdy/v2/scm/sal_order_detail"): orders.detail,
            ("POST", "/jdy/v2/scm/sal_order"): orders.save,
            ("POST", "/jdy/v2/sys/common_operate"): orders.operate,
        }

    def operation(self, method: str, path: str) -> Operation | None:
        """The operation at a path."""
        return self._operations.get((method, path))

    def seed(self, data: Record) -> None:
        """Units, materials, warehouses, stock rows and customers that are not there yet."""
        materials = data.get("materials", [])
        self._add("unit", [{"number": name, "name": name} for name in dict.fromkeys(row["unit"] for row in materials)])
        self._add("material", [self._material(row) for row in materials])
        self._add("customer", data.get("customers", []))
        stock = data.get("stock", [])
        unnamed = [{"number": row["stock_number"], "name": row["stock_number"]} for row in stock]
        self._add("store", [*data.get("stores", []), *unnamed])
        self._add_stock(stock)
        self._index()

    def _add(self, collection: str, rows: list[Record]) -> None:
        """The rows whose number is new, with ids of their own."""
        start = len(self.store.all(collection))
        base = {"unit": 90000, "material": 100000, "customer": 5000, "store": 3000}[collection]
        fresh = {row["number"]: row for row in rows if self.store.get(collection, row["number"]) is None}
        self.store.put_many(
            collection,
            {key: {"id": str(base + start + place), **row} for place, (key, row) in enumerate(fresh.items(), 1)},
        )

    def _material(self, row: Record) -> Record:
        unit = self.store.get("unit", row["unit"]) or {}
        return {
            "number": row["number"],
            "name": row["name"],
            "model": row.get("model", ""),
            "parent_name": row.get("category", ""),
            "barcode": row.get("barcode", ""),
            "base_unit_id": unit["id"],
            "base_unit_number": unit["number"],
            "base_unit_name": unit["name"],
            "is_multi_unit": False,
            "modify_time": BEGINNING,
            "tax_rate": str(row["tax_rate"]),
            "custom_field": {"tax_class_code": row.get("tax_class_code", "")},
        }

    def _add_stock(self, rows: list[Record]) -> None:
        fresh: dict[str, Record] = {}
        for row in rows:
            key = f"{row['material_number']}@{row['stock_number']}"
            if self.store.get("inventory", key):
                continue
            material = self.store.get("material", row["material_number"])
            store = self.store.get("store", row["stock_number"])
            if material is None or store is None:
                raise Refused(f"参数number[{row['material_number']}]不存在")
            fresh[key] = {
                "material_id": material["id"],
                "material_name": material["name"],
                "material_number": row["material_number"],
                "stock_number": row["stock_number"],
                "stock_name": store["name"],
                "qty": Decimal(row["qty"]),
                "valid_qty": Decimal(row["qty"]),
                "modify_time": BEGINNING,
            }
        self.store.put_many("inventory", fresh)

    def _index(self) -> None:
        self._numbers = {row["id"]: row["number"] for row in self.store.all("material")}
        self._stock_of = {}
        for key in self.store.keys("inventory"):
            self._stock_of.setdefault(key.rpartition("@")[0], []).append(key)

    def _lister(self, collection: str, fields: tuple[str, ...]) -> Operation:
        return lambda query, _: page(query, self.store.all(collection), fields)

    def _material_detail(self, query: Record, _: int) -> Record:
        wanted = query.get("number") or self._numbers.get(query.get("id", ""), "")
        found = self.store.get("material", wanted)
        if found is None:
            raise Refused(f"参数id[{query.get('id') or wanted}]不存在")
        return {name: value for name, value in found.items() if name != "modify_time"}

    def _inventory(self, query: Record, _: int) -> Record:
        rows = self.store.all("inventory")
        for name in ("material_numbers", "stock_numbers"):
            wanted = str(query.get(name) or "").split(",")
            rows = [row for row in rows if row[name.removesuffix("s")] in wanted] if wanted != [""] else rows
        return page(query, rows, STOCK_FIELDS, ("qty", "valid_qty"))

    def _reserve(self, number: str, qty: Decimal, now: int) -> None:
        """可用量 drops (or, negative, comes back); 现存量 stays until goods leave."""
        for key in self._stock_of.get(number, [])[:1]:
            row = self.store.get("inventory", key) or {}
            self.store.put("inventory", key, {**row, "valid_qty": row["valid_qty"] - qty, "modify_time": now})
