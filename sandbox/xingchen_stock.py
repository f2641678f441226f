"""即时库存 of the account set: what is there, what is reserved, and what goods in and out make of it."""

from __future__ import annotations

from decimal import Decimal

from sandbox.store import Record, Store
from sandbox.xingchen_lists import page, require

FIELDS = ("material_id", "material_name", "material_number", "stock_number", "stock_name", "qty", "valid_qty")


class Stock:
    """Rows by material@warehouse."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._rows_of: dict[str, list[str]] = {}
        for key in store.keys("inventory"):
            self._rows_of.setdefault(key.rpartition("@")[0], []).append(key)

    def add(self, rows: list[Record], now: int) -> None:
        """Opening stock of pairs that have none yet."""
        fresh: dict[str, Record] = {}
        for row in rows:
            key = f"{row['material_number']}@{row['stock_number']}"
            if self.store.get("inventory", key) is None:
                fresh[key] = self._row(row["material_number"], row["stock_number"], Decimal(row["qty"]), now)
                self._rows_of.setdefault(row["material_number"], []).append(key)
        self.store.put_many("inventory", fresh)

    def listed(self, query: Record, _: int) -> Record:
        """商品库存列表 by materials and warehouses."""
        rows = self.store.all("inventory")
        for name in ("material_numbers", "stock_numbers"):
            wanted = str(query.get(name) or "").split(",")
            rows = [row for row in rows if row[name.removesuffix("s")] in wanted] if wanted != [""] else rows
        return page(query, rows, FIELDS, ("qty", "valid_qty"))

    def reserve(self, number: str, qty: Decimal, now: int) -> None:
        """可用量 drops (or, negative, comes back); 现存量 stays until goods leave."""
        for key in self._rows_of.get(number, [])[:1]:
            row = self.store.get("inventory", key) or {}
            self.store.put("inventory", key, {**row, "valid_qty": row["valid_qty"] - qty, "modify_time": now})

    def must_be_available(self, number: str, qty: Decimal) -> None:
        """Refuse what would reserve more than 可用量."""
        rows = [self.store.get("inventory", key) or {} for key in self._rows_of.get(number, [])[:1]]
        there = sum((row["valid_qty"] for row in rows), Decimal(0))
        require(there >= qty, f"商品[{number}]可用量不足, 可用量{there}")

    def must_hold(self, number: str, stock: str, qty: Decimal) -> None:
        """Refuse what would take out more than there is: 负库存 is not allowed here."""
        row = self.store.get("inventory", f"{number}@{stock}") or {"qty": Decimal(0)}
        require(row["qty"] >= qty, f"商品[{number}]在仓库[{stock}]的库存不足, 现存量{row['qty']}")

    def move(self, number: str, stock: str, qty: Decimal, now: int) -> None:
        """现存量 and 可用量 rise by `qty`, which is negative for goods that leave."""
        key = f"{number}@{stock}"
        row = self.store.get("inventory", key)
        if row is None:
            row = self._row(number, stock, Decimal(0), now)
            self._rows_of.setdefault(number, []).append(key)
        changed = {"qty": row["qty"] + qty, "valid_qty": row["valid_qty"] + qty, "modify_time": now}
        self.store.put("inventory", key, {**row, **changed})

    def _row(self, number: str, stock: str, qty: Decimal, now: int) -> Record:
        material, store = self.store.get("material", number), self.store.get("store", stock)
        require(material is not None, f"参数number[{number}]不存在")
        require(store is not None, f"参数number[{stock}]不存在")
        return {
            "material_id": (material or {})["id"],
            "material_name": (material or {})["name"],
            "material_number": number,
            "stock_number": stock,
            "stock_name": (store or {})["name"],
            "qty": qty,
            "valid_qty": qty,
            "modify_time": now,
        }
