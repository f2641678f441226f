"""A connection to 百望云 (SMB): what it reads, what it writes, within which limits, and the files of its invoices.

An invoice is known by the order number that we give it (open.baiwang.com, 小微).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from connectors.baiwang.client import Client
from connectors.baiwang.sinks import RedSink, RequestSink
from connectors.baiwang.streams import Invoices, RedForms, RedInvoices
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, VendorBusy
from duijie.connect.invoicing import Ability, Copy, CreditLine, FileKind, Limits, Login, not_offered
from duijie.connect.protocol import Sink, Stream
from duijie.connect.services import Services

LIMITS = {
    "web": Limits(remark=230, buyer_name=100, number_places=13, number_characters=17),
    "leqi": Limits(remark=450, buyer_name=300, number_places=13, number_characters=17),
}


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
