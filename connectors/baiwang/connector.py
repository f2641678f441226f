"""Streams and sinks of 百望云 (SMB): requests for blue invoices, quick reds, their forms, and what has become of them.

Methods: baiwang.s.outputinvoice.invoice, .query, .fastRed and baiwang.s.redconfirm.query (open.baiwang.com, 小微). An
invoice is known by the order number that we give it. What the platform answers to a number that is taken is not
published, so a number is looked up before it is sent again, and every refusal that may be that one is looked up too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from connectors.baiwang.client import Client
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import AlreadyThere, ConfigError, MalformedMessage, VendorBusy, VendorRejected
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login, marks, not_offered
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Sink, Stream, Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

CHINA = timezone(timedelta(hours=8))
NUMBERS_A_CALL = 20
QUERY = "baiwang.s.outputinvoice.query"
ISSUE = "baiwang.s.outputinvoice.invoice"
RED = "baiwang.s.outputinvoice.fastRed"
FORMS = "baiwang.s.redconfirm.query"
ISSUING = "00"
CERTAIN = frozenset(f"baiwang:{code}" for code in ("20019", "20020", "20023", "70169", "70035"))
FORM_LIVES = timedelta(days=4)  # 72 hours to be confirmed, and a day for the red invoice
RED_TAKES = timedelta(days=31)
LONGEST_LIST = 1000
LIMITS = {
    "web": Limits(remark=230, buyer_name=100, number_places=13, number_characters=17),
    "leqi": Limits(remark=450, buyer_name=300, number_places=13, number_characters=17),
}


class Invoices:
    """Blue invoices by our numbers, as the query sends them, lines included."""

    name, entity, key = "invoice", "invoice", "orderNo"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The invoices of `window.keys`. Raises ConfigError without keys: they are asked for by number."""
        return _pages(window, self.name, self.of)

    def of(self, numbers: Sequence[str]) -> list[Record]:
        """The invoices of these numbers; unknown numbers are absent."""
        asked = {"orderNos": list(numbers), "detailMark": "1"}
        return [row for row in _rows(self._client.read(QUERY, asked), QUERY) if row.get("orderNo") in numbers]


class RedForms:
    """Red confirmation forms (红字信息确认单) of the seller's invoices, whoever began them."""

    name, entity, key = "red_form", "red_form", "redConfirmNo"

    def __init__(self, client: Client) -> None:
        self._client = client

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Forms begun in the window or in the four days before it (they may still change), or those of its keys."""
        if window.keys:
            yield Page([row for rows in side_by_side(self._numbered, window.keys) for row in rows])
            return
        yield from self._listed(window.since - FORM_LIVES, window.until)

    def lately(self) -> Iterator[Record]:
        """Every form whose red invoice may be on its way."""
        now = datetime.fromtimestamp(self._client.now(), UTC)
        return (row for page in self._listed(now - RED_TAKES, now) for row in page.records)

    def _numbered(self, number: str) -> list[Record]:
        rows = self._asked({"redConfirmNo": number, "pageNo": "1"})
        return [row for row in rows if row.get(self.key) == number]

    def _listed(self, since: datetime, until: datetime) -> Iterator[Page]:
        """Pages until one brings nothing new: how long a page is is not published."""
        days = {"beginDate": f"{since.astimezone(CHINA):%Y-%m-%d}", "endDate": f"{until.astimezone(CHINA):%Y-%m-%d}"}
        seen: set[str] = set()
        for number in range(1, LONGEST_LIST):
            rows = self._asked({**days, "pageNo": str(number)})
            fresh = [row for row in rows if str(row.get(self.key)) not in seen]
            if not fresh:
                return
            seen |= {str(row.get(self.key)) for row in fresh}
            yield Page(fresh)

    def _asked(self, more: Record) -> list[Record]:
        return _rows(self._client.read(FORMS, {"operatorType": "2", "buySelSelector": "0", **more}), FORMS)


class RedInvoices:
    """Reds by our numbers: {"orderNo", "invoice": its row, "form": its form}, of which one may be missing yet."""

    name, entity, key = "red_invoice", "invoice", "orderNo"

    def __init__(self, invoices: Invoices, forms: RedForms) -> None:
        self._invoices = invoices
        self._forms = forms

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The reds of `window.keys`. Raises ConfigError without keys."""
        return _pages(window, self.name, self.of)

    def of(self, numbers: Sequence[str]) -> list[Record]:
        """The reds of these numbers; forms are asked for only while an invoice is not through."""
        rows = {row["orderNo"]: row for row in self._invoices.of(numbers)}
        waiting = {one for one in numbers if rows.get(one, {}).get("status", ISSUING) == ISSUING}
        forms = (
            {row["orderNo"]: row for row in self._forms.lately() if row.get("orderNo") in waiting} if waiting else {}
        )
        known = {"invoice": rows, "form": forms}
        made = ({name: held[one] for name, held in known.items() if one in held} for one in numbers)
        return [{"orderNo": one, **parts} for one, parts in zip(numbers, made, strict=True) if parts]


