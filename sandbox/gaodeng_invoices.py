"""The interfaces of 高灯 over the bureau: invoice/blue, invoice/red, invoice/query, invoice/send-email.

Source: the vendor's published clients: field names, states 1 being issued, 2 issued, 3 failed, at most 20 reds a call,
one answer for each of them. A red invoice has no number of the caller's: it is the red of its blue.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.bureau import Blue, Bureau, Line, Party, Record, RedForm
from sandbox.bureau import Refused as BureauRefused

KINDS = {"SD-P": "normal", "SD-Z": "special"}
STATUS = {"issuing": 1, "signing": 1, "issued": 2, "failed": 3}
FIELD, BUSINESS = 1010, 1014
REDS_A_CALL = 20
ZERO = {"1": "03", "2": "04"}


class Refused(Exception):
    """A refusal with the platform's code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def must(holds: bool, text: str, code: int = FIELD) -> None:
    """Refuse unless it holds."""
    if not holds:
        raise Refused(code, text)


class Invoices:
    """The invoices of one seller."""

    def __init__(self, bureau: Bureau, config: Record) -> None:
        self._bureau = bureau
        self._config = config

    def blue(self, given: Record) -> Record:
        """invoice/blue."""
        for name in ("order_id", "buyer_title", "invoice_type_code"):
            must(isinstance(given.get(name), str) and given[name] != "", f"缺少 {name}")
        self._own(given)
        must(len(given["order_id"]) <= 64, "order_id 超过 64 个字符")
        must(given["invoice_type_code"] in KINDS, "invoice_type_code 无效")
        must(given.get("title_type") in (1, 2), "title_type 无效")
        lines = tuple(self._line(item, f"第 {place} 行") for place, item in enumerate(given.get("items") or [], 1))
        self._check_head(given, lines)
        seller = Party(self._config["seller_name"], self._config["tax_no"])
        buyer = Party(given["buyer_title"], str(given.get("buyer_taxpayer_num") or ""))
        kind, drawer = KINDS[given["invoice_type_code"]], str(given.get("drawer") or "管理员")
        remark = str(given.get("remark") or "")
        row = self._carried(
            lambda: self._bureau.submit(Blue(given["order_id"], kind, seller, buyer, lines, remark, drawer))
        )
        return {"invoice_id": _serial(row, "1"), "order_sn": _serial(row, "6"), "state": 1}

    def red(self, given: Record) -> list[Record]:
        """invoice/red, one answer for each."""
        rows = given.get("invoices")
        must(isinstance(rows, list) and 0 < len(rows) <= REDS_A_CALL, f"invoices 应有 1 至 {REDS_A_CALL} 张")
        return [self._red(row) for row in rows or []]

    def query(self, given: Record, files: str) -> Record:
        """invoice/query of the blue or (is_red) of its red invoice."""
        self._own(given)
        blue = self._bureau.blue(str(given.get("order_id") or ""))
        must(blue is not None, "订单不存在", BUSINESS)
        assert blue is not None  # noqa: S101  checked above
        if not given.get("is_red"):
            return self._shown(blue, self._bureau.status(blue), files)
        forms = self._bureau.forms(application_no=f"red-{blue['serial']}")
        must(bool(forms), "红票订单不存在", BUSINESS)
        return self._red_shown(blue, forms[0], files)

    def mail(self, given: Record) -> Record:
        """invoice/send-email."""
        self._own(given)
        must("@" in str(given.get("email")), "email 无效")
        self._by_sn(str(given.get("order_sn")))
        return {"status": 1}

    def _red(self, row: Record) -> Record:
        try:
            self._own(row)
            blue = self._by_sn(str(row.get("order_sn")))
            must(not self._bureau.forms(application_no=f"red-{blue['serial']}"), "发票已红冲", BUSINESS)
            must(blue["number"] != "", "发票未开具, 不能红冲", BUSINESS)
            form = RedForm(f"red-{blue['serial']}", blue["number"], "seller", "wrong_invoice")
            made = self._carried(lambda: self._bureau.begin(form))
        except Refused as refused:
            return {"code": refused.code, "message": str(refused), "order_sn": row.get("order_sn")}
        return {"code": 0, "message": "success", "order_sn": row["order_sn"], "invoice_id": made["form_no"]}

    def _red_shown(self, blue: Record, form: Record, files: str) -> Record:
        red = self._bureau.by_number(form["red_number"]) if form["red_number"] else None
        if red:
            return self._shown(red, "issued", files) | {"order_id": blue["serial"]}
        is_void = form["state"] >= "05"
        pending = {**blue, "number": "", "net": form["net"], "tax": form["tax"], "text": "红字信息确认单已作废"}
        return self._shown(pending, "failed" if is_void else "issuing", "")

    def _shown(self, row: Record, status: str, files: str) -> Record:
        at = self._bureau.issued_at(row) if status == "issued" else None
        net, tax = Decimal(row["net"]), Decimal(row["tax"])
        is_failed = status == "failed"
        amounts = {"has_tax": net + tax, "no_tax": net}
        told = {f"ticket_total_amount_{name}": "" if is_failed else self._amount(one) for name, one in amounts.items()}
        return {
            "order_id": row["serial"],
            "order_sn": _serial(row, "6"),
            "status": STATUS[status],
            "fail_msg": row["text"] if is_failed else "",
            "ticket_date": f"{at:%Y-%m-%d %H:%M:%S}" if at else "",
            "ticket_sn": row["number"] if at else "",
            "ticket_code": "",
            **told,
            "ticket_tax_amount": "" if is_failed else self._amount(tax),
            "pdf_url": f"{files}/{row['number']}.pdf" if at and files else "",
        }

    def _amount(self, yuan: Decimal) -> str:
        return str(int(yuan * 100)) if self._config["unit"] == "fen" else f"{yuan:.2f}"

    def _line(self, item: Record, where: str) -> Line:
        must(isinstance(item.get("name"), str) and item["name"] != "", f"{where} 缺少 name")
        rate = _number(item.get("tax_rate"), f"{where} tax_rate")
        return Line(
            name=item["name"],
            tax_class_code=str(item.get("tax_code") or ""),
            rate=rate / 1000 if self._config["unit"] == "fen" else rate,
            net=self._yuan(item.get("total_price"), f"{where} total_price"),
            tax=self._yuan(item.get("tax_amount"), f"{where} tax_amount"),
            spec=str(item.get("models") or ""),
            unit=str(item.get("unit") or ""),
            qty=_number(item["total"], f"{where} total") if item.get("total") else None,
            price=_number(item["price"], f"{where} price") if item.get("price") else None,
            policy=ZERO.get(str(item.get("zero_tax_flag") or ""), ""),
        )

    def _check_head(self, given: Record, lines: tuple[Line, ...]) -> None:
        sums = {
            "amount_without_tax": sum((line.net for line in lines), Decimal(0)),
            "tax_amount": sum((line.tax for line in lines), Decimal(0)),
        }
        sums["amount_has_tax"] = sums["amount_without_tax"] + sums["tax_amount"]
        for name, total in sums.items():
            must(self._yuan(given.get(name), name) == total, f"{name} 与明细合计不符")

    def _yuan(self, value: Any, where: str) -> Decimal:
        """Whole 分 as a number, or yuan as a text: the other form is refused."""
        if self._config["unit"] == "fen":
            must(isinstance(value, int), f"{where} 应为整数分")
            return Decimal(value) / 100
        must(isinstance(value, str) and "." in value, f"{where} 应为元, 两位小数的文本")
        return _number(value, where)

    def _own(self, given: Record) -> None:
        must(given.get("seller_taxpayer_num") == self._config["tax_no"], "销方税号未授权", BUSINESS)

    def _by_sn(self, serial: str) -> Record:
        found = next((row for row in self._bureau.blues() if _serial(row, "6") == serial), None)
        must(found is not None, "订单不存在", BUSINESS)
        return found or {}

    def _carried(self, run: Any) -> Record:
        try:
            made: Record = run()
        except BureauRefused as refused:
            text = "订单号重复" if refused.reason == "duplicate" else refused.text
            raise Refused(BUSINESS, text) from None
        return made


def _serial(row: Record, head: str) -> str:
    """The platform's own number of an order: 19 digits."""
    return f"{head}{int(hashlib.sha256(row['serial'].encode()).hexdigest(), 16) % 10**18:018d}"


def _number(value: Any, where: str) -> Decimal:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise Refused(FIELD, f"{where} 不是数字") from None


__all__ = ["Invoices", "Refused"]
