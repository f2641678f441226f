"""The interfaces of 金蝶发票云 旗舰版 over the bureau: ALLE.INVOICE.OPEN, .RED and .QUERY.

Source: "直接开票接口" and "4.1.04 数电票发票单张查询" (open-ultimate.piaozone.com): names, lengths in GBK bytes, and
invoiceStatus 0 issued, 2 being issued, 3 reversed, 4 failed. Its own, since the vendor's words could not be read: 9999
for a faulty field and for a number nobody knows, the texts of both, redConfirmBillStatus in the query's answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.bureau import Blue, Bureau, Line, Party, Record, RedForm, RedLine
from sandbox.bureau import Refused as BureauRefused

FIELD = "9999"
DUPLICATE = "10127"
KINDS = {"01": "special", "02": "normal"}
NATURES = {"0": "normal", "1": "discount", "2": "discounted"}
REASONS = {"01": "wrong_invoice", "02": "sales_return", "03": "service_stopped", "04": "allowance"}
STATUS = {"issuing": "2", "signing": "2", "issued": "0", "failed": "4"}
VOID = ("05", "06", "07", "08", "09", "10", "11", "12", "13")
CODES = {value: name for name, value in {**KINDS, **NATURES}.items()}
HEAD = {"serialNo": 50, "buyerName": 100, "buyerTaxpayerId": 20, "sellerName": 100, "remark": 230, "drawer": 40}
LINE = {"goodsName": 92, "specification": 40, "units": 22, "revenueCode": 19}


class Refused(Exception):
    """A refusal with the platform's code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


def must(holds: bool, text: str) -> None:
    """Refuse unless it holds."""
    if not holds:
        raise Refused(FIELD, text)


class Invoices:
    """The invoices of one seller."""

    def __init__(self, bureau: Bureau, tax_no: str) -> None:
        self._bureau = bureau
        self._tax_no = tax_no

    def open(self, given: Record) -> str:
        """ALLE.INVOICE.OPEN: taken, no more."""
        _texts(given, ("serialNo", "sellerName", "buyerName", "drawer"), HEAD, "data")
        self._own(given)
        must(given.get("invoiceProperty", "0") == "0", "invoiceProperty 应为 0, 红票请使用红冲接口")
        must(given.get("invoiceType") in KINDS, "invoiceType 应为 01 或 02")
        self._unused(given["serialNo"])
        blue = Blue(
            serial=given["serialNo"],
            kind=KINDS[given["invoiceType"]],
            seller=Party(given["sellerName"], given["sellerTaxpayerId"]),
            buyer=_buyer(given),
            lines=tuple(_line(row, place) for place, row in enumerate(_rows(given), 1)),
            remark=str(given.get("remark") or ""),
            drawer=given["drawer"],
        )
        self._carried(lambda: self._bureau.submit(blue))
        return blue.serial

    def red(self, given: Record) -> str:
        """ALLE.INVOICE.RED: a form, and the red invoice as soon as the form stands."""
        _texts(given, ("serialNo", "invoiceNum"), HEAD, "data")
        self._own(given)
        must(given.get("redReason") in REASONS, "redReason 应为 01 至 04")
        self._unused(given["serialNo"])
        lines = tuple(_red_line(row, place) for place, row in enumerate(given.get("invoiceDetail") or [], 1))
        form = RedForm(given["serialNo"], given["invoiceNum"], "seller", REASONS[given["redReason"]], lines)
        self._carried(lambda: self._bureau.begin(form))
        return form.application_no

    def query(self, given: Record, files: str) -> Record:
        """ALLE.INVOICE.QUERY of a blue or a red invoice; `files` is where its files are."""
        self._own(given)
        serial = str(given.get("serialNo") or "")
        must(bool(serial), "serialNo 与 invoiceNum 不能同时为空")
        if blue := self._bureau.blue(serial):
            return self._shown(blue, "0", files) | self._blue_state(blue)
        forms = self._bureau.forms(application_no=serial)
        if not forms:
            raise Refused(FIELD, "发票不存在")
        return self._red_shown(forms[0], files)

    def _own(self, given: Record) -> None:
        must(given.get("sellerTaxpayerId") == self._tax_no, "销售方纳税人识别号未授权")

    def _unused(self, serial: str) -> None:
        if self._bureau.blue(serial) or self._bureau.forms(application_no=serial):
            raise Refused(DUPLICATE, f"流水号 {serial} 已存在")

    def _carried(self, run: Any) -> None:
        try:
            run()
        except BureauRefused as refused:
            raise Refused(DUPLICATE if refused.reason == "duplicate" else FIELD, refused.text) from None

    def _blue_state(self, row: Record) -> Record:
        reds = [form for form in self._bureau.forms(blue_number=row["number"]) if row["number"] and form["red_number"]]
        status = STATUS[self._bureau.status(row)]
        return {"invoiceStatus": "3" if reds and status == "0" else status}

    def _red_shown(self, form: Record, files: str) -> Record:
        blue = self._bureau.by_number(form["blue_number"]) or {}
        red = self._bureau.by_number(form["red_number"]) if form["red_number"] else None
        lines = [{**blue["lines"][one["blue_line"] - 1], **one, "nature": "normal"} for one in form["lines"]]
        row = red or {**blue, "serial": "", "number": "", "lines": lines, "net": form["net"], "tax": form["tax"]}
        status = "0" if red else "4" if form["state"] in VOID else "2"
        told = {
            "serialNo": form["application_no"],
            "invoiceStatus": status,
            "originalInvoiceNumber": form["blue_number"],
            "redInfoBillNo": form["form_no"],
            "govRedConfirmBillUuid": form["uuid"],
            "redConfirmBillStatus": form["state"],
        }
        return {**self._shown(row, "1", files if red else ""), "issueErrorMessage": "", **told}

    def _shown(self, row: Record, colour: str, files: str) -> Record:
        number, at = row["number"], self._bureau.issued_at(row) if row["number"] else None
        net, tax = Decimal(row["net"]), Decimal(row["tax"])
        is_there = bool(at and files)
        return {
            "serialNo": row["serial"],
            "invoiceProperty": colour,
            "invoiceType": CODES[row["kind"]],
            "invoiceNum": number if at else "",
            "invoiceDate": f"{at:%Y-%m-%d %H:%M:%S}" if at else "",
            "buyerName": row["buyer"]["name"],
            "buyerTaxpayerId": row["buyer"]["tax_no"],
            "sellerName": row["seller"]["name"],
            "sellerTaxpayerId": row["seller"]["tax_no"],
            "totalAmount": net,
            "totalTaxAmount": tax,
            "includeTaxAmount": net + tax,
            "drawer": row["drawer"],
            "remark": row["remark"],
            "issueErrorMessage": row["text"] if self._bureau.status(row) == "failed" else "",
            "invoiceFileUrl": f"{files}/{number}.pdf" if is_there else "",
            "ofdFileUrl": f"{files}/{number}.ofd" if is_there else "",
            "xmlFileUrl": f"{files}/{number}.zip" if is_there else "",
            "invoiceDetail": [_item(line, place) for place, line in enumerate(row["lines"], 1)],
        }


