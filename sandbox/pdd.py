"""A local 拼多多开放平台 (POP): the gateway with order, after-sale, goods, stock, shipping and token methods.

It exists so that the connector meets the gateway's own strictness without an account: signature, clock, access token,
mandatory parameters, windows, page sizes, call limits and envelopes as the vendor describes them (open.pinduoduo.com,
"开发指南", API 文档, "公共错误码"). What a caller may rely on:

- `POST /api/router`, query and form (or one JSON object) merged before the signature is checked; clock within ±10
  minutes, in Unix seconds; `data_type` must be JSON. Answers are HTTP 200, errors in `error_response`.
- A refused clock is answered with 10001 and `timestamp` in its words: the vendor does not publish a code of its own.
- 消息服务 over a websocket: sandbox/pdd_pmc.py.
- pdd.pop.auth.token.refresh makes a new access token and a new refresh token; the old refresh token is void then.

Seed::

    {"apps":      {"<client_id>": "<secret>"},
     "shops":     {"<shop id>": {"mall_id": 1, "mall_name": "…", "access_token": "…", "refresh_token": "…"}},
     "goods":     [{"shop": "S01", "goods_id": 1, "goods_name": "…", "is_onsale": 1,
                    "sku_list": [{"sku_id": 2, "outer_id": "…", "sku_quantity": 9, "is_sku_onsale": 1}]}],
     "orders":    [{"shop": "S01", "order_sn": "261111-…", "order_status": 1, "updated_at": "yyyy-MM-dd HH:mm:ss", …}],
     "refunds":   [{"shop": "S01", "id": 3, "order_sn": "…", "updated_time": "…", …}],
     "companies": [{"id": 44, "logistics_company": "顺丰快递", "code": "SF", "available": 1}],
     "trouble":   {"pdd.goods.quantity.update": 1},
     "limits":    {"calls": 100, "seconds": 1, "token_seconds": 86400}}

`trouble` makes that many calls of a method end in 50001 after the work is done. `shop` says whose record it is and is
never served; everything else is served as it stands, malformed or not. A record whose seed has not changed since it was
last loaded is left alone, so re-seeding undoes nothing that was written since.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from duijie import codec
from sandbox import pdd_pmc
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.pdd_methods import METHODS, Call, PopError, response_key
from sandbox.pdd_pmc import Lines
from sandbox.store import Store

CHINA = timezone(timedelta(hours=8))
TIME = "%Y-%m-%d %H:%M:%S"
SKEW_SECONDS = 600
LIMITS = {"calls": 1000, "seconds": 1, "token_seconds": 86400}
WRITE = re.compile(r"(?:^|&)type=pdd\.(?:goods\.quantity\.update|logistics\.online\.send|order\.upload\.)")
OPEN = ("pdd.pop.auth.token.refresh",)


class PddSandbox(Sandbox):
    """The gateway of one test environment: any number of apps and shops."""

    name = "pdd"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._calls: dict[str, deque[float]] = {}

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """The gateway."""
        return [("POST", "/api/router", self._gateway), ("POST", "/_admin/pmc", self._happen)]

    def app(self) -> Starlette:
        """The ASGI application, with the line of the message service."""
        lines = Lines(lambda: self.store, self.now)
        made = super().app()
        made.router.routes.append(WebSocketRoute("/message/{client_id}/{ms}/{digest}", lines.serve))
        return made

    def is_write(self, request: Request, body: bytes) -> bool:
        """POP is all POST: three methods change something."""
        return bool(WRITE.search(f"{request.url.query}&{body.decode('utf-8', 'replace')}"))

    def shift_pages(self) -> None:
        """The newest order and after-sale of each shop changes now and leaves every closed window."""
        moment = self.now().astimezone(CHINA).strftime(TIME)
        for kind, changed, key in (("order", "updated_at", "order_sn"), ("refund", "updated_time", "id")):
            for collection in [name for name in self.store.counts() if name.startswith(f"{kind}/")]:
                newest = max(self.store.all(collection), key=lambda row: str(row[changed]))
                self.store.put(collection, str(newest[key]), {**newest, changed: moment})

    def expire_tokens(self) -> None:
        """Forget every access token; refresh tokens live on."""
        for token in list(self.store.keys("token")):
            self.store.drop("token", token)

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring."""
        self._load("app", {key: {"secret": secret} for key, secret in data.get("apps", {}).items()})
        shops = data.get("shops", {})
        self._load("shop", {shop: {"shop": shop, **row} for shop, row in shops.items()})
        until = int(self._epoch() + self._limit("token_seconds"))
        tokens = {row["access_token"]: {"shop": shop} for shop, row in shops.items() if row.get("access_token")}
        self._load("token", tokens, {"until": until})
        self._load_by_shop("goods", "goods_id", data.get("goods", []))
        self._load_by_shop("order", "order_sn", data.get("orders", []))
        self._load_by_shop("refund", "id", data.get("refunds", []))
        self._load("company", {str(row["id"]): row for row in data.get("companies", [])})
        self._load("config", {name: data[name] for name in ("limits", "trouble") if name in data})

    def _load_by_shop(self, kind: str, key: str, rows: list[dict[str, Any]]) -> None:
        by_shop: dict[str, dict[str, Any]] = {}
        for row in rows:
            own = {name: value for name, value in row.items() if name != "shop"}
            by_shop.setdefault(row["shop"], {})[str(row[key])] = own
        for shop, own_rows in by_shop.items():
            self._load(f"{kind}/{shop}", own_rows)

    def _load(self, collection: str, rows: dict[str, Any], extra: dict[str, Any] | None = None) -> None:
        marks = {key: {"digest": codec.digest(row)} for key, row in rows.items()}
        kept = {key: self.store.get(f"_seed/{collection}", key) for key in rows}
        fresh = {key: {**row, **(extra or {})} for key, row in rows.items() if kept[key] != marks[key]}
        if fresh:
            self.store.put_many(collection, fresh)
            self.store.put_many(f"_seed/{collection}", {key: marks[key] for key in fresh})

    def _limit(self, name: str) -> int:
        kept = self.store.get("config", "limits") or {}
        return int(kept.get(name, LIMITS[name]))

    def _epoch(self) -> float:
        return self.now().timestamp()

    async def _gateway(self, request: Request) -> Response:
        given = dict(parse_qsl(request.url.query, keep_blank_values=True)) | _fields(await request.body())
        request_id = hashlib.sha256(repr(sorted(given.items())).encode()).hexdigest()[:20]
        try:
            answer = self._answer(given)
        except PopError as error:
            return json_response({"error_response": {**error.envelope(), "request_id": request_id}})
        return json_response({response_key(given["type"]): {**answer, "request_id": request_id}})

    async def _happen(self, request: Request) -> Response:
        events = codec.decode(await request.body())
        return json_response({"messages": pdd_pmc.happen(self.store, events, self.now())})

    def _answer(self, given: dict[str, str]) -> dict[str, Any]:
        self._check_common(given)
        method = given["type"]
        if method in OPEN:
            return self._refresh(given)
        shop = self._shop_of(given)
        self._check_limit(shop)
        call = {**METHODS, "pdd.pmc.user.permit": pdd_pmc.permit}.get(method)
        if call is None:
            raise PopError(10017, f"type不存在: {method}")
        answer = call(Call(self.store, shop, given, self.now()))
        self._maybe_fail(method)
        return answer

    def _check_common(self, given: dict[str, str]) -> None:
        for name in ("type", "client_id", "timestamp", "sign"):
            if not given.get(name):
                raise PopError(10001, f"公共参数缺失: {name}")
        app = self.store.get("app", given["client_id"])
        if app is None:
            raise PopError(10016, "client_id 不存在")
        stamp = given["timestamp"]
        if not stamp.isdigit() or abs(self._epoch() - int(stamp)) > SKEW_SECONDS:
            raise PopError(10001, "公共参数错误: timestamp 与平台时间相差超过 10 分钟")
        if given.get("data_type", "JSON") != "JSON":
            raise PopError(10001, "公共参数错误: 本沙箱只提供 data_type=JSON")
        if not hmac.compare_digest(_sign(given, app["secret"]).encode(), given["sign"].encode()):
            raise PopError(20004, "签名sign校验失败, 请按接口文档检查生成签名的参数是否正确")

    def _maybe_fail(self, method: str) -> None:
        ordered = self.store.get("config", "trouble") or {}
        if ordered.get(method, 0) > 0:
            self.store.put("config", "trouble", {**ordered, method: ordered[method] - 1})
            raise PopError(50001, "业务服务错误")

    def _check_limit(self, shop: str) -> None:
        now = self._epoch()
        calls = self._calls.setdefault(shop, deque())
        while calls and calls[0] <= now - self._limit("seconds"):
            calls.popleft()
        if len(calls) >= self._limit("calls"):
            raise PopError(70031, "调用过于频繁, 请调整调用频率")
        calls.append(now)

    def _shop_of(self, given: dict[str, str]) -> str:
        token = self.store.get("token", given.get("access_token", ""))
        if token is None or token["until"] < self._epoch():
            raise PopError(10019, "access_token已过期")
        return str(token["shop"])

    def _refresh(self, given: dict[str, str]) -> dict[str, Any]:
        asked = given.get("refresh_token", "")
        shop = next((row for row in self.store.all("shop") if row["refresh_token"] == asked), None)
        if not asked or shop is None:
            raise PopError(10000, "参数错误: refresh_token 无效或已过期")
        number = self.store.next("token")
        access, refresh = (
            hashlib.sha256(f"{kind}:{asked}:{number}".encode()).hexdigest()[:40] for kind in ("access", "refresh")
        )
        seconds = self._limit("token_seconds")
        self.store.put("token", access, {"shop": shop["shop"], "until": int(self._epoch()) + seconds})
        self.store.put("shop", shop["shop"], {**shop, "refresh_token": refresh})
        ends = int(self._epoch()) + seconds
        lives = {f"{name}_expires_in": seconds for name in ("r1", "r2", "w1", "w2", "refresh_token")}
        ended = {f"{name}_expires_at": ends for name in ("r1", "r2", "w1", "w2", "refresh_token")}
        own = {"access_token": access, "refresh_token": refresh, "expires_in": seconds, "expires_at": ends}
        owner = {"owner_id": str(shop["mall_id"]), "owner_name": shop["mall_name"], "scope": sorted(METHODS)}
        return {**own, **owner, **lives, **ended}


def _fields(body: bytes) -> dict[str, str]:
    """A form, or one JSON object whose values are taken as the gateway signs them."""
    text = body.decode("utf-8", "replace")
    if not text.lstrip().startswith("{"):
        return dict(parse_qsl(text, keep_blank_values=True))
    try:
        given = codec.decode(text)
    except msgspec.DecodeError:
        return {}
    return {name: value if isinstance(value, str) else codec.encode(value).decode() for name, value in given.items()}


def _sign(given: dict[str, str], secret: str) -> str:
    joined = "".join(f"{name}{given[name]}" for name in sorted(given) if name != "sign")
    return hashlib.md5(f"{secret}{joined}{secret}".encode()).hexdigest().upper()  # noqa: S324  vendor's


SANDBOX = PddSandbox
