"""A local 金蝶 EAS: EASLogin, WSWSVoucher and WSGLWebServiceFacade as Axis 1.4 serves them under /ormrpc/services.

Source: the services' own descriptions. Where those are silent this server has its own ways, all listed in
docs/connectors/eas.md.

Seed (each key may be absent; CONFIG, the chart and the customers of the 星空 sandbox are the starting values)::

    {"user": "…", "password": "…", "sln_name": "eas", "dc_name": "…", "db_type": 0, "company": "01.001",
     "users": ["…"], "words": ["记"], "periods": ["202611"], "row_base": 0, "row_end_included": false,
     "accounts":  [{"number": "1122", "name": "应收账款", "leaf": true, "aux": ["customer"]}],
     "customers": [{"number": "C001", "name": "…"}]}
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from duijie.connect import xml
from duijie.connect.errors import MalformedMessage
from sandbox.eas_ledger import MOST_ROWS, Ledger
from sandbox.eas_wsdl import CONTEXT, FIELDS, GL_SPACE, LOGIN_SPACE, OPERATIONS, SOAPENC, describe
from sandbox.k3cloud_chart import ACCOUNTS
from sandbox.kit import Handler, Sandbox
from sandbox.store import Store

ENV = "http://schemas.xmlsoap.org/soap/envelope/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSD = "http://www.w3.org/2001/XMLSchema"
NSMAP = {"soapenv": ENV, "xsd": XSD, "xsi": XSI, "soapenc": SOAPENC}
PATH = "/ormrpc/services/{service}"
CUSTOMERS = [{"number": "C001", "name": "天猫旗舰店"}, {"number": "C002", "name": "淘宝企业店"}]
CONFIG: dict[str, Any] = {
    "user": "duijie",
    "password": "kd-secret-2026",
    "sln_name": "eas",
    "dc_name": "T202611",
    "db_type": 0,
    "company": "01.001",
    "users": ["对接制单"],
    "words": ["记", "收", "付", "转"],
    "periods": ["202611", "202612"],
    "row_base": 0,
    "row_end_included": False,
}


class Fault(Exception):
    """What the service answers as a SOAP fault."""


class EasSandbox(Sandbox):
    """One data centre with one company."""

    name = "eas"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        self._sessions: set[str] = set()
        if not self.store.get("config", "config"):
            self.seed({})

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """A description at ?wsdl, calls by POST."""
        return [("GET", PATH, self._describe), ("POST", PATH, self._serve)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """Only the import changes something."""
        return request.method == "POST" and b"importVoucher" in body

    def expire_tokens(self) -> None:
        """Forget every session."""
        self._sessions.clear()

    def shift_pages(self) -> None:
        """The voucher listed first is deleted, so that all rows after it move up."""
        first = min(self.store.keys("voucher"), default="")
        self.store.drop("voucher", first)

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what is absent stays as it is, or starts from the defaults."""
        kept = self.store.get("config", "config") or CONFIG
        self.store.put("config", "config", {**kept, **{name: data[name] for name in CONFIG if name in data}})
        for collection, name, defaults in (("account", "accounts", ACCOUNTS), ("customer", "customers", CUSTOMERS)):
            rows = data.get(name) or ([] if self.store.all(collection) else defaults)
            self.store.put_many(collection, {row["number"]: row for row in rows})

    @property
    def _config(self) -> dict[str, Any]:
        return self.store.get("config", "config") or CONFIG

    async def _describe(self, request: Request) -> Response:
        service = request.path_params["service"]
        if service not in OPERATIONS or "wsdl" not in request.url.query.lower():
            return Response("<html><body>AXIS error: No service is available at this URL</body></html>", 404)
        place = f"http://{request.headers['host']}/ormrpc/services/{service}"
        return Response(describe(service, place), media_type="text/xml;charset=utf-8")

    async def _serve(self, request: Request) -> Response:
        try:
            answer = self._answer(request.path_params["service"], await request.body())
        except Fault as fault:
            return _sent(_fault(str(fault)), 500)
        except MalformedMessage as error:
            return _sent(_fault(f"org.xml.sax.SAXParseException: {error.en}"), 500)
        return _sent(answer, 200)

    def _answer(self, service: str, body: bytes) -> etree._Element:
        envelope = xml.parse(body)
        call = next(envelope.iterfind(f"{{{ENV}}}Body/*"), None)
        if call is None or service not in OPERATIONS:
            raise Fault(f"服务 {service} 不存在或报文不是 SOAP 1.1")
        operation = etree.QName(call).localname
        parts = {etree.QName(one).localname: _target(one, envelope) for one in call}
        if operation not in {one.name for one in OPERATIONS[service][1]}:
            raise Fault(f"No such operation '{operation}'")
        if operation == "login":
            return self._login(parts)
        self._must_have_session(envelope)
        if operation == "importVoucher":
            return self._import(parts, envelope)
        return self._list(parts) if operation == "getVoucher" else _wrapped(LOGIN_SPACE, operation, _simple("true"))

    def _login(self, parts: dict[str, etree._Element]) -> etree._Element:
        """A refused login is no fault: its session id is null."""
        config, given = self._config, {name: part.text or "" for name, part in parts.items()}
        wanted = {"userName": config["user"], "password": config["password"], "slnName": config["sln_name"]}
        wanted |= {"dcName": config["dc_name"], "dbType": str(config["db_type"])}
        is_known = all(given.get(name) == value for name, value in wanted.items())
        session = f"{secrets.token_hex(16)}==" if is_known else None
        self._sessions |= {session} if session else set()
        return _context({name: given.get(name) for name in CONTEXT} | {"sessionId": session})

    def _must_have_session(self, envelope: etree._Element) -> None:
        found = envelope.find(f"{{{ENV}}}Header/{{{LOGIN_SPACE}}}SessionId")
        if found is None or (found.text or "") not in self._sessions:
            raise Fault("会话已失效, 请重新登录")

    def _import(self, parts: dict[str, etree._Element], envelope: etree._Element) -> etree._Element:
        if set(parts) != {"voucherCols", "isVerify", "isImpCashflow"}:
            raise Fault("importVoucher(boolean) 未提供")
        lines = [_fields(_target(one, envelope)) for one in parts["voucherCols"]]
        if not lines:
            raise Fault("voucherCols 为空")
        verify = _whole(parts["isVerify"].text)
        return _wrapped(GL_SPACE, "importVoucher", _rows(Ledger(self.store, self._config).take(lines, verify != 0)))

    def _list(self, parts: dict[str, etree._Element]) -> etree._Element:
        company, year, period = ((parts[name].text or "") for name in ("orgNumber", "year", "period"))
        if company != self._config["company"]:
            raise Fault(f"公司 {company} 不存在")
        first, last = (_whole(parts[name].text) - self._config["row_base"] for name in ("fromRow", "toRow"))
        last += bool(self._config["row_end_included"])
        rows = Ledger(self.store, self._config).rows(company, year, period)
        return _wrapped(GL_SPACE, "getVoucher", _rows(rows[max(first, 0) : last][:MOST_ROWS]))


