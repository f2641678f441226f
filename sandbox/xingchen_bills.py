"""Bills of the account set: saved, audited, un-audited, deleted; what audit moves and reserves.

An audited 销售订单 lowers 可用量 and leaves 现存量 alone: only goods that leave lower that, and they give back what
their order had reserved. An order that goods were moved of can be neither un-audited nor deleted. A bill that names the
type of its source must name one that is there. Two rules of the seed are off until turned on: `keeps_unaudited`, a bill
that its save cannot audit stays as a draft; `sells_what_is_there`, no order is audited beyond 可用量. Texts of refusals
are the vendor's where they are known (单号重复, 编码不存在, 单位为空, 源单已被删除).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sandbox.store import Record
from sandbox.xingchen_base import BaseData
from sandbox.xingchen_lines import CENT, ZERO, LineRules, agrees, line_of, number
from sandbox.xingchen_lists import Refused, is_day, page, require, served
from sandbox.xingchen_stock import Stock

BILL_NO_LENGTH = 30
LEGAL = {"audit": "Z", "unaudit": "C", "delete": "Z"}
HEAD = ("id", "bill_no", "bill_date", "bill_status", "create_time")
SALES = (*HEAD, "customer_id", "customer_name", "customer_number", "total_amount", "material_qty")
PURCHASES = (*HEAD, "bill_close_state", "supplier_id", "supplier_name", "supplier_number", "remark")
AS_TEXT = ("total_amount", "material_qty")


@dataclass(frozen=True)
class Kind:
    """One kind of bill. `moves`: what its audit does to 现存量 (-1, 0, 1); `hidden`: what its detail does not tell."""

    name: str
    entity: str
    prefix: str
    party: str
    first_id: int
    listed: tuple[str, ...]
    rules: LineRules
    hidden: tuple[str, ...] = ()
    moves: int = 0
    source: str = ""


KINDS = (
    Kind("sal_order", "sal_bill_order", "XSDD", "customer", 7000000, (*SALES, "io_status"), LineRules(free=True),
         ("customer_number", "customer_name", "material_qty", "cus_bear_fee_entry")),
    Kind("pur_order", "pur_bill_order", "CGDD", "supplier", 7100000, PURCHASES, LineRules(texts=True),
         ("total_amount", "material_qty", "cus_bear_fee_entry")),
    Kind("sal_out_bound", "sal_bill_outbound", "XSCK", "customer", 7200000, SALES, LineRules(stock=True),
         ("customer_number", "customer_name", "material_qty"), -1, "sal_order"),
    Kind("pur_inbound", "pur_bill_inbound", "CGRK", "supplier", 7300000, PURCHASES, LineRules(stock=True),
         ("material_qty", "cus_bear_fee_entry", "io_status"), 1, "pur_order"),
)  # fmt: skip


class BillBook:
    """Bills of one kind by id and by number; `books` are those of all kinds, by name."""

    def __init__(self, kind: Kind, base: BaseData, stock: Stock, books: Mapping[str, BillBook]) -> None:
        self.kind = kind
        self.store = base.store
        self._base = base
        self._stock = stock
        self._books = books
        self._bills = {row["bill_no"]: row["id"] for row in self.store.all(kind.name)}

    def listed(self, query: Record, _: int) -> Record:
        """By bill_no, bill dates, status and modify window."""
        if wanted := query.get("bill_no"):
            kept = self.numbered(wanted)
            rows = [kept] if kept else []
        else:
            rows = [row for row in self.store.all(self.kind.name) if _on_day(row, query)]
        if status := query.get("bill_status"):
            rows = [row for row in rows if row["bill_status"] == status]
        return page(query, rows, self.kind.listed, AS_TEXT)

    def detail(self, query: Record, _: int) -> Record:
        """By id or number, without what this kind's detail does not tell."""
        kept = self.found(query)
        return served(kept, [name for name in kept if name not in self.kind.hidden])

    def found(self, query: Record) -> Record:
        """The bill with this id or number. Raises Refused."""
        kept = self.store.get(self.kind.name, str(query.get("id", ""))) or self.numbered(str(query.get("number", "")))
        if kept is None:
            raise Refused(f"参数id[{query.get('id') or query.get('number')}]不存在")
        return kept

    def numbered(self, wanted: str) -> Record | None:
        """The bill with this number."""
        return self.store.get(self.kind.name, self._bills.get(wanted, ""))

    def save(self, body: Record, now: int) -> Record:
        """Without `id` always a new bill, whose number must be free."""
        kind, kept = self.kind, self._kept(body)
        drawn = body.get("bill_no") or (kept or {}).get("bill_no") or f"{kind.prefix}{self.store.next(kind.prefix):08d}"
        bill_no = str(drawn)
        require(len(bill_no) <= BILL_NO_LENGTH, f"单据编号长度不能超过{BILL_NO_LENGTH}")
        holder = self._bills.get(bill_no)
        is_free = holder is None or (kept is not None and holder == kept["id"])
        require(is_free, f"单据编号[{bill_no}]组合值与其他表单重复")
        native_id = kept["id"] if kept else str(kind.first_id + self.store.next(kind.name))
        bill = {
            "id": native_id,
            "bill_no": bill_no,
            **self._head(body, native_id, kept["create_time"] if kept else now),
        }
        bill["modify_time"] = now
        try:
            if body.get("operation_key") == "audit":
                self._audit(bill, now)
        except Refused:
            if self._rules.get("keeps_unaudited"):
                self._replace(kept, bill)
            raise
        self._replace(kept, bill)
        return {"ids": [native_id], "id_number_map": {native_id: bill_no}}

    def operate(self, operation: str, body: Record, now: int) -> Record:
        """Audit, unaudit, delete; all or nothing as far as their status goes."""
        named = [str(self._bills.get(number, number)) for number in body.get("numbers") or []]
        bills = [self.found({"id": str(one)}) for one in [*(body.get("ids") or []), *named]]
        for bill in bills:
            is_legal = LEGAL.get(operation) == bill["bill_status"]
            require(is_legal, f"单据[{bill['bill_no']}]当前状态不允许{operation}")
        for bill in bills:
            self._change({**bill, "modify_time": now}, operation, now)
        return {"ids": [bill["id"] for bill in bills], "id_number_map": {one["id"]: one["bill_no"] for one in bills}}

    def took(self, native_id: str, entry: str, qty: Decimal, now: int) -> None:
        """Goods of one of its lines were moved (or, negative, came back)."""
        bill = self.found({"id": native_id})
        lines = [
            {**line, "in_qty": line.get("in_qty", ZERO) + qty} if line["id"] == entry else line
            for line in bill["material_entity"]
        ]
        moved = [line.get("in_qty", ZERO) >= line["qty"] for line in lines]
        part = "B" if any(line.get("in_qty", ZERO) > 0 for line in lines) else "A"
        state = {"io_status": "C" if all(moved) else part, "bill_close_state": "S" if all(moved) else ""}
        self._keep({**bill, **state, "material_entity": lines, "modify_time": now})

    def _change(self, bill: Record, operation: str, now: int) -> None:
        if operation == "delete":
            self.store.drop(self.kind.name, bill["id"])
            self._bills.pop(bill["bill_no"])
            return
        if operation == "audit":
            self._audit(bill, now)
        else:
            used = any(line.get("in_qty", ZERO) > 0 for line in bill["material_entity"])
            require(not used, f"单据[{bill['bill_no']}]已有下游单据, 不允许反审核")
            self._effect(bill, -1, now)
            bill["bill_status"] = "Z"
        self._keep(bill)

    def _audit(self, bill: Record, now: int) -> None:
        self._effect(bill, 1, now)
        bill["bill_status"], bill["audit_time"] = "C", now

    def _effect(self, bill: Record, sign: int, now: int) -> None:
        """What audit (1) does to stock and to the source order, and un-audit (-1) undoes."""
        kind, lines = self.kind, bill["material_entity"]
        if not kind.moves:
            if kind.name == "sal_order" and sign > 0 and self._rules.get("sells_what_is_there"):
                self._must_be_available(lines)
            for line in lines if kind.name == "sal_order" else ():
                self._stock.reserve(line["material_number"], sign * line["qty"], now)
            return
        if kind.moves * sign < 0:
            self._must_hold(lines)
        for line in lines:
            self._stock.move(line["material_number"], line["stock_number"], kind.moves * sign * line["qty"], now)
            if "src_entry_id" in line:
                self._books[kind.source].took(line["src_inter_id"], line["src_entry_id"], sign * line["qty"], now)
                if kind.source == "sal_order":
                    self._stock.reserve(line["material_number"], -sign * line["qty"], now)

    def _must_be_available(self, lines: list[Record]) -> None:
        for line in lines:
            self._stock.must_be_available(line["material_number"], line["qty"])

    def _must_hold(self, lines: list[Record]) -> None:
        leaving: dict[tuple[str, str], Decimal] = {}
        for line in lines:
            key = line["material_number"], line["stock_number"]
            leaving[key] = leaving.get(key, ZERO) + line["qty"]
        for (material, stock), qty in leaving.items():
            self._stock.must_hold(material, stock, qty)

    @property
    def _rules(self) -> Record:
        return self.store.get("books", "rules") or {}

    def _replace(self, kept: Record | None, bill: Record) -> None:
        if kept:
            self._bills.pop(kept["bill_no"])
        self._keep(bill)

    def _keep(self, bill: Record) -> None:
        self.store.put(self.kind.name, bill["id"], bill)
        self._bills[bill["bill_no"]] = bill["id"]

    def _kept(self, body: Record) -> Record | None:
        if not body.get("id"):
            return None
        kept = self.found({"id": str(body["id"])})
        require(kept["bill_status"] == "Z", "单据已审核,不能修改")
        return kept

    def _head(self, body: Record, native_id: str, created: int) -> Record:
        party = self._party(body)
        require(is_day(str(body.get("bill_date", ""))), "单据日期不能为空")
        lines = [self._line(native_id, place, line) for place, line in enumerate(body.get("material_entity") or [], 1)]
        require(bool(lines), "商品分录不能为空")
        fees = body.get("cus_bear_fee_entry") or []
        borne = sum((number(fee.get("income_amount"), "客户承担费用") for fee in fees), ZERO)
        total = sum((line["all_amount"] for line in lines), borne) - number(body.get("bill_dis_amount", 0), "整单折扣")
        agrees(body, "total_amount", total, "单据")
        return {
            "bill_date": body["bill_date"],
            "bill_status": "Z",
            "bill_close_state": "",
            "io_status": "A",
            **{f"{self.kind.party}_{name}": party[name] for name in ("id", "number", "name")},
            "remark": str(body.get("remark", "")),
            "total_amount": total.quantize(CENT),
            "material_qty": sum((line["qty"] for line in lines), ZERO),
            "create_time": created,
            "material_entity": lines,
            "cus_bear_fee_entry": fees,
        }

    def _line(self, native_id: str, place: int, line: Record) -> Record:
        made = line_of(place, line, self._base, self.kind.rules)
        if line.get("src_bill_type_id"):
            made |= self._source(line, made)
        return {**made, "id": str(line.get("id") or f"{native_id}{place:03d}")}

    def _source(self, line: Record, made: Record) -> Record:
        """The order line that a line comes of. Raises Refused where there is none, or it is of another material."""
        source = self._books.get(self.kind.source)
        require(source is not None and line["src_bill_type_id"] == source.kind.entity, "源单类型不存在")
        order = self.store.get(self.kind.source, str(line.get("src_inter_id", "")))
        require(order is not None and order["bill_status"] == "C", "单据的源单''已被删除")
        entries = (order or {})["material_entity"]
        entry = next((one for one in entries if one["id"] == str(line.get("src_entry_id", ""))), None)
        require(entry is not None, "源单分录不存在")
        require((entry or {})["material_id"] == made["material_id"], "商品与源单分录不一致")
        return {"src_bill_no": (order or {})["bill_no"], "src_seq": (entry or {})["seq"]}

    def _party(self, body: Record) -> Record:
        party = self.kind.party
        number = None if self.kind.rules.texts else body.get(f"{party}_number")
        own = body.get(f"{party}_id")
        require(bool(number or own), "客户不能为空" if party == "customer" else "供应商不能为空")
        return self._base.found(party, number, own)


def _on_day(row: Record, query: Record) -> bool:
    day = str(row["bill_date"])
    return str(query.get("start_bill_date", "")) <= day <= str(query.get("end_bill_date") or "9999")
