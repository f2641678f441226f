"""A Tryton company as a connection: goods, stock, orders, shipments, opportunities and the general ledger.

Source: Tryton 8.2 and 6.0, modules account, party, product, stock, sale, purchase, sale_opportunity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.tryton.books import Books
from connectors.tryton.client import Client
from connectors.tryton.kinds import KINDS
from connectors.tryton.ledger import Ledger
from connectors.tryton.masters import OPPORTUNITY_FORM, PARTY_FORM, PRODUCT_FORM
from connectors.tryton.orders import GOALS, PURCHASE_FORM, SALES_FORM, as_far_as
from connectors.tryton.records import RecordStream
from connectors.tryton.shipments import ISSUE_FORM, RECEIPT_FORM
from connectors.tryton.sink import RecordSink
from connectors.tryton.stock import StockSink, StockStream
from connectors.tryton.vouchers import VoucherSink, VoucherStream
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Sink, Spec, Stream
from duijie.connect.services import Services

KEY_FIELD = "description"
JOURNAL = "记"
GOAL = "confirmed"
FORMS = (PRODUCT_FORM, PARTY_FORM, SALES_FORM, PURCHASE_FORM, ISSUE_FORM, RECEIPT_FORM, OPPORTUNITY_FORM)

SPEC = Spec(
    conn_type="tryton",
    title="Tryton",
    summary="进销存、财务与商机: 档案、库存、订单、出入库、商机与总账凭证的读写",
    settings=(
        Setting("host", "服务器地址", "host", help="如 https://tryton.example.com"),
        Setting("database", "数据库名", "schema"),
        Setting("user_name", "接口用户", "login", help="所涉模块的组成员, 已选定公司; 写商机还须选定雇员"),
        Setting("password", "密码", "password", secret=True),
        Setting("journal", "凭证簿编码", required=False, default=JOURNAL),
        Setting("post", "写入后过账", required=False, default=False, help="true: 草稿写入后立即过账并读回核对"),
        Setting("key_field", "来源键字段", required=False, default=KEY_FIELD, help="凭证上保存我方键的文本字段"),
        Setting(
            "order_state",
            "订单写到哪一步",
            required=False,
            default=GOAL,
            help="draft 草稿 / quotation 报价 / confirmed 确认 (Tryton 随即生成出入库单与发票草稿)",
        ),
        Setting("rpc_path", "RPC 路径", required=False, default="/rpc/", help="6.0 为 /"),
        Setting("rate", "调用频率上限", required=False, help="如 20/second"),
    ),
    rate="20/second",
    api_version="8.2 / 6.0 JSON-RPC",
    source="https://docs.tryton.org",
    moves=(
        *(Move(kind.name, kind.entity, kind.title) for kind in KINDS),
        Move("stock_level", "stock_level", "即时库存"),
        Move("voucher", "voucher", "凭证"),
        *(Move(form.kind.entity, form.kind.entity, form.kind.title, form.safety) for form in FORMS),
        Move("stock_level", "stock_level", "即时库存", Safety.ABSOLUTE),
        Move("voucher", "voucher", "凭证", Safety.LOOKUP),
    ),
)


@dataclass(frozen=True)
class Tryton:
    """A connection to one company of one database; `goal` is how far an order is brought."""

    ledger: Ledger
    books: Books
    posts: bool
    goal: str

    @property
    def streams(self) -> Mapping[str, Stream]:
        """One per kind of record, stock_level and voucher."""
        records: list[Any] = [RecordStream(self.books, kind) for kind in KINDS]
        return {one.name: one for one in (*records, StockStream(self.books), VoucherStream(self.ledger))}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """One per form, stock_level and voucher."""
        forms = [as_far_as(form, self.goal) if form in (SALES_FORM, PURCHASE_FORM) else form for form in FORMS]
        records: list[Any] = [RecordSink(self.books, form) for form in forms]
        return {one.name: one for one in (*records, StockSink(self.books), VoucherSink(self.ledger, self.posts))}

    def check(self) -> list[tuple[str, str]]:
        """Logs in, reads company, chart and journal, and warehouses where there are any. Raises errors of the tree."""
        preferences = self.ledger.read(self.ledger.client.context)
        company = self.ledger.read(self.ledger.client.company)
        self.ledger.journal_id()
        return [
            ("登录", f"公司 {preferences.get('company.rec_name', company)}"),
            ("科目表", f"{len(self.ledger.accounts())} 个可记账科目"),
            ("凭证簿", f"{self.ledger.journal} 已存在; " + ("写入后过账" if self.posts else "写入为草稿")),
            *self._trade(),
        ]

    def _trade(self) -> list[tuple[str, str]]:
        if not self.books.offers("stock.location", "search_read"):
            return []
        return [("进销存", f"仓库 {', '.join(StockStream(self.books).partitions())}; 订单写到 {self.goal}")]


def open_tryton(connection: Connection, services: Services) -> Tryton:
    """Bring a connection to life. Raises ConfigError for a missing or impossible setting."""
    extra = connection.extra
    goal = str(extra.get("order_state") or GOAL)
    if goal not in GOALS:
        raise ConfigError(
            f"连接设置 order_state 不能是 {goal}, 请改为 {', '.join(GOALS)} 之一",
            en=f"the setting order_state cannot be {goal}; use one of {', '.join(GOALS)}",
            where=f"{connection.conn_id}.order_state",
        )
    client = Client(connection, services, str(extra.get("rate") or SPEC.rate))
    retrier = services.retrier(connection.conn_id, client.refresh)
    journal, key_field = str(extra.get("journal") or JOURNAL), str(extra.get("key_field") or KEY_FIELD)
    ledger = Ledger(client=client, retrier=retrier, journal=journal, key_field=key_field)
    books = Books(client=client, retrier=retrier)
    return Tryton(ledger, books, str(extra.get("post", "")).lower() in ("true", "1"), goal)


PLUGIN = Plugin(SPEC, open_tryton)
