"""The 金蝶 gateway as one function: sign, send, unwrap, keep the app-token fresh and the account's domain at hand.

Authorisation record → appKey and appSecret (rotated about daily) → app_signature → app-token (24 h): 金蝶开放平台
"获取授权信息", "获取 app-token"; request signature: "API 签名算法" (X-Api-Auth-Version 2.0).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

import msgspec

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import CredentialError, DuijieError, NotSent, OutcomeUnknown
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Answer, Http, read_json
from duijie.connect.services import Services
from duijie.connect.tokens import Token

RATE = "500/minute"
TOKEN_RATE = "2/minute"  # noqa: S105  a limit of the token endpoint
AUTHORISE = "/jdyconnector/app_management/push_app_authorize"
TOKEN = "/jdyconnector/app_management/kingdee_auth_token"  # noqa: S105  a path
GATEWAY_REFUSAL = 519
ANSWERED = (400, 401, 403, 500, GATEWAY_REFUSAL)
TOKEN_SECONDS = 22 * 3600
VALIDATION = "2000002000"
SAID = (("重复", "dup"), ("不存在", "missing"), ("字段不能为空", "empty"), ("系统异常", "trouble"), ("超时", "trouble"))
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))

Query = Mapping[str, str]
T = TypeVar("T")


def hex64(secret: str, text: str) -> str:
    """Base64 of the lower-case hex HMAC-SHA256: of the 64 characters, not of the raw digest."""
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return base64.b64encode(digest.encode()).decode()


def query_line(query: Query) -> str:
    """Every name and value encoded twice, pairs sorted on the once-encoded form."""
    once = sorted(f"{quote(name, safe='-_.~')}={_encoded(value)}" for name, value in query.items())
    return "&".join("=".join(quote_plus(part, safe="-_.~") for part in pair.split("=", 1)) for pair in once)


def _encoded(value: str) -> str:
    return quote_plus(value, safe="-_.*").replace("~", "%7E")


def string_to_sign(method: str, path: str, query: Query, headers: Mapping[str, str]) -> str:
    """The text under the signature; `headers` are the signed ones, names in any case."""
    signed = "".join(f"{name}:{value}\n" for name, value in sorted((n.lower(), v) for n, v in headers.items()))
    return f"{method}\n{quote(path, safe='-_.~')}\n{query_line(query)}\n{signed}"


class Client:
    """Calls operations of one 账套."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        token_rate = str(connection.extra.get("token_rate") or TOKEN_RATE)
        self._token_budget = services.budget(f"{connection.conn_id}-token", token_rate)
        self._used = threading.local()
        self.retrier = services.retrier(connection.conn_id, self._refresh)

    def get(self, path: str, query: Query) -> Record:
        """A read, repeated as long as that can help: the envelope's `data`."""
        return self.retrier.read(lambda: self._business("GET", path, query, None))

    def post(self, path: str, body: Record) -> Record:
        """A write, sent once: the envelope's `data`."""
        return self._business("POST", path, {}, body)

    def token(self) -> Token:
        """The app-token with its account in `extra`."""
        return self._services.tokens.get(self._connection.conn_id, self._fetch_token)

    def _refresh(self) -> None:
        stale = getattr(self._used, "token", "")
        self._services.tokens.replace(self._connection.conn_id, stale, self._fetch_token)

    def _business(self, method: str, path: str, query: Query, body: Record | None) -> Record:
        token = self.token()
        self._used.token = token.value
        headers = {"app-token": token.value, "X-GW-Router-Addr": token.extra["domain"]}
        answer = self._send(method, path, query, body, headers)
        return dict(answer.get("data") or {})

    def _fetch_token(self) -> Token:
        """Both steps, whichever had expired. Raises NotSent when they stay unanswered: no business call has left."""
        quiet = self._services.retrier(self._connection.conn_id)
        return before_writing(lambda: quiet.read(self._ask_token), "app-token")

    def _ask_token(self) -> Token:
        self._token_budget.take()
        account = self._account()
        query = {"app_key": account["appKey"], "app_signature": hex64(account["appSecret"], account["appKey"])}
        data = self._send("GET", TOKEN, query, None, {})["data"]
        extra = {"domain": str(account["domain"]), "account": str(account.get("accountName", ""))}
        return Token(data["app-token"], self.now() + TOKEN_SECONDS, extra)

    def _account(self) -> Record:
        """The authorised 账套. Raises CredentialError when there is none."""
        instance = self._connection.require("outer_instance_id")
        rows = self._send("POST", AUTHORISE, {"outerInstanceId": instance}, {}, {}).get("data") or []
        wanted = str(self._connection.extra.get("service_id") or "")
        for row in rows:
            if str(row.get("status", "")).split(".")[0] == "1" and wanted in ("", str(row.get("serviceId"))):
                return dict(row)
        raise CredentialError(
            f"实例 {instance} 没有有效的账套授权, 请客户在金蝶应用市场重新授权",
            en=f"instance {instance} has no valid authorisation; let the customer authorise again",
            code="xingchen:authorisation",
            where=self._connection.conn_id,
        )

    def _send(self, method: str, path: str, query: Query, body: Record | None, more: Mapping[str, str]) -> Record:
        signed = {
            "X-Api-Nonce": str(secrets.randbelow(9 * 10**9) + 10**9),
            "X-Api-TimeStamp": str(int(self.now() * 1000)),
        }
        text = string_to_sign(method, path, query, signed)
        headers = {
            "Content-Type": "application/json",
            "X-Api-ClientID": self._connection.login,
            "X-Api-Auth-Version": "2.0",
            "X-Api-SignHeaders": "X-Api-TimeStamp,X-Api-Nonce",
            "X-Api-Signature": hex64(self._connection.password, text),
            **signed,
            **more,
        }
        tail = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items()))
        url = f"{self._connection.base_url}{path}{'?' + tail if tail else ''}"
        sent = None if body is None else codec.encode_ordered(body)
        response = self._http.send(method, url, body=sent, headers=headers, answers=ANSWERED)
        answer = _envelope(response)
        if error := error_of(answer, path):
            raise error
        return dict(answer)

    def now(self) -> float:
        """Unix seconds by the connection's clock."""
        return self._services.clock()


