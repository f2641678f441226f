"""A local 畅捷通 gateway with one T+ 账套 behind it: tokens that rotate, base data, stock, bills, vouchers.

Seed (each key may be absent)::

    {"client":      {"app_key": "…", "app_secret": "…", "refresh_token": "…", "org_id": "…"},
     "inventories": [{"Code": "A1", "Name": "面条", "UnitName": "件", "InventoryClass": {"Code": "01", "Name": "…"}}],
     "partners":    [{"Code": "C001", "Name": "…", "PartnerType": {"Code": "01", "Name": "客户"}}],
     "warehouses":  [{"Code": "CK01", "Name": "…"}],
     "units":       [{"Code": "01", "Name": "件"}],
     "stock":       [{"InventoryCode": "A1", "WarehouseCode": "CK01", "ExistingQuantity": 9}],
     "accounts":    [{"number": "1122", "name": "应收账款", "leaf": true, "aux": ["customer"]}],
     "periods":     {"open": ["202611"]},
     "limits":      {"per_second": 100, "per_month": 100000}}

Loading a code again leaves alone what is there. Where the vendor's documents are silent (most texts of T+, the answer
to a dead refresh_token, page sizes by default) this server has its own ways: docs/connectors/tplus.md.
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
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.store import Store
from sandbox.tplus_bills import Bills
from sandbox.tplus_books import Books, Operation
from sandbox.tplus_ledger import Ledger
from sandbox.tplus_rules import Refused, require

API = "/tplus/api/v2"
TOKEN_SECONDS, REFRESH_SECONDS = 6 * 86400, 29 * 86400
DEFAULTS: dict[str, Any] = {
    "client": {
        "app_key": "AK-tplus",
        "app_secret": "0123456789ABCDEF0123456789ABCDEF",
        "refresh_token": "refresh-0-0123456789abcdef",
        "org_id": "90015999132",
    },
    "limits": {},
}


class GatewayError(Exception):
    """A refusal by the gateway: a status, a code and a text."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class TPlusSandbox(Sandbox):
    """One application that one company has authorised."""

    name = "tplus"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._calls: deque[float] = deque()
        self.books = Books(store)
        known = self.books.operations() | Bills(self.books, self.now).operations() | Ledger(self.books).operations()
        self._operations: dict[str, Operation] = {name.lower(): one for name, one in known.items()}
        if not store.get("config", "config"):
            self.seed({})

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """The token endpoint, and every service below one path."""
        return [
            ("GET", "/auth/v2/refreshToken", self._refresh),
            ("POST", API + "/{service}/{operation}", self._serve),
        ]

    def is_write(self, request: Request, body: bytes) -> bool:
        """All of T+ is POST: only creating changes something."""
        return request.url.path.endswith("/Create")

    def expire_tokens(self) -> None:
        """Every openToken is dead; the refresh_token lives."""
        for token in list(self.store.keys("token")):
            self.store.drop("token", token)

    def shift_pages(self) -> None:
        """The first row of each list goes: those behind it move up one place."""
        self.books.shift()

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring."""
        kept = self.store.get("config", "config") or DEFAULTS
        config = {**kept, **{name: data[name] for name in DEFAULTS if name in data}}
        self.store.put("config", "config", config)
        if "client" in data or not self.store.get("config", "refresh"):
            self.store.put("config", "refresh", {"value": config["client"]["refresh_token"]})
        self.books.seed(data)

    @property
    def _config(self) -> dict[str, Any]:
        return self.store.get("config", "config") or DEFAULTS

    async def _refresh(self, request: Request) -> Response:
        try:
            return json_response({"code": "200", "message": "成功", "result": self._exchange(request)})
        except GatewayError as error:
            return json_response({"code": error.code, "message": str(error)}, error.status)

    def _exchange(self, request: Request) -> dict[str, Any]:
        client, asked = self._config["client"], request.query_params
        if not request.headers.get("appkey"):
            raise GatewayError(200, "4001", "appKey不能为空")
        if request.headers["appkey"] != client["app_key"]:
            raise GatewayError(200, "4002", "appKey不正确")
        if not asked.get("grantType"):
            raise GatewayError(200, "4003", "grantType不能为空")
        if asked["grantType"] != "refresh_token":
            raise GatewayError(200, "4008", "不支持的grantType")
        if request.headers.get("appsecret") != client["app_secret"]:
            raise GatewayError(401, "50000", "appSecret不正确")
        if asked.get("refreshToken") != (self.store.get("config", "refresh") or {}).get("value"):
            raise GatewayError(401, "50000", "refreshToken不正确或已失效")
        return self._issue()

    def _issue(self) -> dict[str, Any]:
        """New tokens; the old ones are dead at once."""
        self.expire_tokens()
        access, refresh = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.store.put("token", access, {"until": int(self.now().timestamp()) + TOKEN_SECONDS})
        self.store.put("config", "refresh", {"value": refresh})
        return {
            "access_token": access,
            "expires_in": str(TOKEN_SECONDS),
            "refresh_token": refresh,
            "refresh_expires_in": str(REFRESH_SECONDS),
            "scope": "auth_all",
            "user_id": "60013457788",
            "org_id": self._config["client"]["org_id"],
            "app_name": "tpluscloud",
            "sid": secrets.token_hex(8),
        }

    async def _serve(self, request: Request) -> Response:
        try:
            self._admit(request)
            body = codec.decode(await request.body())
            return json_response(self._run(request.url.path.removeprefix(API + "/"), body))
        except GatewayError as error:
            if error.status == 409:
                return json_response({"error": str(error)}, 409)
            return json_response({"code": error.code, "message": str(error)}, error.status)
        except Refused as refused:
            return json_response({"code": refused.code, "message": str(refused)})
        except msgspec.DecodeError:
            return json_response({"code": "EXERROR0001", "message": "请求内容不是有效的JSON"})

    def _run(self, service: str, body: Any) -> Any:
        """The answer of a service; names in any case, as .NET takes them."""
        operation = self._operations.get(service.lower())
        if operation is None:
            raise Refused("服务名不正确", "EXSV0011")
        require(isinstance(body, dict), "参数不能为空", "EXERROR0001")
        return operation(body)

    def _admit(self, request: Request) -> None:
        """The gateway's own checks. Raises GatewayError."""
        head, client = request.headers, self._config["client"]
        if head.get("content-type", "").split(";")[0] != "application/json":
            raise GatewayError(400, "50000", "Content-Type必须是application/json")
        if head.get("appkey") != client["app_key"]:
            raise GatewayError(401, "50000", "appKey不正确")
        if head.get("appsecret") != client["app_secret"]:
            raise GatewayError(401, "50000", "appSecret不正确")
        token = self.store.get("token", head.get("opentoken", ""))
        if token is None or int(token["until"]) <= self.now().timestamp():
            raise GatewayError(403, "50107", "openToken已失效")
        self._count()

    def _count(self) -> None:
        limits = self._config["limits"]
        used = self.store.next("calls")
        if used > int(limits.get("per_month", used)):
            raise GatewayError(401, "50112", "appKey+orgId本月访问已达上限")
        now = time.monotonic()
        while self._calls and self._calls[0] <= now - 1:
            self._calls.popleft()
        self._calls.append(now)
        if len(self._calls) > int(limits.get("per_second", len(self._calls))):
            raise GatewayError(409, "", "请求过于频繁，请稍后再试")


SANDBOX = TPlusSandbox
