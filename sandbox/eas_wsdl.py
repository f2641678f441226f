"""The descriptions that the EAS sandbox serves of its services, as Axis 1.4 writes them: rpc/encoded, SOAP 1.1.

The address of the service is its target namespace, so a description is made for the host that asks. WSWSVoucher has
importVoucher twice, told apart by the names of their inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

LOGIN_SPACE = "http://login.webservice.bos.kingdee.com"
GL_SPACE = "http://webservice.app.gl.fi.eas.kingdee.com"
XSD = "http://www.w3.org/2001/XMLSchema"
SOAPENC = "http://schemas.xmlsoap.org/soap/encoding/"
INTS = ("periodYear", "periodNumber", "entrySeq", "asstSeq", "entryDC", "attaches", "itemFlag", "oppAccountSeq")
DOUBLES = ("localRate", "originalAmount", "debitAmount", "creditAmount", "qty", "price", "cashflowAmountLocal")
TEXTS = (
    *("companyNumber", "bookedDate", "bizDate", "voucherType", "voucherNumber", "description", "voucherAbstract"),
    *("accountNumber", "currencyNumber", "creator", "bizNumber", "importKey", "sourceSys", "sourceBillId"),
    *(f"asst{what}{at}" for at in range(1, 9) for what in ("ActType", "ActNumber", "ActName")),
)
FIELDS = dict.fromkeys(INTS, "int") | dict.fromkeys(DOUBLES, "double") | dict.fromkeys(TEXTS, "string")
CONTEXT = ("dbType", "dcName", "password", "sessionId", "slnName", "userName")
Parts = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Operation:
    """One operation: parts are (name, type), types as prefixed names; `mark` tells overloads apart."""

    name: str
    parts: Parts
    answer: str
    mark: str = ""

    @property
    def request(self) -> str:
        """The name of its input."""
        return f"{self.name}Request{self.mark}"

    @property
    def response(self) -> str:
        """The name of its output."""
        return f"{self.name}Response{self.mark}"


STRINGS = "impl:ArrayOfArrayOf_xsd_string"
VOUCHERS = ("voucherCols", "impl:ArrayOf_tns1_WSWSVoucher")
LOGIN_PARTS = [("userName", "xsd:string"), ("password", "xsd:string"), ("slnName", "xsd:string")]
LOGIN_PARTS += [("dcName", "xsd:string"), ("language", "xsd:string"), ("dbType", "xsd:int")]
OPERATIONS: dict[str, tuple[str, list[Operation]]] = {
    "EASLogin": (
        LOGIN_SPACE,
        [
            Operation("login", LOGIN_PARTS, "tns1:WSContext"),
            Operation("login", [*LOGIN_PARTS, ("authPattern", "xsd:string")], "tns1:WSContext", "1"),
            Operation("logout", [LOGIN_PARTS[0], *LOGIN_PARTS[2:5]], "xsd:boolean"),
        ],
    ),
    "WSWSVoucher": (
        GL_SPACE,
        [
            Operation(
                "importVoucher",
                [VOUCHERS, *((name, "xsd:boolean") for name in ("isTempSave", "isVerify", "hasCashflow"))],
                STRINGS,
            ),
            Operation("importVoucher", [VOUCHERS, ("isVerify", "xsd:int"), ("isImpCashflow", "xsd:int")], STRINGS, "1"),
        ],
    ),
    "WSGLWebServiceFacade": (
        GL_SPACE,
        [
            Operation(
                "getVoucher",
                [
                    *((name, "xsd:string") for name in ("orgNumber", "year", "period")),
                    *((name, "xsd:int") for name in ("fromRow", "toRow")),
                ],
                STRINGS,
            )
        ],
    ),
}


def describe(service: str, url: str) -> str:
    """The WSDL of a service that is called at this address."""
    space, operations = OPERATIONS[service]
    wsdl = 'xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:wsdlsoap="http://schemas.xmlsoap.org/wsdl/soap/"'
    spaces = (
        f'{wsdl} xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:soapenc="{SOAPENC}" xmlns:impl={quoteattr(url)}'
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><wsdl:definitions {spaces} xmlns:tns1="urn:client" '
        f'xmlns:tns2="urn:client.wsvoucher" targetNamespace={quoteattr(url)}>'
        f"{_types(url)}{''.join(map(_messages, operations))}"
        f'<wsdl:portType name="{service}Proxy">{"".join(map(_port, operations))}</wsdl:portType>'
        f'<wsdl:binding name="{service}SoapBinding" type="impl:{service}Proxy">'
        '<wsdlsoap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>'
        f"{''.join(_bound(one, space, url) for one in operations)}</wsdl:binding>"
        f'<wsdl:service name="{service}ProxyService"><wsdl:port binding="impl:{service}SoapBinding" name="{service}">'
        f"<wsdlsoap:address location={quoteattr(url)}/></wsdl:port></wsdl:service></wsdl:definitions>"
    )


def _types(url: str) -> str:
    context = "".join(_element(name, "int" if name == "dbType" else "string") for name in CONTEXT)
    voucher = "".join(_element(name, kind) for name, kind in FIELDS.items())
    schema = '<schema xmlns="http://www.w3.org/2001/XMLSchema" targetNamespace='
    return (
        f'<wsdl:types>{schema}"urn:client"><complexType name="WSContext"><sequence>{context}</sequence></complexType>'
        f'</schema>{schema}"urn:client.wsvoucher"><complexType name="WSWSVoucher"><sequence>{voucher}</sequence>'
        f'</complexType></schema>{schema}{quoteattr(url)}><import namespace="urn:client.wsvoucher"/>'
        f'<import namespace="{SOAPENC}"/>{_array("ArrayOf_tns1_WSWSVoucher", "tns2:WSWSVoucher[]")}'
        f"{_array('ArrayOfArrayOf_xsd_string', 'xsd:string[][]')}</schema></wsdl:types>"
    )


def _element(name: str, kind: str) -> str:
    nillable = ' nillable="true"' if kind == "string" else ""
    return f'<element name="{name}" type="xsd:{kind}"{nillable}/>'


def _array(name: str, kind: str) -> str:
    return (
        f'<complexType name="{name}"><complexContent><restriction base="soapenc:Array">'
        f'<attribute ref="soapenc:arrayType" wsdl:arrayType="{kind}"/></restriction></complexContent></complexType>'
    )


def _messages(one: Operation) -> str:
    parts = "".join(f'<wsdl:part name="{name}" type="{kind}"/>' for name, kind in one.parts)
    answer = f'<wsdl:part name="{one.name}Return" type="{one.answer}"/>'
    return (
        f'<wsdl:message name="{one.request}">{parts}</wsdl:message>'
        f'<wsdl:message name="{one.response}">{answer}</wsdl:message>'
    )


def _port(one: Operation) -> str:
    return (
        f'<wsdl:operation name="{one.name}" parameterOrder="{" ".join(name for name, _ in one.parts)}">'
        f'<wsdl:input message="impl:{one.request}" name="{one.request}"/>'
        f'<wsdl:output message="impl:{one.response}" name="{one.response}"/></wsdl:operation>'
    )


def _bound(one: Operation, space: str, url: str) -> str:
    body = f'<wsdlsoap:body encodingStyle="{SOAPENC}" use="encoded" namespace='
    return (
        f'<wsdl:operation name="{one.name}"><wsdlsoap:operation soapAction=""/>'
        f'<wsdl:input name="{one.request}">{body}"{space}"/></wsdl:input>'
        f'<wsdl:output name="{one.response}">{body}{quoteattr(url)}/></wsdl:output></wsdl:operation>'
    )
