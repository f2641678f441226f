"""SOAP by zeep against a real server: an answer, a fault, an answer that is cut off, a server that is not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from duijie.connect.errors import AnswerLost, ConfigError, NotSent, VendorRejected
from duijie.connect.http import Http
from duijie.connect.services import Services
from duijie.connect.soap import Soap
from duijie.connect.tokens import TokenStore
from sandbox.serve import free_ports

WSDL = """<?xml version="1.0" encoding="UTF-8"?>
<definitions name="Voucher" targetNamespace="urn:voucher" xmlns="http://schemas.xmlsoap.org/wsdl/"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="urn:voucher"
    xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <message name="ask"><part name="number" type="xsd:string"/></message>
  <message name="answer"><part name="state" type="xsd:string"/></message>
  <portType name="Port">
    <operation name="state"><input message="tns:ask"/><output message="tns:answer"/></operation>
  </portType>
  <binding name="Binding" type="tns:Port">
    <soap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="state"><soap:operation soapAction="state"/>
      <input><soap:body use="literal" namespace="urn:voucher"/></input>
      <output><soap:body use="literal" namespace="urn:voucher"/></output></operation>
  </binding>
  <service name="Service"><port name="Port" binding="tns:Binding"><soap:address location="{url}"/></port></service>
</definitions>
"""
ENVELOPE = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{}</soap:Body></soap:Envelope>'
)
STATE = '<t:stateResponse xmlns:t="urn:voucher"><state>已审核 {}</state></t:stateResponse>'
FAULT = "<soap:Fault><faultcode>Client.Unbalanced</faultcode><faultstring>借贷不平</faultstring></soap:Fault>"


class Ledger(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if "CUT" in asked:
            self._answer(200, "<soap:Envelope", length=500)
        elif "PAGE" in asked:
            self._answer(int(asked.partition("PAGE")[2][:3]), "<html><body>维护中</body></html>")
        elif "BAD" in asked:
            self._answer(500, ENVELOPE.format(FAULT))
        else:
            self._answer(200, ENVELOPE.format(STATE.format("记-1")))

    def _answer(self, status: int, text: str, length: int = 0) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml; charset=utf-8")
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Ledger)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


ARRAY = """<?xml version="1.0" encoding="UTF-8"?>
<definitions name="Rows" targetNamespace="urn:rows" xmlns="http://schemas.xmlsoap.org/wsdl/"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="urn:rows" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/"
    xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/">
  <types><xsd:schema targetNamespace="urn:rows">
    <xsd:import namespace="http://schemas.xmlsoap.org/soap/encoding/"/>
    <xsd:complexType name="Row"><xsd:sequence><xsd:element name="no" type="xsd:int"/>
      <xsd:element name="amount" type="xsd:double"/><xsd:element name="note" type="soapenc:string"/>
    </xsd:sequence></xsd:complexType>
    <xsd:complexType name="Rows"><xsd:complexContent><xsd:restriction base="soapenc:Array">
      <xsd:attribute ref="soapenc:arrayType" wsdl:arrayType="tns:Row[]"/></xsd:restriction></xsd:complexContent>
    </xsd:complexType></xsd:schema></types>
  <message name="ask"><part name="rows" type="tns:Rows"/></message>
  <message name="answer"><part name="state" type="xsd:string"/></message>
  <portType name="Port">
    <operation name="state"><input message="tns:ask"/><output message="tns:answer"/></operation></portType>
  <binding name="Binding" type="tns:Port"><soap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="state"><soap:operation soapAction=""/>
      <input><soap:body use="encoded" namespace="urn:rows" encodingStyle="{encoding}"/></input>
      <output><soap:body use="encoded" namespace="urn:rows" encodingStyle="{encoding}"/></output></operation></binding>
  <service name="Service"><port name="Port" binding="tns:Binding"><soap:address location="http://intranet/"/></port>
  </service>
</definitions>
"""


def http(folder: Path) -> Http:
    return Http(Services(TokenStore(folder)).budget("soap", "100/second"))


def client(url: str, folder: Path) -> Soap:
    path = folder / "voucher.wsdl"
    path.write_text(WSDL.format(url=url), encoding="utf-8")
    return Soap(str(path), http(folder))


def test_an_answer_comes_back_with_its_chinese_text(url: str, tmp_path: Path) -> None:
    assert client(url, tmp_path).call("state", "1") == "已审核 记-1"


def test_a_fault_is_the_vendors_refusal_in_its_own_words(url: str, tmp_path: Path) -> None:
    with pytest.raises(VendorRejected, match="借贷不平") as caught:
        client(url, tmp_path).call("state", "BAD")
    assert caught.value.code == "Client.Unbalanced"


def test_an_answer_that_is_cut_off_leaves_the_outcome_unknown(url: str, tmp_path: Path) -> None:
    with pytest.raises(AnswerLost):
        client(url, tmp_path).call("state", "CUT")


def test_a_server_that_is_not_there_got_nothing(tmp_path: Path) -> None:
    with pytest.raises(NotSent):
        client(f"http://127.0.0.1:{free_ports(1)[0]}/", tmp_path).call("state", "1")


def test_a_document_type_in_the_wsdl_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.wsdl"
    path.write_text('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>', encoding="utf-8")
    with pytest.raises(Exception, match="DTD"):
        Soap(str(path), http(tmp_path))


@pytest.mark.parametrize("status", [200, 500, 503])
def test_a_page_instead_of_an_envelope_leaves_the_outcome_unknown(url: str, tmp_path: Path, status: int) -> None:
    with pytest.raises(AnswerLost) as caught:
        client(url, tmp_path).call("state", f"PAGE{status}")
    assert "先查询" in caught.value.zh


def test_a_message_that_the_wsdl_does_not_allow_never_leaves(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not fit"):
        client(url, tmp_path).call("state", nothing="1")
    with pytest.raises(ConfigError, match="abolish"):
        client(url, tmp_path).call("abolish")


def test_the_element_of_an_answer_keeps_what_is_empty(url: str, tmp_path: Path) -> None:
    answer = client(url, tmp_path).element("state", "1")
    assert [child.text for child in answer] == ["已审核 记-1"]
    with pytest.raises(VendorRejected, match="借贷不平"):
        client(url, tmp_path).element("state", "BAD")


def test_an_array_in_soap_encoding_needs_nothing_from_outside(url: str, tmp_path: Path) -> None:
    text = ARRAY.format(encoding="http://schemas.xmlsoap.org/soap/encoding/").encode()
    soap = Soap(text, http(tmp_path), url)
    assert soap.fields("Row") == {"no": "int", "amount": "double", "note": "string"}
    rows = soap.array("Row", [{"no": 1, "amount": "0.10"}, {"note": "BAD"}], "row")
    with pytest.raises(VendorRejected, match="借贷不平"):
        soap.call("state", rows)
    with pytest.raises(ConfigError, match="no field nope"):
        soap.array("Row", [{"nope": 1}], "row")


def test_a_wsdl_that_refers_elsewhere_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "parts.wsdl"
    path.write_text(
        '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:a">'
        '<import namespace="urn:b" location="http://127.0.0.1:9/other.wsdl"/></definitions>',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError, match="refers to"):
        Soap(str(path), http(tmp_path))
