"""A local 抖店开放平台: gateway, tokens, orders, after-sales, items, stock and shipments.

It exists so that the connector meets the gateway's own strictness without an account: signature over the bytes of the
body, clock, tokens and their life, page limits, codes, envelopes as the vendor describes them (op.jinritemai.com:
API调用指南, 平台基础错误码汇总, the pages of methods). A caller may rely on:

- `POST /a/b` with method=a.b; parameters as the body, or without one as param_json in the query; hmac-sha256, md5.
- With the header x-open-no-old-err-code: 1 answers carry code and msg; without it err_no and message as well.
- token.create: authorization_self for a self-built app, a code (once) for a tool app. token.refresh gives the same pair
  until an hour before its end, then a new one, the old one going on for an hour; after the end the old one is gone.

Seed::

    {"apps":       {"<app_key>": {"secret": "…", "kind": "self"}},                 or "tool"
     "shops":      {"1001": {"name": "…", "code": "…", "refresh_token": "…"}},     the last two for tool apps
     "orders":     [{"shop": "1001", "order_id": "…", "order_status": 2, "create_time": 1, "update_time": 1, …}],
     "aftersales": [{"shop": "1001", "aftersale_info": {"aftersale_id": "…", "update_time": 1, …}, "order_info": {…},
                     "detail": {…}}],                      what afterSale.Detail says besides
     "products":   [{"shop": "1001", "product_id": 1, "status": 0, "update_time": 1,
                     "skus": [{"id": 2, "code": "…", "sku_type": 0, "stock_num": 9}]}],
     "carriers":   {"shunfeng": "顺丰速运"},
     "trouble":    {"sku.syncStock": 1},
     "limits":     {"calls": 100, "seconds": 1, "token_seconds": 604800, "depth": 50000}}

`trouble` makes that many calls of a method end in isp.service-error after the work is done. `shop` says whose record it
is and is never served; everything else is served as it stands, malformed or not.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox import doudian_shipping
from sandbox.doudian_methods import METHODS, Call, Refusal
from sandbox.doudian_tokens import Tokens
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.store import Store

CHINA = timezone(timedelta(hours=8))
SKEW = timedelta(minutes=10)
LIMITS = {"calls": 100, "seconds": 1, "token_seconds": 7 * 86400, "depth": 50_000}
CARRIERS = {
    "shunfeng": "顺丰速运",
    "zhongtong": "中通快递",
    "yuantong": "圆通速递",
    "yunda": "韵达快递",
    "shentong": "申通快递",
    "jd": "京东快递",
    "ems": "EMS",
    "youzhengguonei": "邮政快递包裹",
}
WRITES = re.compile(r"^/(sku/syncStock|order/logisticsAdd)")
SERVED = {
    **METHODS,
    "order.logisticsAdd": doudian_shipping.add,
    "order.logisticsAddMultiPack": doudian_shipping.add_packs,
}
BUSY = Refusal(20000, "系统错误", "isp.service-error:10002", "系统处理失败, 请重试")

_DIGESTS: dict[str, Callable[[str, str], str]] = {
    "hmac-sha256": lambda secret, text: hmac.new(secret.encode(), text.encode(), "sha256").hexdigest(),
    "md5": lambda _, text: hashlib.md5(text.encode()).hexdigest(),  # noqa: S324  the vendor's choice
}


class DoudianSandbox(Sandbox):
    """The gateway of one test environment: any number of apps and shops."""

    name = "doudian"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._calls: dict[str, deque[float]] = {}

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """The gateway: every path of two parts."""
        own: list[tuple[str, str, Handler]] = [("POST", "/{domain}/{operation}", self._gateway)]
        return own

    def is_write(self, request: Request, body: bytes) -> bool:
        """All is POST: only stock and shipments are written."""
        return bool(WRITES.match(request.url.path))

    def expire_tokens(self) -> None:
        """Access tokens end now; refresh tokens live on."""
        for token in list(self.store.keys("access")):
            self.store.put("access", token, {**(self.store.get("access", token) or {}), "until": 0})

    def shift_pages(self) -> None:
        """The order and the after-sale listed first in each shop change now and leave every closed window."""
        now = int(self.now().timestamp())
        for kind in [name for name in self.store.counts() if name.startswith(("order/", "aftersale/"))]:
            first = min(self.store.keys(kind), key=lambda key, kind=kind: _changed_at(self.store.get(kind, key)))  # type: ignore[misc]
            self.store.put(kind, first, _moved(self.store.get(kind, first) or {}, now))

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring."""
        self.store.put_many("app", data.get("apps", {}))
        self.store.put_many("shop", data.get("shops", {}))
        for shop, row in data.get("shops", {}).items():
            if row.get("refresh_token"):
                given = {"shop": shop, "access": "", "refresh_ends": 2**40}
                self.store.put("refresh", row["refresh_token"], given)
            if row.get("code"):
                self.store.put("code", row["code"], {"shop": shop})
        for kind, key in (("order", "order_id"), ("product", "product_id")):
            for row in data.get(f"{kind}s", []):
                self.store.put(f"{kind}/{row['shop']}", str(row[key]), _without_shop(row))
        for row in data.get("aftersales", []):
            number = str(row["aftersale_info"]["aftersale_id"])
            self.store.put(f"aftersale/{row['shop']}", number, _without_shop(row))
        for name in ("limits", "trouble"):
            if name in data:
                self.store.put("config", name, data[name])
        self.store.put("config", "carriers", data.get("carriers", CARRIERS))

    def _limit(self, name: str) -> int:
        return int((self.store.get("config", "limits") or {}).get(name, LIMITS[name]))

    async def _gateway(self, request: Request) -> Response:
        given = dict(request.query_params)
        text = (await request.body()).decode("utf-8", "replace") or given.get("param_json", "")
        path = f"{request.path_params['domain']}.{request.path_params['operation']}"
        is_new = request.headers.get("x-open-no-old-err-code") == "1"
        try:
            data = self._answer(path, given, text)
        except Refusal as refused:
            return self._envelope(is_new, refused.code, refused.msg, refused.sub_code, refused.sub_msg, None)
        return self._envelope(is_new, 10000, "success", "", "", data)

    def _envelope(self, is_new: bool, code: int, msg: str, sub_code: str, sub_msg: str, data: Any) -> Response:
        said = {"code": code, "msg": msg, "sub_code": sub_code, "sub_msg": sub_msg, "data": data}
        old = {} if is_new else {"err_no": 0 if code == 10000 else code, "message": msg}
        return json_response({**said, **old, "log_id": f"2026{self.store.next('log'):016}"})

    def _answer(self, path: str, given: Mapping[str, str], text: str) -> Any:
        app = self._check_app(given, text)
        if given.get("method") != path:
            raise Refusal(40003, "非法的参数", "isv.method-invalid", "method 与请求路径不一致")
        self._check_traffic(given["app_key"])
        parameters = _parameters(text)
        now = int(self.now().timestamp())
        tokens = Tokens(self.store, app, now, self._limit("token_seconds"))
        if path.startswith("token."):
            return tokens.answer(path, parameters)
        if path not in SERVED:
            raise Refusal(70000, "接口服务已下线", "isp.api-service-off", "API不存在或API已下线")
        shop = tokens.shop_of(given.get("access_token", ""))
        data = SERVED[path](Call(self.store, shop, parameters, now, self._limit("depth")))
        self._maybe_fail(path)
        return data

    def _maybe_fail(self, method: str) -> None:
        ordered = self.store.get("config", "trouble") or {}
        if ordered.get(method, 0) > 0:
            self.store.put("config", "trouble", {**ordered, method: ordered[method] - 1})
            raise BUSY

    def _check_app(self, given: Mapping[str, str], text: str) -> dict[str, Any]:
        app = self.store.get("app", given.get("app_key", ""))
        if not given.get("app_key"):
            raise Refusal(40001, "缺少必选参数", "isv.app-id-missing", "认证失败，app_key不存在")
        if app is None:
            raise Refusal(40003, "非法的参数", "isv.app-id-invalid", "认证失败，app_key格式不正确，应为19位纯数字")
        if not given.get("sign"):
            raise Refusal(40001, "缺少必选参数", "isv.signature-missing", "获取签名失败")
        self._check_clock(given.get("timestamp", ""))
        if given.get("v") != "2":
            raise Refusal(40003, "非法的参数", "isv.version-invalid", "v 应为 2")
        if not hmac.compare_digest(_sign(given, text, app["secret"]).encode(), given["sign"].encode()):
            raise Refusal(40003, "非法的参数", "isv.signature-invalid", "签名校验失败")
        return app

    def _check_clock(self, stamp: str) -> None:
        try:
            when = (
                datetime.fromtimestamp(int(stamp), UTC)
                if stamp.isdigit()
                else datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
            )
        except (ValueError, OverflowError, OSError):
            raise Refusal(40003, "非法的参数", "isv.timestamp-format-error", "时间戳格式错误") from None
        if abs(self.now() - when) > SKEW:
            raise Refusal(40003, "非法的参数", "isv.timestamp-invalid", "时间戳不合法")

    def _check_traffic(self, app_key: str) -> None:
        now = self.now().timestamp()
        calls = self._calls.setdefault(app_key, deque())
        while calls and calls[0] <= now - self._limit("seconds"):
            calls.popleft()
        if len(calls) >= self._limit("calls"):
            raise Refusal(60000, "触发限流，请稍后重试", "isv.traffic-limited", "请求太频繁，请稍后重试")
        calls.append(now)


