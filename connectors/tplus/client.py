"""The 畅捷通 gateway as one function: credentials in headers, the openToken kept fresh, T+'s two envelopes read.

A call is not signed: `appKey`, `appSecret` and `openToken` travel as headers. The openToken is an access_token; whoever
renews it kills the one before and is given another refresh_token, which is kept beside the access_token.
Source: 畅捷通开放平台 "接口鉴权指南", "刷新开放平台token-新版" (GET /auth/v2/refreshToken), T+Cloud API.
"""

from __future__ import annotations

import re
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import (
    AnswerLost,
    DuijieError,
    NotSent,
    TokenExpired,
    VendorRejected,
)
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Answer, Http, read_json
from duijie.connect.services import Services
from duijie.connect.tokens import Token

RATE = "5/second"  # our own choice: the vendor publishes a monthly quota, no rate
REFRESH = "/auth/v2/refreshToken"
API = "/tplus/api/v2"
ANSWERED = (400, 401, 403, 404, 409)
SUCCESS = ("", "0", "200")
QUOTA, QUOTA_REST = "http-401:50112", 3600.0
TOKEN_SECONDS = 6 * 86400  # what an openToken lasts where the answer does not say
REFRESH_SECONDS = 29 * 86400  # what a refresh_token lasts
SAID = (
    (r"外部.*(重复|已存在|已经存在|唯一)", "dup"),
    (r"系统异常|超时|死锁|服务器繁忙", "trouble"),
    (r"服务名", "service"),
)
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))


