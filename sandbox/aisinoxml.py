"""A local 航信 eiInterface (DZFP1.0): the same messages bare and by SOAP, 数电普票 of one seller, downloads, mails.

It exists so that the connector, and others' clients of this interface, meet a platform that opens their messages. Codes
other than 0000 are this sandbox's own, since the vendor's are not published. Source: 航信电子发票接口 DZFP1.0 as its
clients in public write it.

Seed (each key may be absent)::

    {"platform": "111MFWIK", "authorization_code": "…", "register_code": "…", "key_3des": "…24 characters…",
     "tax_no": "…", "seller_name": "…", "bureau": {…settings of the bureau…}}
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from lxml import etree
from starlette.requests import Request
from starlette.responses import Response

from sandbox import bureau_admin, bureau_files
from sandbox.aisinoxml_message import Unread, answered, head_of, opened, passwords, unwrapped, wrapped
from sandbox.bureau import Blue, Bureau, Line, Party, Refused
from sandbox.bureau_terms import Record
from sandbox.kit import Handler, Sandbox
from sandbox.store import Store

ISSUE, QUERY, DELIVER = "ECXML.FPKJ.BC.E_INV", "ECXML.FPXZ.CX.E_INV", "ECXML.EMAILPHONEFPTS.TS.E.INV"
CENT = Decimal("0.01")
TOLERANCE = Decimal("0.06")
NATURES = {"0": "normal", "1": "discount", "2": "discounted"}
DEFAULTS: dict[str, Any] = {
    "platform": "111MFWIK",
    "authorization_code": "3100000090",
    "register_code": "REG-demo",
    "key_3des": "123456789012345678901234",
    "tax_no": "91310101MA5DEMK12A",
    "seller_name": "航信 XML 测试企业",
}
Told = tuple[tuple[str, str], Record | None]


class AisinoXmlSandbox(Sandbox):
    """One platform code of one seller."""

    name = "aisinoxml"

    def __init__(self, store: Store, clock: Callable[[], datetime] | None = None) -> None:
        super().__init__(store, clock)
        if not store.get("config", "config"):
            store.put("config", "config", DEFAULTS)
        self.bureau = Bureau(store, self.now)
        self._interfaces: dict[str, Callable[[etree._Element], Told]] = {
            ISSUE: self._issue,
            QUERY: self._query,
            DELIVER: self._deliver,
        }

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """The servlet and the SOAP service: either takes either."""
        paths = ("/sajt-shdzfp-sl-http/SvrServlet", "/axis2/services/SajtIssueInvoiceService")
        own: list[tuple[str, str, Handler]] = [("POST", path, self._gateway) for path in paths]
        return [*own, *bureau_admin.routes(lambda: self.bureau)]

    def is_write(self, request: Request, body: bytes) -> bool:
        """One address: the message says which interface it is for."""
        return ISSUE.encode() in body

    def seed(self, data: dict[str, Any]) -> None:
        """Load the shape in the module's docstring; what was issued since stays."""
        given = {name: data[name] for name in DEFAULTS if name in data}
        self.store.put("config", "config", {**self._config, **given})
        self.bureau.settings(data.get("bureau", {}))

    def expire_tokens(self) -> None:
        """There are none."""

    @property
    def _config(self) -> dict[str, Any]:
        return self.store.get("config", "config") or DEFAULTS

    async def _gateway(self, request: Request) -> Response:
        info: Record = {}
        description: Record = {}
        is_soap, key = False, self._config["key_3des"].encode()
        try:
            message, is_soap = unwrapped(await request.body())
            info, description, content = head_of(message)
            told, inner = self._carried_out(info, opened(content, description, key))
        except Unread as unread:
            told, inner = ("9001", str(unread)), None
        answer = answered(info, description, told, inner, key)
        return Response(wrapped(answer) if is_soap else answer, media_type="text/xml")

    def _carried_out(self, info: Record, inner: etree._Element) -> Told:
        config = self._config
        if info.get("userName") != config["platform"] or info.get("authorizationCode") != config["authorization_code"]:
            return ("9002", "平台编码或授权码错误"), None
        if info.get("passWord") not in passwords(info, config["register_code"]):
            return ("9002", "注册码错误"), None
        interface = self._interfaces.get(str(info.get("interfaceCode")))
        if interface is None:
            return ("9003", "interfaceCode 无效"), None
        try:
            return interface(inner)
        except (Refused, InvalidOperation, KeyError) as error:
            return ("9004", error.text if isinstance(error, Refused) else f"字段缺失或格式错误 {error}"), None

    def _issue(self, inner: etree._Element) -> Told:
        head, order = _fields(inner.find("FPKJXX_FPTXX")), _fields(inner.find("FPKJXX_DDXX"))
        if head.get("KPLX") != "1":
            return ("9005", "数电票的红票须先有红字确认单, 本接口不受理"), None
        lines = _balanced([_line(_fields(one)) for one in inner.findall("FPKJXX_XMXXS/FPKJXX_XMXX")], head)
        if sum((line.net + line.tax for line in lines), Decimal(0)) != Decimal(head["KPHJJE"]):
            return ("9004", "KPHJJE 与明细合计不一致"), None
        buyer = ("GHFMC", "GHF_NSRSBH", "GHF_DZ", "GHF_GDDH", "", "GHF_YHZH")
        blue = Blue(
            serial=head["FPQQLSH"],
            kind="normal",
            seller=Party(head["XHFMC"], head["XHF_NSRSBH"]),
            buyer=Party(*(head.get(name, "") for name in buyer)),
            lines=tuple(lines),
            remark=head.get("BZ", ""),
            drawer=head.get("KPY", ""),
            extra={"DDH": order["DDH"]},
        )
        self.bureau.submit(blue)
        return ("0000", "受理成功"), None

    def _query(self, inner: etree._Element) -> Told:
        asked = _fields(inner)
        row = self.bureau.blue(asked["FPQQLSH"])
        if row is None:
            return ("9006", "未查询到该发票请求流水号"), None
        named = {"FPQQLSH": row["serial"], "DDH": row["extra"]["DDH"], "KPLSH": str(row["submitted"])}
        if self.bureau.status(row) == "failed":
            return ("0000", "处理成功"), {**named, "FP_HM": "", "RETURNCODE": "9007", "RETURNMESSAGE": row["text"]}
        issued = self.bureau.issued_at(row)
        if issued is None:
            return ("9008", "发票正在开具中"), None
        wants_file = asked.get("PDF_XZFS") == "1"
        return ("0000", "处理成功"), {
            **named,
            "FPZL_DM": "82",
            "FP_DM": "",
            "FP_HM": row["number"],
            "KPRQ": f"{issued:%Y-%m-%d %H:%M:%S}",
            "KPLX": "1",
            "HJBHSJE": row["net"],
            "KPHJSE": row["tax"],
            "PDF_FILE": base64.b64encode(bureau_files.pdf(row, self.bureau)).decode() if wants_file else "",
            "PDF_URL": "",
            "CZDM": "10",
            "RETURNCODE": "0000",
            "RETURNMESSAGE": "",
        }

    def _deliver(self, inner: etree._Element) -> Told:
        named = {one.findtext("NAME"): one.findtext("VALUE") or "" for one in inner.iter("COMMON_NODE")}
        row = self.bureau.blue(str(named.get("FPQQLSH")))
        if row is None or not row["number"]:
            return ("9006", "未查询到该发票请求流水号"), None
        copy = {"number": row["number"], "mail": named.get("EMAIL", ""), "phone": named.get("SJ", "")}
        self.store.put("delivery", str(self.store.next("delivery")), copy)
        return ("0000", "推送成功"), None


