"""The gateways of 高灯 as one function: sign, send, read the envelope; amounts in the unit of the application.

Source: "签名方法" and the interfaces behind it (docs.gc365.com), the vendor's published clients. Those differ in the
unit of amounts: whole 分 with a rate of thousandths, or yuan with a rate as a fraction. A wrong unit would issue a
hundred times the amount, so a connection must say which one it is.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from connectors.gaodeng.signature import authorization, old_signature
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.downloads import download
from duijie.connect.errors import ConfigError, DuijieError
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.services import Services

RATE = "10/second"
INTERFACES = ("blue", "red", "query", "send-email")
NEW = {name: f"/tax-api/invoice/{name}/v1" for name in INTERFACES}
OLD = {name: f"/invoice/{name}" for name in INTERFACES}
JSON = {"Content-Type": "application/json"}
HEAD_AMOUNTS = ("amount_has_tax", "tax_amount", "amount_without_tax")
LINE_AMOUNTS = ("total_price", "tax_amount")
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))
BY_WORDS = {  # what the platform tells in words only
    "used": re.compile("重复|已存在|已提交|已开具|已红冲|已冲红"),
    "credit": re.compile("授信额度|额度不足"),
    "login": re.compile("未登录|登录已?失效|重新登录|请先?登录|扫码|人脸|实名认证|短信验证"),
    "open-form": re.compile("未完成.*红字|红字.*(未完成|处理中)"),
    "unclear": re.compile("超时|系统异常|系统错误|内部错误|服务异常|服务不可用"),
    "not-found": re.compile("不存在|未查询到|查无|未找到|没有找到"),
}
OF_BUSINESS = ("1010", "1011", "1014", "1015")


def error_of(answer: Record, where: str) -> DuijieError | None:
    """The error in an envelope (or in one answer of several); None for code 0, unreadable without a code."""
    code, text = str(answer.get("code", "")), str(answer.get("message") or "")
    if code == "0":
        return None
    if not code:
        return ERRORS.error("unreadable", where=where)
    if code in OF_BUSINESS or ERRORS.resolve(code) is ERRORS.default:
        code = next((name for name, words in BY_WORDS.items() if words.search(text)), code)
    return ERRORS.error(code, text, where=where)


class Client:
    """Calls interfaces for one seller."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self.is_new = _choice(connection, "gateway", ("new", "old")) == "new"
        self._is_yuan = _choice(connection, "amount_unit", ("fen", "yuan")) == "yuan"
        self.tax_no = connection.require("tax_no")
        self.drawer = str(connection.extra.get("drawer") or "")
        self.kinds = {"normal": connection.require("code_normal"), "special": connection.require("code_special")}
        self.retrier = services.retrier(connection.conn_id)

    def read(self, interface: str, data: Record) -> Any:
        """A query, repeated as long as that can help: the `data` of the answer."""
        return self.retrier.read(lambda: self.call(interface, data))

    def call(self, interface: str, data: Record) -> Any:
        """One call, sent once: the `data` of the answer. Raises errors of the tree."""
        body = codec.encode_ordered(data)
        place, headers = self._signed_new(interface, body) if self.is_new else self._signed_old(interface, data)
        sent = self._http.send("POST", f"{self._connection.base_url}{place}", body=body, headers={**JSON, **headers})
        answer = read_json(sent)
        told = dict(answer) if isinstance(answer, dict) else {}
        if error := error_of(told, interface):
            raise error
        return told.get("data")

    def _signed_new(self, interface: str, body: bytes) -> tuple[str, dict[str, str]]:
        path, nonce = NEW[interface], str(secrets.randbelow(900000) + 100000)
        key, secret, now = self._connection.login, self._connection.password, str(int(self._services.clock()))
        return path, {"Authorization": authorization(key, secret, nonce, now, (path, body))}

    def _signed_old(self, interface: str, data: Record) -> tuple[str, dict[str, str]]:
        key, secret, now = self._connection.login, self._connection.password, str(int(self._services.clock()))
        signed = {"appkey": key, "timestamp": now, "ver": "1.0.0", "signature": old_signature(key, secret, now, data)}
        return f"{OLD[interface]}?{urlencode(signed)}", {}

    def file(self, url: str) -> bytes:
        """A file at an address that the platform gave. Raises errors of the tree."""
        return self.retrier.read(lambda: download(self._http, url, self._connection))

    def in_unit(self, order: Record) -> Record:
        """An order in whole 分 and thousandths, as this application wants its amounts and rates."""
        if not self._is_yuan:
            return order
        items = [
            {**item, **_yuan(item, LINE_AMOUNTS), "tax_rate": f"{Decimal(item['tax_rate']) / 1000:f}"}
            for item in order["items"]
        ]
        return {**order, **_yuan(order, HEAD_AMOUNTS), "items": items}

    def yuan(self, value: Any) -> Decimal:
        """An amount of an answer in yuan: what has a decimal point is yuan already."""
        text = str(value)
        return Decimal(text) if self._is_yuan or "." in text else Decimal(text) / 100


def _yuan(record: Record, names: Iterable[str]) -> dict[str, str]:
    return {name: f"{Decimal(record[name]) / 100:.2f}" for name in names}


def _choice(connection: Connection, name: str, allowed: tuple[str, ...]) -> str:
    value = connection.require(name)
    if value not in allowed:
        raise ConfigError(
            f"连接 {connection.conn_id} 的 {name} 应为 {' 或 '.join(allowed)}, 现为 {value}",
            en=f"{name} of {connection.conn_id} must be one of {', '.join(allowed)}",
            where=f"{connection.conn_id}.{name}",
        )
    return value
