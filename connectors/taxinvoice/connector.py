"""Streams, sinks and what else 发票SDK offers: blue invoices, red forms, red invoices, files, the drawer's login.

Paths: blueTicket, pdfOfdXml, retMsg, hzxxbsq, hzfpkj, hzxxbtb, creditLine, queryFaceAuthState, getFaceImg
(fa-piao.com/doc.html and the vendor's clients, github.com/fapiaoapi).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

from connectors.taxinvoice.client import Client
from connectors.taxinvoice.forms import Forms, names
from connectors.taxinvoice.sinks import IssueSink, RedSink, RequestSink
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, LoginNeeded, VendorRejected
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login, not_offered
from duijie.connect.memory import Kept, Memory
from duijie.connect.protocol import Page, Sink, Stream, Window
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

PLATFORM = "发票SDK"
LINKS: Mapping[FileKind, str] = {"pdf": "pdfUrl", "ofd": "ofdUrl", "xml": "xmlUrl"}
AS_LINKS = "4"  # downflag
LOGINS: Mapping[str, Literal["sms", "scan"]] = {"420": "sms", "430": "scan"}
ABILITY = Ability(Limits(number_places=13), issues_reds=False, files=("xml", "ofd", "pdf"))


class Files:
    """Where the platform keeps the files of an invoice."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def links(self, number: str) -> dict[str, str]:
        """The addresses of an invoice's files; none where the platform says no (not ready yet)."""
        asked = {"nsrsbh": self._client.tax_no, "fphm": number, "downflag": AS_LINKS, "username": self._client.username}
        try:
            told = self._client.read("pdfOfdXml", asked)
        except VendorRejected:
            return {}
        return {name: str(told[name]) for name in LINKS.values() if isinstance(told, dict) and told.get(name)}

    def fetch(self, number: str, kind: FileKind) -> bytes:
        """One file. Raises VendorRejected while the platform has none."""
        url = self.links(number).get(LINKS[kind])
        if not url:
            raise VendorRejected(
                f"平台还没有发票 {number} 的 {kind} 文件, 请稍后再取",
                en=f"no {kind} of {number} yet",
                code="taxinvoice:file",
                where=number,
            )
        return self._client.download(url)


class Invoices:
    """Blue invoices by our serials: what was sent and answered, and where the files are."""

    name, entity, key = "invoice", "invoice", "fpqqlsh"

    def __init__(self, memory: Memory, files: Files) -> None:
        self._memory = memory
        self._files = files

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The invoices of `window.keys`. Raises ConfigError without keys: the platform lists none by time."""
        _require_keys(window, self.name)
        yield Page([row for row in side_by_side(self._by_serial, window.keys) if row])

    def _by_serial(self, serial: str) -> Record | None:
        kept = self._memory.kept(serial)
        if kept is None or not kept.answer:
            return None
        form = {"ghdwsbh": "", **kept.payload["form"]}
        return {**form, **kept.answer, **self._files.links(str(kept.answer["Fphm"]))}


class RedInvoices:
    """Red invoices by our application numbers: the form, and the red invoice once it was issued."""

    name, entity, key = "red_invoice", "invoice", "sqdh"

    def __init__(self, requests: Memory, issued: Memory, forms: Forms, files: Files) -> None:
        self._requests = requests
        self._issued = issued
        self._forms = forms
        self._files = files

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The red invoices of `window.keys`. Raises ConfigError without keys."""
        _require_keys(window, self.name)
        yield Page([row for row in side_by_side(self._by_application, window.keys) if row])

    def _by_application(self, number: str) -> Record | None:
        kept = self._requests.kept(number)
        if kept is None or not kept.answer:
            return None
        form_no = str(kept.answer["xxbbh"])
        known = (self._forms.by_number(form_no) if self._forms.are_readable else None) or {}
        issued = self._issued.kept(form_no) or Kept("", {}, {})
        red = str(issued.answer.get("Fphm") or known.get("hzfphm") or "")
        told = {
            "sqdh": number,
            "xxbbh": form_no,
            "yfphm": kept.payload["form"]["yfphm"],
            "gross": kept.payload["gross"],
            "tax": kept.payload["tax"],
            "state": str(known.get("state") or ""),
            "Fphm": red,
            "Kprq": str(issued.answer.get("Kprq") or ""),
        }
        return told | (self._files.links(red) if red else {})