class Client:
    """Calls services of one T+ 账套 (org) that has authorised the application."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self._used = threading.local()
        self.retrier = services.retrier(connection.conn_id, self._refresh)

    def read(self, service: str, body: Record) -> Any:
        """A query, repeated as long as that can help: the answer as sent, exact numbers."""
        return self.retrier.read(lambda: self._call(service, body))

    def write(self, service: str, body: Record) -> Any:
        """A call that changes something, sent once: null, a text, or an object without a code that refuses."""
        return self._call(service, body)

    def lookup(self, service: str, param: Record) -> Record | None:
        """The `data` of a query for one document; None where T+ refuses to find it. Raises what the gateway refuses."""
        try:
            answer = self.read(service, {"param": param})
        except VendorRejected as error:
            if error.code.startswith(("tplus:http-", "tplus:service")):
                raise
            return None
        data = answer.get("data") if isinstance(answer, dict) else None
        return data if isinstance(data, dict) else None

    def token(self) -> Token:
        """The openToken; `org_id` in its `extra` names the company."""
        return self._services.tokens.get(self._connection.conn_id, self._renewed)

    def _call(self, service: str, body: Record) -> Any:
        token = self.token().value
        self._used.token = token
        headers = self._headers() | {"openToken": token, "Content-Type": "application/json"}
        url = f"{self._connection.base_url}{API}/{service}"
        sent = codec.encode_ordered(body)
        return _answer(self._http.send("POST", url, body=sent, headers=headers, answers=ANSWERED), service)

    def _headers(self) -> dict[str, str]:
        return {"appKey": self._connection.login, "appSecret": self._connection.password}

    def _refresh(self) -> None:
        stale = getattr(self._used, "token", "")
        self._services.tokens.replace(self._connection.conn_id, stale, self._renewed)

    def _renewed(self) -> Token:
        """A new openToken by the refresh_token kept last; the one that comes with it is kept before anything else."""
        tokens, name = self._services.tokens, f"{self._connection.conn_id}.refresh"
        known = tokens.get(name, self._first)
        if known.extra.get("of") != self._mark():
            known = tokens.replace(name, known.value, self._first)
        made = self._asked(known.value)
        now, mark = self._services.clock(), {"of": self._mark()}
        ends = now + _seconds(made, "refresh_expires_in", REFRESH_SECONDS)
        tokens.replace(name, known.value, lambda: Token(str(made["refresh_token"]), ends, mark))
        extra = {"org_id": str(made.get("org_id") or "")}
        return Token(str(made["access_token"]), now + _seconds(made, "expires_in", TOKEN_SECONDS), extra)

    def _first(self) -> Token:
        """The refresh_token of the setting."""
        given = self._connection.require("refresh_token")
        return Token(given, self._services.clock() + REFRESH_SECONDS, {"of": self._mark()})

    def _mark(self) -> str:
        """Tells by which setting a kept refresh_token was begun: a new authorisation begins anew."""
        return sha256(self._connection.require("refresh_token").encode()).hexdigest()[:16]

    def _asked(self, refresh_token: str) -> Record:
        """What the vendor gives for a refresh_token. Raises NotSent when it does not tell: no business call left."""
        try:
            return self._services.retrier(self._connection.conn_id).read(lambda: self._exchange(refresh_token))
        except AnswerLost as error:
            raise NotSent(
                "刷新 openToken 时应答丢失, 业务请求未发出; 将自动重试, 若随后提示授权失效请重新授权",
                en=f"no openToken could be fetched ({error.en}); the business call never left and is tried again",
                where=self._connection.conn_id,
            ) from error

    def _exchange(self, refresh_token: str) -> Record:
        query = urlencode({"grantType": "refresh_token", "refreshToken": refresh_token})
        base, headers = self._connection.base_url, self._headers() | {"Content-Type": "application/json"}
        response = self._http.send("GET", f"{base}{REFRESH}?{query}", headers=headers, answers=ANSWERED)
        answer = read_json(response)
        error = error_of(answer, response.status_code, REFRESH)
        if isinstance(error, TokenExpired | VendorRejected):
            error = ERRORS.error("grant", told(answer)[1], where=self._connection.conn_id)
        if error:
            raise error
        result = answer.get("result") if isinstance(answer, dict) else None
        if not isinstance(result, dict) or not {"access_token", "refresh_token"} <= result.keys():
            raise ERRORS.error("no-token", where=self._connection.conn_id)
        return dict(result)


def _answer(response: Answer, where: str) -> Any:
    """The JSON of an answer. Raises the error that it tells."""
    answer = read_json(response)
    if error := error_of(answer, response.status_code, where):
        raise error
    return answer


def _seconds(made: Record, name: str, usual: int) -> int:
    """How long a token lasts; what the vendor does not say is as usual."""
    told = str(made.get(name) or "")
    return int(told) if told.isdigit() else usual


def told(answer: Any) -> tuple[str, str]:
    """Code and text of an answer, both empty where it carries none.

    The gateway and T+ say `{code, message}`, the gateway's throttle `{error}`, the platform's own services
    `{result: false, error: {code, msg}}`.
    """
    said = answer if isinstance(answer, dict) else {}
    inner = said.get("error")
    part = inner if isinstance(inner, dict) else said
    failed = False in (said.get("result"), said.get("success")) or bool(inner)
    code = str(part.get("code") or ("false" if failed else ""))
    return code, str(part.get("message") or part.get("msg") or (inner if isinstance(inner, str) else ""))


def error_of(answer: Any, status: int, where: str) -> DuijieError | None:
    """The error in an answer, None where it reports success: a list, null, a text, or an object whose code is none.

    The gateway refuses by a status, T+ with HTTP 200 and a code.
    """
    code, text = told(answer)
    if status < 400:
        return None if code in SUCCESS else ERRORS.error(_kind(text) or code, text, where=where)
    if code == "50107" or (code == "50000" and "oken" in text):
        return ERRORS.error("token", text, where=where)
    key = f"http-{status}:{code}"
    return ERRORS.error(key, text, where=where, retry_after=QUOTA_REST if key == QUOTA else None)


def _kind(text: str) -> str:
    """What a refusal says, where its code does not: T+ gives most of them the same code."""
    return next((kind for pattern, kind in SAID if re.search(pattern, text)), "")
