"""The forms of the 金蝶云星空 sandbox besides voucher and chart, as one table: which fields, which must be there, what
they refer to.

Required fields and names: the vendor's parameter lists as published by integrators (docs/connectors/k3cloud.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ORGANISATION = "ORG_Organizations"
CURRENCY = "BD_Currency"
BILL_TYPE = "BOS_BillType"
TAX_RATE = "BD_TaxRate"
GROUP = "BD_MATERIALGROUP"
INVENTORY = "STK_Inventory"


@dataclass(frozen=True)
class Field:
    """A field of a model: its path, what people call it, the form it refers to, what kind of value it takes."""

    path: str
    label: str
    base: str = ""
    required: bool = False
    kind: str = "text"  # text, number, date

    @property
    def name(self) -> str:
        """Its field key, in lower case: the last part of the path."""
        return self.path.rpartition(".")[2].casefold()


@dataclass(frozen=True)
class Form:
    """One 业务对象. `own`: what the server itself keeps of a document, with the value it begins with."""

    form_id: str
    label: str
    key: str
    number: str
    head: tuple[Field, ...]
    entry: str = ""
    lines: tuple[Field, ...] = ()
    quantity: str = ""
    prefix: str = ""
    own: Mapping[str, object] = field(default_factory=dict)
    line_own: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_bill(self) -> bool:
        """A bill with lines, else base data."""
        return bool(self.entry)


def _must(path: str, label: str, base: str = "", kind: str = "text") -> Field:
    return Field(path, label, base, required=True, kind=kind)


def _base(form_id: str, label: str, key: str, *head: Field) -> Form:
    states = {"fdocumentstatus": "A", "fforbidstatus": "A", "fapprovedate": None}
    return Form(form_id, label, key, "FNumber", (Field("FNumber", "编码"), _must("FName", "名称"), *head), own=states)


def _bill(form_id: str, label: str, head: tuple[Field, ...], entry: str, lines: tuple[Field, ...], **more: str) -> Form:
    first = (
        _must("FBillTypeID", "单据类型", BILL_TYPE),
        Field("FBillNo", "单据编号"),
        _must("FDate", "日期", kind="date"),
        Field("FNote", "备注"),
    )
    times = dict.fromkeys(("fapprovedate", "fcanceldate", "fclosedate"))
    own = {"fdocumentstatus": "A", "fclosestatus": "A", "fcancelstatus": "A", **times}
    line_own = {"fstockinqty": 0, "fpoorderno": ""}
    return Form(
        form_id, label, "FID", "FBillNo", (*first, *head), entry, (*lines, *_PRICED), own=own, line_own=line_own, **more
    )


_PRICED = (
    Field("FTaxPrice", "含税单价", kind="number"),
    Field("FEntryTaxRate", "税率%", kind="number"),
    Field("FIsFree", "是否赠品"),
    Field("FGiveAway", "是否赠品"),
    Field("FDeliveryDate", "交货日期", kind="date"),
)
_ORGANISED = (_must("FCreateOrgId", "创建组织", ORGANISATION), Field("FUseOrgId", "使用组织", ORGANISATION))

FORMS = (
    _base(
        "BD_MATERIAL",
        "物料",
        "FMATERIALID",
        *_ORGANISED,
        Field("FSpecification", "规格型号"),
        Field("FMaterialGroup", "物料分组", GROUP),
        _must("SubHeadEntity.FErpClsID", "物料属性"),
        _must("SubHeadEntity.FBaseUnitId", "基本单位", "BD_UNIT"),
        Field("SubHeadEntity.FBARCODE", "条码"),
        Field("SubHeadEntity.FTaxRateId", "默认税率", TAX_RATE),
        Field("SubHeadEntity1.FStoreUnitID", "库存单位", "BD_UNIT"),
    ),
    _base(
        "BD_Customer",
        "客户",
        "FCUSTID",
        *_ORGANISED,
        Field("FShortName", "简称"),
        Field("FTAXREGISTERCODE", "纳税登记号"),
        _must("FTRADINGCURRID", "结算币别", CURRENCY),
    ),
    _base(
        "BD_Supplier",
        "供应商",
        "FSupplierId",
        *_ORGANISED,
        Field("FShortName", "简称"),
        Field("FFinanceInfo.FTaxRegisterCode", "纳税登记号"),
    ),
    _base("BD_STOCK", "仓库", "FStockId", *_ORGANISED),
    _base("BD_UNIT", "计量单位", "FUNITID"),
    _base(ORGANISATION, "组织", "FOrgID"),
    _base(CURRENCY, "币别", "FCURRENCYID"),
    _base(BILL_TYPE, "单据类型", "FBILLTYPEID", Field("FBillFormID", "单据")),
    _base(TAX_RATE, "税率", "FID"),
    _base(GROUP, "物料分组", "FID"),
    _bill(
        "SAL_SaleOrder",
        "销售订单",
        (
            _must("FSaleOrgId", "销售组织", ORGANISATION),
            _must("FCustId", "客户", "BD_Customer"),
            _must("FSaleOrderFinance.FSettleCurrId", "结算币别", CURRENCY),
        ),
        "FSaleOrderEntry",
        (
            _must("FMaterialId", "物料编码", "BD_MATERIAL"),
            _must("FUnitID", "销售单位", "BD_UNIT"),
            _must("FQty", "销售数量", kind="number"),
        ),
        quantity="FQty",
        prefix="XSDD",
    ),
    _bill(
        "PUR_PurchaseOrder",
        "采购订单",
        (
            _must("FPurchaseOrgId", "采购组织", ORGANISATION),
            _must("FSupplierId", "供应商", "BD_Supplier"),
            _must("FPOOrderFinance.FSettleCurrId", "结算币别", CURRENCY),
        ),
        "FPOOrderEntry",
        (
            _must("FMaterialId", "物料编码", "BD_MATERIAL"),
            _must("FUnitId", "采购单位", "BD_UNIT"),
            _must("FQty", "采购数量", kind="number"),
        ),
        quantity="FQty",
        prefix="CGDD",
    ),
    _bill(
        "SAL_OUTSTOCK",
        "销售出库单",
        (
            _must("FSaleOrgId", "销售组织", ORGANISATION),
            _must("FStockOrgId", "发货组织", ORGANISATION),
            _must("FCustomerID", "客户", "BD_Customer"),
            Field("FCarriageNO", "运输单号"),
            _must("SubHeadEntity.FSettleCurrID", "结算币别", CURRENCY),
            _must("SubHeadEntity.FSettleOrgID", "结算组织", ORGANISATION),
        ),
        "FEntity",
        (
            _must("FMaterialID", "物料编码", "BD_MATERIAL"),
            _must("FUnitID", "库存单位", "BD_UNIT"),
            _must("FRealQty", "实发数量", kind="number"),
            _must("FStockID", "仓库", "BD_STOCK"),
            Field("FLot", "批号", "BD_BatchMainFile"),
            _must("FPriceUnitId", "计价单位", "BD_UNIT"),
        ),
        quantity="FRealQty",
        prefix="XSCKD",
    ),
    _bill(
        "STK_InStock",
        "采购入库单",
        (
            _must("FStockOrgId", "收料组织", ORGANISATION),
            _must("FPurchaseOrgId", "采购组织", ORGANISATION),
            _must("FSupplierId", "供应商", "BD_Supplier"),
            _must("FOwnerTypeIdHead", "货主类型"),
            _must("FOwnerIdHead", "货主", ORGANISATION),
            _must("FInStockFin.FSettleOrgId", "结算组织", ORGANISATION),
            _must("FInStockFin.FSettleCurrId", "结算币别", CURRENCY),
        ),
        "FInStockEntry",
        (
            _must("FMaterialId", "物料编码", "BD_MATERIAL"),
            _must("FUnitID", "库存单位", "BD_UNIT"),
            _must("FRealQty", "实收数量", kind="number"),
            _must("FStockId", "仓库", "BD_STOCK"),
            Field("FLot", "批号", "BD_BatchMainFile"),
            _must("FPriceUnitID", "计价单位", "BD_UNIT"),
            _must("FRemainInStockUnitId", "采购单位", "BD_UNIT"),
            _must("FOWNERTYPEID", "货主类型"),
            _must("FOWNERID", "货主", ORGANISATION),
        ),
        quantity="FRealQty",
        prefix="CGRK",
    ),
    Form(
        INVENTORY,
        "即时库存",
        "FID",
        "FID",
        (
            Field("FMaterialId", "物料", "BD_MATERIAL"),
            Field("FStockId", "仓库", "BD_STOCK"),
            Field("FStockOrgId", "库存组织", ORGANISATION),
            Field("FLot", "批号", "BD_BatchMainFile"),
            Field("FBaseQty", "库存量", kind="number"),
            Field("FBaseAVBQty", "可用量", kind="number"),
        ),
    ),
)
BY_ID = {form.form_id.casefold(): form for form in FORMS}
