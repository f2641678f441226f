"""The stream and the sink of 航信 eiInterface (DZFP1.0): 数电普票 requested, downloaded by our number, sent again.

Interfaces: ECXML.FPKJ.BC.E_INV, ECXML.FPXZ.CX.E_INV, ECXML.EMAILPHONEFPTS.TS.E.INV. Only the code 0000 is published, so
a number is looked up before it is sent again, and what an answer means beside 0000 is told by its words.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from connectors.aisinoxml import envelope
from connectors.aisinoxml.client import OK, Client, error_of
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AlreadyThere,
    AnswerLost,
    ConfigError,
    CredentialError,
    LoginNeeded,
    VendorBusy,
    VendorRejected,
)
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login, not_offered
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Sink, Stream, Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

ISSUE, QUERY, DELIVER = "ECXML.FPKJ.BC.E_INV", "ECXML.FPXZ.CX.E_INV", "ECXML.EMAILPHONEFPTS.TS.E.INV"
SERIAL = 25
STATE_ONLY, PDF_FILE = "3", "1"
GONE, OURS = "不存在|未找到|未查询到|查询不到|无此|没有", "流水号|单号|订单|发票|记录"
ABSENT = re.compile(f"({GONE})[^，。,;；]{{0,8}}({OURS})|({OURS})[^，。,;；]{{0,8}}({GONE})")
AT_WORK = re.compile("开票中|处理中|开具中|正在(开|处理)")
NOT_SAID = re.compile("繁忙|超时|稍后|维护|异常")
FAILED = "开票失败"
NUMBERS_A_PAGE = 50
HEAD = (
    *("FPQQLSH", "DSPTBM", "NSRSBH", "NSRMC", "DKBZ", "KPXM", "BMB_BBH", "XHF_NSRSBH", "XHFMC", "XHF_DZ", "XHF_DH"),
    *("XHF_YHZH", "GHFMC", "GHF_NSRSBH", "GHF_DZ", "GHF_GDDH", "GHF_SJ", "GHF_EMAIL", "GHFQYLX", "GHF_YHZH", "SKY"),
    *("FHR", "KPY", "KPLX", "CZDM", "YFP_DM", "YFP_HM", "CHYY", "QD_BZ", "KPHJJE", "HJBHSJE", "HJSE", "BZ"),
)
LINE = ("XMMC", "XMDW", "GGXH", "XMSL", "HSBZ", "FPHXZ", "XMDJ", "SPBM", "ZXBM", "YHZCBS", "XMJE", "SL")
SELLER = {"seller_name": ("NSRMC", "XHFMC"), "seller_address": ("XHF_DZ",), "seller_phone": ("XHF_DH",)}
SELLER |= {"seller_account": ("XHF_YHZH",), "drawer": ("KPY",), "payee": ("SKY",), "checker": ("FHR",)}


class Invoices:
    """Invoices by our numbers: {"requestNo": ours, "returnCode", "returnMessage", and the fields within the answer}."""

    name, entity, key = "invoice", "invoice", "requestNo"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The invoices of `window.keys`. Raises ConfigError without keys: the platform lists nothing by time."""
        if not window.keys:
            raise ConfigError(
                "航信的 invoice 只能按我方单号查询, 请在流程中用 poll 步骤代替 pull",
                en="invoice can be read by our numbers only; use a poll step instead of pull",
                code="aisinoxml:keys",
                where=self.name,
            )
        for start in range(0, len(window.keys), NUMBERS_A_PAGE):
            yield Page(self.of(window.keys[start : start + NUMBERS_A_PAGE]))

    def of(self, numbers: Sequence[str]) -> list[Record]:
        """The invoices of these numbers, each asked for alone; unknown numbers are absent."""
        return [row for row in side_by_side(self.one, numbers) if row]

    def one(self, number: str, pdf: str = STATE_ONLY) -> Record | None:
        """One invoice, with its PDF where that is asked for."""
        named = {"FPQQLSH": self.serial(number), "DSPTBM": self._client.platform, "NSRSBH": self._client.tax_no}
        asked = {**named, "DDH": number, "PDF_XZFS": pdf}
        answer = self._client.read(QUERY, envelope.query(asked))
        if answer.code != OK and self._is_absent(answer):
            return None
        fields: dict[str, str] = {}
        if answer.code == OK and answer.content:
            inner = self._client.inner(answer, QUERY)
            fields = {str(one.tag): one.text or "" for one in inner}
        row = {"requestNo": number, "returnCode": answer.code, "returnMessage": answer.text, **fields}
        return None if _is_absent_within(row) else row

    def _is_absent(self, answer: envelope.Answer) -> bool:
        """Whether the words say that there is no such number. Raises CredentialError where they say who we are not."""
        error = error_of(answer.code, answer.text, QUERY)
        if isinstance(error, CredentialError):
            raise error
        return ABSENT.search(answer.text) is not None

    def serial(self, number: str) -> str:
        """FPQQLSH: the platform's code and our number, filled up with noughts."""
        return f"{self._client.platform}{number}".ljust(SERIAL, "0")


