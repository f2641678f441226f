"""The open interface of 金蝶发票云 旗舰版 as one function: wrap the data, send, read the envelope, keep the token.

Source: "1.01 获取app_token", "1.02 获取access_token", "加解密" and the interfaces behind /kapi/app/sim/openApi
(open-ultimate.piaozone.com). A token lasts two hours; the workers share one.
"""

from __future__ import annotations

import re
import secrets
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from connectors.piaozone.crypto import unwrap, wrap
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.downloads import download
from duijie.connect.errors import ConfigError, DuijieError, NotSent, OutcomeUnknown
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.services import Services
from duijie.connect.tokens import Token, granted

RATE = "10/second"
TOKEN_SECONDS = 7200  # of a token whose answer does not say until when it lasts
ENCODINGS = ("base64", "aes")
CHECK = "appId, appSecret, 账套, 用户与租户地址"
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))
BY_WORDS = {  # what the vendor tells in words only
    "credit": re.compile("授信额度|额度不足"),
    "login": re.compile("未登录|登录已?失效|重新登录|请先?登录|扫码|人脸|实名认证|短信验证"),
    "open-form": re.compile("未完成.*红字|红字确认单.*(未完成|处理中|已存在)"),
    "unclear": re.compile("超时|系统异常|系统错误|内部错误|服务异常|服务不可用"),
    "not-found": re.compile("不存在|未查询到|没有查询到|查无|未找到"),
}


def error_of(answer: Record, where: str) -> DuijieError | None:
    """The error in an envelope; None where the call was taken. No envelope leaves the outcome unknown."""
    code, text = str(answer.get("errorCode", "")), str(answer.get("message") or "")
    if str(answer.get("success")).lower() == "true" and code in ("", "0"):
        return None
    if not code or "success" not in answer:
        return ERRORS.error("unreadable", where=where)
    if ERRORS.resolve(code) is ERRORS.default:
        code = next((name for name, words in BY_WORDS.items() if words.search(text)), code)
    return ERRORS.error(code, text, where=where)


class Client:
    """Calls interfaces for one seller."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self._used = threading.local()
        self.tax_no = connection.require("tax_no")
        self.seller = connection.require("seller_name")
        self.drawer = connection.require("drawer")
        self._system = connection.require("system_code")
        self._password = password_of(connection)
        self.retrier = services.retrier(connection.conn_id, self._refresh)

    def read(self, interface: str, data: Record) -> Any:
        """A query, repeated as long as that can help: the `data` of the answer, unwrapped; None where it has none."""
        return self.retrier.read(lambda: self._opened(self.call(interface, data)))

    def call(self, interface: str, data: Record) -> Any:
        """One call, sent once: the `data` of the answer as it came. Raises errors of the tree."""
        token = self._services.tokens.get(self._connection.conn_id, self._fetch_token).value
        self._used.token = token
        body = {
            "requestId": f"{int(self._services.clock() * 1000):013d}{secrets.randbelow(1000):03d}",
            "businessSystemCode": self._system,
            "interfaceCode": interface,
            "data": wrap(codec.encode_ordered(data), self._password),
        }
        answer = self._post(f"/kapi/app/sim/openApi?{urlencode({'access_token': token})}", body)
        if error := error_of(answer, interface):
            raise error
        return answer.get("data")

    def file(self, url: str) -> bytes:
        """A file at an address that the platform gave. Raises errors of the tree."""
        return self.retrier.read(lambda: download(self._http, url, self._connection))

    def _opened(self, data: Any) -> Any:
        if not isinstance(data, str):
            return data
        try:
            return codec.decode(unwrap(data, self._password)) if data else None
        except (ValueError, msgspec.DecodeError):
            raise ERRORS.error("unreadable", where=self._connection.conn_id) from None

    def _post(self, path: str, body: Record) -> Record:
        url = f"{self._connection.base_url}{path}"
        headers = {"Content-Type": "application/json"}
        sent = self._http.send("POST", url, body=codec.encode_ordered(body), headers=headers, answers=(401,))
        if sent.status_code == 401:
            raise ERRORS.error("401", where=self._connection.conn_id)
        answer = read_json(sent)
        return dict(answer) if isinstance(answer, dict) else {}

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
                f"未取得发票云 token ({error.zh}), 业务请求未发出; 将自动重试, 若持续请检查租户地址",
                en=f"no token ({error.en}); the call itself was not sent",
                where=self._connection.conn_id,
            ) from error

    def _ask_token(self) -> Token:
        extra = self._connection.extra
        account = {"accountId": self._connection.require("account_id"), "tenantid": str(extra.get("tenant_id") or "")}
        app = {"appId": self._connection.login, "appSecret": self._connection.password, "language": "zh_CN"}
        token = self._granted("/api/getAppToken.do", {**app, **account}, "app_token")["app_token"]
        user = {"user": self._connection.require("user"), "usertype": str(extra.get("user_type") or "UserName")}
        granted = self._granted("/api/login.do", {**user, "apptoken": token, **account}, "access_token")
        until = str(granted.get("expire_time") or "")
        lasts_until = int(until) // 1000 if until.isdigit() else self._services.clock() + TOKEN_SECONDS
        return Token(str(granted["access_token"]), lasts_until)

    def _granted(self, path: str, body: Record, wanted: str) -> Record:
        answer = self._post(path, body)
        data = answer.get("data")
        if isinstance(data, dict) and data.get(wanted):
            return data
        if not isinstance(data, dict) and "errorCode" not in answer:
            raise ERRORS.error("unreadable", where=path)
        told = data if isinstance(data, dict) else {}
        code = str(told.get("error_code") or answer.get("errorCode") or "")
        text = str(told.get("error_desc") or answer.get("message") or "")
        raise ERRORS.error(f"auth:{code}", text, where=f"{self._connection.conn_id} {path}")


def password_of(connection: Connection) -> str:
    """The password of the encryption; "" where `data` is Base64 alone. Raises ConfigError for a half-made choice."""
    encoding = str(connection.extra.get("encryption") or ENCODINGS[0])
    if encoding not in ENCODINGS:
        raise ConfigError(
            f"连接 {connection.conn_id} 的 encryption 应为 base64 或 aes, 现为 {encoding}",
            en=f"encryption of {connection.conn_id} must be base64 or aes",
            where=f"{connection.conn_id}.encryption",
        )
    return connection.require("aes_password") if encoding == "aes" else ""
