"""The 百望云 gateway as one function: sign the bytes that leave, send, unwrap the envelope, keep the token.

Sources: 百望云开放平台 (open.baiwang.com), the signing of its SDKs for Java, PHP, Ruby and TypeScript; integrations of
others that ran against the vendor's sandbox. A token is fetched with the user's password and kept for all workers.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.downloads import download
from duijie.connect.errors import DuijieError, NotSent, OutcomeUnknown
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.services import Services
from duijie.connect.tokens import Token, granted

RATE = "20/second"
HOST = "https://openapi.baiwang.com"
PATH = "/router/rest"
VERSION = "6.0"
TOKEN_SECONDS = 3600  # of a token whose answer does not say how long it lasts
TOKEN_METHOD = "baiwang.oauth.token"  # noqa: S105  a method
PLAIN = {"encryptType": "NONE", "encryptScope": "00"}
JSON = {"Content-Type": "application/json; charset=utf-8"}
BY_WORDS = {  # what has no code that is known
    "credit": ("授信额度",),
    "login": ("登录", "登陆", "实名认证", "实人认证", "扫码", "人脸"),
    "open-form": ("未完成的红字",),
    "unclear": ("超时", "系统异常", "系统错误", "内部错误", "服务异常", "服务不可用"),
}
CHECK = "App Key, App Secret, 用户与网关地址"
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))


def sign(secret: str, parameters: Mapping[str, str], body: bytes) -> str:
    """MD5 (upper hex) of secret, the parameters by name without separators (empty ones left out), body, secret."""
    named = "".join(f"{name}{parameters[name]}" for name in sorted(parameters) if parameters[name])
    text = f"{secret}{named}".encode() + body + secret.encode()
    return hashlib.md5(text, usedforsecurity=False).hexdigest().upper()


def hashed(password: str, salt: str, version: str) -> str:
    """The password as the token method wants it: SHA-1 of the MD5 up to version 6.0, SHA-256 from 7.0 (lower hex)."""
    salted = f"{password}{salt}".encode()
    if version.startswith("7"):
        return hashlib.sha256(salted).hexdigest()
    inner = hashlib.md5(salted, usedforsecurity=False).hexdigest()
    return hashlib.sha1(inner.encode(), usedforsecurity=False).hexdigest()


def error_of(answer: Record, where: str) -> DuijieError | None:
    """The error in an envelope; None for success. One that says neither leaves the outcome unknown.

    A code that is not in the table is told by the words, where these are the tax bureau's.
    """
    if answer.get("success") is True:
        return None
    said = refusal(answer)
    code, text = str(said.get("code") or "unreadable"), text_of(said)
    words = BY_WORDS if ERRORS.resolve(code) is ERRORS.default else {}
    told = (name for name, parts in words.items() if any(part in text for part in parts))
    return ERRORS.error(next(told, code), text, where=where)


def refusal(answer: Record) -> Record:
    """The errorResponse of an envelope; nothing where it is none."""
    said = answer.get("errorResponse")
    return said if isinstance(said, dict) else {}


def text_of(said: Record) -> str:
    """What an errorResponse says in words, its detail behind its head."""
    parts = (str(said.get(name) or "") for name in ("message", "msg", "subMessage"))
    return " ".join(dict.fromkeys(part for part in parts if part))


class Client:
    """Calls methods for one seller."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self._used = threading.local()
        self.tax_no = connection.require("tax_no")
        self.now = services.clock
        self.retrier = services.retrier(connection.conn_id, self._refresh)

    def read(self, method: str, body: Record) -> Any:
        """A query, repeated as long as that can help: the envelope's `response`."""
        return self.retrier.read(lambda: self.call(method, body))

    def call(self, method: str, body: Record) -> Any:
        """One call, sent once: the envelope's `response`. Raises errors of the tree."""
        token = self._services.tokens.get(self._connection.conn_id, self._fetch_token).value
        self._used.token = token
        sent = codec.encode_ordered({"taxNo": self.tax_no, **body})
        parameters = {
            "method": method,
            "appKey": self._connection.login,
            "token": token,
            "timestamp": self._milliseconds(),
            "format": "json",
            "version": VERSION,
            "type": "sync",
            "requestId": str(uuid.uuid4()),
        }
        parameters["sign"] = sign(self._connection.password, parameters, sent)
        answer = self._post(parameters, sent)
        if error := error_of(answer, method):
            raise error
        return answer.get("response")

    def download(self, url: str) -> bytes:
        """The file at an address that a query gave. Raises errors of the tree."""
        return self.retrier.read(lambda: download(self._http, url, self._connection))

    def _post(self, parameters: Mapping[str, str], body: bytes) -> Record:
        url = f"{self._connection.base_url}{PATH}?{urlencode(parameters)}"
        answer = read_json(self._http.send("POST", url, body=body, headers=JSON))
        return dict(answer) if isinstance(answer, dict) else {}

    def _milliseconds(self) -> str:
        return str(int(self._services.clock() * 1000))

    def _refresh(self) -> None:
        stale = getattr(self._used, "token", "")
        self._services.tokens.replace(self._connection.conn_id, stale, self._fetch_token)

    def _fetch_token(self) -> Token:
        """A new token. Raises NotSent where none came: the call it was for has then not left."""
        quiet = self._services.retrier(self._connection.conn_id)
        try:
            return quiet.read(lambda: granted(self._ask_token, self._connection.conn_id, CHECK))
        except OutcomeUnknown as error:
            raise NotSent(
                f"未取得百望云 token ({error.zh}), 业务请求未发出; 将自动重试, 若持续请检查网关地址",
                en=f"no token ({error.en}); the call itself was not sent",
                where=self._connection.conn_id,
            ) from error

    def _ask_token(self) -> Token:
        connection, version = self._connection, str(self._connection.extra.get("token_version") or VERSION)
        parameters = {
            "method": TOKEN_METHOD,
            "grant_type": "password",
            "client_id": connection.login,
            "version": version,
            "timestamp": self._milliseconds(),
            **(PLAIN if version.startswith("7") else {}),
        }
        body = {
            "client_secret": connection.password,
            "username": connection.require("username"),
            "password": hashed(connection.require("user_password"), connection.require("user_salt"), version),
        }
        answer = self._post(parameters, codec.encode_ordered(body))
        given = answer.get("response")
        if answer.get("success") is True and isinstance(given, dict) and given.get("access_token"):
            lasts = str(given.get("expires_in") or "")
            seconds = int(lasts) if lasts.isdigit() else TOKEN_SECONDS
            return Token(str(given["access_token"]), self._services.clock() + seconds)
        said = refusal(answer)
        raise ERRORS.error("no-token" if said else "unreadable", text_of(said), where=f"{connection.conn_id} token")
