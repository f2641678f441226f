"""What the 账套 holds besides bills: 存货, 往来单位, 仓库, 计量单位, 现存量; and how T+ answers queries.

A query is `{"param": {…}}` and answers a bare list; `SelectFields` names what a row shows, `Unit.Name` is a field of
an object.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.k3cloud_chart import ACCOUNTS
from sandbox.store import Record, Store
from sandbox.tplus_rules import require, text_of

DEFAULT_PAGE, MAX_PAGE = 20, 1000
ARCHIVES = {"inventory/Query": "inventory", "partner/Query": "partner", "warehouse/Query": "warehouse",
            "unit/Query": "unit"}  # fmt: skip
SEEDED = {"inventories": "inventory", "partners": "partner", "warehouses": "warehouse", "units": "unit"}
FIRST_IDS = {"inventory": 100, "partner": 5000, "warehouse": 30, "unit": 1}
SHOWN = {
    "inventory": ("Shorthand", "Specification", "DefaultBarCode", "InventoryClass", "UnitName", "BaseUnitName",
                  "IsSale", "IsPurchase", "IsSingleUnit"),
    "partner": ("ShortHand", "Shorthand", "PartnerAbbName", "PartnerType", "PartnerClass", "TaxRegcode"),
    "warehouse": (),
    "unit": (),
}  # fmt: skip
COMMON = ("ID", "Code", "Name", "Disabled", "Ts")
PARTNER_TYPES = {"00": "供应商", "01": "客户", "02": "客户/供应商"}
Operation = Callable[[Record], Any]


class Books:
    """Base data; an operation takes the body and gives the answer, or raises Refused."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def operations(self) -> dict[str, Operation]:
        """By service."""
        return {
            **{service: self._archive(collection) for service, collection in ARCHIVES.items()},
            "currentStock/Query": self._stock,
            "inventory/Create": self._create_inventory,
            "partner/Create": self._create_partner,
        }

    def seed(self, data: Record) -> None:
        """Base data, stock and the chart that are not there yet."""
        for name, collection in SEEDED.items():
            for row in data.get(name, []):
                self.add(collection, row)
        for row in data.get("stock", []):
            self._add_stock(row)
        if "accounts" in data or not self.store.all("account"):
            rows = data.get("accounts") or [{**row, "number": row["number"].replace(".", "")} for row in ACCOUNTS]
            self.store.put_many("account", {row["number"]: row for row in rows})
        if "periods" in data or not self.store.get("config", "periods"):
            self.store.put("config", "periods", data.get("periods") or {"open": ["202611", "202612"]})

    def add(self, collection: str, row: Record) -> None:
        """One row of base data under its code, where there is none."""
        if self.get(collection, row["Code"]):
            return
        number = self.store.next(f"id-{collection}", FIRST_IDS[collection])
        given = {"Disabled": False, "IsSale": True, "Name": row["Code"], **row}
        if collection == "inventory":
            given.setdefault("BaseUnitName", given.get("UnitName", "件"))
        self.store.put(collection, row["Code"], {"ID": str(number), "Ts": f"{number:016x}", **given})

    def get(self, collection: str, code: Any) -> Record | None:
        """The row of a code."""
        return self.store.get(collection, str(code or ""))

    def shift(self) -> None:
        """The first row of every list goes."""
        for collection in (*SEEDED.values(), "stock"):
            for first in list(self.store.keys(collection))[:1]:
                self.store.drop(collection, first)

    def _add_stock(self, row: Record) -> None:
        key = f"{row['InventoryCode']}@{row['WarehouseCode']}"
        if not self.store.get("stock", key):
            reserved = Decimal(str(row.get("Reserved", 0)))
            self.store.put("stock", key, {**row, "Reserved": reserved})

    def _archive(self, collection: str) -> Operation:
        return lambda body: self._query(collection, param_of(body))

    def _query(self, collection: str, param: Record) -> list[Record]:
        rows = self.store.all(collection)
        for name in ("Code", "Name"):
            if wanted := str(param.get(name) or ""):
                rows = [row for row in rows if _like(str(row[name]), wanted)]
        if param.get("Disabled") not in (None, ""):
            is_disabled = str(param["Disabled"]).lower() in ("true", "1")
            rows = [row for row in rows if bool(row["Disabled"]) is is_disabled]
        fields = [name.strip() for name in str(param.get("SelectFields") or "Code,Name").split(",")]
        known = {*COMMON, *SHOWN[collection]}
        for field in fields:
            require(field.partition(".")[0] in known, f"SelectFields中的字段[{field}]不存在")
        return [_shown(row, fields) for row in paged(rows, param)]

    def _stock(self, body: Record) -> list[Record]:
        param = param_of(body)
        rows = self.store.all("stock")
        for name, field in (("Inventory", "InventoryCode"), ("Warehouse", "WarehouseCode")):
            if wanted := [one.get("Code") for one in param.get(name) or []]:
                rows = [row for row in rows if row[field] in wanted]
        if not param.get("IsIncludeZero"):
            rows = [row for row in rows if Decimal(str(row["ExistingQuantity"]))]
        return [self._stock_row(row, len(rows)) for row in paged(rows, param)]

    def _stock_row(self, row: Record, total: int) -> Record:
        inventory = self.get("inventory", row["InventoryCode"]) or {}
        warehouse = self.get("warehouse", row["WarehouseCode"]) or {}
        held = Decimal(str(row["ExistingQuantity"]))
        return {
            "WarehouseCode": row["WarehouseCode"],
            "WarehouseName": warehouse.get("Name", ""),
            "InventoryCode": row["InventoryCode"],
            "InventoryName": inventory.get("Name", ""),
            "UnitName": inventory.get("UnitName", ""),
            "Specification": inventory.get("Specification", ""),
            "ExistingQuantity": str(held),
            "AvailableQuantity": str(held - row["Reserved"]),
            "TotalCount": str(total),
            "TS": "",
        }

    def _create_inventory(self, body: Record) -> None:
        dto = dto_of(body)
        self._require_new("inventory", dto)
        unit = text_of(dto.get("Unit"), "Name") or text_of(dto.get("Unit"), "Code")
        require(bool(unit), "计量单位不能为空")
        require(bool(text_of(dto.get("InventoryClass"), "Code")), "存货分类不能为空")
        self.add("inventory", {**dto, "UnitName": unit, "Disabled": str(dto.get("Disabled")).lower() == "true"})

    def _create_partner(self, body: Record) -> str:
        dto = dto_of(body)
        self._require_new("partner", dto)
        kind = text_of(dto.get("PartnerType"), "Code")
        require(kind in PARTNER_TYPES, f"往来单位性质[{kind}]不存在")
        require(bool(text_of(dto.get("PartnerClass"), "Code")), "往来单位分类不能为空")
        self.add("partner", {**dto, "PartnerType": {"Code": kind, "Name": PARTNER_TYPES[kind]}})
        return str(dto["Code"])

    def _require_new(self, collection: str, dto: Record) -> None:
        for name, label in (("Code", "编码"), ("Name", "名称")):
            require(bool(str(dto.get(name) or "").strip()), f"{label}不能为空")
        require(self.get(collection, dto["Code"]) is None, f"编码[{dto['Code']}]已被使用")


def param_of(body: Record) -> Record:
    """The `param` of a query."""
    param = body.get("param")
    require(isinstance(param, dict), "参数param不能为空", "EXERROR0001")
    return dict(param or {})


def dto_of(body: Record) -> Record:
    """The `dto` of a create."""
    dto = body.get("dto")
    require(isinstance(dto, dict), "参数dto不能为空", "EXERROR0001")
    return dict(dto or {})


def paged(rows: list[Record], param: Record) -> list[Record]:
    """The rows of the page asked for."""
    number, size = int(param.get("PageIndex") or 1), int(param.get("PageSize") or DEFAULT_PAGE)
    require(number >= 1, "PageIndex必须大于0")
    require(1 <= size <= MAX_PAGE, f"PageSize不能超过{MAX_PAGE}")
    return rows[(number - 1) * size : number * size]


def _shown(row: Record, fields: list[str]) -> Record:
    shown: Record = {}
    for field in fields:
        outer, _, inner = field.partition(".")
        if not inner:
            shown[outer] = row.get(outer, "")
        else:
            shown.setdefault(outer, {})[inner] = text_of(row.get(outer), inner)
    return shown


def _like(value: str, wanted: str) -> bool:
    return wanted.strip("%") in value if "%" in wanted else value == wanted