def _sign(given: Mapping[str, str], text: str, secret: str) -> str:
    digest = _DIGESTS.get(given.get("sign_method", "hmac-sha256"))
    if digest is None:
        raise Refusal(40003, "非法的参数", "isv.sign-method-invalid", "sign_method 应为 hmac-sha256 或 md5")
    fields = {**given, "param_json": text}
    names = ("app_key", "method", "param_json", "timestamp", "v")
    joined = "".join(f"{name}{fields.get(name, '')}" for name in names)
    return digest(secret, f"{secret}{joined}{secret}")


def _parameters(text: str) -> dict[str, Any]:
    try:
        found = codec.decode(text)
    except (msgspec.DecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refusal(40003, "非法的参数", "isv.parameter-format-invalid", "业务参数json解析失败")
    return found


def _without_shop(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "shop"}


def _moved(row: dict[str, Any], now: int) -> dict[str, Any]:
    if "aftersale_info" in row:
        return {**row, "aftersale_info": {**row["aftersale_info"], "update_time": now}}
    return {**row, "update_time": now}


def _changed_at(row: dict[str, Any] | None) -> int:
    return int((row or {}).get("update_time", 0) or ((row or {}).get("aftersale_info") or {}).get("update_time", 0))


SANDBOX = DoudianSandbox
