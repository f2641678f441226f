"""Blue invoices: taken once, issued while time passes, within the month's credit line (授信额度).

Source: 诺税通 SaaS requestBillingNew, queryInvoiceResult, getCreditLine (open.nuonuo.com). A request that cannot be
issued (credit line used up, buyer unknown to the bureau) is still taken; its failure shows only in the query. The
credit line counts amounts without tax; a red invoice of the same month gives its amount back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from sandbox.nuonuo_rules import FIELD, Record, Refused, check_lines, check_order, is_known, must
from sandbox.store import Store

CHINA = timezone(timedelta(hours=8))
NUMBERS_A_CALL = 50
SIGNING_AFTER = Decimal("0.6")
KINDS = {"pc": "电子发票(普通发票)", "bs": "电子发票(增值税专用发票)"}
MESSAGES = {"20": "开票中", "21": "开票成功签章中", "2": "开票完成", "22": "开票失败"}
NO_CREDIT = "开票预扣授信额度失败，授信额度不足，剩余可用额度：{left}"
UNKNOWN_BUYER = "购方税号校验不通过，未查询到该纳税人信息"


class Billing:
    """The blue invoices of the seller. Everything is computed from the kept time of submission (epoch ms)."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self.now = now
        self._by_serial = {row["serialNo"]: row for row in store.all("invoice")}
        self._by_number = {row["invoiceNo"]: row for row in store.all("invoice") if row["invoiceNo"]}

    @property
    def config(self) -> Record:
        """The seller's settings."""
        return self._store.get("config", "config") or {}

    def milliseconds(self) -> int:
        """Now, in epoch ms."""
        return int(self.now().timestamp() * 1000)

    def age(self, submitted: int) -> Decimal:
        """How far a submission is: 0 when it was made, 1 or more when it is through."""
        whole = self.config["issue_seconds"] * 1000
        return (self.milliseconds() - submitted) / whole if whole else Decimal(1)

    def month(self) -> str:
        """The month the credit line is for, as yyyymm."""
        return f"{self.now().astimezone(CHINA):%Y%m}"

    def new_number(self) -> str:
        """A 20-digit invoice number of the area 99."""
        return f"{self.now().astimezone(CHINA):%y}992{self._store.next('invoice_number'):015d}"

    def new_serial(self) -> str:
        """A 20-digit serial number."""
        return f"{self.now().astimezone(CHINA):%y%m%d%H%M%S}{self._store.next('serial'):08d}"

    def submit(self, given: Record) -> Record:
        """requestBillingNew."""
        order = given.get("order")
        if not isinstance(order, dict):
            raise Refused(FIELD, "缺少 order")
        check_order(order, self.config["tax_no"])
        net, tax = check_lines(order.get("invoiceDetail"))
        if self._store.get("invoice", order["orderNo"]):
            raise Refused("E9106", f"订单编号 {order['orderNo']} 已存在")
        cause = self._reserve(order, net)
        row = {
            "orderNo": order["orderNo"],
            "serialNo": self.new_serial(),
            "invoiceNo": "" if cause else self.new_number(),
            "submitted": self.milliseconds(),
            "month": self.month(),
            "cause": cause,
            "net": str(net),
            "tax": str(tax),
            "order": order,
        }
        self._keep(row)
        return {"invoiceSerialNum": row["serialNo"]}

    def query(self, given: Record) -> list[Record]:
        """queryInvoiceResult."""
        serials, numbers = given.get("serialNos") or [], given.get("orderNos") or []
        must(bool(serials or numbers), "serialNos 与 orderNos 不能同时为空", "E9611")
        must(all(isinstance(one, list) and len(one) <= NUMBERS_A_CALL for one in (serials, numbers)), "最多 50 个单号")
        details = given.get("isOfferInvoiceDetail", "0")
        must(details in ("0", "1"), "isOfferInvoiceDetail 无效")
        rows = map(self._by_serial.get, serials) if serials else (self._store.get("invoice", one) for one in numbers)
        shown = [self._shown(row) for row in rows if row]
        must(bool(shown), "未查询到发票", "E9500")
        if details == "0":
            for row in shown:
                del row["invoiceItems"]
        return shown

    def credit(self, given: Record) -> Record:
        """getCreditLine, read."""
        must(given.get("queryType") in ("0", "1"), "queryType 无效")
        total, used = Decimal(self.config["credit_line"]), self._used()
        return {
            "requestStatus": "1",
            "totalCreditLine": str(total),
            "usedCreditLine": str(used),
            "availableCreditLine": str(total - used),
            "amountUpdateTime": f"{self.now().astimezone(CHINA):%Y-%m-%d %H:%M:%S}",
        }

    def give_back(self, blue: Record, net: Decimal) -> None:
        """A red of the same month returns its amount without tax (net is negative)."""
        if blue["month"] == self.month():
            self._store.put("credit", self.month(), {"used": str(self._used() + net)})

    def issued(self, number: str) -> Record | None:
        """The kept row of an issued blue invoice."""
        row = self._by_number.get(number)
        return row if row and self.status(row) in ("21", "2") else None

    def status(self, row: Record) -> str:
        """20 issuing, 21 being signed, 2 issued, 22 failed."""
        age = self.age(row["submitted"])
        if age >= 1:
            return "22" if row["cause"] else "2"
        return "21" if age >= SIGNING_AFTER and not row["cause"] else "20"

    def _used(self) -> Decimal:
        return Decimal((self._store.get("credit", self.month()) or {"used": "0.00"})["used"])

    def _reserve(self, order: Record, net: Decimal) -> str:
        """Take the amount off the month's credit line; why the request will fail, or nothing."""
        tax_no = order.get("buyerTaxNum", "")
        if order.get("taxNumVerifyFlag") == "1" and tax_no and not is_known(tax_no):
            return UNKNOWN_BUYER
        left = Decimal(self.config["credit_line"]) - self._used()
        if net > left:
            return NO_CREDIT.format(left=left)
        self._store.put("credit", self.month(), {"used": str(self._used() + net)})
        return ""

    def _keep(self, row: Record) -> None:
        self._store.put("invoice", row["orderNo"], row)
        self._by_serial[row["serialNo"]] = row
        if row["invoiceNo"]:
            self._by_number[row["invoiceNo"]] = row

    def _shown(self, row: Record) -> Record:
        order, status = row["order"], self.status(row)
        has_number = status in ("21", "2")
        number = row["invoiceNo"] if has_number else ""
        through = row["submitted"] + int(self.config["issue_seconds"] * 1000)
        return {
            "serialNo": row["serialNo"],
            "orderNo": row["orderNo"],
            "status": status,
            "statusMsg": MESSAGES[status],
            "failCause": row["cause"] if status == "22" else "",
            "pdfUrl": "",
            "ofdUrl": "",
            "xmlUrl": "",
            "pictureUrl": "",
            "invoiceTime": through if has_number else None,
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
            "remark": order.get("remark", ""),
            "invoiceType": "1",
            "emailNotifyStatus": "0",
            "phoneNotifyStatus": "0",
            "invoiceItems": [_item(line) for line in order["invoiceDetail"]],
        }


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


__all__ = ["CHINA", "FIELD", "KINDS", "Billing", "Refused"]
