"""航信 eiInterface as one function: wrap, send once as bare XML or by SOAP, open the answer.

Source: 航信电子发票接口 DZFP1.0 as its clients in public speak it: terminalCode 0, appId ZZS_PT_DZFP, the same message
bare to a servlet or as the one argument of the SOAP operation eiInterface.
"""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from lxml import etree

from connectors.aisinoxml import envelope
from connectors.aisinoxml.wsdl import WSDL
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost, ConfigError, DuijieError, MalformedMessage, TokenExpired
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http
from duijie.connect.services import Services
from duijie.connect.soap import Soap

RATE = "10/second"
CHINA = timezone(timedelta(hours=8))
OK = "0000"
PATHS = {"xml": "/sajt-shdzfp-sl-http/SvrServlet", "soap": "/axis2/services/SajtIssueInvoiceService"}
WORDS = {
    "credit": ("授信额度",),
    "login": ("登录", "登陆", "实名认证", "实人认证", "扫码"),
    "caller": ("授权码", "注册码", "平台编码", "解密"),
}
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))


def error_of(code: str, text: str, where: str) -> DuijieError:
    """The error of a returnCode: its words decide, for the codes are not published."""
    told = (name for name, parts in WORDS.items() if any(part in text for part in parts))
    return ERRORS.error(next(told, code or "unreadable"), text, where=where)


class Client:
    """Calls interfaces for one seller."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._extra = connection.extra
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self._soap: Soap | None = None
        self._building = threading.Lock()
        self.platform = connection.login
        self.tax_no = connection.require("tax_no")
        self._transport = self._chosen("transport", ("xml", "soap"))
        self._form = self._chosen("password_form", ("hex", "raw", "empty"))
        self._is_encrypted = self._chosen("encryption", ("3des", "none")) == "3des"
        self._key = connection.password.encode()
        if self._is_encrypted and len(self._key) != envelope.KEY_LENGTH:
            raise self._unfit("3DES 密钥必须为 24 个字符", "the 3DES key must have 24 characters")
        self.retrier = services.retrier(connection.conn_id, _nothing_to_refresh)

    def read(self, interface: str, content: bytes) -> envelope.Answer:
        """A query, repeated as long as that can help: the answer with whatever code."""
        return self.retrier.read(lambda: self.ask(interface, content))

    def call(self, interface: str, content: bytes) -> envelope.Answer:
        """One call, sent once. Raises errors of the tree, also for a code that is not 0000."""
        answer = self.ask(interface, content)
        if answer.code != OK:
            raise error_of(answer.code, answer.text, interface)
        return answer

    def ask(self, interface: str, content: bytes) -> envelope.Answer:
        """One call, sent once: the answer with whatever code."""
        sealed = envelope.encrypt(content, self._key) if self._is_encrypted else envelope.plain(content)
        message = envelope.interface(self._head(interface), sealed, self._is_encrypted)
        try:
            return envelope.read(self._sent(message))
        except MalformedMessage as error:
            raise ERRORS.error("unreadable", error.en, where=interface) from error

    def inner(self, answer: envelope.Answer, where: str) -> etree._Element:
        """What lies in an answer. Raises CredentialError where our key does not open it."""
        try:
            return envelope.content_of(answer, self._key)
        except (envelope.Sealed, MalformedMessage) as error:
            raise ERRORS.error("sealed", str(error), where=where) from error

    def _head(self, interface: str) -> dict[str, str]:
        now = datetime.fromtimestamp(self._services.clock(), UTC).astimezone(CHINA)
        digits = f"{secrets.randbelow(10**10):010d}"
        receiver = str(self._extra.get("response_code") or "121")
        return {
            "terminalCode": "0",
            "appId": "ZZS_PT_DZFP",
            "version": "2.0",
            "interfaceCode": interface,
            "requestCode": self.platform,
            "requestTime": f"{now:%Y-%m-%d %H:%M:%S}",
            "responseCode": receiver,
            "dataExchangeId": f"{self.platform}{interface}{now:%Y%m%d}{digits[:9]}",
            "userName": self.platform,
            "passWord": envelope.password(digits, str(self._extra.get("register_code") or ""), self._form),
            "taxpayerId": self.tax_no,
            "authorizationCode": self._connection.require("authorization_code"),
        }

    def _sent(self, message: bytes) -> bytes:
        if self._transport == "soap":
            text = self._service().call("eiInterface", message.decode())
            if text is None:
                raise AnswerLost("航信的应答为空, 结果未知; 先查询再决定是否重发", en="an empty answer", code="SOAP")
            return str(text).encode()
        headers = {"Content-Type": "text/xml;charset=UTF-8", "SOAPAction": f"{self._address()}#eiInterface"}
        return bytes(self._http.send("POST", self._address(), body=message, headers=headers).content)

    def _service(self) -> Soap:
        with self._building:
            if self._soap is None:
                self._soap = Soap(str(self._extra.get("wsdl") or "") or WSDL, self._http, self._address())
            return self._soap

    def _address(self) -> str:
        return self._connection.base_url + str(self._extra.get("path") or PATHS[self._transport])

    def _chosen(self, name: str, allowed: tuple[str, ...]) -> str:
        value = str(self._extra.get(name) or allowed[0])
        if value not in allowed:
            raise self._unfit(f"设置 {name} 只能填 {'、'.join(allowed)}", f"{name} must be one of {', '.join(allowed)}")
        return value

    def _unfit(self, zh: str, en: str) -> ConfigError:
        conn_id = self._connection.conn_id
        return ConfigError(f"连接 {conn_id}: {zh}, 请更正", en=f"connection {conn_id}: {en}", where=conn_id)


def _nothing_to_refresh() -> None:
    raise TokenExpired("航信没有 token, 无需刷新", en="there is no token to refresh", code="aisinoxml:no-token")