class _Writing:
    """What both sinks share: a number that is looked up whenever its fate is not certain."""

    safety = Safety.LOOKUP
    batch = 50
    method = ""

    def __init__(self, client: Client) -> None:
        self._client = client

    def key_of(self, payload: Record) -> str:
        """Our number."""
        return str(payload["orderNo"])

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What the platform holds under these numbers."""
        raise NotImplementedError

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One call per payload, in order."""
        return side_by_side(lambda payload: self._client.retrier.outcome(partial(self._send, payload)), payloads)

    def _send(self, payload: Record) -> Done:
        try:
            answer = self._client.call(self.method, self._sent(payload))
        except VendorRejected as refused:
            if refused.code in CERTAIN or self.key_of(payload) not in self.find([self.key_of(payload)]):
                raise
            raise _taken(refused, self.key_of(payload)) from refused
        given = dict(answer) if isinstance(answer, dict) else {}
        native = given.get("serialNo") or given.get("redConfirmSerialNo") or payload["orderNo"]
        return Done(str(native), "", given)

    def _sent(self, payload: Record) -> Record:
        return payload


class RequestSink(_Writing):
    """Requests a blue invoice. A payload is the body of the call, without what the connection says."""

    name, entity = "invoice_request", "invoice_request"
    method = ISSUE

    def __init__(self, client: Client, invoices: Invoices, drawn_by: Record) -> None:
        super().__init__(client)
        self._invoices = invoices
        self._drawn_by = drawn_by

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan."""
        lines = payload["invoiceDetailList"]
        return {"gross": _sum(lines, "goodsTotalPriceTax"), "tax": _sum(lines, "goodsTotalTax")}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """Buyer and lines."""
        return _marks(payload)

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Requests by number, whatever has become of them: issuing, issued or failed."""
        return {row["orderNo"]: _found(row) for part in _parts(keys) for row in self._invoices.of(part)}

    def _sent(self, payload: Record) -> Record:
        return {**payload, **{name: value for name, value in self._drawn_by.items() if not payload.get(name)}}


class RedSink(_Writing):
    """fastRed, the red invoice following by itself. A payload is {"orderNo", "gross", "tax", "form": what is sent}.

    An empty `details` stays out of the call: the whole blue is then reversed.
    """

    name, entity = "red_request", "red_request"
    method = RED

    def __init__(self, client: Client, reds: RedInvoices) -> None:
        super().__init__(client)
        self._reds = reds

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan, negative."""
        return {"gross": Decimal(payload["gross"]), "tax": Decimal(payload["tax"])}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """The blue invoice."""
        return {"蓝票": str(payload["form"]["originalDigitInvoiceNo"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Reds by number, as an invoice or still as a form."""
        return {row["orderNo"]: _found_red(row) for part in _parts(keys) for row in self._reds.of(part)}

    def _sent(self, payload: Record) -> Record:
        form = {name: value for name, value in payload["form"].items() if value != []}
        return {"orderNo": payload["orderNo"], **form}


class Baiwang:
    """A connection to the invoices of one seller."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._client = Client(connection, services)
        self._invoices = Invoices(self._client)
        self._forms = RedForms(self._client)
        self._reds = RedInvoices(self._invoices, self._forms)
        self._drawer = connection.require("drawer")
        self._drawn_by = {"drawer": self._drawer, "invoiceTerminalCode": str(connection.extra.get("terminal") or "")}
        self.ability = Ability(limits_of(connection), files=("pdf", "ofd", "xml"))

    @property
    def streams(self) -> Mapping[str, Stream]:
        """invoice, red_invoice, red_form."""
        return {"invoice": self._invoices, "red_invoice": self._reds, "red_form": self._forms}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """invoice_request, red_request."""
        drawn_by = {name: value for name, value in self._drawn_by.items() if value}
        return {
            "invoice_request": RequestSink(self._client, self._invoices, drawn_by),
            "red_request": RedSink(self._client, self._reds),
        }

    def check(self) -> list[tuple[str, str]]:
        """Asks for a number that cannot exist: key, secret, user and token are then known to work."""
        self._invoices.of(["DUIJIE0CHECK"])
        return [("签名与 token", "有效"), ("销方税号", self._client.tax_no), ("开票员", self._drawer)]

    def credit_line(self) -> CreditLine:
        """Raises `not_offered`."""
        raise not_offered("百望云", "授信额度查询", "the credit line")

    def login(self) -> Login:
        """Raises `not_offered`."""
        raise not_offered("百望云", "开票员登录状态", "the drawer's login")

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        """A file from the address the query gives now. Raises VendorBusy where there is none yet."""
        number = str(invoice["request_no"])
        row = next(iter(self._invoices.of([number])), None)
        url = str((row or {}).get(f"{kind}Url") or "")
        if not url:
            raise VendorBusy(
                f"百望云还没有给出发票 {number} 的 {kind.upper()} 文件地址, 将自动重试; 若持续请在平台上生成版式文件",
                en=f"no address of the {kind} file of {number} yet; it will be asked for again",
                code="baiwang:no-file",
                where=number,
            )
        return self._client.download(url)

    def resend(self, invoice: Record, copy: Copy) -> None:
        """Raises `not_offered`: the fields of baiwang.s.outputinvoice.push are not published."""
        raise not_offered("百望云", "再次交付", "sending again")


def limits_of(connection: Connection) -> Limits:
    """The limits of the connection's channel, each of them changed by a setting `max_…`. Raises ConfigError."""
    channel = str(connection.extra.get("channel") or "web")
    if channel not in LIMITS:
        raise ConfigError(
            f"连接 {connection.conn_id} 的开票渠道 “{channel}” 无效, 请填 web 或 leqi",
            en=f"connection {connection.conn_id}: channel must be web or leqi",
            where=f"{connection.conn_id}.channel",
        )
    base = LIMITS[channel]

    def chosen(name: str) -> int:
        own = connection.extra.get(f"max_{name}")
        return int(own) if own not in (None, "") else int(getattr(base, name))

    texts = chosen("remark"), chosen("name"), chosen("buyer_name")
    return replace(base, lines=chosen("lines"), remark=texts[0], name=texts[1], buyer_name=texts[2])


