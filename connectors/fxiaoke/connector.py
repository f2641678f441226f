"""A connection to one company's CRM: its settings, and the objects of `objects.KINDS` as streams and sinks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connectors.fxiaoke.client import Client
from connectors.fxiaoke.objects import KINDS
from connectors.fxiaoke.records import KEY_FIELD, LIMIT, SKU_FIELD, Fields, Records
from connectors.fxiaoke.sinks import ObjectSink
from connectors.fxiaoke.streams import ObjectStream
from duijie.connect.connection import Connection
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Sink, Spec, Stream
from duijie.connect.services import Services


def _moves() -> Iterator[Move]:
    yield from (Move(one.stream, one.entity, one.title) for one in KINDS if one.stream)
    yield from (Move(one.sink, one.entity, one.title, Safety.LOOKUP) for one in KINDS if one.sink)


SPEC = Spec(
    conn_type="fxiaoke",
    title="纷享销客",
    summary="读写客户、商机、销售订单与产品, 读取供应商、仓库、计量单位与库存",
    settings=(
        Setting("host", "服务器地址", "host", default="https://open.fxiaoke.com", help="其他云为 open-<云登录域名>"),
        Setting("app_id", "应用 ID (appId)", "login", help="形如 FSAID_…"),
        Setting("app_secret", "应用密钥 (appSecret)", "password", secret=True),
        Setting("permanent_code", "永久授权码 (permanentCode)", secret=True),
        Setting("open_user_id", "操作人 (openUserId)", help="形如 FSUID_…, 数据权限以该用户为准"),
        Setting("key_field", "来源键字段", required=False, default=KEY_FIELD, help="写入的各对象上的自定义文本字段"),
        Setting(
            "key_fields",
            "各对象的来源键字段",
            required=False,
            help='与上一项不同的对象, 如 {"SalesOrderObj": "field_4xWXT__c"}',
        ),
        Setting("sku_field", "SKU 字段", required=False, default=SKU_FIELD, help="产品对象上存放 SKU 的字段"),
        Setting("page_size", "每页条数", required=False, default=LIMIT, help="至多 100"),
        Setting("rate", "调用频率上限", required=False, help="如 100/20 second"),
    ),
    rate="100/20 second",
    api_version="crm/v2",
    source="https://developer.fxiaoke.com/openapi_v2/",
    moves=tuple(_moves()),
)


@dataclass(frozen=True)
class Fxiaoke:
    """A connection to one company's CRM."""

    records: Records

    @property
    def streams(self) -> Mapping[str, Stream]:
        """account, opportunity, sales_order, product, supplier, warehouse, unit, stock."""
        return {one.stream: ObjectStream(self.records, one) for one in KINDS if one.stream}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """party, opportunity, sales_order, product."""
        return {one.sink: ObjectSink(self.records, one) for one in KINDS if one.sink}

    def check(self) -> list[tuple[str, str]]:
        """Fetches a token, describes 客户, proves that the key field is there. Raises errors of the tree."""
        customers = KINDS[0]
        self.records.require_key_field(customers.api_name, customers.title)
        key = self.records.fields.key_of(customers.api_name)
        return [("授权", "令牌有效"), ("来源键字段", f"{key} 已存在")]


def open_fxiaoke(connection: Connection, services: Services) -> Fxiaoke:
    """Bring a connection to life. Raises ConfigError for a missing setting."""
    client = Client(connection, services, str(connection.extra.get("rate") or SPEC.rate))
    retrier = services.retrier(connection.conn_id, _keep)
    limit = int(connection.extra.get("page_size") or LIMIT)
    return Fxiaoke(Records(client, retrier, Fields.of(connection), limit))


PLUGIN = Plugin(SPEC, open_fxiaoke)


def _keep() -> None:
    """The client renews its token itself, knowing which one was refused."""
