"""A local 淘宝开放平台 (TOP): gateway, OAuth token endpoint, order, refund, item and stock methods.

It exists so that the connector meets the gateway's own strictness without an account: signature, clock, session,
mandatory `fields`, windows, page sizes, call limits and envelopes as the vendor describes them (open.taobao.com,
"API调用方法详解", "签名算法", "订单同步"). What a caller may rely on:

- `POST /router/rest`, query and form merged before the signature is checked (md5, hmac, hmac-sha256); clock within
  ±10 minutes, as text in GMT+8 or epoch milliseconds; `v` must be 2.0.
- Only `format=json` is served. The vendor's default, xml, is refused with code 23 in a JSON envelope.
- 消息服务 over HTTP: sandbox/taobao_tmc.py.
- `POST /token` with grant_type=refresh_token. A shop's refresh token stays the same; each call makes a new session.

Seed::

    {"apps":    {"<app_key>": "<secret>"},
     "shops":   {"<shop id>": {"nick": "…", "user_id": 1, "session": "…", "refresh_token": "…"}},
     "items":   [{"shop": "S01", "num_iid": 1, "title": "…", "list_time": "…", "modified": "…",
                  "skus": [{"sku_id": 2, "outer_id": "…", "quantity": 9, "price": "7.00"}]}],
     "trades":  [{"shop": "S01", "tid": 3, "modified": "yyyy-MM-dd HH:mm:ss", …, "orders": {"order": […]}}],
     "refunds": [{"shop": "S01", "refund_id": 4, "modified": "…", …}],
     "trouble": {"taobao.skus.quantity.update": 1},
     "limits":  {"calls": 100, "seconds": 1, "ban_seconds": 1, "session_seconds": 86400}}

`trouble` makes that many calls of a method end in isp.top-remote-service-timeout after the work is done.
`shop` says whose record it is and is never served; everything else is served as it stands, malformed or not. A record
whose seed has not changed since it was last loaded is left alone, so re-seeding undoes nothing that was written since.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox import taobao_tmc
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.store import Store
from sandbox.taobao_methods import METHODS, Call, TopError, response_name

CHINA = timezone(timedelta(hours=8))
SKEW = timedelta(minutes=10)
LIMITS = {"calls": 100, "seconds": 1, "ban_seconds": 1, "session_seconds": 86400}
WRITE = re.compile(r"(?:^|&)method=[\w.]+\.(?:update|send)(?:&|$)")

_DIGESTS: dict[str, Callable[[str, str], str]] = {
    "md5": lambda secret, text: hashlib.md5(f"{secret}{text}{secret}".encode()).hexdigest(),  # noqa: S324  vendor's
    "hmac": lambda secret, text: hmac.new(secret.encode(), text.encode(), "md5").hexdigest(),
    "hmac-sha256": lambda secret, text: hmac.new(secret.encode(), text.encode(), "sha256").hexdigest(),
}


class TaobaoSandbox(Sandbox):
    """The gateway of one test environment: any number of apps and shops."""

    name = "taobao"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._calls: dict[str, deque[float]] = {}
        self._banned_until: dict[str, float] = {}

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """The gateway and the token endpoint."""
        own: list[tuple[str, str, Handler]] = [
            ("POST", "/router/rest", self._gateway),
            ("POST", "/token", self._token),
            ("POST", "/_admin/tmc", self._happen),
        ]
        return own

    def is_write(self, request: Request, body: bytes) -> bool:
        """TOP is all POST: only methods named *.update and *.send change something."""
        text = f"{request.url.query}&{body.decode('utf-8', 'replace')}"
        return request.url.path == "/router/rest" and bool(WRITE.search(text))

    def shift_pages(self) -> None:
        """The newest order of each shop changes now and leaves every closed window: older ones move up one place."""
        for collection in [name for name in self.store.counts() if name.startswith("trade/")]:
            newest = max(self.store.all(collection), key=lambda row: str(row["modified"]))
            moment = self.now().astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
            self.store.put(collection, str(newest["tid"]), {**newest, "modified": moment})

    def expire_tokens(self) -> None:
        """Forget every session; refresh tokens live on."""
        for session in list(self.store.keys("session")):
            self.store.drop("session", session)

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring."""
        self._load("app", {key: {"secret": secret} for key, secret in data.get("apps", {}).items()})
        shops = data.get("shops", {})
        self._load("shop", {shop: {"shop": shop, **row} for shop, row in shops.items()})
        until = self._epoch() + self._limit("session_seconds")
        self._load("session", {row["session"]: {"shop": shop} for shop, row in shops.items()}, {"until": int(until)})
        self._load_by_shop("item", "num_iid", data.get("items", []))
        self._load_by_shop("trade", "tid", data.get("trades", []))
        self._load_by_shop("refund", "refund_id", data.get("refunds", []))
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
        given = dict(parse_qsl(request.url.query, keep_blank_values=True))
        given |= dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        request_id = hashlib.sha256(repr(sorted(given.items())).encode()).hexdigest()[:12]
        try:
            answer = self._answer(given)
        except TopError as error:
            return json_response({"error_response": {**error.envelope(), "request_id": request_id}})
        return json_response({response_name(given["method"]): {**answer, "request_id": request_id}})

    def _answer(self, given: dict[str, str]) -> dict[str, Any]:
        method = METHODS.get(given.get("method", "")) or taobao_tmc.METHODS.get(given.get("method", ""))
        if not given.get("method"):
            raise TopError(21, "Missing method")
        if method is None:
            raise TopError(22, "Invalid method", "isv.invalid-method", f"不存在的方法名: {given['method']}")
        self._check_app(given)
        self._check_limit(given["app_key"])
        shop = self._shop_of(given)
        if given.get("format", "xml") != "json":
            raise TopError(23, "Invalid format", "isv.invalid-format", "本沙箱只提供 format=json")
        answer = method(Call(self.store, shop, given, self._text_now()))
        self._maybe_time_out(given["method"])
        return answer

    def _text_now(self) -> str:
        return self.now().astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")

    async def _happen(self, request: Request) -> Response:
        events = codec.decode(await request.body())
        return json_response({"messages": taobao_tmc.happen(self.store, events, self._text_now())})

    def _maybe_time_out(self, method: str) -> None:
        ordered = self.store.get("config", "trouble") or {}
        if ordered.get(method, 0) > 0:
            self.store.put("config", "trouble", {**ordered, method: ordered[method] - 1})
            raise TopError(15, "Remote service error", "isp.top-remote-service-timeout", "服务超时")

    def _check_app(self, given: dict[str, str]) -> None:
        if not given.get("app_key"):
            raise TopError(28, "Missing app key")
        app = self.store.get("app", given["app_key"])
        if app is None:
            raise TopError(29, "Invalid app Key", "isv.appkey-not-exists", "应用不存在")
        if not given.get("sign"):
            raise TopError(24, "Missing signature")
        self._check_clock(given.get("timestamp", ""))
        if given.get("v") != "2.0":
            raise TopError(33, "Invalid version") if given.get("v") else TopError(32, "Missing version")
        digest = _DIGESTS.get(given.get("sign_method", ""))
        if digest is None or not hmac.compare_digest(_sign(given, app["secret"], digest), given["sign"]):
            raise TopError(25, "Invalid signature", "isv.invalid-signature", "签名不正确, 请核对 app_secret 与参数")

    def _check_clock(self, stamp: str) -> None:
        if not stamp:
            raise TopError(30, "Missing timestamp")
        try:
            when = (
                datetime.fromtimestamp(int(stamp) // 1000, UTC)
                if stamp.isdigit()
                else datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
            )
        except (ValueError, OverflowError, OSError):
            raise TopError(31, "Invalid timestamp", "isv.invalid-timestamp", "时间格式非法") from None
        if abs(self.now() - when) > SKEW:
            raise TopError(31, "Invalid timestamp", "isv.invalid-timestamp", "时间与服务器相差超过 10 分钟")

    def _check_limit(self, app_key: str) -> None:
        now = self._epoch()
        left = self._banned_until.get(app_key, 0.0) - now
        calls = self._calls.setdefault(app_key, deque())
        while calls and calls[0] <= now - self._limit("seconds"):
            calls.popleft()
        if left <= 0 and len(calls) >= self._limit("calls"):
            left = float(self._limit("ban_seconds"))
            self._banned_until[app_key] = now + left
        if left > 0:
            words = f"This ban will last for {max(1, round(left))} more seconds"
            raise TopError(7, "App Call Limited", "accesscontrol.limited-by-app-access-count", words)
        calls.append(now)

    def _shop_of(self, given: dict[str, str]) -> str:
        if not given.get("session"):
            raise TopError(26, "Missing session")
        session = self.store.get("session", given["session"])
        if session is None or session["until"] < self._epoch():
            raise TopError(27, "Invalid session", "invalid-sessionkey", "session 无效或已过期")
        return str(session["shop"])

    async def _token(self, request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if given.get("grant_type") != "refresh_token":
            return _refused("unsupported_grant_type", "only refresh_token is served")
        app = self.store.get("app", given.get("client_id", ""))
        if app is None or app["secret"] != given.get("client_secret"):
            return _refused("invalid_client", "client_id or client_secret is wrong")
        shops = [row for row in self.store.all("shop") if row["refresh_token"] == given.get("refresh_token")]
        return self._issued(shops[0]) if shops else _refused("invalid_grant", "refresh token is wrong or expired")

    def _issued(self, shop: dict[str, Any]) -> Response:
        number = self.store.next("session")
        token = "6" + hashlib.sha256(f"{shop['refresh_token']}:{number}".encode()).hexdigest()[:48]
        seconds = self._limit("session_seconds")
        self.store.put("session", token, {"shop": shop["shop"], "until": int(self._epoch()) + seconds})
        lifetimes = dict.fromkeys(
            ("expires_in", "r1_expires_in", "r2_expires_in", "w1_expires_in", "w2_expires_in"), seconds
        )
        answer = {
            "access_token": token,
            "token_type": "Bearer",
            "refresh_token": shop["refresh_token"],
            "re_expires_in": 30 * 86400,
            "taobao_user_id": str(shop["user_id"]),
            "taobao_user_nick": quote(shop["nick"]),
        }
        return json_response({**answer, **lifetimes})


def _sign(given: dict[str, str], secret: str, digest: Callable[[str, str], str]) -> str:
    joined = "".join(f"{name}{given[name]}" for name in sorted(given) if name and name != "sign" and given[name])
    return digest(secret, joined).upper()


def _refused(error: str, description: str) -> Response:
    return json_response({"error": error, "error_description": description}, 400)


SANDBOX = TaobaoSandbox
