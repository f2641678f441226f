"""The 业务对象 this connector moves besides vouchers, as one table: form, native id, number, what is asked for.

Every name is a field key of ExecuteBillQuery; `X.FNumber` and `X.FName` are code and name of the base data in X.
Source: 金蝶云星空 WebAPI of each form; docs/connectors/k3cloud.md says where each name was found.
"""

from __future__ import annotations

from dataclasses import dataclass

STATES = ("FDocumentStatus", "FModifyDate")
CHANGED = ("FModifyDate", "FApproveDate", "FCancelDate")  # auditing and voiding leave FModifyDate alone
VOIDING = ("FCancelStatus", "FApproveDate", "FCancelDate")
CLOSING = ("FCloseStatus", "FCloseDate", *VOIDING)
AMOUNTS = ("FTaxPrice", "FEntryTaxRate", "FAmount", "FAllAmount")


@dataclass(frozen=True)
class Form:
    """One 业务对象.

    `name`: of its stream and of its sink. `key`: the native id, `number`: what people know it by, and we as well.
    `org`: the organisation its rows belong to, where it has one. `entry`: the entity that holds its lines.
    `times`: of what happens to it.
    """

    name: str
    entity: str
    title: str
    form_id: str
    key: str
    head: tuple[str, ...]
    number: str = "FBillNo"
    org: str = ""
    entry: str = ""
    lines: tuple[str, ...] = ()
    quantity: str = "FQty"
    times: tuple[str, ...] = ("FModifyDate",)

    @property
    def is_bill(self) -> bool:
        """A bill with lines, else base data."""
        return bool(self.entry)

    @property
    def head_fields(self) -> tuple[str, ...]:
        """What is asked for of the form itself, its id first."""
        return (self.key, self.number, *STATES, *self.head)

    @property
    def line_fields(self) -> tuple[str, ...]:
        """What is asked for of each line, its id and number first; nothing of base data."""
        return (f"{self.entry}_FEntryID", f"{self.entry}_FSeq", *self.lines) if self.entry else ()

    @property
    def order(self) -> str:
        """By id, so that a page can go on after it; lines as they are numbered."""
        return f"{self.key},{self.entry}_FSeq" if self.entry else self.key


def _named(name: str) -> tuple[str, str]:
    return f"{name}.FNumber", f"{name}.FName"


def _base(name: str, entity: str, title: str, form_id: str, key: str, *head: str, org: str = "FUseOrgId") -> Form:
    return Form(name, entity, title, form_id, key, ("FName", "FForbidStatus", *head), number="FNumber", org=org)


MATERIAL = _base(
    "material",
    "product",
    "物料",
    "BD_MATERIAL",
    "FMATERIALID",
    "FSpecification",
    *_named("FBaseUnitId"),
    "FMaterialGroup.FName",
    "FTaxRateId.FNumber",
)
CUSTOMER = _base("customer", "party", "客户", "BD_Customer", "FCUSTID", "FShortName", "FTAXREGISTERCODE")
SUPPLIER = _base("supplier", "party", "供应商", "BD_Supplier", "FSupplierId", "FShortName", "FTaxRegisterCode")
WAREHOUSE = _base("warehouse", "warehouse", "仓库", "BD_STOCK", "FStockId")
UNIT = _base("unit", "unit", "计量单位", "BD_UNIT", "FUNITID", org="")

SALES_ORDER = Form(
    "sales_order",
    "sales_order",
    "销售订单",
    "SAL_SaleOrder",
    "FID",
    ("FDate", *_named("FCustId"), "FSaleOrgId.FNumber", *CLOSING, "FCreateDate", "FNote"),
    times=(*CHANGED, "FCloseDate"),
    org="FSaleOrgId",
    entry="FSaleOrderEntry",
    lines=(*_named("FMaterialId"), *_named("FUnitID"), "FQty", *AMOUNTS),
)
PURCHASE_ORDER = Form(
    "purchase_order",
    "purchase_order",
    "采购订单",
    "PUR_PurchaseOrder",
    "FID",
    ("FDate", *_named("FSupplierId"), *CLOSING),
    times=(*CHANGED, "FCloseDate"),
    org="FPurchaseOrgId",
    entry="FPOOrderEntry",
    lines=(*_named("FMaterialId"), *_named("FUnitId"), "FQty", "FStockInQty", "FDeliveryDate", *AMOUNTS),
)
GOODS_ISSUE = Form(
    "goods_issue",
    "goods_issue",
    "销售出库单",
    "SAL_OUTSTOCK",
    "FID",
    ("FDate", *_named("FCustomerID"), *VOIDING, "FCarriageNO", "FNote"),
    times=CHANGED,
    org="FStockOrgId",
    entry="FEntity",
    lines=(*_named("FMaterialID"), *_named("FUnitID"), "FRealQty", "FStockID.FNumber", "FLot.FNumber", *AMOUNTS),
    quantity="FRealQty",
)
GOODS_RECEIPT = Form(
    "goods_receipt",
    "goods_receipt",
    "采购入库单",
    "STK_InStock",
    "FID",
    ("FDate", *_named("FSupplierId"), *VOIDING),
    times=CHANGED,
    org="FStockOrgId",
    entry="FInStockEntry",
    lines=(
        *_named("FMaterialId"),
        *_named("FUnitID"),
        "FRealQty",
        "FStockId.FNumber",
        "FLot.FNumber",
        "FPOOrderNo",
        *AMOUNTS,
    ),
    quantity="FRealQty",
)

BASE_DATA = (MATERIAL, CUSTOMER, SUPPLIER, WAREHOUSE, UNIT)
BILLS = (SALES_ORDER, PURCHASE_ORDER, GOODS_ISSUE, GOODS_RECEIPT)
READ = (*BASE_DATA, *BILLS)
WRITTEN = (MATERIAL, CUSTOMER, SUPPLIER, *BILLS)
