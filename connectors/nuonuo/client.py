"""The 诺诺 gateway as one function: sign the bytes that leave, send, unwrap the envelope, keep the token.

Source: 诺诺开放平台 "接入指南", "签名规则", "获取访问令牌" (open.nuonuo.com). A token lasts 24 hours and may be
asked for 50 times in 30 days, so it lives in the token store that all workers share and is renewed only when refused.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from connectors.nuonuo.hook import callback_url
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
TOKEN_URL = "https://open.nuonuo.com/accessToken"  # noqa: S105  an address
TOKEN_SECONDS = 86400  # of a token whose answer does not say how long it lasts
GATEWAY = "/open/v1/services"
PREFIX = "nuonuo.OpeMplatform."
SUCCESS = "E0000"
FORM_NOT_FINISHED = "未完成"
NO_CREDIT = "授信额度不足"
NO_LOGIN = ("重新登录", "登录已失效", "扫码登录", "扫码认证", "实人认证", "实名认证", "短信验证码")
UNCLEAR = ("超时", "系统异常", "系统错误", "内部错误", "服务异常", "服务不可用")  # it may have been carried out
CHECK = "App Key, App Secret 与 token_url"
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))


def sign(secret: str, app_key: str, call: tuple[str, str, str], body: bytes) -> str:
    """Base64 of HMAC-SHA1 over the three parts of the path, the caller, `call` (senid, nonce, seconds) and the body."""
    senid, nonce, seconds = call
    head = f"a=services&l=v1&p=open&k={app_key}&i={senid}&n={nonce}&t={seconds}&f="
    return base64.b64encode(hmac.new(secret.encode(), head.encode() + body, hashlib.sha1).digest()).decode()


def error_of(answer: Record, where: str) -> DuijieError | None:
    """The error in an envelope; None for E0000. An envelope without a code leaves the outcome unknown."""
    code = str(answer.get("code") or "unreadable")
    if code == SUCCESS:
        return None
    text = str(answer.get("describe") or "")
    return ERRORS.error(_told(code, text), text, where=where)


def _told(code: str, text: str) -> str:
    """The row of errors.yaml: some codes stand for several things, and only the words tell which."""
    if code == "E9103" and FORM_NOT_FINISHED in text:
        return "open-form"
    if not code.startswith("E") or code in ERRORS.codes:
        return code
    if NO_CREDIT in text:
        return "no-credit"
    if any(words in text for words in NO_LOGIN):
        return "no-login"
    return "unclear" if any(words in text for words in UNCLEAR) else code


class Client:
    """Calls methods for one seller."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self._used = threading.local()
        self.tax_no = connection.require("tax_no")
        self.clerk = connection.require("clerk")
        self.callback_url = callback_url(connection)
        self.retrier = services.retrier(connection.conn_id, self._refresh)

    def read(self, method: str, body: Record) -> Any:
        """A query, repeated as long as that can help: the envelope's `result`."""
        return self.retrier.read(lambda: self.call(method, body))

    def call(self, method: str, body: Record) -> Any:
        """One call, sent once: the envelope's `result`. Raises errors of the tree."""
        token = self._services.tokens.get(self._connection.conn_id, self._fetch_token).value
        self._used.token = token
        sent = codec.encode_ordered(body)
        headers = {
            "Content-Type": "application/json",
            "accessToken": token,
            "userTax": self.tax_no,
            "method": PREFIX + method,
        }
        query, signature = self._signed(sent)
        headers["X-Nuonuo-Sign"] = signature
        url = f"{self._connection.base_url}{GATEWAY}?{query}"
        answer = _envelope(read_json(self._http.send("POST", url, body=sent, headers=headers)))
        if error := error_of(answer, method):
            raise error
        return answer.get("result")

    def download(self, address: str) -> bytes:
        """The file at an address that a query gave. Raises errors of the tree."""
        return self.retrier.read(lambda: download(self._http, address, self._connection))

    def _signed(self, body: bytes) -> tuple[str, str]:
        app_key = self._connection.login
        call = (secrets.token_hex(16), str(secrets.randbelow(9 * 10**7) + 10**7), str(int(self._services.clock())))
        named = dict(zip(("senid", "nonce", "timestamp"), call, strict=True))
        return urlencode({**named, "appkey": app_key}), sign(self._connection.password, app_key, call, body)

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
                f"未取得诺诺 token ({error.zh}), 业务请求未发出; 将自动重试, 若持续请检查 token_url",
                en=f"no token ({error.en}); the call itself was not sent",
                where=self._connection.conn_id,
            ) from error

    def _ask_token(self) -> Token:
        url = str(self._connection.extra.get("token_url") or TOKEN_URL)
        form = {
            "client_id": self._connection.login,
            "client_secret": self._connection.password,
            "grant_type": "client_credentials",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"}
        sent = self._http.send("POST", url, body=urlencode(form).encode(), headers=headers, answers=(400, 401))
        answer = _envelope(read_json(sent))
        if "access_token" not in answer:
            code = str(answer.get("error") or answer.get("code") or "unreadable")
            text = str(answer.get("error_description") or answer.get("describe") or "")
            raise ERRORS.error(code, text, where=f"{self._connection.conn_id} accessToken")
        lasts = str(answer.get("expires_in") or "")
        seconds = int(lasts) if lasts.isdigit() else TOKEN_SECONDS
        return Token(str(answer["access_token"]), self._services.clock() + seconds)


def _envelope(answer: Any) -> Record:
    """The answer as an object; anything else is no envelope and leaves the outcome unknown."""
    return dict(answer) if isinstance(answer, dict) else {}
