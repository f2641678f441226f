"""金蝶云星空 general ledger: read the vouchers that carry our key, write new ones, never audit them.

The vendor has no key of ours on a voucher, and its number is given by the ledger. Our key travels in a custom text
field of the voucher head that the implementer adds once (setting `key_field`). The vendor does not keep it unique,
so the sink is safe by look-up; `ValidateRepeatJson` is a second guard. One payload is one Save, one after the
other: the ledger numbers vouchers per period and word without gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

from connectors.k3cloud.client import Client
from connectors.k3cloud.vouchers import FORM, VoucherBook, any_of, literal
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
from duijie.connect.services import Services

CHINA = ZoneInfo("Asia/Shanghai")
KEY_FIELD = "F_DJ_SOURCEKEY"
FIND_KEYS = 100

SPEC = Spec(
    conn_type="k3cloud",
    title="金蝶云星空",
    summary="总账凭证: 写入 (制单, 不审核) 与读回核对",
    settings=(
        Setting("host", "服务器地址", "host", help="如 https://xxx.ik3cloud.com, 不含 /k3cloud"),
        Setting("user_name", "集成用户", "login"),
        Setting("app_secret", "应用密钥", "password", secret=True),
        Setting("acct_id", "账套 ID (数据中心)"),
        Setting("app_id", "应用 ID", help="形如 205022_…, 下划线后 32 个字符"),
        Setting("account_book", "账簿编码", help="凭证写入的账簿, 如 001"),
        Setting("key_field", "来源键字段", required=False, default=KEY_FIELD, help="凭证单据头上的自定义文本字段"),
        Setting("lcid", "语言", required=False, default="2052"),
        Setting("org_num", "组织编码", required=False, default="0"),
        Setting("rate", "调用频率上限", required=False, help="如 10/second"),
    ),
    rate="10/second",
    api_version="WebAPI (SDK 8.2.0)",
    source="https://openapi.open.kingdee.com",
    moves=(
        Move("voucher", "voucher", "凭证"),
        Move("voucher", "voucher", "凭证", Safety.LOOKUP),
    ),
)


class VoucherStream:
    """Vouchers of the book that carry our key, by FModifyDate (ledger's local time, whole seconds)."""

    name = "voucher"
    entity = "voucher"
    key = "key"

    def __init__(self, book: VoucherBook) -> None:
        self._book = book

    def partitions(self) -> Iterable[str]:
        """One book per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Vouchers changed in the window, or those with the window's keys."""
        self._book.require_key_field()
        for condition in self._conditions(window):
            for vouchers in self._book.read(condition):
                yield Page(vouchers)

    def _conditions(self, window: Window) -> Iterator[str]:
        if not window.keys:
            since, until = (literal(_second(moment)) for moment in (window.since, window.until))
            yield f"FModifyDate >= {since} and FModifyDate < {until}"
        for start in range(0, len(window.keys), FIND_KEYS):
            yield any_of(self._book.key_field, window.keys[start : start + FIND_KEYS])


class VoucherSink:
    """GL_VOUCHER Save. A payload is {"key": ours, "model": what mappings/k3cloud/voucher.out.yaml made}."""

    name = "voucher"
    entity = "voucher"
    safety = Safety.LOOKUP
    batch = 20

    def __init__(self, book: VoucherBook) -> None:
        self._book = book

    def key_of(self, payload: Record) -> str:
        """Our key, as the custom field will hold it."""
        return str(payload["key"])

    def figures_of(self, payload: Record) -> Figures:
        """Sum of debits and of credits, in yuan."""
        entries = payload["model"]["FEntity"]
        return {
            "debit": sum((Decimal(entry["FDEBIT"]) for entry in entries), Decimal(0)),
            "credit": sum((Decimal(entry["FCREDIT"]) for entry in entries), Decimal(0)),
        }

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By the key field; of several with one key the oldest counts, `raw.copies` says how many there are."""
        self._book.require_key_field()
        held: dict[str, list[Record]] = {}
        for start in range(0, len(keys), FIND_KEYS):
            for page in self._book.read(any_of(self._book.key_field, keys[start : start + FIND_KEYS])):
                for voucher in page:
                    held.setdefault(voucher["key"], []).append(voucher)
        return {key: _found(held[key]) for key in keys if key in held}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One Save per payload, in order; the voucher stays unaudited (制单 ≠ 审核)."""
        return [self._book.retrier.outcome(partial(self._save, payload)) for payload in payloads]

    def _save(self, payload: Record) -> Done:
        self._book.require_key_field()
        model = {
            "FAccountBookID": {"FNumber": self._book.account_book},
            **payload["model"],
            self._book.key_field: payload["key"],
        }
        data = {"NeedReturnFields": ["FVOUCHERGROUPNO"], "ValidateRepeatJson": True, "Model": model}
        result = self._book.client.form("Save", FORM, data)
        returned = (result.get("NeedReturnData") or [{}])[0]
        number = returned.get("FVOUCHERGROUPNO") or result.get("Number", "")
        return Done(str(result["Id"]), str(number), result)


@dataclass(frozen=True)
class K3Cloud:
    """A connection to one 账簿 of one data centre."""

    book: VoucherBook

    @property
    def streams(self) -> Mapping[str, Stream]:
        """voucher."""
        return {"voucher": VoucherStream(self.book)}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """voucher."""
        return {"voucher": VoucherSink(self.book)}

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
    """Bring a connection to life. Raises ConfigError for a missing setting."""
    client = Client(connection, services, str(connection.extra.get("rate") or SPEC.rate))
    retrier = services.retrier(connection.conn_id, client.refresh)
    key_field = str(connection.extra.get("key_field") or KEY_FIELD)
    return K3Cloud(VoucherBook(client, retrier, connection.require("account_book"), key_field))


PLUGIN = Plugin(SPEC, open_k3cloud)


def _second(moment: datetime) -> str:
    """Ledger time, rounded up to a whole second at both ends, so that adjoining windows neither overlap nor gap."""
    local = moment.astimezone(CHINA)
    if local.microsecond:
        local = local.replace(microsecond=0) + timedelta(seconds=1)
    return f"{local:%Y-%m-%d %H:%M:%S}"


def _found(vouchers: list[Record]) -> Found:
    first = vouchers[0]
    figures = {"debit": first["debit"], "credit": first["credit"]}
    return Found(first["id"], first["number"], figures, {**first, "copies": len(vouchers)})