class RequestSink:
    """Requests a blue invoice. A payload is {"head", "lines", "order"}: the parts that the connection does not say.

    No figures: the platform computes the tax, and its answer may leave the amounts out.
    """

    name, entity = "invoice_request", "invoice_request"
    safety = Safety.LOOKUP
    batch = 50

    def __init__(self, client: Client, invoices: Invoices, seller: Mapping[str, str]) -> None:
        self._client = client
        self._invoices = invoices
        self._seller = seller

    def key_of(self, payload: Record) -> str:
        """Our number."""
        return str(payload["order"]["DDH"])

    def figures_of(self, payload: Record) -> Figures:
        """None."""
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What stands under these numbers. Raises LoginNeeded, AnswerLost for an answer that says nothing of one."""
        return {row["requestNo"]: _found(row) for row in self._invoices.of(keys)}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One call per payload, in order."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._issue, payload)), payloads)

    def _issue(self, payload: Record) -> Done:
        number = self.key_of(payload)
        try:
            answer = self._client.call(ISSUE, self._content(payload))
        except VendorRejected as refused:
            if number not in self.find([number]):
                raise
            raise AlreadyThere(
                f"航信已有单号 {number} ({refused.zh}), 先查询核对",
                en=f"{number} is there already ({refused.en}); it is looked up and compared",
                code="aisinoxml:there",
                where=number,
            ) from refused
        return Done(self._invoices.serial(number), "", {"returnCode": answer.code, "returnMessage": answer.text})

    def _content(self, payload: Record) -> bytes:
        number = self.key_of(payload)
        own = {"FPQQLSH": self._invoices.serial(number), "DSPTBM": self._client.platform, "NSRSBH": self._client.tax_no}
        given = {**self._seller, **own, "XHF_NSRSBH": self._client.tax_no, **payload["head"]}
        head = {name: str(given[name]) for name in HEAD if name in given}
        lines = [{name: str(line[name]) for name in LINE if name in line} for line in payload["lines"]]
        return envelope.request(head, lines, {name: str(value) for name, value in payload["order"].items()})


class AisinoXml:
    """A connection to the invoices of one seller."""

    ability = Ability(Limits(number_places=8), partial_reds=False, files=("pdf",))

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._invoices = Invoices(self._client)
        self._drawer = connection.require("drawer")
        given = {name: str(connection.extra.get(name) or "") for name in SELLER}
        self._seller = {field: given[name] for name, fields in SELLER.items() for field in fields if given[name]}

    @property
    def streams(self) -> Mapping[str, Stream]:
        """invoice."""
        return {"invoice": self._invoices}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """invoice_request."""
        return {"invoice_request": RequestSink(self._client, self._invoices, self._seller)}

    def check(self) -> list[tuple[str, str]]:
        """Asks for a number that cannot exist. Raises CredentialError where the platform does not know the caller."""
        self._invoices.one("DUIJIE0CHECK")
        return [("平台编码与授权码", "有效"), ("销方税号", self._client.tax_no), ("开票员", self._drawer)]

    def credit_line(self) -> CreditLine:
        """Raises `not_offered`."""
        raise not_offered("航信 eiInterface ", "授信额度查询", "the credit line")

    def login(self) -> Login:
        """Raises `not_offered`."""
        raise not_offered("航信 eiInterface ", "开票员登录状态", "the drawer's login")

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        """The PDF out of a download. Raises VendorBusy while there is none, `not_offered` for the others."""
        if kind != "pdf":
            raise not_offered("航信 eiInterface ", f"{kind.upper()} 文件下载", f"{kind} files")
        number = str(invoice["request_no"])
        row = self._invoices.one(number, PDF_FILE) or {}
        try:
            content = base64.b64decode(str(row.get("PDF_FILE") or ""), validate=True)
        except ValueError:
            content = b""
        if not content:
            raise VendorBusy(
                f"航信还没有发票 {number} 的 PDF 文件, 将自动重试; 若持续请在航信平台查看",
                en=f"no PDF of {number} yet; it will be asked for again",
                code="aisinoxml:no-file",
                where=number,
            )
        return content

    def resend(self, invoice: Record, copy: Copy) -> None:
        """By mail and to a phone. Raises errors of the tree."""
        way = {"TSFS": "0", "SJ": copy.phone, "EMAIL": copy.mail}
        serial = self._invoices.serial(str(invoice["request_no"]))
        of = {"FPQQLSH": serial, "NSRSBH": self._client.tax_no, "FP_DM": "", "FP_HM": str(invoice.get("number") or "")}
        self._client.retrier.write(lambda: self._client.call(DELIVER, envelope.delivery(way, of)))


def _within(row: Record) -> tuple[str, str]:
    """RETURNCODE and RETURNMESSAGE: what is said of the invoice, where the outer code speaks of the call."""
    return str(row.get("RETURNCODE") or ""), str(row.get("RETURNMESSAGE") or "")


def _is_absent_within(row: Record) -> bool:
    code, text = _within(row)
    is_there = code in ("", OK) or row.get("FP_HM") or row.get("KPLSH") or FAILED in text
    return not is_there and ABSENT.search(text) is not None


def _is_told(row: Record) -> bool:
    """Whether an answer says that the invoice is there: its number, that it is at work on it, or how it failed."""
    code, text = _within(row)
    words = text or str(row.get("returnMessage") or "")
    if row.get("FP_HM") or row.get("KPLSH") or AT_WORK.search(words) or FAILED in words:
        return True
    return code not in ("", OK) and text != "" and not NOT_SAID.search(text)


def _found(row: Record) -> Found:
    """Raises LoginNeeded where the drawer must log in before anything is told, AnswerLost where nothing is."""
    number, code, text = str(row["requestNo"]), str(row["returnCode"]), str(row["returnMessage"])
    if _is_told(row):
        of = str(row.get("FP_HM") or "")
        is_open = not of and AT_WORK.search(_within(row)[1] or text) is not None
        return Found(str(row.get("KPLSH") or ""), of, {}, row, is_open=is_open)
    error = error_of(code, text, QUERY)
    if isinstance(error, LoginNeeded):
        raise error
    raise AnswerLost(
        f"航信对 {number} 的查询只答 {code} {text}, 未说明是否开具, 结果仍未知, 稍后再查; 若持续请在航信平台核对",
        en=f"the answer about {number} does not say what became of it; it is asked for again",
        code="aisinoxml:untold",
        where=number,
    )
