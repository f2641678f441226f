"""Blue invoices as 诺税通 SaaS takes and shows them; the bureau (sandbox/bureau.py) numbers them.

Source: requestBillingNew, queryInvoiceResult, reInvoice, getCreditLine, deliveryInvoice (open.nuonuo.com). A request
that cannot be issued (credit line, login, buyer unknown to the bureau) is still taken; its failure shows only in the
query, and reInvoice begins again under the same number, at most 20 times a day. What is asked of the bureau itself
(a refresh) is limited to once in 30 seconds and 20 times a day.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta, timezone
from decimal import Decimal

from sandbox import bureau as tax
from sandbox.bureau import Blue, Bureau, Line, Party
from sandbox.nuonuo_rules import FIELD, Record, Refused, check_lines, check_order, money, must, rate
from sandbox.nuonuo_special import check_special
from sandbox.store import Store

CHINA = timezone(timedelta(hours=8))
NUMBERS_A_CALL = 50
A_DAY = 20
PAUSE = 30
NUMBER = re.compile(r"\d{20}")
KINDS = {"pc": "电子发票(普通发票)", "bs": "电子发票(增值税专用发票)"}
CANONICAL = {"pc": "normal", "bs": "special"}
NATURES = {"0": "normal", "1": "discount", "2": "discounted"}
STATUS = {"issuing": "20", "signing": "21", "issued": "2", "failed": "22"}
MESSAGES = {"20": "开票中", "21": "开票成功签章中", "2": "开票完成", "22": "开票失败"}
CODES = {"duplicate": "E9106", "buyer": "E9529", "not_found": "E9500"}
REFRESHED = "刷新过于频繁, 请稍后再试"

FilesOf = Callable[[str], Record]  # invoice number → pdfUrl, ofdUrl, xmlUrl


class Billing:
    """The blue invoices of the seller."""

    def __init__(self, store: Store, bureau: Bureau, files: FilesOf) -> None:
        self._store = store
        self._bureau = bureau
        self.files = files
        self._by_serial = {row["extra"]["serialNo"]: row["serial"] for row in bureau.blues()}

    @property
    def config(self) -> Record:
        """The seller's settings."""
        return self._store.get("config", "config") or {}

    def submit(self, given: Record) -> Record:
        """requestBillingNew."""
        order = given.get("order")
        if not isinstance(order, dict):
            raise Refused(FIELD, "缺少 order")
        check_order(order, self.config["tax_no"])
        check_lines(order.get("invoiceDetail"))
        check_special(order)
        serial = f"{self._bureau.now().astimezone(CHINA):%y%m%d%H%M%S}{self._store.next('serial'):08d}"
        try:
            self._bureau.submit(self._blue(order, serial))
        except tax.Refused as refused:
            raise Refused(CODES.get(refused.reason, FIELD), refused.text) from None
        self._by_serial[serial] = order["orderNo"]
        return {"invoiceSerialNum": serial}

    def query(self, given: Record) -> list[Record]:
        """queryInvoiceResult."""
        serials, numbers = given.get("serialNos") or [], given.get("orderNos") or []
        must(bool(serials or numbers), "serialNos 与 orderNos 不能同时为空", "E9611")
        must(all(isinstance(one, list) and len(one) <= NUMBERS_A_CALL for one in (serials, numbers)), "最多 50 个单号")
        details = given.get("isOfferInvoiceDetail", "0")
        must(details in ("0", "1"), "isOfferInvoiceDetail 无效")
        rows = [self._of_serial(one) for one in serials] if serials else [self._bureau.blue(one) for one in numbers]
        shown = [self._shown(row) for row in rows if row]
        must(bool(shown), "未查询到发票", "E9500")
        if details == "0":
            for row in shown:
                del row["invoiceItems"]
        return shown

    def retry(self, given: Record) -> str:
        """reInvoice."""
        number = given.get("orderno") or self._by_serial.get(str(given.get("fpqqlsh")), "")
        row = self._bureau.blue(str(number))
        if row is None:
            raise Refused("E9500", "未查询到发票")
        state = self._bureau.status(row)
        if state != "failed":
            return "发票已生成，无需再重试开票" if state == "issued" else "开票中（重试中），请耐心等待开票结果"
        must(self._times("reInvoice", row["serial"]) < A_DAY, "重试次数超过 20 次/天", "E9613")
        self._note("reInvoice", row["serial"])
        self._bureau.retry(row["serial"])
        return "开票中（重试中），请耐心等待开票结果"

    def credit(self, given: Record) -> Record:
        """getCreditLine, refreshed or read."""
        must(given.get("queryType") in ("0", "1"), "queryType 无效")
        if given["queryType"] == "0":
            self.ask_bureau("getCreditLine", PAUSE)
        total, used = self._bureau.credit()
        return {
            "requestStatus": "1",
            "totalCreditLine": str(total),
            "usedCreditLine": str(used),
            "availableCreditLine": str(total - used),
            "amountUpdateTime": f"{self._bureau.now().astimezone(CHINA):%Y-%m-%d %H:%M:%S}",
        }

    def deliver(self, given: Record) -> Record:
        """deliveryInvoice: kept in the collection `delivered`."""
        number = str(given.get("invoiceNum", ""))
        must(given.get("taxnum") == self.config["tax_no"], "taxnum 与授权的税号不一致")
        must(bool(NUMBER.fullmatch(number)) and not given.get("invoiceCode"), "数电票只填 20 位 invoiceNum")
        must(bool(given.get("mail") or given.get("phone")), "phone 与 mail 不能同时为空")
        row = self._bureau.by_number(number)
        must(row is not None, "未查询到发票", "E9500")
        self._store.put("delivered", str(self._store.next("delivered")), dict(given))
        return {"invoiceNum": number}

    def ask_bureau(self, method: str, pause: int) -> None:
        """Count a refresh. Raises Refused where it comes too often."""
        last = (self._store.get("refreshed", method) or {"at": 0})["at"]
        now = self._bureau.milliseconds()
        must(now - last >= pause * 1000, REFRESHED, "E9301")
        must(self._times(method, "") < A_DAY, "当日刷新次数已达 20 次", "E9301")
        self._note(method, "")
        self._store.put("refreshed", method, {"at": now})

    def _of_serial(self, serial: str) -> Record | None:
        """The blue or red row under the platform's own serial number."""
        return self._bureau.blue(self._by_serial.get(serial, "")) or self._bureau.red(serial)

    def _times(self, what: str, of: str) -> int:
        return int((self._store.get("times", self._day(what, of)) or {"times": 0})["times"])

    def _note(self, what: str, of: str) -> None:
        self._store.put("times", self._day(what, of), {"times": self._times(what, of) + 1})

    def _day(self, what: str, of: str) -> str:
        return f"{what}:{of}:{self._bureau.now().astimezone(CHINA):%Y%m%d}"

    def _blue(self, order: Record, serial: str) -> Blue:
        config = self.config
        bank = order.get("salerAccount", "")
        buyer = {"address": order.get("buyerAddress", ""), "phone": order.get("buyerTel", "")}
        return Blue(
            order["orderNo"],
            CANONICAL[order["invoiceLine"]],
            Party(config["seller_name"], order["salerTaxNum"], order.get("salerAddress", ""), bank=bank),
            Party(order["buyerName"], order.get("buyerTaxNum", ""), **buyer, bank=order.get("buyerAccount", "")),
            tuple(_line(line) for line in order["invoiceDetail"]),
            remark=order.get("remark", ""),
            drawer=order["clerk"],
            extra={"serialNo": serial, "order": order},
            verifies_buyer=order.get("taxNumVerifyFlag") == "1",
        )

    def _shown(self, row: Record) -> Record:
        order, status = row["extra"]["order"], STATUS[self._bureau.status(row)]
        number = row["number"]
        is_red = row["colour"] == "red"
        through = row["submitted"] + int(Decimal(self._bureau.config["issue_seconds"]) * 1000)
        files = self.files(number) if status == "2" else {"pdfUrl": "", "ofdUrl": "", "xmlUrl": ""}
        return {
            "serialNo": row["serial"] if is_red else row["extra"]["serialNo"],
            "orderNo": "" if is_red else row["serial"],
            "status": status,
            "statusMsg": MESSAGES[status],
            "failCause": row["text"] if status == "22" else "",
            **files,
            "pictureUrl": "",
            "invoiceTime": through if number else None,
            "invoiceCode": "",
            "invoiceNo": number,
            "allElectronicInvoiceNumber": number,
            "exTaxAmount": row["net"],
            "taxAmount": row["tax"],
            "orderAmount": str(Decimal(row["net"]) + Decimal(row["tax"])),
            "payerName": order["buyerName"],
            "payerTaxNo": order.get("buyerTaxNum", ""),
            "invoiceKind": KINDS[order["invoiceLine"]],
            "clerk": order["clerk"],
            "salerTaxNum": order["salerTaxNum"],
            "saleName": self.config["seller_name"],
            "remark": row["remark"],
            "invoiceType": "2" if is_red else "1",
            "oldEleInvoiceNumber": row["blue_number"] if is_red else "",
            "specificFactor": order.get("specificFactor", "0"),
            "emailNotifyStatus": "0",
            "phoneNotifyStatus": "0",
            "invoiceItems": list(map(_red_item, row["lines"]) if is_red else map(_item, order["invoiceDetail"])),
        }


