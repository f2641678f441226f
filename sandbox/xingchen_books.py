"""What the account set holds: materials, units, customers, stock, sales orders, and the rules for saving them.

Amounts are computed as the vendor's form does: 价税合计 = 数量 × 含税单价 − 折扣额, rounded to the cent; a caller's own
价税合计 may differ by a cent at most.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from sandbox.store import Record, Store

CENT = Decimal("0.01")
VALIDATION = 2000002000
MAX_PAGE = 100
BILL_NO_LENGTH = 30
Operation = Callable[[Record, int], Any]


class Refused(Exception):
    """A business refusal: errcode and text in an HTTP 200 envelope."""

    def __init__(self, text: str, code: int = VALIDATION) -> None:
        super().__init__(text)
        self.code = code


class Books:
    """The account set; operations take (parameters or body, now in ms)."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._bills = {row["bill_no"]: row["id"] for row in store.all("sal_order")}
        self._numbers = {row["id"]: row["number"] for row in store.all("material")}
        self._stock_of: dict[str, list[str]] = {}
        for key in store.keys("inventory"):
            self._stock_of.setdefault(key.rpartition("@")[0], []).append(key)

    def operation(self, method: str, path: str) -> Operation | None:
        """The operation at a path."""
        known: dict[tuple[str, str], Operation] = {
            ("GET", "/jdy/v2/bd/material"): lambda q, _: _page(
                q, self.store.all("material"), ("tax_rate", "custom_field")
            ),
            ("GET", "/jdy/v2/bd/material_detail"): self._material_detail,
            ("GET", "/jdy/v2/bd/measure_unit"): lambda q, _: _page(q, self.store.all("unit")),
            ("GET", "/jdy/v2/bd/customer"): lambda q, _: _page(q, self.store.all("customer")),
            ("GET", "/jdy/v2/scm/inventory"): self._inventory,
            ("GET", "/jdy/v2/scm/sal_order"): self._orders,
            ("GET", "/jdy/v2/scm/sal_order_detail"): self._order_detail,
            ("POST", "/jdy/v2/scm/sal_order"): self._save_order,
            ("POST", "/jdy/v2/sys/common_operate"): self._operate,
        }
        return known.get((method, path))

    def seed(self, data: Record) -> None:
        """Units, materials, stock rows and customers that are not there yet."""
        materials = [row for row in data.get("materials", []) if not self.store.get("material", row["number"])]
        for name in dict.fromkeys(row["unit"] for row in materials):
            if not self.store.get("unit", name):
                number = self.store.next("unit", 1)
                self.store.put("unit", name, {"id": str(90000 + number), "number": f"DW{number:02d}", "name": name})
        start = len(self.store.all("material"))
        self.store.put_many(
            "material", {row["number"]: self._material(start + i, row) for i, row in enumerate(materials, 1)}
        )
        self._numbers = {row["id"]: row["number"] for row in self.store.all("material")}
        self._seed_stock(data.get("stock", []))
        customers = [row for row in data.get("customers", []) if not self.store.get("customer", row["number"])]
        start = len(self.store.all("customer"))
        self.store.put_many(
            "customer", {row["number"]: {"id": str(5000 + start + i), **row} for i, row in enumerate(customers, 1)}
        )

    def _material(self, number: int, row: Record) -> Record:
        unit = self.store.get("unit", row["unit"]) or {}
        return {
            "id": str(100000 + number),
            "number": row["number"],
            "name": row["name"],
            "model": row.get("model", ""),
            "parent_name": row.get("category", ""),
            "barcode": row.get("barcode", ""),
            "base_unit_id": unit["id"],
            "base_unit_number": unit["number"],
            "base_unit_name": unit["name"],
            "is_multi_unit": False,
            "modify_time": 1767225600000,
            "tax_rate": row["tax_rate"],
            "custom_field": {"tax_class_code": row.get("tax_class_code", "")},
        }

    def _seed_stock(self, rows: list[Record]) -> None:
        fresh: dict[str, Record] = {}
        for row in rows:
            key = f"{row['material_number']}@{row['stock_number']}"
            if self.store.get("inventory", key):
                continue
            material = self.store.get("material", row["material_number"]) or {}
            fresh[key] = {
                "material_id": material["id"],
                "material_name": material["name"],
                "material_number": row["material_number"],
                "stock_number": row["stock_number"],
                "stock_name": row.get("stock_name", "总仓"),
                "qty": Decimal(row["qty"]),
                "valid_qty": Decimal(row["qty"]),
                "modify_time": 1767225600000,
            }
            self._stock_of.setdefault(row["material_number"], []).append(key)
        self.store.put_many("inventory", fresh)

    def _material_detail(self, query: Record, _: int) -> Record:
        wanted = query.get("number") or self._numbers.get(query.get("id", ""), "")
        found = self.store.get("material", wanted)
        if found is None:
            raise Refused(f"参数id[{query.get('id') or wanted}]不存在")
        return {name: value for name, value in found.items() if name != "modify_time"}

    def _inventory(self, query: Record, _: int) -> Record:
        return _page(query, self.store.all("inventory"))

    def _orders(self, query: Record, _: int) -> Record:
        if wanted := query.get("bill_no"):
            found = self._bills.get(wanted)
            rows = [self.store.get("sal_order", found) or {}] if found else []
        else:
            rows = [row for row in self.store.all("sal_order") if _on_day(row, query)]
        if status := query.get("bill_status"):
            rows = [row for row in rows if row["bill_status"] == status]
        return _page(query, rows, ("material_entity", "cus_bear_fee_entry"))

    def _order_detail(self, query: Record, _: int) -> Record:
        found = self.store.get("sal_order", query.get("id") or self._bills.get(query.get("number", ""), ""))
        if found is None:
            raise Refused("参数id不存在")
        return found

    def _save_order(self, body: Record, now: int) -> Record:
        kept = self._existing(body)
        number = str(body.get("bill_no") or f"XSDD{self.store.next('bill'):08d}")
        if len(number) > BILL_NO_LENGTH:
            raise Refused(f"单据编号长度不能超过{BILL_NO_LENGTH}")
        if self._bills.get(number, kept["id"] if kept else None) not in (None, kept["id"] if kept else None):
            raise Refused(f"单据编号[{number}]组合值与其他表单重复")
        if kept is None and number in self._bills:
            raise Refused(f"单据编号[{number}]组合值与其他表单重复")
        order = self._order(body, number, now)
        order["id"] = kept["id"] if kept else str(7000000 + self.store.next("sal_order"))
        if body.get("operation_key") == "audit":
            self._audit(order, now)
        self.store.put("sal_order", order["id"], order)
        self._bills[number] = order["id"]
        return {"ids": [order["id"]], "id_number_map": {order["id"]: number}}

    def _existing(self, body: Record) -> Record | None:
        if not body.get("id"):
            return None
        kept = self.store.get("sal_order", str(body["id"]))
        if kept is None:
            raise Refused(f"参数id[{body['id']}]不存在")
        if kept["bill_status"] == "C":
            raise Refused("单据已审核,不能修改")
        return kept

    def _order(self, body: Record, number: str, now: int) -> Record:
        customer = self._customer(body)
        date = str(body.get("bill_date", ""))
        _require(_is_day(date), "单据日期不能为空")
        lines = [self._line(row, line) for row, line in enumerate(body.get("material_entity") or [], 1)]
        _require(bool(lines), "商品分录不能为空")
        fees = sum(
            (_number(fee.get("income_amount"), "客户承担费用") for fee in body.get("cus_bear_fee_entry") or []),
            Decimal(0),
        )
        total = (
            sum((line["all_amount"] for line in lines), Decimal(0))
            + fees
            - _number(body.get("bill_dis_amount", 0), "整单折扣")
        )
        given = body.get("total_amount")
        _require(given is None or _number(given, "total_amount") == total, f"合计金额与分录不符: {given} <> {total}")
        return {
            "bill_no": number,
            "bill_date": date,
            "bill_status": "Z",
            "customer_id": customer["id"],
            "customer_number": customer["number"],
            "customer_name": customer["name"],
            "remark": str(body.get("remark", "")),
            "total_amount": total.quantize(CENT),
            "material_qty": sum((line["qty"] for line in lines), Decimal(0)),
            "create_time": now,
            "modify_time": now,
            "material_entity": lines,
            "cus_bear_fee_entry": body.get("cus_bear_fee_entry") or [],
        }

    def _customer(self, body: Record) -> Record:
        number = body.get("customer_number")
        _require(bool(number or body.get("customer_id")), "客户不能为空")
        found = self.store.get("customer", str(number)) if number else None
        if found is None:
            raise Refused(f"参数number[{number or body.get('customer_id')}]不存在")
        return found

    def _line(self, row: int, line: Record) -> Record:
        number = str(line.get("material_number", ""))
        material = self.store.get("material", number)
        _require(material is not None, f"参数number[{number}]不存在")
        assert material is not None  # noqa: S101  narrowed for the type checker
        _require(bool(line.get("unit_id")), f'第{row}行基础资料"unit"字段不能为空')
        _require(str(line["unit_id"]) == material["base_unit_id"], f"第{row}行单位[{line['unit_id']}]不存在")
        _require(isinstance(line.get("is_free"), bool), f"第{row}行is_free不能为空")
        qty, price = _number(line.get("qty"), f"第{row}行数量"), _number(line.get("tax_price"), f"第{row}行含税单价")
        _require(qty > 0, f"第{row}行数量必须大于0")
        discount = _number(line.get("dis_amount", 0), f"第{row}行折扣额")
        computed = (qty * price - discount).quantize(CENT, ROUND_HALF_UP)
        given = _number(line["all_amount"], f"第{row}行价税合计") if "all_amount" in line else computed
        _require(abs(given - computed) <= CENT, f"第{row}行价税合计{given}与数量单价不符")
        return {**line, "seq": row, "material_id": material["id"], "qty": qty, "all_amount": given}

    def _audit(self, order: Record, now: int) -> None:
        order["bill_status"], order["audit_time"] = "C", now
        for line in order["material_entity"]:
            self._reserve(line["material_number"], line["qty"], now)

    def _reserve(self, number: str, qty: Decimal, now: int) -> None:
        """可用量 drops (or, negative, comes back); 现存量 stays until goods leave."""
        for key in self._stock_of.get(number, [])[:1]:
            row = self.store.get("inventory", key) or {}
            self.store.put("inventory", key, {**row, "valid_qty": row["valid_qty"] - qty, "modify_time": now})

    def _operate(self, body: Record, now: int) -> Record:
        """审核, 反审核 and deletion of sales orders."""
        if body.get("entity_number") != "sal_bill_order":
            raise Refused(f"参数entity_number[{body.get('entity_number')}]不存在")
        ids = [*body.get("ids", []), *(self._bills.get(number, "") for number in body.get("numbers", []))]
        for one in ids:
            order = self.store.get("sal_order", str(one))
            if order is None:
                raise Refused(f"参数id[{one}]不存在")
            self._change(dict(order), str(body.get("operate_type")), now)
        return {"ids": ids}

    def _change(self, order: Record, operation: str, now: int) -> None:
        legal = {"audit": "Z", "unaudit": "C", "delete": "Z"}
        if legal.get(operation) != order["bill_status"]:
            raise Refused(f"单据[{order['bill_no']}]当前状态不允许{operation}")
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
        self.store.put("sal_order", order["id"], {**order, "modify_time": now})