def before_writing(ask: Callable[[], T], what: str) -> T:
    """What must be known before anything is written. Raises NotSent when it stays unanswered: nothing has left."""
    try:
        return ask()
    except OutcomeUnknown as error:
        raise NotSent(
            f"取得 {what} 时应答丢失, 业务请求未发出; 将自动重试",
            en=f"no {what} could be fetched ({error.en}); the business call never left and is tried again",
            where=error.where,
        ) from error


def _envelope(response: Answer) -> Any:
    """The JSON of an answer; a refusal by something before the gateway has none and is told by its status."""
    if response.status_code < 400:
        return read_json(response)
    try:
        return codec.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {"errcode": f"http-{response.status_code}", "description": response.text[:200]}


def error_of(answer: Any, where: str) -> DuijieError | None:
    """The error in an envelope, None when it reports success (`errcode` 0, or `code` 200 of the older form)."""
    said = answer if isinstance(answer, dict) else {}
    code = str(said.get("errcode", said.get("code", "unreadable")))
    if code in ("0", "200"):
        return None
    return refusal(code, str(said.get("description_cn") or said.get("description") or said.get("msg") or ""), where)


def refusal(code: str, text: str, where: str) -> DuijieError:
    """The error for a code and what was said.

    Most refusals share one code (2000002000); what the vendor says tells a used number from missing base data.
    """
    if code == VALIDATION:
        code = next((kind for words, kind in SAID if words in text), code)
    return ERRORS.error(code, text, where=where)