def _target(one: etree._Element, envelope: etree._Element) -> etree._Element:
    """What an element stands for: itself, or the multiRef it points at."""
    href = str(one.get("href") or "").removeprefix("#")
    return next((other for other in envelope.iter() if other.get("id") == href), one) if href else one


def _fields(line: etree._Element) -> dict[str, str]:
    """The fields that are given and not null; unknown ones and empty numbers are dropped. Raises Fault for no int."""
    given = {etree.QName(one).localname: one for one in line if one.get(f"{{{XSI}}}nil") not in ("true", "1")}
    fields = {name: one.text or "" for name, one in given.items() if one.text or FIELDS.get(name) == "string"}
    fields = {name: text for name, text in fields.items() if name in FIELDS}
    for name, text in fields.items():
        if FIELDS[name] == "int":
            _whole(text)
    return fields


def _whole(text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError:
        raise Fault(f'java.lang.NumberFormatException: For input string: "{text or ""}"') from None


def _envelope() -> tuple[etree._Element, etree._Element]:
    root = etree.Element(f"{{{ENV}}}Envelope", nsmap=NSMAP)
    return root, etree.SubElement(root, f"{{{ENV}}}Body")


def _wrapped(space: str, operation: str, value: etree._Element) -> etree._Element:
    root, body = _envelope()
    answer = etree.SubElement(body, f"{{{space}}}{operation}Response", nsmap={"ns1": space})
    value.tag = f"{operation}Return"
    for one in value.iter():
        one.tag = value.tag
    answer.append(value)
    return root


def _simple(text: str) -> etree._Element:
    value = etree.Element("x")
    value.text = text
    return value


def _rows(rows: Sequence[Sequence[str]]) -> etree._Element:
    """String[][] as Axis writes it: an array of arrays, each with its type and size."""
    outer = etree.Element("x", nsmap=NSMAP)
    outer.set(f"{{{SOAPENC}}}arrayType", f"xsd:string[][{len(rows)}]")
    outer.set(f"{{{XSI}}}type", "soapenc:Array")
    for row in rows:
        inner = etree.SubElement(outer, "x")
        inner.set(f"{{{SOAPENC}}}arrayType", f"xsd:string[{len(row)}]")
        inner.set(f"{{{XSI}}}type", "soapenc:Array")
        for cell in row:
            one = etree.SubElement(inner, "x")
            one.set(f"{{{XSI}}}type", "xsd:string")
            one.text = cell
    return outer


def _context(fields: dict[str, str | None]) -> etree._Element:
    """WSContext as Axis writes it: the answer points at a multiRef that stands after it."""
    root, body = _envelope()
    answer = etree.SubElement(body, f"{{{LOGIN_SPACE}}}loginResponse", nsmap={"ns1": LOGIN_SPACE})
    etree.SubElement(answer, "loginReturn").set("href", "#id0")
    held = etree.SubElement(body, "multiRef", nsmap={"ns2": "urn:client"})
    held.set("id", "id0")
    held.set(f"{{{SOAPENC}}}root", "0")
    held.set(f"{{{XSI}}}type", "ns2:WSContext")
    for name, text in fields.items():
        one = etree.SubElement(held, name)
        one.set(f"{{{XSI}}}type", "xsd:int" if name == "dbType" else "xsd:string")
        one.text = text
        if text is None:
            one.set(f"{{{XSI}}}nil", "true")
    return root


def _fault(text: str) -> etree._Element:
    root, body = _envelope()
    fault = etree.SubElement(body, f"{{{ENV}}}Fault")
    etree.SubElement(fault, "faultcode").text = "soapenv:Server.userException"
    etree.SubElement(fault, "faultstring").text = text
    etree.SubElement(fault, "detail")
    return root


def _sent(envelope: etree._Element, status: int) -> Response:
    return Response(xml.serialise(envelope), status, media_type="text/xml;charset=utf-8")


SANDBOX = EasSandbox
