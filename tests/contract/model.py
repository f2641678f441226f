"""A connector that keeps every promise, in pieces small enough to spoil one at a time."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AlreadyThere,
    ConfigError,
    CredentialError,
    DuijieError,
    Forged,
    MalformedMessage,
    NotSent,
    OutcomeUnknown,
    TokenExpired,
    VendorRejected,
)
from duijie.connect.hooks import Answer, Call, Push, Pushed
from duijie.connect.http import Http, read_json
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
    Traits,
    Window,
)
from duijie.connect.services import Services
from duijie.connect.tokens import Token
from duijie.contract import HookCase, SinkCase, Site, StreamCase
from tests.contract.vendor import APP, LONGEST, PAGE, SECRET, orders, signature

SPEC = Spec(
    conn_type="model",
    title="样板系统",
    summary="读写订单",
    settings=(
        Setting("host", "地址", target="host"),
        Setting("app", "应用", target="login"),
        Setting("secret", "密钥", target="password", secret=True),
    ),
    rate="10000/second",
    api_version="1",
    source="https://example.org/api",
    moves=(Move("order", "sales_order", "订单"), Move("order", "sales_order", "订单", Safety.NATURAL_KEY)),
)
REASONS: Mapping[str, Callable[[str], DuijieError]] = {
    "bad_key": lambda _: CredentialError("密钥不符, 请在连接中更正后重试", en="wrong key"),
    "token": lambda _: TokenExpired("令牌已失效, 正在重取", en="token expired"),
    "clock": lambda _: ConfigError("本机时间与对方相差过大, 请校准时钟", en="clock"),
    "window": lambda _: ConfigError("时间窗口过长", en="window too long"),
    "exists": lambda no: AlreadyThere(f"单号 {no} 已存在, 先查询核对", en="exists"),
}


class Client:
    """Signs, sends, unwraps."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, SPEC.rate))
        self.retrier = services.retrier(connection.conn_id, self._refresh)
        self._used = ""

    def __repr__(self) -> str:
        return f"Client({self._connection.conn_id})"

    def read(self, query: Mapping[str, str]) -> Record:
        """A list."""
        return self.retrier.read(lambda: self.call("GET", f"/orders?{urlencode(query)}", None))

    def call(self, method: str, target: str, body: Record | None) -> Record:
        """One signed call."""
        sent = b"" if body is None else codec.encode_ordered(body)
        stamp = str(int(self._services.clock()))
        self._used = self.token().value
        headers = {
            "x-token": self._used,
            "x-time": stamp,
            "x-sign": self.sign(self._connection.password, stamp, target, sent),
        }
        return self.unwrap(self._http.send(method, self._connection.base_url + target, body=sent, headers=headers))

    def unwrap(self, response: Any) -> Record:
        """The answer. Raises errors of the tree."""
        return self._checked(read_json(response))

    def token(self) -> Token:
        """The shared one."""
        return self._services.tokens.get(self._connection.conn_id, self.fetch)

    def fetch(self) -> Token:
        """A new one."""
        try:
            return self._services.retrier(self._connection.conn_id).read(self._ask)
        except OutcomeUnknown as error:
            raise NotSent("未取得令牌, 业务请求未发出", en="no token") from error

    def _ask(self) -> Token:
        body = {"app": self._connection.login, "secret": self._connection.password}
        answer = self._http.send("POST", f"{self._connection.base_url}/token", body=codec.encode(body))
        return Token(self._checked(read_json(answer))["token"], time.time() + 3600)

    def _refresh(self) -> None:
        self._services.tokens.replace(self._connection.conn_id, self._used, self.fetch)

    sign = staticmethod(signature)

    def error(self, code: str, text: str) -> DuijieError:
        """What a code means."""
        made = REASONS.get(code)
        return made(text) if made else VendorRejected(f"对方拒绝: {text} ({code}), 请更正后重放", en=code, code=code)

    def _checked(self, answer: Record) -> Record:
        if answer.get("code") != "ok":
            raise self.error(str(answer.get("code")), str(answer.get("text", "")))
        return answer


class Orders:
    """The list."""

    name, entity, key = "order", "sales_order", "no"
    traits = Traits(longest=LONGEST)

    def __init__(self, client: Client) -> None:
        self.client = client

    def partitions(self) -> Iterable[str]:
        """One."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Pages with their total."""
        if window.keys:
            yield from (Page(self.client.read({"no": key})["rows"]) for key in window.keys)
            return
        asked = {"since": window.since.isoformat(), "until": window.until.isoformat()}
        number = 0
        while True:
            answer = self.client.read({**asked, "page": str(number)})
            yield self.page(answer)
            number += 1
            if number * PAGE >= int(answer["total"]):
                return

    def page(self, answer: Record) -> Page:
        """One page."""
        return Page(answer["rows"], total=int(answer["total"]))