def _page(query: Record, rows: list[Record], hidden: tuple[str, ...] = ()) -> Record:
    page, size = int(query.get("page") or 1), int(query.get("page_size") or 10)
    if size > MAX_PAGE:
        raise Refused(f"page_size不能超过{MAX_PAGE}")
    since, until = int(query.get("modify_start_time") or 0), int(query.get("modify_end_time") or 2**62)
    chosen = (
        [row for row in rows if since <= int(row.get("modify_time", 0)) <= until] if since or until < 2**62 else rows
    )
    shown = chosen[(page - 1) * size : page * size]
    return {
        "count": str(len(chosen)),
        "page": page,
        "page_size": size,
        "current_page_size": len(shown),
        "total_page": -(-len(chosen) // size),
        "rows": [{name: value for name, value in row.items() if name not in hidden} for row in shown],
    }


def _on_day(row: Record, query: Record) -> bool:
    day = str(row["bill_date"])
    return str(query.get("start_bill_date", "")) <= day <= str(query.get("end_bill_date") or "9999")


def _is_day(text: str) -> bool:
    try:
        return bool(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC))
    except ValueError:
        return False


def _number(value: Any, what: str) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise Refused(f"{what}不是有效的数字") from error


def _require(holds: bool, text: str) -> None:
    if not holds:
        raise Refused(text)