def _texts(given: Record, required: Sequence[str], lengths: dict[str, int], where: str) -> None:
    for name in required:
        must(isinstance(given.get(name), str) and given[name] != "", f"{where} 缺少 {name}")
    for name, most in lengths.items():
        value = given.get(name, "")
        must(isinstance(value, str), f"{where} 的 {name} 应为文本")
        must(len(value.encode("gb18030")) <= most, f"{where} 的 {name} 超过 {most} 字节")


def _rows(given: Record) -> list[Record]:
    rows = given.get("invoiceDetail")
    must(isinstance(rows, list) and bool(rows), "缺少 invoiceDetail")
    return rows or []


def _buyer(given: Record) -> Party:
    names = ("buyerName", "buyerTaxpayerId", "buyerAddress", "buyerTel", "buyerBank", "buyerBankAccount")
    return Party(*(str(given.get(name) or "") for name in names))


def _line(row: Record, place: int) -> Line:
    where = f"第 {place} 行"
    _texts(row, ("lineProperty", "goodsName", "revenueCode"), LINE, where)
    must(row["lineProperty"] in NATURES, f"{where} lineProperty 无效")
    return Line(
        name=row["goodsName"],
        tax_class_code=row["revenueCode"],
        rate=_number(row, "taxRate", where),
        net=_number(row, "amount", where),
        tax=_number(row, "taxAmount", where),
        spec=str(row.get("specification") or ""),
        unit=str(row.get("units") or ""),
        qty=_number(row, "quantity", where) if "quantity" in row else None,
        price=_number(row, "price", where) if "price" in row else None,
        policy=str(row.get("privilegeType") or ""),
        nature=NATURES[row["lineProperty"]],
    )


def _red_line(row: Record, place: int) -> RedLine:
    where = f"第 {place} 行"
    must(isinstance(row.get("originalSeq"), int), f"{where} 缺少 originalSeq")
    net, tax = (_number(row, name, where) for name in ("amount", "taxAmount"))
    return RedLine(row["originalSeq"], net, tax, _number(row, "quantity", where) if "quantity" in row else None)


def _number(row: Record, name: str, where: str) -> Decimal:
    try:
        return Decimal(str(row.get(name, "")))
    except InvalidOperation:
        raise Refused(FIELD, f"{where} 的 {name} 不是数字") from None


def _item(line: Record, place: int) -> Record:
    made = {
        "seq": place,
        "lineProperty": CODES[line["nature"]],
        "goodsName": line["name"],
        "revenueCode": line["tax_class_code"],
        "specification": line["spec"],
        "units": line["unit"],
        "amount": Decimal(line["net"]),
        "taxRate": line["rate"],
        "taxAmount": Decimal(line["tax"]),
        "privilegeType": line["policy"],
    }
    numbers = {"quantity": line["qty"], "price": line["price"]}
    return made | {name: Decimal(value) for name, value in numbers.items() if value}


__all__ = ["Invoices", "Refused"]
