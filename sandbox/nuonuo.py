"""A local 诺诺开放平台: token endpoint, signed gateway, blue invoices and red confirmation forms of one seller.

It exists so that the connector meets the platform's strictness without an account: signature over the received bytes,
clock, token life and token quota, the `method` header, field lengths, line arithmetic, numbers that are taken once, and
issuing that goes on after the answer. Source: 诺诺开放平台 "接入指南" and the 诺税通 SaaS methods (open.nuonuo.com).

Seed (each key may be absent; those of sandbox/bureau.py too)::

    {"app_key": "…", "app_secret": "…", "tax_no": "339902999999789113", "seller_name": "…",
     "issue_seconds": 2, "credit_line": "10000000.00", "login": "in", "booked_buyers": [], "unknown_buyers": [],
     "limits": {"tokens": 50, "token_days": 30, "token_seconds": 86400}}

A request with a `callBackUrl` is called back when it is through (faults: `drop_push`, `duplicate_webhook`); `items` of
an ordered push (sandbox/push.py) are request numbers.

What buyers do is ordered over `POST /_admin/bureau` (sandbox/bureau_admin.py).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox import bureau_admin
from sandbox.bureau import DEFAULTS as BUREAU
from sandbox.bureau import Bureau
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.nuonuo_billing import Billing, Refused
from sandbox.nuonuo_red import RedForms
from sandbox.nuonuo_site import Desk, Files
from sandbox.push import Parcel, Pusher, send
from sandbox.store import Store

PREFIX = "nuonuo.OpeMplatform."
WRITES = (
    "requestBillingNew",
    "reInvoice",
    "deliveryInvoice",
    "saveInvoiceRedConfirm",
    "confirm",
    "confirmInfoCancel",
)
SKEW_SECONDS = 600
DAY = 86400
LIMITS = {"tokens": 50, "token_days": 30, "token_seconds": DAY}
DEFAULTS: dict[str, Any] = {
    "app_key": "AK-demo-0001",
    "app_secret": "AS-demo-secret-0001",
    "tax_no": "339902999999789113",
    "seller_name": "诺诺测试企业",
}
QUERY = {"senid": re.compile(r"[0-9A-Za-z]{32}"), "nonce": re.compile(r"\d{8}"), "timestamp": re.compile(r"\d{10}")}

Method = Callable[[dict[str, Any]], Any]


class NuonuoSandbox(Sandbox):
    """One own-use application of one seller."""

    name = "nuonuo"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._senids: dict[str, float] = {}
        if not store.get("config", "config"):
            store.put("config", "config", dict(DEFAULTS))
        self.bureau = Bureau(store, self.now)
        self.files = Files(lambda: self.bureau, lambda: self._config["app_secret"])
        self.billing = Billing(store, self.bureau, self.files.of)
        self.forms = RedForms(self.bureau, self.billing)
        self.desk = Desk(self.bureau, self.billing, store)
        self.pusher = Pusher(self.call_back)
        self._calling_back: set[asyncio.Task[None]] = set()
        self._methods: Mapping[str, Method] = {
            "requestBillingNew": self.billing.submit,
            "queryInvoiceResult": self.billing.query,
            "reInvoice": self.billing.retry,
            "deliveryInvoice": self.billing.deliver,
            "getCreditLine": self.billing.credit,
            "getCertificationStatus": self.desk.status,
            "getQrCode": self.desk.code,
            "verifyComplete": self.desk.done,
            "saveInvoiceRedConfirm": self.forms.save,
            "queryInvoiceRedConfirm": self.forms.query,
            "refreshInvoiceRedConfirm": self.forms.refresh,
            "confirm": self.forms.confirm,
            "confirmInfoCancel": self.forms.cancel,
        }

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """The gateway and the token endpoint."""
        own: list[tuple[str, str, Handler]] = [
            ("POST", "/open/v1/services", self._gateway),
            ("POST", "/accessToken", self._token),
            ("GET", "/files/{name}", self._file),
        ]
        return [*own, self.pusher.route(), *bureau_admin.routes(lambda: self.bureau)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """Every method is a POST to one address: the header says which one it is."""
        return request.headers.get("method", "").removeprefix(PREFIX) in WRITES

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what was issued since stays."""
        given = {name: data[name] for name in DEFAULTS if name in data}
        self.bureau.settings({name: data[name] for name in BUREAU if name in data})
        self.store.put("config", "config", {**self._config, **given})
        if "limits" in data:
            self.store.put("config", "limits", dict(data["limits"]))

    def expire_tokens(self) -> None:
        """Forget every token."""
        for token in list(self.store.keys("token")):
            self.store.drop("token", token)

    @property
    def _config(self) -> dict[str, Any]:
        return self.store.get("config", "config") or DEFAULTS

    def _limit(self, name: str) -> int:
        return int((self.store.get("config", "limits") or {}).get(name, LIMITS[name]))

    async def _gateway(self, request: Request) -> Response:
        body = await request.body()
        self.files.base = str(request.base_url).rstrip("/")
        try:
            self._check_caller(request, body)
            method = self._methods.get(request.headers["method"].removeprefix(PREFIX))
            if method is None:
                raise Refused("070102", "本沙箱不提供该 method")
            given = _read(body)
            result = method(given)
            self._promise_callback(given)
        except Refused as refused:
            return json_response({"code": refused.code, "describe": str(refused), "result": None})
        return json_response({"code": "E0000", "describe": "成功", "result": result})

    async def _file(self, request: Request) -> Response:
        return await self.files.give(request)

    def _promise_callback(self, given: dict[str, Any]) -> None:
        """Call back when the invoice is through, as often as it takes (the platform's own intervals are not known)."""
        order = given.get("order") or {}
        if isinstance(order, dict) and order.get("callBackUrl"):
            task = asyncio.get_running_loop().create_task(self._keep_calling(order["callBackUrl"], order["orderNo"]))
            self._calling_back.add(task)
            task.add_done_callback(self._calling_back.discard)

    async def _keep_calling(self, url: str, number: str) -> None:
        await asyncio.sleep(float(self.bureau.config["issue_seconds"]))
        for pause in (0.2, 0.4, 0.8, 1.6, 3.2):
            parcel = self.call_back(url, number, timedelta())
            dropped = any(one.kind == "drop_push" and one.due(number, is_write=True) for one in self.faults)
            copies = 2 if any(one.kind == "duplicate_webhook" and one.due(number, True) for one in self.faults) else 1
            if dropped:
                return
            answers = [await asyncio.to_thread(send, parcel) for _ in range(copies)]
            if all('"0000"' in one["body"] for one in answers):
                return
            await asyncio.sleep(pause)

    def call_back(self, url: str, number: str, age: timedelta) -> Parcel:
        """The result of a request as the platform posts it: a form, without a signature."""
        row = (self.billing.query({"orderNos": [number]}) if self.bureau.blue(number) else [{}])[0]
        content = {
            "c_status": {"2": "1", "22": "2", "24": "3"}.get(str(row.get("status")), "1"),
            "c_orderno": number,
            "c_fpqqlsh": row.get("serialNo", ""),
            "c_fphm": row.get("invoiceNo", ""),
            "c_kprq": row.get("invoiceTime"),
            "c_bhsje": row.get("exTaxAmount", ""),
            "c_hjse": row.get("taxAmount", ""),
        }
        form = {"operater": "callback", "orderno": number, "content": codec.encode_ordered(content).decode()}
        headers = {"content-type": "application/x-www-form-urlencoded;charset=utf-8"}
        return Parcel(url, headers, urlencode(form).encode(), "t")

    def _check_caller(self, request: Request, body: bytes) -> None:
        query, head, config = request.query_params, request.headers, self._config
        if query.get("appkey") != config["app_key"]:
            raise Refused("070101", "appkey 不存在")
        if not head.get("method", "").startswith(PREFIX) or head.get("content-type", "")[:16] != "application/json":
            raise Refused("070102", "header 缺少 method, 或 Content-Type 不是 application/json")
        self._check_signature(query, head.get("x-nuonuo-sign", ""), body)
        token = self.store.get("token", head.get("accesstoken", ""))
        if token is None or token["until"] < self.now().timestamp():
            raise Refused("070302", "accessToken 无效或已过期")
        if head.get("usertax", config["tax_no"]) != config["tax_no"]:
            raise Refused("070308", "userTax 未授权给该应用")

    def _check_signature(self, query: Mapping[str, str], given: str, body: bytes) -> None:
        for name, form in QUERY.items():
            if not form.fullmatch(query.get(name, "")):
                raise Refused("070601", f"签名参数 {name} 缺失或格式错误")
        now = self.now().timestamp()
        if abs(now - int(query["timestamp"])) > SKEW_SECONDS:
            raise Refused("070601", "timestamp 与服务器相差超过 10 分钟")
        names = (query["appkey"], query["senid"], query["nonce"], query["timestamp"])
        text = "a=services&l=v1&p=open&k={}&i={}&n={}&t={}&f=".format(*names).encode() + body
        digest = hmac.new(self._config["app_secret"].encode(), text, hashlib.sha1).digest()
        if not hmac.compare_digest(base64.b64encode(digest).decode(), given):
            raise Refused("070601", "签名不一致")
        if self._senids.get(query["senid"], 0) > now - 2 * SKEW_SECONDS:
            raise Refused("070601", "senid 已使用过")
        self._senids[query["senid"]] = now

    async def _token(self, request: Request) -> Response:
        given = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        config = self._config
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return _no_token("070307", "请以表单提交")
        if given.get("grant_type") != "client_credentials":
            return _no_token("070307", "自用型应用只支持 client_credentials")
        if (given.get("client_id"), given.get("client_secret")) != (config["app_key"], config["app_secret"]):
            return _no_token("070304", "client_id 或 client_secret 错误")
        return self._issue_token()

    def _issue_token(self) -> Response:
        now = int(self.now().timestamp())
        earlier = (self.store.get("token_calls", "at") or {"at": []})["at"]
        recent = [at for at in earlier if at > now - self._limit("token_days") * DAY]
        if len(recent) >= self._limit("tokens"):
            return _no_token("070306", "30 天内获取 token 已达上限")
        self.store.put("token_calls", "at", {"at": [*recent, now]})
        token, seconds = secrets.token_hex(12), self._limit("token_seconds")
        self.store.put("token", token, {"until": now + seconds})
        return json_response({"access_token": token, "expires_in": str(seconds)})


def _read(body: bytes) -> dict[str, Any]:
    try:
        given = codec.decode(body)
    except msgspec.DecodeError:
        given = None
    if not isinstance(given, dict):
        raise Refused("E9301", "请求体不是 JSON 对象")
    return given


def _no_token(code: str, text: str) -> Response:
    return json_response({"error": code, "error_description": text})


SANDBOX = NuonuoSandbox
