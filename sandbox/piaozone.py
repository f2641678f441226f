"""A local 金蝶发票云 旗舰版: two steps to a token, one address for every interface, files to fetch.

It exists so that the connector meets the platform's strictness without an account: application, account and user are
checked one after the other, `data` must be wrapped as the tenant is set up, numbers are taken once, and issuing goes on
after the answer. Source: open-ultimate.piaozone.com. The token may come in the query (the vendor's page) or in a header
(clients of others). Its own: 401 for a token that does not hold, E-AUTH for whatever is wrong on the way to one.

Seed (each key may be absent)::

    {"app_id": "…", "app_secret": "…", "account_id": "…", "user": "…", "tax_no": "…", "system_code": "…",
     "aes_password": "", "issue_seconds": 2, "bureau": {settings of sandbox/bureau.py}}

`aes_password` "" is Base64 alone. A callback is ordered by `POST /_admin/push` (sandbox/push.py); `items` are serials.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import secrets
import zipfile
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox import bureau_admin, bureau_files
from sandbox.bureau import Bureau
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.piaozone_invoices import Invoices, Refused
from sandbox.push import Parcel, Pusher
from sandbox.store import Store

WRITES = ("ALLE.INVOICE.OPEN", "ALLE.INVOICE.RED")
TOKEN_SECONDS = 7200
DEFAULTS: dict[str, Any] = {
    "app_id": "FPY-demo",
    "app_secret": "FPY-demo-secret",
    "account_id": "1742050739649250304",
    "user": "openapi",
    "tax_no": "339902999999789113",
    "system_code": "DJ",
    "aes_password": "",
}


class PiaozoneSandbox(Sandbox):
    """One third-party application of one tenant."""

    name = "piaozone"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self.bureau = Bureau(store, self.now)
        self.pusher = Pusher(self.call_back)

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Both token endpoints, the open interface, the files."""
        own: list[tuple[str, str, Handler]] = [
            ("POST", "/api/getAppToken.do", self._app_token),
            ("POST", "/api/login.do", self._login),
            ("POST", "/kapi/app/sim/openApi", self._open_api),
            ("GET", "/files/{name}", self._file),
        ]
        return [*own, self.pusher.route(), *bureau_admin.routes(lambda: self.bureau)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """Every interface is a POST to one address: the body says which one it is."""
        return any(f'"{name}"'.encode() in body for name in WRITES)

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what was issued since stays."""
        self.store.put("config", "config", {**self.config, **{name: data[name] for name in DEFAULTS if name in data}})
        told = {"issue_seconds": str(data["issue_seconds"])} if "issue_seconds" in data else {}
        self.bureau.settings({**told, **data.get("bureau", {})})

    def expire_tokens(self) -> None:
        """Forget every access token."""
        for token in list(self.store.keys("token")):
            self.store.drop("token", token)

    @property
    def config(self) -> dict[str, Any]:
        """The account's settings."""
        return {**DEFAULTS, **(self.store.get("config", "config") or {})}

    def call_back(self, url: str, serial: str, age: timedelta) -> Parcel:
        """The callback of an invoice, as the platform posts it."""
        row = Invoices(self.bureau, self.config["tax_no"]).query(
            {"serialNo": serial, "sellerTaxpayerId": self.config["tax_no"]}, ""
        )
        body = {
            "interfaceCode": "INVOICE.RED" if row["invoiceProperty"] == "1" else "INVOICE.OPEN",
            "returnCode": "9999" if row["invoiceStatus"] == "4" else "0",
            "returnMsg": row["issueErrorMessage"] or "success",
            "data": self._wrapped(row),
        }
        return Parcel(url, {"content-type": "application/json"}, codec.encode_ordered(body), "t")

    async def _app_token(self, request: Request) -> Response:
        given, config = _read(await request.body()), self.config
        known = all(
            given.get(told) == config[name] for told, name in (("appId", "app_id"), ("accountId", "account_id"))
        )
        if not known or given.get("appSecret") != config["app_secret"]:
            return _denied("appId, appSecret 或 accountId 错误")
        token = secrets.token_hex(16)
        self.store.put("app_token", token, {"until": self.now().timestamp() + TOKEN_SECONDS})
        return self._granted("app_token", token)

    async def _login(self, request: Request) -> Response:
        given, config = _read(await request.body()), self.config
        if not self.store.get("app_token", str(given.get("apptoken", ""))):
            return _denied("apptoken 无效")
        user = (given.get("user"), given.get("accountId"))
        if user != (config["user"], config["account_id"]) or given.get("usertype") not in ("UserName", "Mobile"):
            return _denied("用户不存在")
        token = f"{config['account_id']}_{secrets.token_hex(24)}"
        self.store.put("token", token, {"until": self.now().timestamp() + TOKEN_SECONDS})
        return self._granted("access_token", token)

    def _granted(self, name: str, token: str) -> Response:
        expires = int((self.now().timestamp() + TOKEN_SECONDS) * 1000)
        told = {name: token, "success": True, "error_desc": "", "expire_time": expires, "error_code": "0"}
        return json_response({"data": told, "state": "success", "status": True})

    async def _open_api(self, request: Request) -> Response:
        given = _read(await request.body())
        token = request.query_params.get("access_token") or request.headers.get("access_token", "")
        held = self.store.get("token", token)
        if held is None or held["until"] < self.now().timestamp():
            return _answer("401", "access_token 无效或已过期")
        try:
            data = self._carry_out(given, f"{str(request.base_url).rstrip('/')}/files")
        except Refused as refused:
            return _answer(refused.code, str(refused))
        return _answer("0", "操作成功", data)

    def _carry_out(self, given: dict[str, Any], files: str) -> Any:
        if len(str(given.get("requestId", ""))) != 16 or given.get("businessSystemCode") != self.config["system_code"]:
            raise Refused("9999", "requestId 应为 16 位, businessSystemCode 应已登记")
        data = self._unwrapped(given.get("data"))
        invoices = Invoices(self.bureau, self.config["tax_no"])
        match given.get("interfaceCode"):
            case "ALLE.INVOICE.OPEN":
                return invoices.open(data)
            case "ALLE.INVOICE.RED":
                return invoices.red(data)
            case "ALLE.INVOICE.QUERY":
                return self._wrapped(invoices.query(data, files))
        raise Refused("9999", f"本沙箱不提供接口 {given.get('interfaceCode')}")

    def _key(self) -> bytes:
        first = hashlib.sha1(self.config["aes_password"].encode(), usedforsecurity=False).digest()
        return hashlib.sha1(first, usedforsecurity=False).digest()[:16]

    def _wrapped(self, row: dict[str, Any]) -> str:
        body = codec.encode_ordered(row)
        if self.config["aes_password"]:
            iv = secrets.token_bytes(12)
            body = iv + AESGCM(self._key()).encrypt(iv, body, None)
        return base64.b64encode(body).decode()

    def _unwrapped(self, text: Any) -> dict[str, Any]:
        try:
            body = base64.b64decode(str(text), validate=True)
            if self.config["aes_password"]:
                body = AESGCM(self._key()).decrypt(body[:12], body[12:], None)
            data = codec.decode(body)
        except (ValueError, InvalidTag, msgspec.DecodeError):
            data = None
        if not isinstance(data, dict):
            raise Refused("9999", "data 解密失败, 请核对加密方式与密码")
        return data

    async def _file(self, request: Request) -> Response:
        number, _, kind = request.path_params["name"].partition(".")
        row = self.bureau.by_number(number)
        if row is None or self.bureau.issued_at(row) is None or kind not in ("pdf", "ofd", "zip"):
            return Response(status_code=404)
        return Response(await asyncio.to_thread(self._made, row, kind), media_type="application/octet-stream")

    def _made(self, row: dict[str, Any], kind: str) -> bytes:
        if kind == "pdf":
            return bureau_files.pdf(row, self.bureau)
        if kind == "ofd":
            return bureau_files.ofd(row, self.bureau)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{row['number']}.xml", bureau_files.xml(row, self.bureau))
        return packed.getvalue()


def _read(body: bytes) -> dict[str, Any]:
    try:
        given = codec.decode(body)
    except msgspec.DecodeError:
        given = None
    return given if isinstance(given, dict) else {}


def _denied(text: str) -> Response:
    told = {"success": False, "error_desc": text, "error_code": "E-AUTH"}
    return json_response({"data": told, "state": "error", "status": False})


def _answer(code: str, text: str, data: Any = None) -> Response:
    return json_response({"success": code == "0", "errorCode": code, "message": text, "data": data})


SANDBOX = PiaozoneSandbox
