"""Streams and sinks of 航信 51发票 (爱信诺云税): blue invoices and full reds in one call, and what has become of them.

Interfaces: ele.encrypt.simpleInvoiceIssue, ele.encrypt.queryResult, ele.creditLine, ele.eleLogin, ele.invoice.download
(interface document v1.8.4). Our serial number (fpqqlsh) is taken only once, for blue and red alike.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

from connectors.aisino.client import Client, error_of
from connectors.aisino.session import Session
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost, ConfigError, LoginNeeded, MalformedMessage, VendorBusy
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login, not_offered
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Sink, Stream, Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

ISSUE, QUERY = "ele.encrypt.simpleInvoiceIssue", "ele.encrypt.queryResult"
CREDIT, DOWNLOAD = "ele.creditLine", "ele.invoice.download"
SERIAL = 20
NORMAL, SPECIAL = "82", "81"
KINDS = {"normal": NORMAL, "special": SPECIAL}
ISSUING, FAILED = "1002", "2001"
TAKEN = ("1000", ISSUING)
SESSION = ("1101", "1102", "3203")
GONE, OURS = "不存在|未找到|未查询到|查询不到|无此|没有", "流水号|单号|订单|发票|记录"
ABSENT = re.compile(f"({GONE})[^，。,;；]{{0,8}}({OURS})|({OURS})[^，。,;；]{{0,8}}({GONE})")
FILE_TYPES: dict[FileKind, str] = {"pdf": "1", "ofd": "2"}
NUMBERS_A_PAGE = 50


class Invoices:
    """Invoices by our numbers: {"requestNo": ours, "invoiceKind": as it was found, and queryResult's answer}."""

    key = "requestNo"
    entity = "invoice"

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self.name = name

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The invoices of `window.keys`. Raises ConfigError without keys: the platform lists nothing by time."""
        if not window.keys:
            raise ConfigError(
                f"航信的 {self.name} 只能按我方单号查询, 请在流程中用 poll 步骤代替 pull",
                en=f"{self.name} can be read by our numbers only; use a poll step instead of pull",
                code="aisino:keys",
                where=self.name,
            )
        for start in range(0, len(window.keys), NUMBERS_A_PAGE):
            yield Page(self.of(window.keys[start : start + NUMBERS_A_PAGE]))

    def of(self, numbers: Sequence[str]) -> list[Record]:
        """The invoices of these numbers, each asked for alone; unknown numbers are absent."""
        return [row for row in side_by_side(self._numbered, numbers) if row]

    def _numbered(self, number: str) -> Record | None:
        """Asked for under either kind, for a number does not tell it: the one under which the platform has it.

        A wrong kind may be answered with anything: what says how far the invoice is counts before what says nothing.
        """
        told: list[Record] = []
        for kind in (NORMAL, SPECIAL):
            asked = {"fpqqlsh": serial_of(number), "nsrsbh": self._client.tax_no, "invoiceKind": kind}
            row = {"requestNo": number, "invoiceKind": kind, **self._asked(asked)}
            if _is_there(row):
                return row
            told += [] if _is_absent(row) else [row]
        return min(told, key=_vagueness, default=None)

    def _asked(self, asked: Record) -> Record:
        """The answer; of a drawer who is not logged in the code, wherever it stood."""
        try:
            return self._client.read(QUERY, asked)
        except LoginNeeded as needed:
            return {"code": needed.code.rpartition(":")[2], "message": needed.zh}


class _Writing:
    """simpleInvoiceIssue, blue and red. A payload is the body of the call without the drawer, and `requestNo`: ours.

    No figures: the platform computes the tax of the gross amounts it is given, and tells none while it is issuing.
    """

    name = entity = ""
    safety = Safety.NATURAL_KEY
    batch = 50

    def __init__(self, client: Client, invoices: Invoices, invoicer: str) -> None:
        self._client = client
        self._invoices = invoices
        self._invoicer = invoicer

    def key_of(self, payload: Record) -> str:
        """Our number."""
        return str(payload["requestNo"])

    def figures_of(self, payload: Record) -> Figures:
        """None."""
        return {}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """The kind of invoice."""
        return {"种类": str(payload["invoiceKind"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What stands under these numbers. Raises LoginNeeded, AnswerLost while the platform does not say."""
        rows = self._invoices.of(keys)
        for row in rows:
            _must_be_told(row)
        return {row["requestNo"]: _found(row) for row in rows}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One call per payload, in order."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._issue, payload)), payloads)

    def _issue(self, payload: Record) -> Done:
        body = {name: value for name, value in payload.items() if name != "requestNo"}
        answer = self._client.call(ISSUE, {**body, "invoicer": payload.get("invoicer") or self._invoicer})
        code = str(answer.get("code") or "")
        if code not in TAKEN:
            raise error_of(code, str(answer.get("message") or ""), ISSUE)
        return Done(str(payload["fpqqlsh"]), "", answer)


class RequestSink(_Writing):
    """Blue invoices."""

    name = entity = "invoice_request"


class RedSink(_Writing):
    """Full reds: the blue's number and the reason, no amounts."""

    name = entity = "red_request"


class Aisino:
    """A connection to the invoices of one seller."""

    ability = Ability(Limits(number_places=13), partial_reds=False, files=("pdf", "ofd"))

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._drawer = connection.require("invoicer")
        self._session = Session(connection, self._client, self._drawer)
        self._blues, self._reds = (Invoices(self._client, name) for name in ("invoice", "red_invoice"))

    @property
    def streams(self) -> Mapping[str, Stream]:
        """invoice, red_invoice."""
        return {one.name: one for one in (self._blues, self._reds)}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """invoice_request, red_request."""
        return {
            "invoice_request": RequestSink(self._client, self._blues, self._drawer),
            "red_request": RedSink(self._client, self._reds, self._drawer),
        }

    def check(self) -> list[tuple[str, str]]:
        """Asks for a number that cannot exist: both codes and the tax number are then known to work."""
        self._blues.of(["DUIJIE0CHECK"])
        return [("授权码与组织编码", "有效"), ("销方税号", self._client.tax_no), ("开票员", self._drawer)]

    def credit_line(self) -> CreditLine:
        """ele.creditLine. Raises LoginNeeded where the drawer is not logged in."""
        answer = self._client.read(CREDIT, {"nsrsbh": self._client.tax_no, "cxbz": "1"})
        code = str(answer.get("code") or "")
        if code in SESSION:
            raise error_of(code, str(answer.get("message") or ""), CREDIT)
        try:
            total, used, left = (Decimal(str(answer[name])) for name in ("zsxed", "ysysxed", "sysxed"))
        except (KeyError, ArithmeticError) as error:
            raise MalformedMessage(
                f"航信的授信额度应答缺少金额 ({answer.get('message') or '无说明'}), 请在云税平台查看",
                en="the answer about the credit line holds no amounts",
                code="aisino:credit",
                where=CREDIT,
            ) from error
        return CreditLine(total, used, left)

    def login(self) -> Login:
        """In, if the credit line can be read; else how far the login is, with the code to scan."""
        try:
            self.credit_line()
        except LoginNeeded as needed:
            code = needed.code.rpartition(":")[2]
            if code == "1102":
                return Login(self._drawer, "scan", needed.zh)
            return self._session.resume(is_pushed_out=code == "3203")
        return Login(self._drawer, "in")

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        """ele.invoice.download. Raises VendorBusy while there is no file, `not_offered` for XML."""
        if kind not in FILE_TYPES:
            raise not_offered("航信", f"{kind.upper()} 文件下载", f"{kind} files")
        number = str(invoice["request_no"])
        kinds = {"fpqqlsh": serial_of(number), "invoiceKind": KINDS[str(invoice["kind"])]}
        answer = self._client.read(DOWNLOAD, {**kinds, "fileType": FILE_TYPES[kind]})
        try:
            content = base64.b64decode(str(answer.get("file") or ""), validate=True)
        except ValueError:
            content = b""
        if not content:
            raise VendorBusy(
                f"航信还没有发票 {number} 的 {kind.upper()} 文件, 将自动重试; 若持续请在云税平台查看",
                en=f"no {kind} file of {number} yet; it will be asked for again",
                code="aisino:no-file",
                where=number,
            )
        return content

    def resend(self, invoice: Record, copy: Copy) -> None:
        """Raises `not_offered`."""
        raise not_offered("航信", "再次交付", "sending again")


def serial_of(number: str) -> str:
    """The fpqqlsh of a request number: its first 20 characters, which its hash keeps apart."""
    return number[:SERIAL]


def _is_there(row: Record) -> bool:
    """Whether queryResult has it: issued, or on its way."""
    return bool(row.get("fphm")) or str(row.get("code")) in TAKEN


def _has_failed(row: Record) -> bool:
    """Whether queryResult says that it failed: by its code, or in so many words."""
    return str(row.get("code")) == FAILED or "开票失败" in str(row.get("message") or "")


def _is_absent(row: Record) -> bool:
    """Whether queryResult says that it has no such number, which has no code of its own: it is told by the words."""
    text, code = str(row.get("message") or ""), str(row.get("code") or "")
    is_known = _is_there(row) or code in SESSION or "开票失败" in text
    return not is_known and ABSENT.search(text) is not None


def _vagueness(row: Record) -> int:
    """0: it waits for the drawer, and may be anything; 1: failed; 2: nothing is said of it."""
    return 0 if str(row.get("code")) in SESSION else 1 if _has_failed(row) else 2


def _must_be_told(row: Record) -> None:
    """Raises LoginNeeded while the drawer is out, AnswerLost for an answer that says nothing of the invoice."""
    code, text = str(row.get("code") or ""), str(row.get("message") or "")
    if code in SESSION:
        raise error_of(code, text, QUERY)
    if not _is_there(row) and not _has_failed(row):
        number = str(row["requestNo"])
        raise AnswerLost(
            f"航信对 {number} 的查询只答 {code} {text}, 未说明是否开具, 结果仍未知, 稍后再查; 若持续请在云税平台核对",
            en=f"the answer about {number} does not say what became of it; it is asked for again",
            code="aisino:untold",
            where=number,
        )


def _found(row: Record) -> Found:
    marks = {"种类": row["invoiceKind"]}
    number = str(row.get("fphm") or "")
    is_open = not number and str(row.get("code")) == ISSUING
    return Found(serial_of(row["requestNo"]), number, {}, row, marks, is_open)
