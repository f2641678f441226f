"""销售订单, 销货单 and 进货单: created with ExternalCode, which is unique, and brought back by GetVoucherDTO.

Amounts that are not given are computed from the price, as T+ does. Bills move no stock here: whether they do is a
matter of options of the 账套.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import partial

from sandbox.store import Record
from sandbox.tplus_books import Books, Operation, dto_of, param_of
from sandbox.tplus_rules import Refused, date_of, figure, require, text_of

FIRST_ID = 20260001
USUAL_RATE = 13  # percent: what a line without a rate is taxed with


@dataclass(frozen=True)
class Form:
    """A kind of bill: its services, number prefix, lines, partner and whether it needs a warehouse."""

    simple: str
    full: str
    prefix: str
    lines: str
    partner: str
    partner_types: tuple[str, ...]
    needs_warehouse: bool


FORMS = (
    Form("saleOrder", "SaleOrderOpenApi", "SO", "SaleOrderDetails", "Customer", ("01", "02"), False),
    Form("saleDelivery", "SaleDeliveryOpenApi", "SA", "SaleDeliveryDetails", "Customer", ("01", "02"), True),
    Form("purchaseArrival", "PurchaseArrivalOpenApi", "PS", "VoucherDetails", "Partner", ("00", "02"), True),
)


class Bills:
    """Operations on bills over the base data of the books."""

    def __init__(self, books: Books, now: Callable[[], datetime]) -> None:
        self._books = books
        self._now = now

    def operations(self) -> dict[str, Operation]:
        """By service."""
        created = {f"{form.simple}/Create": partial(self._create, form) for form in FORMS}
        return created | {f"{form.full}/GetVoucherDTO": partial(self._detail, form) for form in FORMS}

    def _create(self, form: Form, body: Record) -> None:
        dto = dto_of(body)
        key = str(dto.get("ExternalCode") or "")
        require(bool(key), "外部系统单据编码不能为空")
        store = self._books.store
        require(store.get(form.simple, key) is None, f"外部系统单据编码[{key}]已存在，编码必须唯一")
        date = date_of(dto.get("VoucherDate") or f"{self._now():%Y-%m-%d}")
        self._check_head(form, dto)
        lines = [self._line(form, dto, line, at) for at, line in enumerate(dto.get(form.lines) or [], 1)]
        require(bool(lines), "单据明细不能为空")
        number = store.next(f"number-{form.simple}")
        code = f"{form.prefix}-{date[:7]}-{number:04}"
        head = {"ID": str(FIRST_ID + number), "Code": code, "VoucherDate": date, "VoucherState": _state(dto)}
        store.put(form.simple, key, {**dto, **head, form.lines: lines})

    def _check_head(self, form: Form, dto: Record) -> None:
        code = text_of(dto.get(form.partner))
        partner = self._books.get("partner", code)
        if partner is None or partner["Disabled"]:
            raise Refused(f"往来单位[{code}]不存在或已停用")
        kind = text_of(partner.get("PartnerType"))
        require(kind in form.partner_types, f"往来单位[{code}]的性质不允许用于此单据")

    def _line(self, form: Form, dto: Record, line: Record, at: int) -> Record:
        code, unit = text_of(line.get("Inventory")), text_of(line.get("Unit"), "Name")
        inventory = self._books.get("inventory", code)
        if inventory is None or inventory["Disabled"]:
            raise Refused(f"第{at}行存货[{code}]不存在或已停用")
        require(unit == inventory["UnitName"], f"第{at}行计量单位[{unit}]与存货[{code}]不符")
        require(figure(line.get("Quantity"), f"第{at}行数量", 6) > 0, f"第{at}行数量必须大于0")
        if form.needs_warehouse:
            warehouse = text_of(line.get("Warehouse")) or text_of(dto.get("Warehouse"))
            require(self._books.get("warehouse", warehouse) is not None, f"第{at}行仓库[{warehouse}]不存在")
        _check_amounts(line, at)
        return line if "OrigTaxAmount" in line else {**line, **_computed(line, at)}

    def _detail(self, form: Form, body: Record) -> Record:
        asked = {name: str(value) for name, value in param_of(body).items() if value}
        for found in self._books.store.all(form.simple):
            if _is_asked(found, asked):
                return {"code": "0", "message": "", "data": found}
        raise Refused("未查找到单据")


def _check_amounts(line: Record, at: int) -> None:
    """What is given must agree: 金额 + 税额 = 含税金额, to the cent."""
    names = ("OrigDiscountAmount", "OrigTax", "OrigTaxAmount")
    given = {name: figure(line[name], f"第{at}行{name}") for name in names if name in line}
    if len(given) == len(names):
        net, tax, gross = (given[name] for name in names)
        require(net + tax == gross, f"第{at}行金额{net}与税额{tax}之和不等于含税金额{gross}")
    if "TaxRate" in line:
        require(0 <= figure(line["TaxRate"], f"第{at}行税率", 4) <= 100, f"第{at}行税率不正确")


def _computed(line: Record, at: int) -> Record:
    """金额, 税额 and 含税金额 out of the price, without tax or with it."""
    quantity = figure(line["Quantity"], f"第{at}行数量", 6)
    rate = figure(line.get("TaxRate", USUAL_RATE), f"第{at}行税率", 4) / 100
    if "OrigTaxPrice" in line:
        gross = _cents(quantity * figure(line["OrigTaxPrice"], f"第{at}行含税单价", 10))
        net = _cents(gross / (1 + rate))
    else:
        price = line.get("OrigDiscountPrice") or line.get("OrigPrice") or 0
        net = _cents(quantity * figure(price, f"第{at}行单价", 10))
        gross = net + _cents(net * rate)
    return {"OrigDiscountAmount": str(net), "OrigTax": str(gross - net), "OrigTaxAmount": str(gross)}


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _is_asked(bill: Record, asked: dict[str, str]) -> bool:
    names = {"voucherID": "ID", "voucherCode": "Code", "externalCode": "ExternalCode"}
    wanted = [(names[name], value) for name, value in asked.items() if name in names]
    return bool(wanted) and all(bill[field] == value for field, value in wanted)


def _state(dto: Record) -> Record:
    keys, values = dto.get("DynamicPropertyKeys") or [], dto.get("DynamicPropertyValues") or []
    audited = dict(zip(keys, values, strict=False)).get("isautoaudit") in (True, "true", "True")
    return {"Code": "01", "Name": "已审"} if audited else {"Code": "00", "Name": "未审"}
