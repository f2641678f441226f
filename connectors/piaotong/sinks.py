"""Writing to 票通: invoiceBlue for requests, invoiceRed for whole reds. A serial is taken once, so no try doubles
anything.

A payload is {"key", "net", "tax", "gross", "content"}: our number, the amounts, the content of the call. What was sent
is remembered, because the platform tells amounts, buyer and lines only once an invoice is issued.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import ClassVar

from connectors.piaotong.client import Client
from duijie.codec import Record
from duijie.connect.errors import DuijieError, OutcomeUnknown, VendorRejected
from duijie.connect.invoicing import marks
from duijie.connect.memory import Memory
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side

ISSUED = "0000"
DISCOUNT, DISCOUNTED = "1", "2"


class SerialSink:
    """One call per payload under a serial made of our number. `result`: what the platform has under a number."""

    name: str
    entity: str
    safety = Safety.NATURAL_KEY
    batch = 50
    method: ClassVar[str]

    def __init__(self, client: Client, memory: Memory, result: Callable[[str], Record | None]) -> None:
        self._client = client
        self._memory = memory
        self._result = result

    def key_of(self, payload: Record) -> str:
        """Our number."""
        return str(payload["key"])

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan."""
        return {"gross": Decimal(payload["gross"]), "tax": Decimal(payload["tax"])}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """Nothing beside the figures."""
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Invoices by our numbers, in whatever state. Raises errors of the tree."""
        rows = zip(keys, side_by_side(self._result, list(keys)), strict=True)
        return {key: self._found(row) for key, row in rows if row is not None}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One call per payload, in order."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._once, payload)), payloads)

    def _once(self, payload: Record) -> Done:
        key = self.key_of(payload)
        self._must_be_possible(payload)
        self._memory.begin(key, payload)
        content = {**payload["content"], "invoiceReqSerialNo": self._client.serial(key)}
        try:
            told = self._client.call(self.method, {name: value for name, value in content.items() if value != ""})
        except OutcomeUnknown:
            self._memory.ended(key, "doubt")
            raise
        except DuijieError:
            self._memory.ended(key, "refused")
            raise
        self._memory.answered(key, {"serial": content["invoiceReqSerialNo"]})
        return Done(str(content["invoiceReqSerialNo"]), "", {"invoiceReqSerialNo": told.get("invoiceReqSerialNo", "")})

    def _must_be_possible(self, payload: Record) -> None:
        """Raises VendorRejected for what the platform has no field for."""

    def _found(self, row: Record) -> Found:
        serial, sent = str(row["invoiceReqSerialNo"]), row["sent"]
        if row.get("code") != ISSUED:
            return Found(serial, "", {name: Decimal(sent[name]) for name in ("gross", "tax")}, row)
        net, tax = self._signed(row["noTaxAmount"]), self._signed(row["taxAmount"])
        number = str(row.get("allEleInvNo") or row.get("invoiceNo") or "")
        return Found(serial, number, {"gross": net + tax, "tax": tax}, row, self._marks(row))

    def _signed(self, amount: object) -> Decimal:
        return Decimal(str(amount))

    def _marks(self, row: Record) -> Mapping[str, str]:
        return {}


class RequestSink(SerialSink):
    """invoiceBlue; the connection's drawer signs where it names one."""

    name, entity = "invoice_request", "invoice_request"
    method = "invoiceBlue"

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """Buyer and lines; a discount counts with its line, as the request has it."""
        content = payload["content"]
        lines = [
            (
                line["goodsName"],
                Decimal(line["invoiceAmount"]) + Decimal(line.get("discountAmount", "0")),
                Decimal(line["taxRateAmount"]) + Decimal(line.get("discountTaxRateAmount", "0")),
            )
            for line in content["itemList"]
        ]
        return marks(content["buyerName"], content.get("buyerTaxpayerNum", ""), lines)

    def _must_be_possible(self, payload: Record) -> None:
        if payload.get("special"):
            raise VendorRejected(
                f"票通没有公开特定业务 ({payload['special']}) 的完整字段, 未发送; 请在票通平台开具, 或改用其他平台",
                en=f"no fields are documented for the special business {payload['special']}; issue it elsewhere",
                code="piaotong:special",
                where=self.key_of(payload),
            )

    def _once(self, payload: Record) -> Done:
        content = {**payload["content"], "drawerName": self._client.drawer}
        return super()._once({**payload, "content": content})

    def _marks(self, row: Record) -> Mapping[str, str]:
        """As the platform tells them: it has made a line of its own of each discount."""
        lines: list[tuple[str, Decimal, Decimal]] = []
        for item in row.get("itemList") or []:
            net, tax = Decimal(str(item["itemAmount"])), Decimal(str(item["taxRateAmount"]))
            if str(item.get("itemProperty")) == DISCOUNT and lines:
                name, before_net, before_tax = lines.pop()
                lines.append((name, before_net + net, before_tax + tax))
            else:
                lines.append((str(item["goodsName"]), net, tax))
        return marks(str(row.get("buyerName") or ""), str(row.get("buyerTaxpayerNum") or ""), lines)


class RedSink(SerialSink):
    """invoiceRed: the whole of a blue invoice; the red invoice follows by itself."""

    name, entity = "red_request", "red_request"
    method = "invoiceRed"

    def _must_be_possible(self, payload: Record) -> None:
        if payload.get("lines"):
            raise VendorRejected(
                f"票通的数电红冲接口只支持整张红冲, {self.key_of(payload)} 只冲红部分明细, 未发送; "
                "请在票通平台或电子税务局办理部分红冲",
                en="the platform reverses whole invoices only; reverse part of one on its pages",
                code="piaotong:partial",
                where=self.key_of(payload),
            )

    def _signed(self, amount: object) -> Decimal:
        return -abs(Decimal(str(amount)))
