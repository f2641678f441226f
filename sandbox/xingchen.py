"""A local 金蝶云·星辰 gateway: authorisation, tokens, signatures, base data, stock, bills and vouchers.

Seed (each key may be absent)::

    {"client":    {"client_id": "…", "client_secret": "…", "outer_instance_id": "…"},
     "materials": [{"number": "…", "name": "…", "model": "…", "unit": "件", "category": "…", "tax_rate": 13,
                    "tax_class_code": "…", "barcode": "…"}],
     "stock":     [{"material_number": "…", "stock_number": "CK01", "qty": 9}],
     "units":     ["件", …]                                    beside those of the materials
     "customers": [{"number": "S01", "name": "…"}],
     "suppliers": [{"number": "G01", "name": "…"}],
     "stores":    [{"number": "CK01", "name": "…"}],
     "accounts":  [{"accountId": "0", "status": "0", …}],      other authorisation records, listed before ours
     "ledger":    {"closed_until": "202610"},                   the last closed period
     "rules":     {"keeps_unaudited": true, "sells_what_is_there": true},      see xingchen_bills; both are off
     "limits":    {"per_minute": 500, "tokens_per_minute": 2}}

Loading the same material, stock row or customer again leaves alone what was written since. Where the vendor's documents
are silent (texts of some refusals, the JSON around HTTP 519) this server has its own ways: docs/connectors/xingchen.md.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox.kit import Handler, Sandbox, json_response
from sandbox.store import Store
from sandbox.xingchen_books import Books
from sandbox.xingchen_lists import Refused
from sandbox.xingchen_signature import strings_to_sign, wrapped

DOMAIN = "https://tf.jdy.com"
SKEW_MS = 5 * 60 * 1000
TOKEN_SECONDS = 24 * 3600
ROTATED = ("授权密钥校验失败", 1030002006)
DEFAULTS: dict[str, Any] = {
    "client": {
        "client_id": "205022",
        "client_secret": "0123456789abcdef0123456789abcdef",
        "outer_instance_id": "demo-instance",
    },
    "limits": {"per_minute": 500, "tokens_per_minute": 2},
    "accounts": [],
}


class GatewayError(Exception):
    """A refusal by the gateway: HTTP 519 and a code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class XingchenSandbox(Sandbox):
    """One application, one authorised account set."""

    name = "xingchen"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._nonces: dict[str, float] = {}
        self._calls: deque[float] = deque()
        self._token_calls: deque[float] = deque()
        self.books = Books(store)
        if not store.get("config", "config"):
            store.put("config", "config", DEFAULTS)
            self._rotate()

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """The gateway is one door."""
        return [("GET", "/{path:path}", self._serve), ("POST", "/{path:path}", self._serve)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """Posting a bill or an operation; the authorisation pull is a POST that reads."""
        return request.method == "POST" and "/jdy/v2/" in request.url.path

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring."""
        kept = self.store.get("config", "config") or DEFAULTS
        self.store.put("config", "config", {**kept, **{name: data[name] for name in DEFAULTS if name in data}})
        self.books.seed(data)

    def expire_tokens(self) -> None:
        """Rotate the appSecret: signatures and tokens made with the old one are refused as such (1030002006)."""
        self._rotate()

    def shift_pages(self) -> None:
        """The first row of each list goes: those behind it move up one place."""
        self.books.shift()

    def _rotate(self) -> None:
        self.store.put("config", "account", {"appKey": "Demo0001", "appSecret": secrets.token_hex(20)})
        for token in list(self.store.keys("tokens")):
            self.store.put("revoked", token, self.store.get("tokens", token) or {})
            self.store.drop("tokens", token)

    @property
    def _config(self) -> dict[str, Any]:
        return self.store.get("config", "config") or DEFAULTS

    @property
    def _account(self) -> dict[str, Any]:
        return self.store.get("config", "account") or {}

    async def _serve(self, request: Request) -> Response:
        try:
            self._check_signature(request)
            body = codec.decode(await request.body() or b"{}")
            return self._dispatch(request, body)
        except GatewayError as error:
            return json_response({"errcode": error.code, "description": str(error)}, 519)
        except Refused as refused:
            return json_response({"errcode": refused.code, "description": str(refused), "data": None})
        except msgspec.DecodeError:
            return json_response({"errcode": 2000002000, "description": "请求体不是有效的JSON", "data": None})

    def _dispatch(self, request: Request, body: dict[str, Any]) -> Response:
        path = request.url.path
        if path.endswith("/push_app_authorize"):
            return self._authorise(request)
        if path.endswith("/kingdee_auth_token"):
            return self._issue_token(request)
        if fault := self._token_fault(request):
            return fault
        if self._over(self._calls, int(self._config["limits"]["per_minute"])):
            return Response(b"", 429, headers={"Retry-After": "1"})
        operation = self.books.operation(request.method, path)
        if operation is None:
            raise GatewayError(5001, "API not found")
        given = body if request.method == "POST" else dict(request.query_params)
        data = operation(given, int(self.now().timestamp() * 1000))
        return json_response({"errcode": 0, "description": "success", "data": data})

    def _check_signature(self, request: Request) -> None:
        head, client = request.headers, self._config["client"]
        if head.get("x-api-auth-version") != "2.0":
            raise GatewayError(4001, "auth type unsupported")
        if not head.get("x-api-clientid"):
            raise GatewayError(4002, "client id is empty")
        if head["x-api-clientid"] != client["client_id"]:
            raise GatewayError(4003, "client id is invalid")
        self._check_clock(head.get("x-api-timestamp", ""))
        names = [name.strip().lower() for name in head.get("x-api-signheaders", "").split(",")]
        if not {"x-api-timestamp", "x-api-nonce"} <= set(names):
            raise GatewayError(4007, "SignHeaders invalid")
        signed = {name: head.get(name, "") for name in names}
        query = parse_qsl(request.url.query, keep_blank_values=True)
        texts = strings_to_sign(request.method, request.url.path, query, signed)
        if head.get("x-api-signature") not in {wrapped(client["client_secret"], text) for text in texts}:
            raise GatewayError(4008, "X-Api-Signature is invalid")
        self._check_nonce(head.get("x-api-nonce", ""))

    def _check_clock(self, stamp: str) -> None:
        if not stamp.isdigit() or abs(int(stamp) - self.now().timestamp() * 1000) > SKEW_MS:
            raise GatewayError(4006, "X-Api-TimeStamp is invalid")

    def _check_nonce(self, nonce: str) -> None:
        if not nonce or nonce in self._nonces:
            raise GatewayError(4008, "X-Api-Nonce was used already")
        now = time.monotonic()
        self._nonces[nonce] = now
        while now - next(iter(self._nonces.values())) > 2 * SKEW_MS / 1000:
            del self._nonces[next(iter(self._nonces))]

    def _authorise(self, request: Request) -> Response:
        if request.query_params.get("outerInstanceId") != self._config["client"]["outer_instance_id"]:
            return json_response({"errcode": 0, "data": []})
        row = {
            "accountId": "1",
            "accountName": "禾田商贸",
            "agreementCompanyName": "禾田商贸有限公司",
            "clientId": self._config["client"]["client_id"],
            "domain": DOMAIN,
            "groupName": "default",
            "outerInstanceId": self._config["client"]["outer_instance_id"],
            "serviceId": "1001",
            "status": "1.0",
            **self._account,
        }
        return json_response({"errcode": 0, "description": "success", "data": [*self._config["accounts"], row]})

    def _issue_token(self, request: Request) -> Response:
        if self._over(self._token_calls, int(self._config["limits"]["tokens_per_minute"])):
            return Response(b"", 429, headers={"Retry-After": "1"})
        account, given = self._account, request.query_params
        expected = wrapped(account["appSecret"], account["appKey"])
        if given.get("app_key") != account["appKey"] or given.get("app_signature") != expected:
            raise Refused(*ROTATED)
        token = secrets.token_hex(24)
        expires = int(self.now().timestamp()) + TOKEN_SECONDS
        self.store.put("tokens", token, {"expires": expires})
        data = {
            "app-token": token,
            "access_token": token,
            "uid": "1",
            "expires": TOKEN_SECONDS * 1000,
            "domain": DOMAIN,
        }
        return json_response({"errcode": 0, "description": "success", "data": data})

    def _token_fault(self, request: Request) -> Response | None:
        given = request.headers.get("app-token", "")
        if self.store.get("revoked", given):
            raise Refused(*ROTATED)
        kept = self.store.get("tokens", given)
        if kept is None or kept["expires"] < self.now().timestamp():
            return json_response({"errcode": 1000202001, "description": "JWT token has expired"}, 401)
        if request.headers.get("x-gw-router-addr") != DOMAIN:
            raise GatewayError(5001, "X-GW-Router-Addr does not name this account's domain")
        return None

    @staticmethod
    def _over(calls: deque[float], limit: int) -> bool:
        now = time.monotonic()
        while calls and calls[0] <= now - 60:
            calls.popleft()
        if len(calls) >= limit:
            return True
        calls.append(now)
        return False


SANDBOX = XingchenSandbox
