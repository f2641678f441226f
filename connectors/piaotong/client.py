"""票通 as one function: encrypt the content, sign the public part, send, verify and decrypt the answer.

Source: 票通电子发票开票接口文档 v3.5.1 (public part of every call, 业务错误码). The code 9999 is a wrong signature for
some calls and an internal error for others: its text decides.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import string
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec

from connectors.piaotong.crypto import decrypted, encrypted, is_signed, keys_of, sign
from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost, ConfigError, DuijieError
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http, read_json
from duijie.connect.services import Services

RATE = "5/second"
ROOT = "/tp/openapi/"
SUCCESS = "0000"
CHINA = timezone(timedelta(hours=8))
LETTERS = string.ascii_letters + string.digits
ALIAS_LENGTH = 4
SERIAL_LENGTH = 20
NO_CREDIT = "授信额度"
OPEN_FORM = ("未完成", "红字")  # together: another red form of the same blue is open
NO_LOGIN = re.compile("登[录陆]|[实真]名认证|扫码|人脸")
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))


def serial_of(alias: str, number: str) -> str:
    """The serial that stands for our number: 20 characters that begin with the platform's alias, always the same."""
    if number.startswith(alias) and len(number) <= SERIAL_LENGTH:
        return number
    if len(alias) + len(number) <= SERIAL_LENGTH:
        return alias + number
    digest = base64.b32encode(hashlib.sha256(number.encode()).digest()).decode()
    return alias + digest[: SERIAL_LENGTH - len(alias)]


def error_of(answer: Mapping[str, Any], where: str) -> DuijieError | None:
    """The error in an envelope; None for 0000. An envelope without a code leaves the outcome unknown."""
    code, text = str(answer.get("code") or "unreadable"), str(answer.get("msg") or "")
    if code == SUCCESS:
        return None
    return ERRORS.error(_told(code, text), text, where=where)


def _told(code: str, text: str) -> str:
    """The row of errors.yaml: some codes stand for several things, and only the words tell which."""
    if NO_CREDIT in text and "不足" in text:
        return "credit"
    if code == "9999" and "签" in text:
        return "signature"
    if ERRORS.resolve(code).action == "reject" and all(words in text for words in OPEN_FORM):
        return "open-form"
    return "login" if ERRORS.resolve(code) is ERRORS.default and NO_LOGIN.search(text) else code


class Client:
    """Calls methods for one seller."""

    def __init__(self, connection: Connection, services: Services) -> None:
        extra, name = connection.extra, connection.conn_id
        self._url = f"{connection.base_url}{ROOT}"
        self._services = services
        self._http = Http(services.budget(name, str(extra.get("rate") or RATE)))
        self._keys = keys_of(connection.password, connection.require("public_key"), connection.require("des_key"), name)
        self._platform_code = connection.login
        self.alias = connection.require("platform_alias")
        self.tax_no = connection.require("tax_no")
        self.seller_name = connection.require("seller_name")
        self.drawer = str(extra.get("drawer") or "")
        self.retrier = services.retrier(name)
        if len(self.alias) != ALIAS_LENGTH or not self.alias.isalnum():
            raise ConfigError(
                f"连接 {name} 的平台简称须是 4 位字母或数字, 请按票通的开户信息更正",
                en=f"the platform_alias of {name} must be 4 letters or digits",
                where=name,
            )

    def serial(self, number: str) -> str:
        """The platform's serial for our number."""
        return serial_of(self.alias, number)

    def read(self, method: str, content: Record) -> Record:
        """A query, repeated as long as that can help: the answer's content."""
        return self.retrier.read(lambda: self.call(method, content))

    def call(self, method: str, content: Record) -> Record:
        """One call, sent once: the answer's content. Raises errors of the tree."""
        sent = codec.encode_ordered(self._envelope({"taxpayerNum": self.tax_no, **content}))
        headers = {"Content-Type": "application/json; charset=utf-8"}
        answer = read_json(self._http.send("POST", f"{self._url}{method}.pt", body=sent, headers=headers))
        answer = answer if isinstance(answer, dict) else {}
        if answer.get("sign") or answer.get("code") == SUCCESS:
            self._must_be_theirs(answer, method)
        if error := error_of(answer, method):
            raise error
        return self._content(str(answer.get("content") or ""), method)

    def _envelope(self, content: Record) -> Record:
        now = datetime.fromtimestamp(self._services.clock(), CHINA)
        drawn = "".join(secrets.choice(LETTERS) for _ in range(8))
        public = {
            "platformCode": self._platform_code,
            "signType": "RSA",
            "format": "JSON",
            "timestamp": f"{now:%Y-%m-%d %H:%M:%S}",
            "version": "1.0",
            "serialNo": f"{self.alias}{now:%Y%m%d%H%M%S}{drawn}",
            "content": encrypted(self._keys.des, codec.encode_ordered(content)),
        }
        return {**public, "sign": sign(self._keys.private, public)}

    def _must_be_theirs(self, answer: Record, method: str) -> None:
        if not is_signed(self._keys.public, answer):
            raise AnswerLost(
                f"{method} 的应答验签失败, 不予采信, 结果未知; 若持续请核对票通公钥",
                en=f"the answer to {method} is not signed by the platform; check its public key",
                code="piaotong:forged",
                where=method,
            )

    def _content(self, content: str, method: str) -> Record:
        try:
            told = codec.decode(decrypted(self._keys.des, content)) if content else {}
        except (ValueError, msgspec.DecodeError):
            told = None
        if not isinstance(told, dict):
            raise AnswerLost(
                f"{method} 的应答内容无法解密, 结果未知; 请核对 3DES 密钥",
                en=f"the content of the answer to {method} cannot be read; check the 3DES key",
                where=method,
            )
        return told
