"""The model vendor: a small strict system with tokens, signatures, pages and a clock, to try the contract on."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox.kit import Handler, Sandbox, json_response

APP, SECRET = "model-app", "model-secret-0123456789"
PAGE = 10
LONGEST = timedelta(days=30)
SKEW = 600


def signature(secret: str, stamp: str, target: str, body: bytes) -> str:
    """Hex HMAC-SHA256 over the time, the path with its query, and the body."""
    return hmac.new(secret.encode(), f"{stamp}\n{target}\n".encode() + body, hashlib.sha256).hexdigest()


class ModelSandbox(Sandbox):
    """Seed: {"orders": [{no, name, amount, changed_at}]}."""

    name = "model"

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """Its protocol."""
        return [
            ("POST", "/token", self._token),
            ("GET", "/orders", self._signed(self._list)),
            ("POST", "/orders", self._signed(self._create)),
            ("POST", "/orders/void", self._signed(self._void)),
            ("POST", "/orders/change", self._signed(self._change)),
        ]

    def seed(self, data: dict[str, Any]) -> None:
        """Orders that are there."""
        for row in data.get("orders", []):
            self.store.put("listed", row["no"], row)

    def expire_tokens(self) -> None:
        """All of them."""
        for key in list(self.store.keys("token")):
            self.store.drop("token", key)

    def shift_pages(self) -> None:
        """The first is changed now, and leaves every earlier window."""
        first = min(self.store.all("listed"), key=lambda row: (row["changed_at"], row["no"]))
        self.store.put("listed", first["no"], {**first, "changed_at": self.now().isoformat()})

    async def _token(self, request: Request) -> Response:
        given = codec.decode(await request.body())
        if (given.get("app"), given.get("secret")) != (APP, SECRET):
            return _said("bad_key")
        token = secrets.token_hex(16)
        self.store.put("token", token, {"token": token})
        return json_response({"code": "ok", "token": token})

    def _signed(self, handler: Handler) -> Handler:
        async def checked(request: Request) -> Response:
            stamp, body = request.headers.get("x-time", "0"), await request.body()
            target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            if abs(self.now().timestamp() - float(stamp)) > SKEW:
                return _said("clock")
            if request.headers.get("x-sign") != signature(SECRET, stamp, target, body):
                return _said("bad_key")
            if self.store.get("token", request.headers.get("x-token", "")) is None:
                return _said("token")
            return await handler(request)

        return checked

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        rows = sorted(self.store.all("listed"), key=lambda row: (row["changed_at"], row["no"]))
        if "no" in query:
            found = [row for row in (*rows, *self.store.all("written")) if row["no"] == query["no"]]
            return json_response({"code": "ok", "total": len(found), "rows": found})
        since, until = (datetime.fromisoformat(query[name]) for name in ("since", "until"))
        if until - since > LONGEST:
            return _said("window")
        rows = [row for row in rows if since <= datetime.fromisoformat(row["changed_at"]) < until]
        start = int(query["page"]) * PAGE
        return json_response({"code": "ok", "total": len(rows), "rows": rows[start : start + PAGE]})

    async def _create(self, request: Request) -> Response:
        given = codec.decode(await request.body())
        if not given.get("name") or not _is_amount(given.get("amount")):
            return _said("invalid", "name or amount")
        if self.store.get("written", given["no"]) is not None:
            return _said("exists", given["no"])
        row = {**given, "id": f"D{given['no']}", "state": "open"}
        self.store.put("written", given["no"], row)
        return json_response({"code": "ok", "id": row["id"]})

    async def _void(self, request: Request) -> Response:
        no = codec.decode(await request.body())["no"]
        self.store.drop("written", no)
        return json_response({"code": "ok"})

    async def _change(self, request: Request) -> Response:
        given = codec.decode(await request.body())
        held = self.store.get("written", given["no"])
        if held is None:
            return _said("missing", given["no"])
        self.store.put("written", given["no"], {**held, **given})
        return json_response({"code": "ok"})


def _is_amount(text: Any) -> bool:
    try:
        return isinstance(text, str) and Decimal(text).as_tuple().exponent == -2
    except InvalidOperation:
        return False


def _said(code: str, text: str = "") -> Response:
    return json_response({"code": code, "text": text})


def orders(number: int) -> list[dict[str, Any]]:
    """So many orders, one an hour from 1 November 2026 on."""
    first = datetime(2026, 11, 1, tzinfo=UTC)
    return [
        {"no": f"A{at:04}", "name": "张三", "amount": f"{at}.10", "weight": Decimal("1.25"),
         "changed_at": (first + timedelta(hours=at)).isoformat()}
        for at in range(number)
    ]  # fmt: skip
