"""Red confirmation forms (红字信息确认单): one open form per blue invoice, reds never above their blue.

Source: 国家税务总局公告 2024 年第 11 号; 诺税通 SaaS saveInvoiceRedConfirm, queryInvoiceRedConfirm (open.nuonuo.com).
The buyers here have neither confirmed use nor booked, so a form needs no confirmation (state 01) and the red invoice
is issued by the platform after the seller's `issue_seconds`. 开票有误 reverses the whole invoice only.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

from sandbox.nuonuo_billing import CHINA, Billing
from sandbox.nuonuo_rules import Record, Refused, check_arithmetic, check_quantity, fields, money, must, rate
from sandbox.store import Store

REQUIRED = ("billId", "blueInvoiceLine", "applySource", "sellerTaxNo", "buyerName", "redReason")
LENGTHS = {"billId": 32, "blueElecInvoiceNumber": 20, "blueInvoiceNumber": 20, "orderNo": 32, "email": 50}
LINE_REQUIRED = ("blueDetailIndex", "goodsName", "goodsCode", "taxExcludedAmount", "taxAmount", "taxRate")
BILL_ID = 24
WRONG_INVOICE = "2"
NO_CONFIRMATION_NEEDED = "01"
PAGE, MAX_PAGE = 10, 50


class RedForms:
    """The forms of the seller."""

    def __init__(self, store: Store, billing: Billing) -> None:
        self._store = store
        self._billing = billing

    def save(self, form: Record) -> str:
        """saveInvoiceRedConfirm."""
        fields(form, REQUIRED, LENGTHS, "确认单")
        must(len(form["billId"]) <= BILL_ID, "billId 超过 24 个字符", "E9512")
        if self._store.get("red_form", form["billId"]):
            raise Refused("E9106", f"申请单号 {form['billId']} 已存在")
        blue = self._blue(form)
        earlier = [one for one in self._store.all("red_form") if one["blue"] == blue["invoiceNo"]]
        if any(not self._is_issued(one) for one in earlier):
            raise Refused("E9103", "该发票存在未完成的红字信息确认单")
        lines = _lines(form, blue)
        _check_rest(blue, lines, earlier)
        net, tax = (sum((line[name] for line in lines), Decimal(0)) for name in ("net", "tax"))
        self._keep(form, blue, lines, (net, tax))
        self._billing.give_back(blue, net)
        return str(form["billId"])

    def query(self, given: Record) -> Record:
        """queryInvoiceRedConfirm."""
        must(given.get("identity") in ("0", "1"), "identity 必填: 0 销方, 1 购方")
        names = [name for name in ("billId", "billNo", "billUuid") if given.get(name)]
        must(bool(names) or bool(given.get("billTimeStart") and given.get("billTimeEnd")), "单号与时间段不能同时为空")
        page, size = _natural(given, "pageNo", 1), _natural(given, "pageSize", PAGE)
        must(page > 0 and 0 < size <= MAX_PAGE, "pageSize 不能超过 50")
        rows = [self._shown(one) for one in self._candidates(given, names) if given["identity"] == "0"]
        return {"total": len(rows), "list": rows[(page - 1) * size : page * size]}

    def _candidates(self, given: Record, names: list[str]) -> list[Record]:
        if "billId" in names:
            held = self._store.get("red_form", str(given["billId"]))
            return [held] if held else []
        rows = self._store.all("red_form")
        if names:
            return [row for row in rows if row[names[0]] == given[names[0]]]
        return [row for row in rows if given["billTimeStart"] <= row["billTime"] <= given["billTimeEnd"]]

    def _blue(self, form: Record) -> Record:
        number = str(form.get("blueElecInvoiceNumber") or form.get("blueInvoiceNumber") or "")
        if any(one["redNumber"] == number for one in self._store.all("red_form")):
            raise Refused("E9522", "该发票为红字发票, 不能红冲")
        blue = self._billing.issued(number)
        if blue is None:
            raise Refused("E9500", f"未找到蓝票 {number}")
        order = blue["order"]
        must(form["applySource"] == "0", "本沙箱只提供销方申请")
        must(form["sellerTaxNo"] == order["salerTaxNum"], "sellerTaxNo 与蓝票不一致")
        must(form["buyerName"] == order["buyerName"], "buyerName 与蓝票不一致")
        must(form.get("buyerTaxNo", "") == order.get("buyerTaxNum", ""), "buyerTaxNo 与蓝票不一致")
        must(form["blueInvoiceLine"] == order["invoiceLine"], "blueInvoiceLine 与蓝票不一致")
        must(form["redReason"] in ("1", "2", "3", "4"), "redReason 无效")
        must(form["redReason"] != WRONG_INVOICE or not form.get("detail"), "开票有误只能全额红冲")
        return blue

    def _is_issued(self, row: Record) -> bool:
        return self._billing.age(row["submitted"]) >= 1

    def _keep(self, form: Record, blue: Record, lines: list[Record], totals: tuple[Decimal, Decimal]) -> None:
        row = {
            "billId": form["billId"],
            "billNo": f"{blue['invoiceNo'][:2]}993{self._store.next('bill_no'):015d}",
            "billUuid": hashlib.sha256(form["billId"].encode()).hexdigest()[:32],
            "billTime": f"{self._billing_time():%Y-%m-%d %H:%M:%S}",
            "submitted": self._billing.milliseconds(),
            "blue": blue["invoiceNo"],
            "lines": [{name: str(value) for name, value in line.items()} for line in lines],
            "net": str(totals[0]),
            "tax": str(totals[1]),
            "redNumber": self._billing.new_number(),
            "redSerial": self._billing.new_serial(),
            "form": form,
        }
        self._store.put("red_form", form["billId"], row)

    def _billing_time(self) -> Any:
        return self._billing.now().astimezone(CHINA)

    def _shown(self, row: Record) -> Record:
        form, is_issued = row["form"], self._is_issued(row)
        return {
            "billNo": row["billNo"],
            "billUuid": row["billUuid"],
            "billId": row["billId"],
            "billStatus": NO_CONFIRMATION_NEEDED,
            "billMessage": "",
            "requestStatus": "1",
            "openStatus": "1" if is_issued else "0",
            "applySource": form["applySource"],
            "blueInvoiceLine": form["blueInvoiceLine"],
            "blueInvoiceNumber": row["blue"],
            "blueElecInvoiceNumber": row["blue"],
            "billTime": row["billTime"],
            "confirmTime": "",
            "sellerTaxNo": form["sellerTaxNo"],
            "sellerName": self._billing.config["seller_name"],
            "buyerTaxNo": form.get("buyerTaxNo", ""),
            "buyerName": form["buyerName"],
            "taxExcludedAmount": row["net"],
            "taxAmount": row["tax"],
            "redReason": form["redReason"],
            "pdfUrl": "",
            "invoiceSerialNum": row["redSerial"] if is_issued else "",
            "redInvoiceNumber": row["redNumber"] if is_issued else "",
        }


def _natural(given: Record, name: str, otherwise: int) -> int:
    text = str(given.get(name) or otherwise)
    must(text.isdigit(), f"{name} 不是数字")
    return int(text)


def _lines(form: Record, blue: Record) -> list[Record]:
    """What the form takes back: its own lines, or the whole blue. Amounts and quantities negative."""
    blues = blue["order"]["invoiceDetail"]
    if not form.get("detail"):
        return [_whole(index, line) for index, line in enumerate(blues, 1)]
    lines = [_partial(row, blues, f"第 {place} 行") for place, row in enumerate(form["detail"], 1)]
    must(len({line["index"] for line in lines}) == len(lines), "blueDetailIndex 重复")
    return lines


def _whole(index: int, line: Record) -> Record:
    net, tax = Decimal(line["taxExcludedAmount"]), Decimal(line["tax"])
    return {"index": index, "net": -net, "tax": -tax, "num": -Decimal(line.get("num") or 0)}


def _partial(row: Record, blues: list[Record], where: str) -> Record:
    fields(row, LINE_REQUIRED, {"goodsName": 90, "num": 16, "taxExcludedPrice": 16, "unit": 20}, where)
    must(row["blueDetailIndex"].isdigit() and 0 < int(row["blueDetailIndex"]) <= len(blues), f"{where} 不对应蓝票明细")
    index = int(row["blueDetailIndex"])
    blue = blues[index - 1]
    must(blue.get("invoiceLineProperty") != "1", f"{where} 请填写被折扣行的序号")
    must(row["goodsName"] == blue["goodsName"] and row["goodsCode"] == blue["goodsCode"], f"{where} 商品与蓝票不一致")
    must(rate(row) == rate(blue), f"{where} 税率与蓝票不一致")
    net, tax = money(row, "taxExcludedAmount"), money(row, "taxAmount")
    must(net < 0 and tax <= 0, f"{where} 红字金额必须为负数")
    check_arithmetic(net, tax, rate(row), where)
    num, price = row.get("num", ""), row.get("taxExcludedPrice", "")
    must(num[:1] in ("", "-") and price[:1] != "-", f"{where} 数量应为负数, 单价应为正数")
    check_quantity(num, price, net, where)
    return {"index": index, "net": net, "tax": tax, "num": Decimal(num or 0)}


def _check_rest(blue: Record, lines: list[Record], earlier: list[Record]) -> None:
    """No line may be taken back beyond its blue, neither in money nor in pieces.

    Money is compared with tax included: the split of several part amounts may differ by a cent from the whole's.
    """
    before = [line for one in earlier for line in one["lines"]]
    for index, own in enumerate(blue["order"]["invoiceDetail"], 1):
        taken = [line for line in (*before, *lines) if int(line["index"]) == index]
        gross = sum((Decimal(line["net"]) + Decimal(line["tax"]) for line in taken), Decimal(0))
        pieces = sum((Decimal(line["num"]) for line in taken), Decimal(0))
        enough = abs(gross) <= abs(Decimal(own["taxIncludedAmount"])) and -pieces <= Decimal(own.get("num") or 0)
        must(enough, f"第 {index} 行红冲超过蓝票剩余金额或数量, 不能再红冲", "E9103")


__all__ = ["RedForms"]
