"""The account set: base data, stock, bills and vouchers behind one table of operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sandbox.store import Record, Store
from sandbox.xingchen_base import CURRENCY, CUSTOMER, MATERIAL, STORE, SUPPLIER, UNIT, WORD, BaseData
from sandbox.xingchen_bills import KINDS, BillBook
from sandbox.xingchen_ledger import Ledger
from sandbox.xingchen_lists import Refused
from sandbox.xingchen_stock import Stock

BEGINNING = 1767225600000  # 2026-01-01T00:00:00Z: when what is seeded was last changed
VOUCHER = "gl_voucher"
Operation = Callable[[Record, int], Any]


class Books:
    """The account set; operations take (parameters or body, now in ms)."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._base = BaseData(store)
        self._stock = Stock(store)
        self._ledger = Ledger(store, self._base)
        self._bills: dict[str, BillBook] = {}
        for kind in KINDS:
            self._bills[kind.name] = BillBook(kind, self._base, self._stock, self._bills)
        self._operations = {**self._of_base(), **self._of_bills(), **self._of_ledger()}

    def operation(self, method: str, path: str) -> Operation | None:
        """The operation at a path."""
        return self._operations.get((method, path.removeprefix("/jdy/v2/")))

    def seed(self, data: Record) -> None:
        """Base data, stock rows and the ledger's periods; what is there already is left alone."""
        materials = data.get("materials", [])
        units = [*data.get("units", []), *(row["unit"] for row in materials)]
        groups = [row["category"] for row in materials if row.get("category")]
        for name, names in (("unit", units), ("group", groups)):
            self._base.add(name, [{"number": one, "name": one} for one in dict.fromkeys(names)], BEGINNING)
        self._base.add("material", [self._material(row) for row in materials], BEGINNING)
        stock = data.get("stock", [])
        unnamed = [{"number": row["stock_number"], "name": row["stock_number"]} for row in stock]
        self._base.add("store", [*data.get("stores", []), *unnamed], BEGINNING)
        for name in ("customer", "supplier"):
            self._base.add(name, data.get(f"{name}s", []), BEGINNING)
        self._stock.add(stock, BEGINNING)
        if "ledger" in data:
            self._ledger.seed(data["ledger"])
        if "rules" in data:
            self.store.put("books", "rules", data["rules"])

    def shift(self) -> None:
        """The first row of each list goes."""
        for name in ("material", "customer", "supplier", "unit", "store", "voucher", *self._bills):
            for first in list(self.store.keys(name))[:1]:
                self.store.drop(name, first)

    def _of_base(self) -> dict[tuple[str, str], Operation]:
        base = self._base
        found: dict[tuple[str, str], Operation] = {}
        saved = {"material": MATERIAL, "customer": CUSTOMER, "supplier": SUPPLIER}
        for path, sort in {**saved, "store": STORE, "measure_unit": UNIT, "currency": CURRENCY}.items():
            found["GET", f"bd/{path}"] = partial(base.listed, sort)
            found["GET", f"bd/{path}_detail"] = partial(base.detail, sort)
        for path, sort in saved.items():
            found["POST", f"bd/{path}"] = partial(base.save, sort)
        return found

    def _of_bills(self) -> dict[tuple[str, str], Operation]:
        found: dict[tuple[str, str], Operation] = {("GET", "scm/inventory"): self._stock.listed}
        for name, book in self._bills.items():
            found["GET", f"scm/{name}"] = book.listed
            found["GET", f"scm/{name}_detail"] = book.detail
            found["POST", f"scm/{name}"] = book.save
        return found

    def _of_ledger(self) -> dict[tuple[str, str], Operation]:
        ledger = self._ledger
        return {
            ("GET", "fi/voucher"): ledger.listed,
            ("GET", "fi/voucher_detail"): ledger.detail,
            ("GET", "fi/voucher_type"): partial(self._base.listed, WORD),
            ("GET", "fi/account"): ledger.accounts,
            ("POST", "fi/voucher"): ledger.save,
            ("POST", "fi/voucher_reverse"): ledger.reverse,
            ("POST", "sys/common_operate"): self._operate,
        }

    def _operate(self, body: Record, now: int) -> Record:
        """通用批量操作 on whatever `entity_number` names."""
        entity, operation = str(body.get("entity_number")), str(body.get("operate_type"))
        if entity == VOUCHER:
            return self._ledger.operate(operation, body, now)
        for book in self._bills.values():
            if book.kind.entity == entity:
                return book.operate(operation, body, now)
        for sort in (MATERIAL, CUSTOMER, SUPPLIER):
            if sort.entity == entity:
                return self._base.operate(sort, operation, [str(one) for one in body.get("ids") or []])
        raise Refused(f"参数entity_number[{entity}]不存在")

    def _material(self, row: Record) -> Record:
        unit = self._base.found("unit", row["unit"])
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
            "tax_rate": str(row["tax_rate"]),
            "custom_field": {"tax_class_code": row.get("tax_class_code", "")},
        }
