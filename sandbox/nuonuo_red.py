"""Red confirmation forms (红字信息确认单) as 诺税通 SaaS takes and shows them; the bureau keeps them.

Source: 国家税务总局公告 2024 年第 11 号; saveInvoiceRedConfirm, queryInvoiceRedConfirm, confirm, confirmInfoCancel,
refreshInvoiceRedConfirm (open.nuonuo.com). The red invoice of a form that stands is issued by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from sandbox import bureau as tax
from sandbox.bureau import Bureau, RedForm, RedLine
from sandbox.nuonuo_billing import CHINA, Billing
from sandbox.nuonuo_rules import Record, Refused, check_quantity, fields, money, must, rate

REQUIRED = ("billId", "blueInvoiceLine", "applySource", "sellerTaxNo", "buyerName", "redReason")
LENGTHS = {"billId": 32, "blueElecInvoiceNumber": 20, "blueInvoiceNumber": 20, "orderNo": 32, "email": 50}
LINE_REQUIRED = ("blueDetailIndex", "goodsName", "goodsCode", "taxExcludedAmount", "taxAmount", "taxRate")
BILL_ID = 24
PAGE, MAX_PAGE = 10, 50
NAMES = {"billId": "application_no", "billNo": "form_no", "billUuid": "uuid"}  # each with its name at the bureau
SIDES = {"0": "seller", "1": "buyer"}
LINES = {"normal": "pc", "special": "bs"}
REASONS = {"1": "sales_return", "2": "wrong_invoice", "3": "service_stopped", "4": "allowance"}
CODES = {
    "duplicate": "E9106",
    "not_found": "E9500",
    "is_red": "E9522",
    "open_form": "E9103",
    "over": "E9103",
    "state": "E9103",
}


class RedForms:
    """The forms of the seller, and those of buyers against it."""

    def __init__(self, bureau: Bureau, billing: Billing) -> None:
        self._bureau = bureau
        self._billing = billing

    def save(self, form: Record) -> str:
        """saveInvoiceRedConfirm."""
        fields(form, REQUIRED, LENGTHS, "确认单")
        must(len(form["billId"]) <= BILL_ID, "billId 超过 24 个字符", "E9512")
        must(form["applySource"] == "0", "本沙箱只提供销方申请")
        must(form["redReason"] in REASONS, "redReason 无效")
        self._begin(form, self._blue(form))
        return str(form["billId"])

    def query(self, given: Record) -> Record:
        """queryInvoiceRedConfirm."""
        self._must_be_seller(given)
        names = [name for name in NAMES if given.get(name)]
        must(bool(names) or bool(given.get("billTimeStart") and given.get("billTimeEnd")), "单号与时间段不能同时为空")
        page, size = _natural(given, "pageNo", 1), _natural(given, "pageSize", PAGE)
        must(page > 0 and 0 < size <= MAX_PAGE, "pageSize 不能超过 50")
        by = {NAMES[names[0]]: str(given[names[0]])} if names else {}
        rows = [self._shown(one) for one in self._bureau.forms(**by)]
        if names:
            rows = [row for row in rows if row[names[0]] == given[names[0]]]
        else:
            rows = [row for row in rows if given["billTimeStart"] <= row["billTime"] <= given["billTimeEnd"]]
        rows = [row for row in rows if row["billStatus"] == given.get("billStatus", row["billStatus"])]
        return {"total": len(rows), "list": rows[(page - 1) * size : page * size]}

    def refresh(self, given: Record) -> str:
        """refreshInvoiceRedConfirm: the platform asks the bureau; here it always knows."""
        self._must_be_seller(given)
        named = bool(given.get("billUuid") or (given.get("startTime") and given.get("endTime")))
        must(named, "billUuid 与时间段不能同时为空")
        return "刷新中"

    def confirm(self, given: Record) -> str:
        """confirm."""
        self._must_be_seller(given)
        must(given.get("confirmAgreement") in ("0", "1"), "confirmAgreement 无效: 0 拒绝, 1 同意")
        row = self._of(given)
        return self._told(lambda: self._bureau.answer(row["form_no"], "seller", given["confirmAgreement"] == "1"))

    def cancel(self, given: Record) -> str:
        """confirmInfoCancel."""
        self._must_be_seller(given)
        row = self._of({"billId": given.get("billId")})
        return self._told(lambda: self._bureau.withdraw(row["form_no"], "seller"))

    def _must_be_seller(self, given: Record) -> None:
        must(given.get("identity") in SIDES, "identity 必填: 0 销方, 1 购方")
        must(given["identity"] == "0", "该企业不是这些确认单的购方")

    def _of(self, given: Record) -> Record:
        """The form that a call names, by the first of billId, billNo and billUuid that is there."""
        names = [name for name in NAMES if given.get(name)]
        must(bool(names), "billId, billNo 与 billUuid 不能同时为空", "E9611")
        found = self._bureau.forms(**{NAMES[names[0]]: str(given[names[0]])})
        must(bool(found), "未查询到红字信息确认单", "E9500")
        return found[0]

    def _told(self, call: Callable[[], Record]) -> str:
        try:
            row = call()
        except tax.Refused as refused:
            raise Refused(CODES.get(refused.reason, "E9301"), refused.text) from None
        return str(row["application_no"])

    def _begin(self, form: Record, blue: Record | None) -> None:
        detail = form.get("detail") or []
        must(form["redReason"] != "2" or not detail, "开票有误只能全额红冲")
        number = str(form.get("blueElecInvoiceNumber") or form.get("blueInvoiceNumber") or "")
        lines = tuple(_partial(row, blue, f"第 {place} 行") for place, row in enumerate(detail, 1))
        begun = RedForm(form["billId"], number, "seller", REASONS[form["redReason"]], lines, {"form": form})
        self._told(lambda: self._bureau.begin(begun))

    def _blue(self, form: Record) -> Record | None:
        """The blue invoice that a form names, compared with it; None where the bureau will say what is wrong."""
        number = str(form.get("blueElecInvoiceNumber") or form.get("blueInvoiceNumber") or "")
        blue = self._bureau.by_number(number)
        if blue is None or blue["colour"] == "red":
            return None
        must(form["sellerTaxNo"] == blue["seller"]["tax_no"], "sellerTaxNo 与蓝票不一致")
        must(form["buyerName"] == blue["buyer"]["name"], "buyerName 与蓝票不一致")
        must(form.get("buyerTaxNo", "") == blue["buyer"]["tax_no"], "buyerTaxNo 与蓝票不一致")
        must(form["blueInvoiceLine"] == LINES[blue["kind"]], "blueInvoiceLine 与蓝票不一致")
        return blue

    def _shown(self, row: Record) -> Record:
        blue = self._bureau.by_number(row["blue_number"]) or {}
        red_number = row["red_number"]
        return {
            "billNo": row["form_no"],
            "billUuid": row["uuid"],
            "billId": row["application_no"] if row["initiator"] == "seller" else "",
            "billStatus": row["state"],
            "billMessage": "",
            "requestStatus": "1",
            "openStatus": "1" if red_number else "0",
            "applySource": "0" if row["initiator"] == "seller" else "1",
            "blueInvoiceLine": LINES[blue["kind"]],
            "blueInvoiceNumber": row["blue_number"],
            "blueElecInvoiceNumber": row["blue_number"],
            "billTime": _moment(row["began"]),
            "confirmTime": _moment(row["confirmed"]),
            "sellerTaxNo": blue["seller"]["tax_no"],
            "sellerName": blue["seller"]["name"],
            "buyerTaxNo": blue["buyer"]["tax_no"],
            "buyerName": blue["buyer"]["name"],
            "taxExcludedAmount": row["net"],
            "taxAmount": row["tax"],
            "redReason": next(code for code, reason in REASONS.items() if reason == row["reason"]),
            "pdfUrl": self._billing.files(red_number)["pdfUrl"] if red_number else "",
            "invoiceSerialNum": row["red_serial"] if red_number else "",
            "redInvoiceNumber": red_number,
        }


def _moment(milliseconds: int) -> str:
    if not milliseconds:
        return ""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone(CHINA):%Y-%m-%d %H:%M:%S}"


def _natural(given: Record, name: str, otherwise: int) -> int:
    text = str(given.get(name) or otherwise)
    must(text.isdigit(), f"{name} 不是数字")
    return int(text)


def _partial(row: Record, blue: Record | None, where: str) -> RedLine:
    fields(row, LINE_REQUIRED, {"goodsName": 90, "num": 16, "taxExcludedPrice": 16, "unit": 20}, where)
    must(row["blueDetailIndex"].isdigit(), f"{where} blueDetailIndex 不是数字")
    index = int(row["blueDetailIndex"])
    if blue:
        must(0 < index <= len(blue["lines"]), f"{where} 不对应蓝票明细")
        own = blue["lines"][index - 1]
        must(own["nature"] != "discount", f"{where} 请填写被折扣行的序号")
        same = row["goodsName"] == own["name"] and row["goodsCode"] == own["tax_class_code"]
        must(same, f"{where} 商品与蓝票不一致")
        must(rate(row) == Decimal(own["rate"]), f"{where} 税率与蓝票不一致")
    num, price = row.get("num", ""), row.get("taxExcludedPrice", "")
    must(num[:1] in ("", "-") and price[:1] != "-", f"{where} 数量应为负数, 单价应为正数")
    net = money(row, "taxExcludedAmount")
    check_quantity(num, price, where)
    must(not num or abs(Decimal(num) * Decimal(price) - net) <= Decimal("0.01"), f"{where} 单价×数量 与金额不符")
    return RedLine(index, net, money(row, "taxAmount"), Decimal(num) if num else None)


__all__ = ["RedForms"]
