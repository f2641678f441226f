"""纷享销客 customers (AccountObj): read those that carry our key, create new ones.

The vendor gives a create no request id and takes duplicates. Our key travels in a custom text field of the customer
(setting `key_field`) and is looked up before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.fxiaoke.accounts import CHANGED, OBJECT, Accounts
from connectors.fxiaoke.client import Client
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.protocol import (
    Done,
    Figures,
    Found,
    Move,
    Outcome,
    Page,
    Plugin,
    Safety,
    Setting,
    Sink,
    Spec,
    Stream,
    Window,
)
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

KEY_FIELD = "duijie_key__c"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SPEC = Spec(
    conn_type="fxiaoke",
    title="纷享销客",
    summary="客户: 写入买家, 读回核对",
    settings=(
        Setting("host", "服务器地址", "host", default="https://open.fxiaoke.com"),
        Setting("app_id", "应用 ID (appId)", "login", help="形如 FSAID_…"),
        Setting("app_secret", "应用密钥 (appSecret)", "password", secret=True),
        Setting("permanent_code", "永久授权码 (permanentCode)", secret=True),
        Setting("open_user_id", "操作人 (openUserId)", help="形如 FSUID_…, 数据权限以该用户为准"),
        Setting("key_field", "来源键字段", required=False, default=KEY_FIELD, help="客户对象上的自定义文本字段"),
        Setting("rate", "调用频率上限", required=False, help="如 100/20 second"),
    ),
    rate="10/second",
    api_version="crm/v2",
    source="https://open.fxiaoke.com",
    moves=(
        Move("account", "party", "客户"),
        Move("party", "party", "客户", Safety.LOOKUP),
    ),
)


class AccountStream:
    """Customers that carry our key, by last_modified_time; customers made by hand in the CRM are left out."""

    name = "account"
    entity = "party"

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self.key = accounts.key_field

    def partitions(self) -> Iterable[str]:
        """One company per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Customers changed in the window, or those with the window's keys."""
        since, until = _milliseconds(window.since), _milliseconds(window.until)
        pages = self._accounts.with_keys(window.keys) if window.keys else self._accounts.changed(since, until)
        for rows in pages:
            if ours := [row for row in rows if row.get(self.key)]:
                yield Page(ours)


class PartySink:
    """AccountObj create. A payload is {"key": ours, "object": what mappings/fxiaoke/party.out.yaml made}."""

    name = "party"
    entity = "party"
    safety = Safety.LOOKUP
    batch = 50

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def key_of(self, payload: Record) -> str:
        """Our key, as the custom field will hold it."""
        return str(payload["key"])

    def figures_of(self, payload: Record) -> Figures:
        """None: a customer carries no amount."""
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By the key field; of several with one key the oldest counts, `raw.copies` says how many there are."""
        self._accounts.require_key_field()
        held: dict[str, list[Record]] = {}
        for rows in self._accounts.with_keys(keys):
            for row in rows:
                held.setdefault(str(row[self._accounts.key_field]), []).append(row)
        return {key: _found(held[key]) for key in keys if key in held}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One create per payload, side by side; outcomes in the order of the payloads."""
        retrier = self._accounts.retrier
        return side_by_side(lambda payload: retrier.outcome(lambda: self._create(payload)), payloads)

    def _create(self, payload: Record) -> Done:
        self._accounts.require_key_field()
        key = self.key_of(payload)
        made = {
            "dataObjectApiName": OBJECT,
            "owner": [self._accounts.client.user],
            **payload["object"],
            self._accounts.key_field: key,
        }
        data = {"object_data": made, "details": {}}
        answer = self._accounts.client.data("create", data, lambda: self._as_answer(key))
        native_id = str(answer["dataId"])
        return Done(native_id, native_id, answer)

    def _as_answer(self, key: str) -> Record | None:
        found = self.find([key]).get(key)
        return {"errorCode": 0, "dataId": found.native_id} if found else None


@dataclass(frozen=True)
class Fxiaoke:
    """A connection to one company's CRM."""

    accounts: Accounts

    @property
    def streams(self) -> Mapping[str, Stream]:
        """account."""
        return {"account": AccountStream(self.accounts)}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """party."""
        return {"party": PartySink(self.accounts)}

    def check(self) -> list[tuple[str, str]]:
        """Fetches a token, describes 客户, proves that the key field is there. Raises errors of the tree."""
        self.accounts.require_key_field()
        return [("授权", "令牌有效"), ("来源键字段", f"{self.accounts.key_field} 已存在")]


def open_fxiaoke(connection: Connection, services: Services) -> Fxiaoke:
    """Bring a connection to life. Raises ConfigError for a missing setting."""
    client = Client(connection, services, str(connection.extra.get("rate") or SPEC.rate))
    retrier = services.retrier(connection.conn_id, _keep)
    return Fxiaoke(Accounts(client, retrier, str(connection.extra.get("key_field") or KEY_FIELD)))


PLUGIN = Plugin(SPEC, open_fxiaoke)


def _keep() -> None:
    """The client renews its token itself, knowing which one was refused."""


def _milliseconds(moment: datetime) -> int:
    """Epoch milliseconds, rounded up at both ends, so that adjoining windows neither overlap nor gap."""
    return -((EPOCH - moment) // timedelta(milliseconds=1))


def _found(rows: list[Record]) -> Found:
    first = min(rows, key=lambda row: (int(row.get("create_time") or row[CHANGED]), str(row["_id"])))
    native_id = str(first["_id"])
    return Found(native_id, native_id, {}, {**first, "copies": len(rows)})
