"""A connection to 金蝶云星空: one data centre, one 账簿 for vouchers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.k3cloud.bills import FormSink
from connectors.k3cloud.client import Client
from connectors.k3cloud.forms import READ, WRITTEN
from connectors.k3cloud.ledger import VoucherSink, VoucherStream
from connectors.k3cloud.lists import FormStream, Inventory, Reader
from connectors.k3cloud.queries import PAGE_ROWS
from connectors.k3cloud.spec import GOALS, KEY_FIELD, SPEC
from connectors.k3cloud.vouchers import VoucherBook
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Plugin, Sink, Stream
from duijie.connect.services import Services


@dataclass(frozen=True)
class K3Cloud:
    """A connection to one 账簿 of one data centre. The goals say how far what is written goes: save, submit, audit."""

    book: VoucherBook
    reader: Reader
    bill_goal: str = "save"
    base_goal: str = "save"

    @property
    def streams(self) -> Mapping[str, Stream]:
        """voucher, the forms that are read, inventory."""
        known: tuple[Any, ...] = (
            VoucherStream(self.book),
            *(FormStream(self.reader, form) for form in READ),
            Inventory(self.reader),
        )
        return {one.name: one for one in known}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """voucher and the forms that are written."""
        forms = (FormSink(self.reader, form, self.bill_goal if form.is_bill else self.base_goal) for form in WRITTEN)
        known: tuple[Any, ...] = (VoucherSink(self.book), *forms)
        return {one.name: one for one in known}

    def check(self) -> list[tuple[str, str]]:
        """Signs in, reads the chart, proves that the key field is there. Raises errors of the tree."""
        accounts = self.book.accounts()
        usable = [row for row in accounts if row[2] and row[3] != "B"]
        self.book.require_key_field()
        return [
            ("登录", "签名有效"),
            ("科目表", f"{len(accounts)} 个科目, 其中可记账 {len(usable)} 个"),
            ("来源键字段", f"{self.book.key_field} 已存在"),
        ]


def open_k3cloud(connection: Connection, services: Services) -> K3Cloud:
    """Bring a connection to life. Raises ConfigError for a missing or wrong setting."""
    extra = connection.extra
    client = Client(connection, services, str(extra.get("rate") or SPEC.rate))
    retrier = services.retrier(connection.conn_id, client.refresh)
    rows = int(extra.get("page_rows") or PAGE_ROWS)
    key_field = str(extra.get("key_field") or KEY_FIELD)
    return K3Cloud(
        VoucherBook(client, retrier, connection.require("account_book"), key_field, rows),
        Reader(client, retrier, str(extra.get("data_org") or ""), rows),
        _goal(connection, "bill_goal"),
        _goal(connection, "base_goal"),
    )


def _goal(connection: Connection, name: str) -> str:
    goal = str(connection.extra.get(name) or "save")
    if goal not in GOALS:
        raise ConfigError(
            f"连接设置 {name} 为 {goal!r}; 请改为 save (只保存)、submit (保存并提交) 或 audit (保存、提交并审核)",
            en=f"{name} is {goal!r}; make it save, submit or audit",
            where=name,
        )
    return goal


PLUGIN = Plugin(SPEC, open_k3cloud)
