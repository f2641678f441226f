"""乐企 as one function: encrypt, have it signed, send, unwrap the layers of the answer.

Source: public code that cites 乐企数字化电子发票开票能力说明文档 (基础版 V6.006): path, headers, SM4, the services'
names and fields. The outer layers of an answer are spelled in two ways there (Response/response, as an object or as a
text); both are read. How access_signature is computed is not published: see `connectors.leqi.signer`.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import msgspec

from connectors.leqi import sm4
from connectors.leqi.signer import Signer, Unsigned
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, DuijieError
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Answer, Http
from duijie.connect.services import Services

RATE = "10/second"
GZIP = b"\x1f\x8b"
DONE = "00"
NOTHING = "01"
NOT_FOUND = "leqi:not-found"
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))
BY_WORDS = {  # what is told in words only
    "credit": re.compile("额度"),
    "open-form": re.compile("未完成.*红字|红字.*(未完成|处理中)"),
    "busy": re.compile("繁忙|稍后再试|系统维护"),
    "unclear": re.compile("超时|系统异常|系统错误|内部错误|服务异常|服务不可用"),
    "signature": re.compile("签名|验签|解密|未授权|无权限|白名单"),
}


def error_of(code: str, text: str, where: str) -> DuijieError:
    """The error that a code and its words stand for."""
    code = code or "unreadable"
    named = next((name for name, words in BY_WORDS.items() if words.search(text)), code)
    told = text if named == code and code != NOTHING else f"{text} ({code})"
    return ERRORS.error("not-found" if named == NOTHING else named, told, where=where)


class Client:
    """Calls services for one seller."""

    def __init__(self, connection: Connection, services: Services, signer: Signer) -> None:
        self._connection = connection
        self._services = services
        self._signer = signer
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self._key = _key(connection)
        self.ability = connection.require("ability")
        self.retrier = services.retrier(connection.conn_id)

    def now(self) -> float:
        """Seconds since 1970."""
        return self._services.clock()

    def read(self, service: str, data: Any) -> Record:
        """A query, repeated as long as that can help."""
        return self.retrier.read(lambda: self.call(service, data))

    def call(self, service: str, data: Any) -> Record:
        """One call, sent once: what the service answers. Raises errors of the tree."""
        path = f"/access/v2/invoke/{self.ability}/{service}/"
        body = sm4.encrypt(codec.encode_ordered(data), self._key).encode()
        headers = self._headers(service)
        secret = str(self._connection.extra.get("signer_secret") or "")
        unsigned = Unsigned(path, headers, body, int(self._services.clock()), secret)
        headers = {**headers, "access_signature": self._signer(unsigned)}
        sent = self._http.send("POST", f"{self._connection.base_url}{path}", body=body, headers=headers)
        told = self._opened(sent, service)
        code = str(told.get("returncode") or "")
        if code != DONE:
            raise error_of(code, str(told.get("returnmsg") or ""), service)
        return told

    def _headers(self, service: str) -> dict[str, str]:
        extra = self._connection.extra
        return {
            "Content-Type": "application/json;charset=UTF-8",
            "nlbm": self.ability,
            "fwbm": service,
            "jrdwptbh": self._connection.login,
            "sydwptbh": self._connection.require("user_platform"),
            "ylbm": str(extra.get("use_case") or ""),
            "sxcsbz": str(extra.get("sandbox_flag") or ""),
        }

    def _opened(self, sent: Answer, where: str) -> Record:
        """The service's own answer, out of its layers."""
        content = sent.content
        try:
            outer = codec.decode(gzip.decompress(content) if content.startswith(GZIP) else content)
            inner = _field(_object(_field(outer, "body")), "response")
            told = _object(inner)
            error = _field(told, "error")
            if error:
                failed = _object(error)
                raise error_of(str(_field(failed, "code")), str(_field(failed, "message")), where)
            answer = codec.decode(sm4.decrypt(str(_field(told, "data")), self._key))
        except (ValueError, TypeError, OSError, EOFError, msgspec.DecodeError):
            answer = None
        if not isinstance(answer, dict):
            raise ERRORS.error("unreadable", where=where)
        return answer


def rows_of(told: Record) -> list[Record]:
    """The one list in an answer, which some services send as a JSON text; empty where there is none."""
    for value in told.values():
        found = codec.decode(value) if isinstance(value, str) and value.startswith("[") else value
        if isinstance(found, list):
            return [dict(row) for row in found]
    return []


def _object(value: Any) -> Record:
    found = codec.decode(value) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise TypeError("not an object")
    return found


def _field(record: Any, name: str) -> Any:
    """A field whichever way its first letter is written; None where there is none."""
    return next((value for key, value in _object(record).items() if key.lower() == name), None)


def _key(connection: Connection) -> str:
    key = connection.password
    if re.fullmatch("[0-9a-fA-F]{32}", key):
        return key
    raise ConfigError(
        f"连接 {connection.conn_id} 的 SM4 密钥应为 32 位十六进制数, 请核对",
        en=f"the SM4 key of {connection.conn_id} must be 32 hex digits",
        where=f"{connection.conn_id}.password",
    )