def _line(fields: Record) -> Line:
    """A line of either HSBZ: 0 has amounts without tax, 1 with it."""
    rate, amount = Decimal(fields["SL"]), Decimal(fields["XMJE"])
    tax = amount * rate / (1 + rate) if fields["HSBZ"] == "1" else amount * rate
    tax = tax.quantize(CENT, ROUND_HALF_UP)
    nature = NATURES[fields["FPHXZ"]]
    has_goods = nature != "discount" and bool(fields.get("XMSL"))
    return Line(
        name=fields["XMMC"],
        tax_class_code=fields["SPBM"],
        rate=rate,
        net=amount - tax if fields["HSBZ"] == "1" else amount,
        tax=tax,
        spec=fields.get("GGXH", ""),
        unit=fields.get("XMDW", ""),
        qty=Decimal(fields["XMSL"]) if has_goods else None,
        price=Decimal(fields["XMDJ"]) if has_goods else None,
        nature=nature,
    )


def _balanced(lines: list[Line], head: Record) -> list[Line]:
    """The lines with the head's tax, where the two differ by no more than the tolerance of a line."""
    told = Decimal(head.get("HJSE") or 0)
    off = told - sum((line.tax for line in lines), Decimal(0))
    if not told or not lines or not 0 < abs(off) <= TOLERANCE:
        return lines
    last = lines[-1]
    return [*lines[:-1], Line(**{**vars(last), "tax": last.tax + off})]


def _fields(element: etree._Element | None) -> Record:
    return {} if element is None else {str(one.tag): (one.text or "").strip() for one in element}


SANDBOX = AisinoXmlSandbox