class Book:
    """The sink: numbers are unique at the target."""

    name, entity, batch = "order", "sales_order", 10
    safety = Safety.NATURAL_KEY

    def __init__(self, client: Client) -> None:
        self.client = client

    def key_of(self, payload: Record) -> str:
        """The number."""
        return str(payload["no"])

    def figures_of(self, payload: Record) -> Figures:
        """The amount."""
        return {"amount": Decimal(payload["amount"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By number."""
        rows = [row for key in keys for row in self.client.read({"no": key})["rows"]]
        return {row["no"]: Found(row.get("id", ""), row["no"], self.figures_of(row)) for row in rows}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One call each."""
        return [self.client.retrier.outcome(partial(self.create, each)) for each in payloads]

    def create(self, payload: Record) -> Done:
        """One."""
        return self._done(payload, "/orders")

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Void each."""
        return [self.client.retrier.outcome(partial(self._done, each, "/orders/void")) for each in payloads]

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Change each."""
        return [self.client.retrier.outcome(partial(self._done, each, "/orders/change")) for each in payloads]

    def _done(self, payload: Record, target: str) -> Done:
        answer = self.client.call("POST", target, payload)
        return Done(str(answer.get("id", payload["no"])), payload["no"], answer)


class Model:
    """The connector."""

    client_type: type[Client] = Client
    stream_type: type[Orders] = Orders
    sink_type: type[Book] = Book

    def __init__(self, connection: Connection, services: Services) -> None:
        self.client = self.client_type(connection, services)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """order."""
        return {"order": self.stream_type(self.client)}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """order."""
        return {"order": self.sink_type(self.client)}

    def check(self) -> list[tuple[str, str]]:
        """How many orders there are."""
        return [("订单", str(self.client.read({"no": "A0001"})["total"]))]


class Signed:
    """Pushes: hex HMAC of the body, and an id."""

    accepted, refused = Answer(200, b"ok"), Answer(401)
    media_types = frozenset({"application/json"})
    remember = timedelta(days=1)
    streams = ("order",)

    def __init__(self, connection: Connection) -> None:
        self._secret = connection.password

    def verify(self, call: Call) -> Push:
        """Signature first."""
        if not hmac.compare_digest(call.headers.get("x-sign", ""), push_signature(self._secret, call.body)):
            raise Forged("推送签名不符", en="signature", code="signature")
        return Push((self.item(call.body),), self.nonce(call))

    def nonce(self, call: Call) -> str:
        """The id."""
        return call.headers["x-id"]

    def item(self, body: bytes) -> Pushed:
        """The record."""
        try:
            record = codec.decode(body)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise MalformedMessage("推送的内容不是 JSON", en="no JSON") from error
        if not isinstance(record, dict) or "no" not in record:
            raise MalformedMessage("推送缺少单号", en="no number")
        return Pushed("order", record["no"], record)


def push_signature(secret: str, body: bytes) -> str:
    """Hex HMAC-SHA256 of the body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def push(now: datetime, body: bytes | None) -> Call:
    """As the vendor pushes."""
    sent = b'{"no":"A0001"}' if body is None else body
    return Call("order", {"x-id": "1", "x-sign": push_signature(SECRET, sent)}, {}, sent, now)


@dataclass(frozen=True)
class Parts:
    """What a plugin is made of."""

    model: type[Model] = Model
    hook: type[Signed] = Signed
    spec: Spec = SPEC


def payload(number: int) -> Record:
    """An order to write."""
    return {"no": f"B{number:04}", "name": "李四", "amount": f"{number}.50"}


def site(url: str, parts: Parts) -> Site:
    """The model under contract."""
    window = Window(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC))
    return Site(
        plugin=Plugin(parts.spec, parts.model, parts.hook),
        url=url,
        login=APP,
        password=SECRET,
        seed={"orders": orders(35)},
        streams={"order": StreamCase(window, 35, mapping=Path(__file__).parent / "order.in.yaml")},
        sinks={
            "order": SinkCase(
                payload,
                "written",
                spoil=lambda made: {**made, "name": ""},
                say=lambda made, text: {**made, "name": text},
                cost=lambda made, amount: {**made, "amount": str(amount)},
            )
        },
        hook=HookCase(push, lambda call: replace(call, headers={**call.headers, "x-sign": "0" * 64})),
        token_path="/token",
        vectors=[("HMAC", lambda: parts.model.client_type.sign("key", "1", "/", b""), VECTOR)],
        skewed=True,
        shifts=True,
    )


VECTOR = "b2f6ecd4821d4a44fe232ef3a0066df041445320f7ddd2e4d9d596f526574ebc"  # openssl dgst -sha256 -hmac key
