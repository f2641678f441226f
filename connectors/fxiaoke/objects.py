"""The objects of 纷享销客 that are moved, one row each: what they are read as, written as, and made of.

All objects share the same calls, so that a row here is all that an object needs. Field names: describe and the pages of
the objects (developer.fxiaoke.com/openapi_v2/object), and clients of the open API that are public. What differs from
company to company (the fields that hold our key and the SKU) is a setting of the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OUR_KEY = "{key}"  # stands for the field that holds our key on the object
SKU = "{sku}"  # stands for the field of ProductObj that holds the SKU


@dataclass(frozen=True)
class Reference:
    """A field that holds the `_id` of another object, which is known to us by its field `code`."""

    field: str
    api_name: str
    title: str
    code: str


@dataclass(frozen=True)
class Lines:
    """The 从对象 of an object: `parent` holds the `_id` of the master; lines of equal `compared` are the same."""

    api_name: str
    parent: str
    references: tuple[Reference, ...]
    compared: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """One object.

    `stream` and `sink` are "" where it is not read or not written. `of_ours`: only records that carry our key are read.
    `whole`: all of it is read each time. `shown`: references whose code and name are read along. `found`: references
    whose code a payload holds, and which are written as `_id`. `figures`: what is compared, by the field that holds it.
    """

    api_name: str
    entity: str
    title: str
    stream: str = ""
    sink: str = ""
    of_ours: bool = False
    whole: bool = False
    shown: tuple[Reference, ...] = ()
    found: tuple[Reference, ...] = ()
    lines: Lines | None = None
    figures: Mapping[str, str] = field(default_factory=dict)


ACCOUNT = Reference("account_id", "AccountObj", "客户", OUR_KEY)
PRODUCT = Reference("product_id", "ProductObj", "产品", SKU)
WAREHOUSE = Reference("warehouse_id", "WarehouseObj", "仓库", "number")

KINDS = (
    Kind("AccountObj", "party", "客户", stream="account", sink="party", of_ours=True),
    Kind(
        "NewOpportunityObj",
        "opportunity",
        "商机",
        stream="opportunity",
        sink="opportunity",
        found=(ACCOUNT,),
        figures={"amount": "amount"},
    ),
    Kind(
        "SalesOrderObj",
        "sales_order",
        "销售订单",
        stream="sales_order",
        sink="sales_order",
        found=(ACCOUNT,),
        lines=Lines("SalesOrderProductObj", "order_id", (PRODUCT,), ("quantity", "subtotal")),
        figures={"gross": "order_amount"},
    ),
    Kind("ProductObj", "product", "产品", stream="product", sink="product"),
    Kind("SupplierObj", "party", "供应商", stream="supplier"),
    Kind("WarehouseObj", "warehouse", "仓库", stream="warehouse"),
    Kind("UnitInfoObj", "unit", "计量单位", stream="unit"),
    Kind("StockObj", "stock_level", "库存", stream="stock", whole=True, shown=(PRODUCT, WAREHOUSE)),
)