def _rows(answer: Any, method: str) -> list[Record]:
    """The records of an answer: a list, or an object with one as `list`. Raises MalformedMessage for anything else."""
    listed = answer.get("list", []) if isinstance(answer, dict) and ("list" in answer or not answer) else answer
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise MalformedMessage(
            f"百望云 {method} 的应答里没有列表, 请联系百望云核对接口版本",
            en=f"{method} answered without a list",
            code="baiwang:no-list",
            where=method,
        )
    return [dict(row) for row in listed]


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + NUMBERS_A_CALL] for start in range(0, len(keys), NUMBERS_A_CALL))


def _pages(window: Window, stream: str, of: Callable[[Sequence[str]], list[Record]]) -> Iterator[Page]:
    if not window.keys:
        raise ConfigError(
            f"百望云的 {stream} 按我方单号查询, 请在流程中用 poll 步骤代替 pull",
            en=f"{stream} is read by our numbers; use a poll step instead of pull",
            code="baiwang:keys",
            where=stream,
        )
    for part in _parts(window.keys):
        yield Page(of(part))


def _sum(lines: Sequence[Record], field: str) -> Decimal:
    return sum((Decimal(line[field]) for line in lines), Decimal(0))


def _marks(body: Record) -> dict[str, str]:
    """Buyer and lines of a request or of a row, which name them alike."""
    lines = body.get("invoiceDetailList") or []
    told = ((line["goodsName"], Decimal(line["goodsTotalPrice"]), Decimal(line["goodsTotalTax"])) for line in lines)
    made = marks(str(body.get("buyerName") or ""), str(body.get("buyerTaxNo") or ""), told)
    return made if lines else {name: text for name, text in made.items() if name != "明细"}


def _amount(row: Record, name: str) -> Decimal:
    """An amount of a row. Raises VendorBusy where the platform does not tell it yet."""
    try:
        return Decimal(str(row[name]))
    except (KeyError, InvalidOperation) as error:
        number = str(row.get("orderNo") or "")
        raise VendorBusy(
            f"百望云还没有给出 {number} 的金额 {name}, 稍后自动再查; 若持续请在平台上核对",
            en=f"{number} is told without {name}; it will be asked for again",
            code="baiwang:no-amount",
            where=number,
        ) from error


def _found(row: Record) -> Found:
    figures = {"gross": _amount(row, "invoiceTotalPriceTax"), "tax": _amount(row, "invoiceTotalTax")}
    number = str(row.get("digitInvoiceNo") or row.get("invoiceNo") or "")
    return Found(str(row.get("serialNo") or ""), number, figures, row, _marks(row))


def _found_red(row: Record) -> Found:
    if "invoice" in row:
        made = _found(row["invoice"])
        blue = str(row["invoice"].get("originalDigitInvoiceNo") or row["invoice"].get("originalInvoiceNo") or "")
        return Found(made.native_id, made.native_no, made.figures, row, {"蓝票": blue} if blue else {})
    form = row["form"]
    net, tax = _amount(form, "invoiceTotalPrice"), _amount(form, "invoiceTotalTax")
    native = str(form.get("redConfirmSerialNo") or form.get("redConfirmNo") or "")
    blue = str(form.get("originalInvoiceNo") or "")
    return Found(native, "", {"gross": net + tax, "tax": tax}, row, {"蓝票": blue} if blue else {})


def _taken(refused: VendorRejected, number: str) -> AlreadyThere:
    return AlreadyThere(
        f"百望云已有单号 {number} ({refused.zh}), 先查询核对",
        en=f"{number} is there already ({refused.en}); it is looked up and compared",
        code="baiwang:there",
        where=number,
    )