def _line(line: Record) -> Line:
    return Line(
        line["goodsName"],
        line["goodsCode"],
        rate(line),
        money(line, "taxExcludedAmount"),
        money(line, "tax"),
        line.get("specType", ""),
        line.get("unit", ""),
        Decimal(line["num"]) if line.get("num") else None,
        Decimal(line["price"]) if line.get("price") else None,
        line.get("favouredPolicyFlag", ""),
        NATURES[line.get("invoiceLineProperty") or "0"],
    )


def _item(line: Record) -> Record:
    return {
        "itemName": line["goodsName"],
        "itemUnit": line.get("unit", ""),
        "itemPrice": line.get("price", ""),
        "itemTaxRate": line["taxRate"],
        "itemNum": line.get("num", ""),
        "itemAmount": line["taxExcludedAmount"],
        "itemTaxAmount": line["tax"],
        "itemSpec": line.get("specType", ""),
        "itemCode": line["goodsCode"],
        "itemSelfCode": line.get("selfCode", ""),
        "isIncludeTax": "true" if line["withTaxFlag"] == "1" else "false",
        "invoiceLineProperty": line.get("invoiceLineProperty", "0"),
    }


def _red_item(line: Record) -> Record:
    return {
        "itemName": line["name"],
        "itemUnit": line["unit"],
        "itemPrice": line["price"],
        "itemTaxRate": line["rate"],
        "itemNum": line["qty"],
        "itemAmount": line["net"],
        "itemTaxAmount": line["tax"],
        "itemSpec": line["spec"],
        "itemCode": line["tax_class_code"],
        "itemSelfCode": "",
        "isIncludeTax": "false",
        "invoiceLineProperty": "0",
    }


__all__ = ["CHINA", "FIELD", "KINDS", "Billing", "Refused"]
