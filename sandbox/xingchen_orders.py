"""销售订单 of the account set: what a save must bring, how amounts come about, what audit reserves.

价税合计 of a line = 数量 × 含税单价 rounded to the cent − 折扣额; 税额 = 价税合计 × r / (1 + r), rounded half up.
Amounts given by a caller must be exactly those. An audited order lowers 可用量 and leaves 现存量 alone: only goods that
leave lower that. Texts of refusals are the vendor's where they are known (单号重复, 编码不存在, 单位为空).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from sandbox.store import Record, Store
from sandbox.xingchen_lists import Refused, page, require

CENT = Decimal("0.01")
ZERO = Decimal(0)
BILL_NO_LENGTH = 30
ENTITY = "sal_bill_order"
LEGAL = {"audit": "Z", "unaudit": "C", "delete": "Z"}
LIST_FIELDS = (
    "id",
    "bill_no",
    "bill_date",
    "bill_status",
    "customer_id",
    "customer_name",
    "customer_number",
    "total_amount",
    "material_qty",
    "create_time",
)
AS_TEXT = ("total_amount", "material_qty")

Reserve = Callable[[str, Decimal, int], None]


class OrderBook:
    """Sales orders by id and by number; `reserve(material, qty, now)` lowers what is available."""

    def __init__(self, store: Store, reserve: Reserve) -> None:
        self.store = store
        self._reserve = reserve
        self._bills = {row["bill_no"]: row["id"] for row in store.all("sal_order")}

    def list(self, query: Record, _: int) -> Record:
        """销售订单列表: by bill_no, bill dates, status and modify window."""
        if number := query.get("bill_no"):
            kept = self._by_number(number)
            rows = [kept] if kept else []
        else:
            rows = [row for row in self.store.all("sal_order") if _on_day(row, query)]
        if status := query.get("bill_status"):
            rows = [row for row in rows if row["bill_status"] == status]
        return page(query, rows, LIST_FIELDS, AS_TEXT)

    def detail(self, query: Record, _: int) -> Record:
        """销售订单详情 by id or number."""
        kept = self.store.get("sal_order", query.get("id", "")) or self._by_number(query.get("number", ""))
        if kept is None:
            raise Refused(f"参数id[{query.get('id') or query.get('number')}]不存在")
        return kept

    def save(self, body: Record, now: int) -> Record:
        """销售订单保存: without `id` always a new bill, whose number must be free."""
        kept = self._kept(body)
        number = str(body.get("bill_no") or (kept or {}).get("bill_no") or f"XSDD{self.store.next('bill'):08d}")
        require(len(number) <= BILL_NO_LENGTH, f"单据编号长度不能超过{BILL_NO_LENGTH}")
        holder = self._bills.get(number)
        require(
            holder is None or (kept is not None and holder == kept["id"]), f"单据编号[{number}]组合值与其他表单重复"
        )
        order = {"id": kept["id"] if kept else str(7000000 + self.store.next("sal_order")), "bill_no": number}
        order |= self._head(body, kept["create_time"] if kept else now, now)
        if body.get("operation_key") == "audit":
            self._audit(order, now)
        if kept:
            self._bills.pop(kept["bill_no"])
        self._keep(order)
        return {"ids": [order["id"]], "id_number_map": {order["id"]: number}}

    def operate(self, body: Record, now: int) -> Record:
        """通用批量操作: audit, unaudit, delete; all or nothing."""
        require(body.get("entity_number") == ENTITY, f"参数entity_number[{body.get('entity_number')}]不存在")
        operation = str(body.get("operate_type"))
        named = [str(self._bills.get(number, number)) for number in body.get("numbers") or []]
        orders = [self.detail({"id": str(one)}, now) for one in [*(body.get("ids") or []), *named]]
        for order in orders:
            is_legal = LEGAL.get(operation) == order["bill_status"]
            require(is_legal, f"单据[{order['bill_no']}]当前状态不允许{operation}")
        for order in orders:
            self._change({**order, "modify_time": now}, operation, now)
        return {
            "ids": [order["id"] for order in orders],
            "id_number_map": {one["id"]: one["bill_no"] for one in orders},
        }

    def _change(self, order: Record, operation: str, now: int) -> None:
        if operation == "delete":
            self.store.drop("sal_order", order["id"])
            self._bills.pop(order["bill_no"])
            return
        if operation == "audit":
            self._audit(order, now)
        else:
            order["bill_status"] = "Z"
            for line in order["material_entity"]:
                self._reserve(line["material_number"], -line["qty"], now)
        self._keep(order)

    def _audit(self, order: Record, now: int) -> None:
        order["bill_status"], order["audit_time"] = "C", now
        for line in order["material_entity"]:
            self._reserve(line["material_number"], line["qty"], now)

    def _keep(self, order: Record) -> None:
        self.store.put("sal_order", order["id"], order)
        self._bills[order["bill_no"]] = order["id"]

    def _by_number(self, number: str) -> Record | None:
        return self.store.get("sal_order", self._bills.get(number, ""))

    def _kept(self, body: Record) -> Record | None:
        if not body.get("id"):
            return None
        kept = self.detail({"id": str(body["id"])}, 0)
        require(kept["bill_status"] == "Z", "单据已审核,不能修改")
        return kept

    def _head(self, body: Record, created: int, now: int) -> Record:
        customer = self._customer(body)
        require(_is_day(str(body.get("bill_date", ""))), "单据日期不能为空")
        lines = [self._line(row, line) for row, line in enumerate(body.get("material_entity") or [], 1)]
        require(bool(lines), "商品分录不能为空")
        fees = body.get("cus_bear_fee_entry") or []
        borne = sum((_number(fee.get("income_amount"), "客户承担费用") for fee in fees), ZERO)
        total = sum((line["all_amount"] for line in lines), borne) - _number(body.get("bill_dis_amount", 0), "整单折扣")
        _agrees(body, "total_amount", total, "单据")
        return {
            "bill_date": body["bill_date"],
            "bill_status": "Z",
            "customer_id": customer["id"],
            "customer_number": customer["number"],
            "customer_name": customer["name"],
            "remark": str(body.get("remark", "")),
            "total_amount": total.quantize(CENT),
            "material_qty": sum((line["qty"] for line in lines), ZERO),
            "create_time": created,
            "modify_time": now,
            "material_entity": lines,
            "cus_bear_fee_entry": fees,
        }

    def _customer(self, body: Record) -> Record:
        number, own = body.get("customer_number"), body.get("customer_id")
        require(bool(number or own), "客户不能为空")
        kept = self.store.get("customer", str(number)) if number else None
        if own and not number:
            kept = next((row for row in self.store.all("customer") if row["id"] == str(own)), None)
        if kept is None:
            raise Refused(f"参数number[{number or own}]不存在")
        return kept

    def _line(self, row: int, line: Record) -> Record:
        number = str(line.get("material_number", ""))
        material = self.store.get("material", number)
        if material is None:
            raise Refused(f"参数number[{number}]不存在")
        require(bool(line.get("unit_id")), f'第{row}行基础资料"unit"字段不能为空')
        require(str(line["unit_id"]) == material["base_unit_id"], f"第{row}行单位[{line['unit_id']}]不存在")
        require(isinstance(line.get("is_free"), bool), f"第{row}行is_free不能为空")
        qty, price, discount = (
            _number(line.get(name, default), f"第{row}行{name}")
            for name, default in (("qty", None), ("tax_price", None), ("dis_amount", 0))
        )
        require(qty > 0, f"第{row}行数量必须大于0")
        gross = (qty * price).quantize(CENT, ROUND_HALF_UP) - discount
        percent = _text_number(line.get("cess", material["tax_rate"]), f"第{row}行税率")
        tax = (gross * percent / (100 + percent)).quantize(CENT, ROUND_HALF_UP)
        computed = {"all_amount": gross, "tax_amount": tax, "amount": gross - tax}
        for name, value in computed.items():
            _agrees(line, name, value, f"第{row}行")
        named = {"material_id": material["id"], "material_name": material["name"], "qty": qty, "cess": percent}
        return {**line, **named, **computed, "seq": row}


def _agrees(given: Record, name: str, computed: Decimal, place: str) -> None:
    if name in given:
        value = _text_number(given[name], f"{place}{name}")
        label = "价税合计" if name in ("all_amount", "total_amount") else name
        require(value == computed, f"{place}{label}{value}与数量、单价、折扣额不符, 应为{computed}")


def _on_day(row: Record, query: Record) -> bool:
    day = str(row["bill_date"])
    return str(query.get("start_bill_date", "")) <= day <= str(query.get("end_bill_date") or "9999")


def _is_day(text: str) -> bool:
    try:
        return bool(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))
    except ValueError:
        return False


def _number(value: Any, what: str) -> Decimal:
    """A field the vendor types as double: a JSON number, not a text."""
    require(isinstance(value, int | Decimal) and not isinstance(value, bool), f"{what}不是有效的数字")
    return Decimal(value)


def _text_number(value: Any, what: str) -> Decimal:
    """A figure the vendor types as text: a number is taken as well."""
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise Refused(f"{what}不是有效的数字") from error
