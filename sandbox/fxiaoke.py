"""A local 纷享销客: token endpoint and the data and object calls of crm/v2, credentials in every body.

Source: 纷享销客开放平台 (developer.fxiaoke.com/openapi_v2). The vendor's table of error codes and its answers differ:
but for 20016 (token) and 10013 (offset) the codes are this server's own, and so is HTTP 429 for too many calls.
Duplicates are accepted, as the vendor accepts them where no duplicate rule is set.

Seed (each key may be absent)::

    {"app_id": "FSAID_…", "app_secret": "…", "permanent_code": "…", "corp_id": "FSCID_…",
     "open_user_id": "FSUID_…", "users": {"13800000000": "FSUID_…"},
     "objects": {"AccountObj": {"fields": {"duijie_key__c": "text"}}},    added to the standard fields
     "records": {"AccountObj": [{"_id": "…", "name": "…"}]},
     "limits":  {"calls": 100, "seconds": 20}}      off by default; 100 in 20 s an interface, says the vendor
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox.fxiaoke_objects import CONFIG, Code, Refusal, Tenant
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.store import Store

TOKEN_SECONDS = 7200
WRITES = tuple(f"/data/{name}" for name in ("create", "update", "invalid", "delete", "recover"))


class FxiaokeSandbox(Sandbox):
    """One company with one application."""

    name = "fxiaoke"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._calls: deque[float] = deque()
        if not self.store.get("config", "config"):
            self.seed({})

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Token, user look-up, data of standard and custom objects, descriptions."""
        return [
            ("POST", "/cgi/corpAccessToken/get/V2", self._token),
            ("POST", "/cgi/user/getByMobile", self._user),
            ("POST", "/cgi/crm/v2/data/{operation}", self._data_call),
            ("POST", "/cgi/crm/custom/v2/data/{operation}", self._data_call),
            ("POST", "/cgi/crm/v2/object/{operation}", self._object_call),
        ]

    def is_write(self, request: Request, body: bytes) -> bool:
        """All is POST: the last part of the path says what is done."""
        return request.url.path.endswith(WRITES)

    def shift_pages(self) -> None:
        """The record of each object that was changed first is changed now and goes to the end."""
        tenant = self._tenant()
        for api_name in tenant.objects():
            tenant.shift(api_name)

    def expire_tokens(self) -> None:
        """Forget every token."""
        for token in list(self.store.keys("token")):
            self.store.drop("token", token)

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what is absent stays as it is, or starts from the defaults."""
        kept = self.store.get("config", "config") or CONFIG
        self.store.put("config", "config", {**kept, **{name: data[name] for name in CONFIG if name in data}})
        for api_name, rows in data.get("records", {}).items():
            new = {row["_id"]: row for row in rows if not self.store.get(api_name, row["_id"])}
            stamped = {key: self._tenant().stamped(api_name, row, key) for key, row in new.items()}
            self.store.put_many(api_name, stamped)

    @property
    def _config(self) -> dict[str, Any]:
        return self.store.get("config", "config") or CONFIG

    def _tenant(self) -> Tenant:
        return Tenant(self.store, self._config, int(self.now().timestamp() * 1000))

    async def _token(self, request: Request) -> Response:
        body, config = await _body(request), self._config
        given = [body.get(name) for name in ("appId", "appSecret", "permanentCode")]
        if given != [config["app_id"], config["app_secret"], config["permanent_code"]]:
            return _refused(Code.CREDENTIAL, "应用 ID、密钥或永久授权码错误")
        token = secrets.token_hex(16).upper()
        self.store.put("token", token, {"until": int(self.now().timestamp()) + TOKEN_SECONDS})
        answer = {"corpAccessToken": token, "corpId": config["corp_id"], "expiresIn": TOKEN_SECONDS}
        return _answer({"errorDescription": "success", **answer})

    async def _user(self, request: Request) -> Response:
        body = await _body(request)
        if stop := self._stopped(body, {}):
            return stop
        user = self._config["users"].get(str(body.get("mobile")))
        return _answer({"empList": [{"openUserId": user}] if user else []})

    async def _data_call(self, request: Request) -> Response:
        body = await _body(request)
        data = body.get("data") if isinstance(body.get("data"), dict) else {}
        if stop := self._stopped(body, self._config["users"]):
            return stop
        try:
            return _answer(self._tenant().run(request.url.path, data or {}))
        except Refusal as refusal:
            return _refused(refusal.code, str(refusal))

    async def _object_call(self, request: Request) -> Response:
        body = await _body(request)
        if stop := self._stopped(body, self._config["users"]):
            return stop
        tenant = self._tenant()
        try:
            if request.path_params["operation"] == "list":
                return _answer({"data": {"objects": [{"api_name": name} for name in tenant.objects()]}})
            return _answer({"data": {"describe": tenant.describe(str(body.get("apiName")))}})
        except Refusal as refusal:
            return _refused(refusal.code, str(refusal))

    def _stopped(self, body: dict[str, Any], users: dict[str, str]) -> Response | None:
        """The refusal of a call that may not pass: too many, no living token, an unknown acting user."""
        if self._over_limit():
            return Response(b"", 429, headers={"Retry-After": "1"})
        if not self._is_live(body):
            return _refused(Code.TOKEN, "corpAccessToken 不存在或已过期")
        acting = body.get("currentOpenUserId")
        if users and acting not in {*users.values(), self._config["open_user_id"]}:
            return _refused(Code.USER, f"用户 {acting} 不存在")
        return None

    def _is_live(self, body: dict[str, Any]) -> bool:
        token = self.store.get("token", str(body.get("corpAccessToken") or ""))
        is_ours = body.get("corpId") == self._config["corp_id"]
        return is_ours and token is not None and int(token["until"]) > self.now().timestamp()

    def _over_limit(self) -> bool:
        limits = self._config["limits"]
        if not limits:
            return False
        now = time.monotonic()
        while self._calls and self._calls[0] <= now - int(limits["seconds"]):
            self._calls.popleft()
        is_over = len(self._calls) >= int(limits["calls"])
        if not is_over:
            self._calls.append(now)
        return is_over


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = codec.decode(await request.body())
    except msgspec.DecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _answer(value: dict[str, Any]) -> Response:
    return json_response({"errorCode": 0, "errorMessage": "success", **value})


def _refused(code: int, text: str) -> Response:
    trace = secrets.token_hex(8)
    return json_response({"errorCode": code, "errorMessage": text, "errorDescription": text, "traceId": trace})


SANDBOX = FxiaokeSandbox
