"""A local 高灯: both gateways, blue invoices, their whole reversal, queries, notifications, the PDF.

It exists so that the connector meets the platform's strictness without an account: the signature over path and body
(or, on the old gateway, over the sorted parameters), a clock that is five minutes off at most, amounts in the unit of
the application, order numbers that are taken once. Source: "签名方法" and "开票结果异步通知" (docs.gc365.com), the
vendor's published clients. Its own, since none of that is published: the codes of 数电 (SD-P, SD-Z), the words for a
used number and for one nobody knows, amounts of an invoice that is on its way.

Seed (each key may be absent)::

    {"app_key": "…", "app_secret": "…", "tax_no": "…", "seller_name": "…", "unit": "fen" | "yuan",
     "issue_seconds": 2, "bureau": {settings of sandbox/bureau.py}}

A request with a `callback_url` is notified by `POST /_admin/push` (sandbox/push.py); `items` are order numbers.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox import bureau_admin, bureau_files
from sandbox.bureau import Bureau
from sandbox.gaodeng_invoices import Invoices, Refused
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.push import Parcel, Pusher
from sandbox.store import Store

SKEW_SECONDS = 300
WRITES = ("blue", "red")
DEFAULTS: dict[str, Any] = {
    "app_key": "gd-demo",
    "app_secret": "gd-demo-secret",
    "tax_no": "339902999999789113",
    "seller_name": "高灯测试企业",
    "unit": "fen",
}


class GaodengSandbox(Sandbox):
    """One application, one seller."""

    name = "gaodeng"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self.bureau = Bureau(store, self.now)
        self.pusher = Pusher(self.notify)

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Both gateways and the files."""
        own: list[tuple[str, str, Handler]] = [
            ("POST", "/tax-api/invoice/{interface}/v1", self._new),
            ("POST", "/invoice/{interface}", self._old),
            ("GET", "/files/{number}.pdf", self._file),
        ]
        return [*own, self.pusher.route(), *bureau_admin.routes(lambda: self.bureau)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """Every interface is a POST; the path says which one it is."""
        return any(f"/invoice/{name}" in request.url.path for name in WRITES)

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what was issued since stays."""
        self.store.put("config", "config", {**self.config, **{name: data[name] for name in DEFAULTS if name in data}})
        told = {"issue_seconds": str(data["issue_seconds"])} if "issue_seconds" in data else {}
        self.bureau.settings({**told, **data.get("bureau", {})})

    def expire_tokens(self) -> None:
        """There are none: every call is signed."""

    @property
    def config(self) -> dict[str, Any]:
        """The application's settings."""
        return {**DEFAULTS, **(self.store.get("config", "config") or {})}

    @property
    def invoices(self) -> Invoices:
        """Over the bureau in use."""
        return Invoices(self.bureau, self.config)

    def notify(self, url: str, order: str, age: timedelta) -> Parcel:
        """The notification of an order, as the platform posts it; of its red one where there is one."""
        is_red = bool(self.bureau.forms(application_no=f"red-{order}"))
        row = self.invoices.query(
            {"seller_taxpayer_num": self.config["tax_no"], "order_id": order, "is_red": int(is_red)}, ""
        )
        body = {
            "appkey": self.config["app_key"],
            "message": "success",
            "notify_type": "invoice.red" if is_red else "invoice.blue",
            "notify_time": str(int(self.now().timestamp())),
            "order_id": order,
            "order_sn": row["order_sn"],
            "ticket_sn": row["ticket_sn"],
            "ticket_status": "2",
        }
        return Parcel(url, {"content-type": "application/json"}, codec.encode_ordered(body), "t")

    async def _new(self, request: Request) -> Response:
        body = await request.body()
        return await self._answered(request, body, lambda: self._check_new(request, body))

    async def _old(self, request: Request) -> Response:
        body = await request.body()
        return await self._answered(request, body, lambda: self._check_old(request, _read(body)))

    async def _answered(self, request: Request, body: bytes, check: Callable[[], None]) -> Response:
        base = str(request.base_url).rstrip("/")
        try:
            check()
            data = self._carry_out(request.path_params["interface"], _read(body), base)
        except Refused as refused:
            return json_response({"code": refused.code, "message": str(refused), "data": None})
        return json_response({"code": 0, "message": "success", "data": data})

    def _carry_out(self, interface: str, given: dict[str, Any], base: str) -> Any:
        match interface:
            case "blue":
                return self.invoices.blue(given)
            case "red":
                return self.invoices.red(given)
            case "query":
                return self.invoices.query(given, f"{base}/files")
            case "send-email":
                return self.invoices.mail(given)
        raise Refused(400, "接口不存在")

    def _check_new(self, request: Request, body: bytes) -> None:
        head = request.headers.get("authorization", "")
        told = dict(part.split("=", 1) for part in head.split(",") if "=" in part)
        self._check_caller(told.get("appkey", ""), told.get("timestamp", ""))
        if told.get("algorithm") != "HMAC-SHA256" or len(told.get("nonce", "")) != 6:
            raise Refused(1002, "缺少公共参数")
        pairs = "|".join(f"{name}={told[name]}" for name in ("algorithm", "appkey", "nonce", "timestamp"))
        text = f"{pairs}|{request.url.path}|".encode() + body
        made = base64.b64encode(hmac.new(self.config["app_secret"].encode(), text, hashlib.sha256).digest()).decode()
        _must_be(made, told.get("signature", ""))

    def _check_old(self, request: Request, given: dict[str, Any]) -> None:
        told = request.query_params
        self._check_caller(told.get("appkey", ""), told.get("timestamp", ""))
        values = {
            name: codec.encode_ordered(value).decode() if isinstance(value, (list, dict)) else str(value)
            for name, value in given.items()
        }
        pairs = quote("&".join(f"{name}={values[name]}" for name in sorted(values)), safe="")
        text = f"{told['appkey']}{told['timestamp']}{pairs}{self.config['app_secret']}"
        _must_be(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper(), told.get("signature", ""))

    def _check_caller(self, app_key: str, timestamp: str) -> None:
        if app_key != self.config["app_key"]:
            raise Refused(1004, "appkey不存在")
        if not timestamp.isdigit() or abs(self.now().timestamp() - int(timestamp)) > SKEW_SECONDS:
            raise Refused(1003, "时间戳错误")

    async def _file(self, request: Request) -> Response:
        row = self.bureau.by_number(request.path_params["number"])
        if row is None or self.bureau.issued_at(row) is None:
            return Response(status_code=404)
        made = await asyncio.to_thread(bureau_files.pdf, row, self.bureau)
        return Response(made, media_type="application/pdf")


def _must_be(made: str, given: str) -> None:
    if not hmac.compare_digest(made, given):
        raise Refused(1007, "签名错误")


def _read(body: bytes) -> dict[str, Any]:
    try:
        given = codec.decode(body)
    except msgspec.DecodeError:
        given = None
    if not isinstance(given, dict):
        raise Refused(400, "请求体不是 JSON 对象")
    return given


SANDBOX = GaodengSandbox
