"""Streams, sinks and what else 票通 offers: requests and whole reds by serial, results, files, sending again.

Methods: invoiceBlue, invoiceRed, queryInvoiceInfo, getEnterpriseInfo, resendEmailOrSMS (票通电子发票开票接口文档
v3.5.1); for 数电票 also invoiceIssueKindCode, allEleInvNo, blueAllEleInvNo and getAllEleInvFile, as clients in public
repositories use them. A serial is taken once (8021, 8040).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from connectors.piaotong.client import Client
from connectors.piaotong.sinks import RedSink, RequestSink
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost, ConfigError, VendorRejected
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login, not_offered
from duijie.connect.memory import Memory
from duijie.connect.protocol import Page, Sink, Stream, Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

PLATFORM = "票通"
OK = "0000"
NOT_FOUND = "piaotong:8003"
ITEM_AMOUNTS = ("itemAmount", "taxRateAmount")
LIMITS = Limits(
    lines=100, remark=240, name=100, buyer_name=100, number_places=8, number_characters=16, counted_in="gbk"
)
ABILITY = Ability(LIMITS, issues_reds=True, partial_reds=False, files=("xml", "ofd", "pdf"))


class Results:
    """Invoices by our numbers, as queryInvoiceInfo tells them; what is not told before it is issued is what we sent."""

    entity, key = "invoice", "requestNo"

    def __init__(self, name: str, client: Client, memory: Memory) -> None:
        self.name = name
        self._client = client
        self._memory = memory

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The results of `window.keys`. Raises ConfigError without keys: the platform lists nothing by time."""
        if not window.keys:
            raise ConfigError(
                f"票通的 {self.name} 只能按单号查询, 请在流程中使用 poll 步骤",
                en=f"{self.name} is read by keys only; use a poll step",
                where=self.name,
            )
        yield Page([row for row in side_by_side(self.of, window.keys) if row])

    def of(self, number: str) -> Record | None:
        """One result with `requestNo` and what was `sent`; None where the platform has none, or no amount is known."""
        try:
            told = self._client.read("queryInvoiceInfo", {"invoiceReqSerialNo": self._client.serial(number)})
        except VendorRejected as refused:
            if refused.code != NOT_FOUND:
                raise
            return None
        _must_be_whole(told, number)
        kept = self._memory.kept(number)
        if kept is None and told.get("code") != OK:
            return None
        sent = {name: kept.payload.get(name, "") for name in ("net", "tax", "gross", "blue")} if kept else {}
        serial = {"invoiceReqSerialNo": self._client.serial(number)}
        return {**told, **serial, "requestNo": number, "sent": sent}


class PiaoTong:
    """A connection to the invoices of one seller."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = client = Client(connection, services)
        remark = int(connection.extra.get("remark_bytes") or LIMITS.remark)
        self.ability = replace(ABILITY, limits=replace(LIMITS, remark=remark))
        blues, reds = (Memory(services.tokens, f"{connection.conn_id}.{kind}") for kind in ("blue", "red"))
        issued, reversed_ = Results("invoice", client, blues), Results("red_invoice", client, reds)
        sinks = (RequestSink(client, blues, issued.of), RedSink(client, reds, reversed_.of))
        self._streams: dict[str, Stream] = {one.name: one for one in (issued, reversed_)}
        self._sinks: dict[str, Sink] = {one.name: one for one in sinks}

    @property
    def streams(self) -> Mapping[str, Stream]:
        """invoice, red_invoice."""
        return self._streams

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """invoice_request, red_request."""
        return self._sinks

    def check(self) -> list[tuple[str, str]]:
        """How the seller stands with the platform. Raises errors of the tree."""
        told = self._client.read("getEnterpriseInfo", {"enterpriseName": self._client.seller_name})
        review = {"0": "待审核", "1": "审核通过", "2": "审核不通过", "3": "审核中"}
        return [
            ("企业", str(told.get("enterpriseName") or "")),
            ("审核", review.get(str(told.get("reviewStatus")), "未知")),
            ("服务", "正常" if str(told.get("serviceStatus")) == "1" else "已禁用, 请联系票通"),
        ]

    def credit_line(self) -> CreditLine:
        """Not offered: no public interface tells it."""
        raise not_offered(PLATFORM, "授信额度", "the credit line")

    def login(self) -> Login:
        """Not known: no public interface tells it; an invoice that waits for it fails or stays in issue."""
        return Login(self._client.drawer, "unknown", "票通没有公开的登录状态接口, 请在票通平台查看")

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        """One file of an issued invoice. Raises VendorRejected while there is none."""
        number = str(invoice["request_no"])
        asked = {"invoiceReqSerialNo": self._client.serial(number), "fileType": kind.upper()}
        told = self._client.read("getAllEleInvFile", asked)
        try:
            made = base64.b64decode(str(told.get("fileContent") or ""), validate=True)
        except binascii.Error:
            made = b""
        if str(told.get("resultCode") or OK) != OK or not made:
            raise VendorRejected(
                f"票通还没有 {number} 的 {kind} 文件: {told.get('resultMsg') or '内容为空'}; 请稍后再取",
                en=f"no {kind} of {number} yet: {told.get('resultMsg') or 'empty'}",
                code="piaotong:file",
                where=number,
            )
        return made

    def resend(self, invoice: Record, copy: Copy) -> None:
        """Send an issued invoice again by mail or phone. Raises errors of the tree."""
        number = str(invoice["request_no"])
        where = {"takerEmail": copy.mail, "takerTel": copy.phone}
        asked = {"invoiceReqSerialNo": self._client.serial(number), **{k: v for k, v in where.items() if v}}
        told = self._client.call("resendEmailOrSMS", asked)
        for kind, address in (("Email", copy.mail), ("SMS", copy.phone)):
            if address and str(told.get(f"send{kind}ResultCode") or "") != OK:
                raise VendorRejected(
                    f"票通未能重新交付 {number}: {told.get(f'send{kind}ResultMsg') or '未说明原因'}",
                    en=f"{number} was not sent again: {told.get(f'send{kind}ResultMsg') or 'no reason'}",
                    code="piaotong:resend",
                    where=number,
                )


def _must_be_whole(told: Record, number: str) -> None:
    """Raises AnswerLost for a result without a state, or an issued one without its number and amounts."""
    try:
        amounts = [Decimal(str(told[name])) for name in ("noTaxAmount", "taxAmount")] if told["code"] == OK else []
        items = [Decimal(str(item[name])) for item in told.get("itemList") or [] for name in ITEM_AMOUNTS]
        is_whole = all(one.is_finite() for one in (*amounts, *items))
        is_whole = is_whole and (told["code"] != OK or bool(told.get("allEleInvNo") or told.get("invoiceNo")))
    except (KeyError, TypeError, InvalidOperation):
        is_whole = False
    if not is_whole:
        raise AnswerLost(
            f"票通对 {number} 的查询应答缺少状态, 发票号码或金额, 暂不采信, 稍后再查; 若持续请联系票通",
            en=f"the result of {number} lacks its state, number or amounts; it is asked for again",
            code="piaotong:result",
            where=number,
        )
