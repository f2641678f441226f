"""What the connector reads and writes of 金蝶AI星辰, as tables: paths, keys, figures, and what stands in for an id.

Sources: 金蝶开放平台, the list, detail and save of each kind ("商品", "客户", "供应商", "仓库", "计量单位", "采购订单",
"销售订单", "销售出库单", "采购入库单"), "通用批量操作" for `entity` numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from duijie.codec import Record
from duijie.connect.protocol import Figures, Safety

BD = "/jdy/v2/bd/"
SCM = "/jdy/v2/scm/"
FI = "/jdy/v2/fi/"
LINES = "material_entity"
ZERO = Decimal(0)


@dataclass(frozen=True)
class Kind:
    """A kind of record: where it is listed and saved (`path`) and told in full (`detail`; "" where lists tell all).

    `number` is the field people know it by. Bills are looked up in their list and merged with their detail, because
    neither holds everything; base data is told by its detail. `entity`: its name in 通用批量操作, "" where unknown.
    """

    path: str
    number: str
    detail: str = ""
    entity: str = ""

    @property
    def is_bill(self) -> bool:
        """It has lines, a status, and a number of its own kind."""
        return self.number == "bill_no"


UNIT = Kind(BD + "measure_unit", "number")
STORE = Kind(BD + "store", "number", entity="bd_store")
MATERIAL = Kind(BD + "material", "number", BD + "material_detail", "bd_material")
CUSTOMER = Kind(BD + "customer", "number", BD + "customer_detail", "bd_customer")
SUPPLIER = Kind(BD + "supplier", "number", BD + "supplier_detail", "bd_supplier")
SALES_ORDER = Kind(SCM + "sal_order", "bill_no", SCM + "sal_order_detail", "sal_bill_order")
PURCHASE_ORDER = Kind(SCM + "pur_order", "bill_no", SCM + "pur_order_detail", "pur_bill_order")
OUTBOUND = Kind(SCM + "sal_out_bound", "bill_no", SCM + "sal_out_bound_detail", "sal_bill_outbound")
INBOUND = Kind(SCM + "pur_inbound", "bill_no", SCM + "pur_inbound_detail", "pur_bill_inbound")


class Read(NamedTuple):
    """A stream over one kind, by modify time."""

    name: str
    entity: str
    title: str
    kind: Kind


STREAMS = (
    Read("material", "product", "商品", MATERIAL),
    Read("unit", "unit", "计量单位", UNIT),
    Read("store", "warehouse", "仓库", STORE),
    Read("customer", "party", "客户", CUSTOMER),
    Read("supplier", "party", "供应商", SUPPLIER),
    Read("sal_order_detail", "sales_order", "销售订单", SALES_ORDER),
    Read("pur_order", "purchase_order", "采购订单", PURCHASE_ORDER),
    Read("sal_out_bound", "goods_issue", "销售出库单", OUTBOUND),
    Read("pur_inbound", "goods_receipt", "采购入库单", INBOUND),
)


@dataclass(frozen=True)
class Reference:
    """A field that people write (`name`) for an id that the vendor wants: found as `match` in a list or detail."""

    name: str
    becomes: str
    path: str
    match: str
    label: str
    is_detail: bool = False


def _of(label: str, prefix: str, detail: str) -> Reference:
    return Reference(f"{prefix}_number", f"{prefix}_id", detail, "number", label, is_detail=True)


UNIT_NAME = Reference("unit_name", "unit_id", UNIT.path, "name", "计量单位")
BASE_UNIT_NAME = Reference("base_unit_name", "base_unit_id", UNIT.path, "name", "计量单位")
BY_ID = (
    _of("商品", "material", MATERIAL.detail),
    _of("供应商", "supplier", SUPPLIER.detail),
    _of("仓库", "stock", BD + "store_detail"),
)


@dataclass(frozen=True)
class Save:
    """A sink over one kind: which ids stand behind names, which order its lines may name, what is compared."""

    name: str
    entity: str
    title: str
    kind: Kind
    figures: Callable[[Record], Figures]
    references: tuple[Reference, ...] = ()
    source: Kind | None = None

    @property
    def safety(self) -> Safety:
        """A used bill number is refused; that a used number of base data is, nobody has written down."""
        return Safety.NATURAL_KEY if self.kind.is_bill else Safety.LOOKUP


def nothing(_: Record) -> Figures:
    """Base data without an amount."""
    return {}


def rate(record: Record) -> Figures:
    """税率 in percent."""
    return {"tax_rate": Decimal(str(record.get("tax_rate") or 0))}


def total_and_pieces(record: Record) -> Figures:
    """gross: what the bill comes to with what the customer bears, tax included, in yuan; qty: pieces over all lines."""
    return {"gross": Decimal(str(record["total_amount"])), "qty": _sum(record, "qty")}


def lines_and_pieces(record: Record) -> Figures:
    """gross: 价税合计 over all lines, in yuan; qty: pieces over all lines."""
    return {"gross": _sum(record, "all_amount"), "qty": _sum(record, "qty")}


def _sum(record: Record, name: str) -> Decimal:
    return sum((Decimal(str(line[name])) for line in record[LINES]), ZERO)


ORDERS = Save("sales_order", "sales_order", "销售订单", SALES_ORDER, total_and_pieces)
SAVES = (
    Save("product", "product", "商品", MATERIAL, rate, (BASE_UNIT_NAME,)),
    Save("customer", "party", "客户", CUSTOMER, nothing),
    Save("supplier", "party", "供应商", SUPPLIER, nothing),
    Save("purchase_order", "purchase_order", "采购订单", PURCHASE_ORDER, lines_and_pieces, (UNIT_NAME, *BY_ID)),
    Save(
        "goods_issue",
        "goods_issue",
        "销售出库单",
        OUTBOUND,
        lines_and_pieces,
        (UNIT_NAME,),
        source=SALES_ORDER,
    ),
    Save(
        "goods_receipt",
        "goods_receipt",
        "采购入库单",
        INBOUND,
        lines_and_pieces,
        (UNIT_NAME,),
        source=PURCHASE_ORDER,
    ),
)
