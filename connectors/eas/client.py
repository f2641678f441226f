"""Calls to the web services of EAS: one session for all workers, services by their WSDL, answers as plain rows.

`EASLogin.login` gives a session id, null where it refuses; the id travels in a SOAP header on every later call. What
a service says of a session that has ended is not published: any fault is met once with a new session, before it is
believed. Source: 金蝶 EAS web services EASLogin, WSWSVoucher, WSGLWebServiceFacade as their WSDLs describe them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

from connectors.eas.settings import RATE
from connectors.eas.wsdl import is_wsdl, with_one
from duijie.connect.connection import Connection
from duijie.connect.errors import DuijieError, MalformedMessage, NotSent, OutcomeUnknown, TokenExpired
from duijie.connect.errortable import ErrorTable
from duijie.connect.http import Http
from duijie.connect.services import Services
from duijie.connect.soap import Soap, SoapFault
from duijie.connect.tokens import Token

CHINA = ZoneInfo("Asia/Shanghai")
SERVICES = "/ormrpc/services/"
LOGIN, IMPORT, READ = "EASLogin", "WSWSVoucher", "WSGLWebServiceFacade"
SESSION = "{http://login.webservice.bos.kingdee.com}SessionId"
SESSION_SECONDS = 20 * 60  # our own caution: how long a session lives is not published
FRESH_SECONDS = 60.0
IMPORT_PARTS = ("voucherCols", "isVerify", "isImpCashflow")
READ_PARTS = ("orgNumber", "year", "period", "fromRow", "toRow")
LOGIN_PARTS = ("userName", "password", "slnName", "dcName", "language", "dbType")
ERRORS = ErrorTable.load(Path(__file__).with_name("errors.yaml"))


class Client:
    """One user of one data centre."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._http = Http(services.budget(connection.conn_id, str(connection.extra.get("rate") or RATE)))
        self._soaps: dict[str, Soap] = {}
        self._loading = threading.Lock()
        self._used = threading.local()
        self.retrier = services.retrier(connection.conn_id, self._refresh)

    def read(self, company: str, period: str, first: int, last: int) -> list[list[str]]:
        """getVoucher: rows of the vouchers of a period (yyyyMM), repeated as long as that can help."""
        asked = company, period[:4], str(int(period[4:])), first, last
        return self.retrier.read(lambda: rows_of(self._call(READ, "getVoucher", *asked)))

    def write(self, lines: Iterable[dict[str, Any]], verify: int) -> list[list[str]]:
        """importVoucher, once: a row for each voucher. Raises errors of the tree; a fault as TokenExpired at first."""
        sent = self.service(IMPORT).array("WSWSVoucher", list(lines), "voucherCols")
        return rows_of(self._call(IMPORT, "importVoucher", sent, verify, 0))

    def service(self, name: str) -> Soap:
        """A service by its WSDL, read once. Raises NotSent where the WSDL cannot be had now, else ConfigError."""
        with self._loading:
            if name not in self._soaps:
                address = f"{self._connection.base_url}{SERVICES}{name}"
                self._soaps[name] = Soap(self._description(name, address), self._http, address)
            return self._soaps[name]

    def log_in(self) -> None:
        """Have a session. Raises CredentialError, NotSent."""
        self._services.tokens.get(self._connection.conn_id, self._login)

    @property
    def month(self) -> str:
        """The current month in China (yyyyMM) by the connection's clock."""
        return f"{datetime.fromtimestamp(self._services.clock(), CHINA):%Y%m}"

    def _call(self, service: str, operation: str, *arguments: Any) -> etree._Element:
        token = self._services.tokens.get(self._connection.conn_id, self._login)
        self._used.session = token.value
        header = etree.Element(SESSION, nsmap={"ns1": SESSION[1:].partition("}")[0]})
        header.text = token.value
        soap = self.service(service)
        try:
            return soap.element(operation, *arguments, _soapheaders=[header])
        except SoapFault as fault:
            raise self._believed(fault, operation) from fault

    def _believed(self, fault: SoapFault, operation: str) -> DuijieError:
        """A fault under a session that is not new may be the session's: a new one is tried first."""
        session, since = getattr(self._used, "renewed", ("", 0.0))
        text = fault.en.removeprefix("SOAP fault: ")
        if session == self._used.session and self._services.clock() - since < FRESH_SECONDS:
            return ERRORS.error("fault", text, where=operation)
        return TokenExpired(
            f"EAS 拒绝 ({text}), 可能是会话已失效, 重新登录后再试一次",
            en=f"fault ({text}); the session may have ended, logging in again",
            code="eas:session",
            where=operation,
        )

    def _refresh(self) -> None:
        stale = getattr(self._used, "session", "")
        token = self._services.tokens.replace(self._connection.conn_id, stale, self._login)
        self._used.renewed = (token.value, self._services.clock())

    def _login(self) -> Token:
        """Raises NotSent when the login stays unanswered: no business call has left."""
        try:
            return self._services.retrier(self._connection.conn_id).read(self._ask_session)
        except OutcomeUnknown as error:
            raise NotSent(
                "登录 EAS 时应答丢失, 业务请求未发出; 将自动重试",
                en=f"no session could be had ({error.en}); the business call never left and is tried again",
                where=self._connection.conn_id,
            ) from error

    def _ask_session(self) -> Token:
        extra = self._connection.extra
        asked = [self._connection.login, self._connection.password, str(extra.get("sln_name") or "eas")]
        asked += [self._connection.require("dc_name"), str(extra.get("language") or "L2")]
        more = [str(extra["auth_pattern"])] if extra.get("auth_pattern") else []
        try:
            context = self.service(LOGIN).call("login", *asked, int(extra.get("db_type") or 0), *more)
        except SoapFault as fault:
            raise ERRORS.error("login", fault.en, where=self._connection.conn_id) from fault
        session = getattr(context, "sessionId", None)
        if not session:
            raise ERRORS.error("login", "sessionId 为空", where=self._connection.conn_id)
        return Token(str(session), self._services.clock() + SESSION_SECONDS)

    def _description(self, name: str, address: str) -> bytes:
        try:
            text = self._http.send("GET", f"{address}?wsdl").content
            is_there = is_wsdl(text)
        except (OutcomeUnknown, MalformedMessage) as error:
            raise _not_described(name, error.en) from error
        if not is_there:
            raise _not_described(name, "not a WSDL")
        more = ("authPattern",) if self._connection.extra.get("auth_pattern") else ()
        parts = {LOGIN: (*LOGIN_PARTS, *more), IMPORT: IMPORT_PARTS, READ: READ_PARTS}[name]
        return with_one(text, {LOGIN: "login", IMPORT: "importVoucher", READ: "getVoucher"}[name], parts)


def _not_described(name: str, why: str) -> NotSent:
    return NotSent(
        f"读不到服务 {name} 的描述 (WSDL), 业务请求未发出; 将自动重试, 若持续请核对服务器地址与该服务是否已发布",
        en=f"the WSDL of {name} cannot be had ({why}); nothing was sent; check the address if it goes on",
        where=name,
    )


def rows_of(answer: etree._Element) -> list[list[str]]:
    """An array of arrays of texts as plain lists, each element followed to the multiRef it points at; null is empty."""
    marked = {str(one.get("id")): one for one in answer.getroottree().iter("{*}multiRef")}

    def target(one: etree._Element) -> etree._Element:
        return marked.get(str(one.get("href") or "").removeprefix("#"), one)

    returned = next(iter(answer), None)
    rows = [] if returned is None else [target(row) for row in target(returned)]
    return [[target(cell).text or "" for cell in row] for row in rows]