class RedForms:
    """红字信息确认单 of both sides, by the days of a window or by their numbers."""

    name, entity, key = "red_form", "red_form", "xxbbh"

    def __init__(self, forms: Forms) -> None:
        self._forms = forms

    def partitions(self) -> Iterable[str]:
        """One seller, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """The forms. Raises ConfigError where the setting form_fields is missing."""
        if window.keys:
            yield Page([row for row in side_by_side(self._forms.by_number, window.keys) if row])
            return
        yield Page(self._forms.window(window.since, window.until))


class TaxInvoice:
    """A connection to the invoices of one seller, issued in one drawer's login."""

    ability = ABILITY

    def __init__(self, connection: Connection, services: Services) -> None:
        extra, name = connection.extra, connection.conn_id
        self._client = client = Client(connection, services)
        self._files = files = Files(client)
        self._credit_fields = names(extra.get("credit_fields"), "credit_fields")
        forms = Forms(client, names(extra.get("form_fields"), "form_fields"), services.clock)
        blues, reds, issued, of_form, before, owners = (
            Memory(services.tokens, f"{name}.{kind}") for kind in ("blue", "red", "issue", "form", "before", "owner")
        )
        streams = (Invoices(blues, files), RedInvoices(reds, of_form, forms, files), RedForms(forms))
        deduplicates = str(extra.get("deduplicates", False)).lower() == "true"
        sinks = (
            RequestSink(client, blues, deduplicates),
            RedSink(client, reds, forms, before, owners),
            IssueSink(client, issued, forms, of_form),
        )
        self._streams: dict[str, Stream] = {one.name: one for one in streams}
        self._sinks: dict[str, Sink] = {one.name: one for one in sinks}

    @property
    def streams(self) -> Mapping[str, Stream]:
        """invoice, red_invoice, red_form."""
        return self._streams

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """invoice_request, red_request, red_issue."""
        return self._sinks

    def check(self) -> list[tuple[str, str]]:
        """Authorises, and asks how the drawer stands. Raises errors of the tree."""
        login = self._state()
        return [("授权", "有效"), ("开票员登录", login.zh)]

    def credit_line(self) -> CreditLine:
        """The seller's credit line. Raises not-offered until credit_fields names the answer's fields."""
        named = self._credit_fields
        if "total" not in named or not {"used", "available"} & set(named):
            raise not_offered(
                PLATFORM, "授信额度应答字段 (设置 credit_fields 后可查询) 的", "the fields of the credit line"
            )
        told = self._client.read("creditLine", {"nsrsbh": self._client.tax_no, "username": self._client.username})
        try:
            known = {use: Decimal(str(told[field])) for use, field in named.items()}
        except (KeyError, TypeError, InvalidOperation):
            raise ConfigError(
                f"授信额度应答中没有设置 credit_fields 所指的金额 ({', '.join(named.values())}), 请按厂商文档更正设置",
                en="the answer to creditLine lacks the amounts that credit_fields names",
                where="credit_fields",
            ) from None
        total = known["total"]
        used = known["used"] if "used" in known else total - known["available"]
        return CreditLine(total, used, known.get("available", total - used), datetime.now(UTC))

    def login(self) -> Login:
        """How the drawer stands; a code to be scanned is fetched anew. Raises errors of the tree."""
        found = self._state()
        if found.state != "scan":
            return found
        code = self._client.face()
        app = "电子税务局" if code.extra["ewmly"] == "swj" else "个人所得税"
        until = datetime.fromtimestamp(int(code.extra["until"]), UTC)
        return Login(found.drawer, "scan", f"请在 5 分钟内用{app} App 扫码", code.value, until)

    def fetch(self, invoice: Record, kind: FileKind) -> bytes:
        """One file of an issued invoice. Raises errors of the tree."""
        return self._files.fetch(str(invoice["number"]), kind)

    def resend(self, invoice: Record, copy: Copy) -> None:
        """Not offered."""
        raise not_offered(PLATFORM, "重新交付", "sending an invoice again")

    def _state(self) -> Login:
        drawer = self._client.username
        try:
            self._client.read("queryFaceAuthState", {"nsrsbh": self._client.tax_no, "username": drawer})
        except LoginNeeded as error:
            return Login(drawer, LOGINS.get(error.code.rpartition(":")[2], "login"), error.zh)
        return Login(drawer, "in", "已登录")


def _require_keys(window: Window, stream: str) -> None:
    if not window.keys:
        raise ConfigError(
            f"发票SDK的 {stream} 只能按单号查询, 请在流程中使用 poll 步骤",
            en=f"{stream} is read by keys only; use a poll step",
            where=stream,
        )
