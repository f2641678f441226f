"""SOAP by zeep, over the same session rules as HTTP: time-outs, no external entities, outcomes that are known.

zeep writes and reads the messages, `duijie.connect.http` carries them. An answer that is no SOAP envelope is a lost
one, whatever its status; a message that does not fit the WSDL never leaves.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import zeep
from lxml import etree
from zeep.exceptions import Error as ZeepError
from zeep.exceptions import Fault
from zeep.transports import Transport

from duijie.connect import xml
from duijie.connect.errors import AnswerLost, ConfigError, MalformedMessage, VendorRejected
from duijie.connect.http import Answer, Http

ENCODING = "http://schemas.xmlsoap.org/soap/encoding/"
ENVELOPES = ("{http://schemas.xmlsoap.org/soap/envelope/}", "{http://www.w3.org/2003/05/soap-envelope}")
FAULTY = 500  # SOAP 1.1, 6.2: a fault comes with this status
_SIMPLE = ("string", "boolean", "int", "long", "short", "integer", "decimal", "double", "float", "date", "dateTime")
_TYPE = (
    '<complexType name="{0}"><simpleContent><extension base="{0}"><attributeGroup ref="e:common"/>'
    "</extension></simpleContent></complexType>"
)
ENCODING_SCHEMA = (  # SOAP 1.1, section 5: what descriptions refer to of it
    f'<schema xmlns="http://www.w3.org/2001/XMLSchema" xmlns:e="{ENCODING}" targetNamespace="{ENCODING}">'
    '<attribute name="arrayType" type="string"/>'
    '<attributeGroup name="common"><attribute name="id" type="ID"/><attribute name="href" type="anyURI"/>'
    '<anyAttribute namespace="##other" processContents="lax"/></attributeGroup>'
    '<element name="Array" type="e:Array"/><complexType name="Array"><sequence>'
    '<any namespace="##any" minOccurs="0" maxOccurs="unbounded" processContents="lax"/></sequence>'
    '<attribute ref="e:arrayType"/><attributeGroup ref="e:common"/></complexType>'
    + "".join(map(_TYPE.format, _SIMPLE))
    + "</schema>"
).encode()


class SoapFault(VendorRejected):
    """The service answered with a fault. What it had done before that, only the service knows."""


class Soap:
    """A service described by a WSDL: its address, the path of a file, or the text itself.

    `address`: where the service is called, instead of the place that the WSDL names.
    """

    def __init__(self, wsdl: str | bytes, http: Http, address: str = "") -> None:
        self._carrier = _Carrier(http, wsdl if isinstance(wsdl, str) else "")
        settings = zeep.Settings(strict=False, forbid_dtd=True, forbid_entities=True, forbid_external=False)  # see load
        try:
            source = BytesIO(wsdl) if isinstance(wsdl, bytes) else wsdl
            self._client = zeep.Client(source, transport=self._carrier, settings=settings)
            self._service = self._client.service
            if address:
                self._service = self._client.create_service(self._service._binding.name, address)
        except (ZeepError, ValueError, OSError) as error:
            raise ConfigError(
                f"服务描述 (WSDL) 无法读取: {error}; 请核对服务地址, 以及该服务是否已发布",
                en=f"the WSDL cannot be read: {error}; check the address and whether the service is published",
                code="WSDL",
            ) from error

    def fields(self, type_name: str) -> dict[str, str]:
        """The fields of a complex type by name, each with the local name of its own type. Raises ConfigError."""
        return {name: str(getattr(one.type.qname, "localname", "")) for name, one in self._type(type_name).elements}

    def array(self, type_name: str, rows: Sequence[Mapping[str, Any]], item: str) -> dict[str, Any]:
        """An argument of an array in SOAP encoding: fields in the order of the type, those not given left out.

        Raises ConfigError for a field that the type does not have.
        """
        kind = self._type(type_name)
        names = [name for name, _ in kind.elements]
        if unknown := sorted({name for row in rows for name in row} - set(names)):
            raise _unfit(type_name, f"没有字段 {', '.join(unknown)}", f"no field {', '.join(unknown)}")
        element = zeep.xsd.Element(item, kind)
        made = [kind(**{name: row.get(name, zeep.xsd.SkipValue) for name in names}) for row in rows]
        return {"_value_1": [zeep.xsd.AnyObject(element, one) for one in made]}

    def _type(self, name: str) -> Any:
        found = next((one for one in self._client.wsdl.types.types if one.name == name), None)
        if found is None:
            raise _unfit(name, f"没有类型 {name}", f"no type {name}")
        return found

    def call(self, operation: str, *arguments: Any, **named: Any) -> Any:
        """Call once.

        Raises SoapFault, ConfigError for a message that the WSDL does not allow, and what Http.send raises.
        """
        with self._outcome(operation):
            return getattr(self._service, operation)(*arguments, **named)

    def element(self, operation: str, *arguments: Any, **named: Any) -> etree._Element:
        """Call once, for the answer's own element: zeep leaves empty texts out of arrays, and so moves cells.

        Raises what `call` raises. The answer is of SOAP 1.1.
        """
        with self._outcome(operation), self._client.settings(raw_response=True):
            response = getattr(self._service, operation)(*arguments, **named)
            body = xml.parse(response.content).find(f"{ENVELOPES[0]}Body")
            fault = None if body is None else body.find(f"{ENVELOPES[0]}Fault")
            if fault is not None:
                raise Fault(fault.findtext("faultstring"), fault.findtext("faultcode"))
            if body is None or not len(body):
                raise _lost("an empty body")
            return body[0]

    @contextmanager
    def _outcome(self, operation: str) -> Iterator[None]:
        """Faults, and what zeep raises, as errors of the tree: what never left is a matter of the WSDL."""
        self._carrier.left.yes = False
        try:
            yield
        except Fault as fault:
            text = fault.message or "(对方未说明原因)"
            raise SoapFault(f"对方拒绝: {text}", en=f"SOAP fault: {text}", code=str(fault.code)) from fault
        except (ZeepError, AttributeError, TypeError, ValueError) as error:
            if self._carrier.left.yes:
                raise _lost(error) from error
            raise _unfit(operation, str(error), str(error)) from error


class _Carrier(Transport):  # type: ignore[misc]
    """zeep's way to the network. Nothing is loaded but the WSDL itself."""

    def __init__(self, http: Http, wsdl: str) -> None:
        super().__init__()
        self._http = http
        self._wsdl = wsdl
        self.left = threading.local()

    def load(self, url: str) -> bytes:
        """The WSDL, or the schema of SOAP's own encoding. Raises ConfigError for anything else."""
        if url == ENCODING:
            return ENCODING_SCHEMA
        if url != self._wsdl:
            raise ConfigError(
                f"服务描述 (WSDL) 引用了另一处 {url}, 出于安全不予读取; 请改用完整的 WSDL 文件",
                en=f"the WSDL refers to {url}, which is not read; give a WSDL that is whole",
                code="WSDL",
                where=url,
            )
        if urlsplit(url).scheme in ("http", "https"):
            return bytes(self._http.send("GET", url).content)
        return Path(url).expanduser().read_bytes()

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> Answer:
        """The answer, which is a SOAP envelope. Raises AnswerLost and what Http.send raises."""
        self.left.yes = True
        response = self._http.send("POST", address, body=message, headers=headers, answers=(FAULTY,))
        try:
            root = xml.parse(response.content)
        except MalformedMessage as error:
            raise _lost(error) from error
        body = next((root.find(f"{space}Body") for space in ENVELOPES if root.tag == f"{space}Envelope"), None)
        if body is None or (response.status_code == FAULTY and not _has_fault(body)):
            raise _lost(f"status {response.status_code}, not an envelope")
        return response


def _unfit(where: str, zh: str, en: str) -> ConfigError:
    return ConfigError(
        f"报文与对方的服务描述 (WSDL) 不符 ({where}): {zh}; 请核对对方版本与映射",
        en=f"the message does not fit the WSDL ({where}): {en}; check the vendor's version and the mapping",
        code="WSDL",
        where=where,
    )


def _has_fault(body: Any) -> bool:
    return any(body.find(f"{space}Fault") is not None for space in ENVELOPES)


def _lost(why: object) -> AnswerLost:
    return AnswerLost(
        "SOAP 应答无法读取, 结果未知; 先查询再决定是否重发",
        en=f"the SOAP answer cannot be read ({why}); it is looked up before any re-send",
        code="SOAP",
    )
