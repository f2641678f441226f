"""A description of eiInterface, for the SOAP transport: ours, since the vendor's is not published.

One operation with one text in (`in0`) and one out (`return`), document/literal as Axis2 wraps it; the namespace is the
one Axis2 makes of the service's Java package. A connection may name the vendor's own description instead.
"""

from __future__ import annotations

SPACE = "http://service.sl.shdzfp.sajt"
WSDL = f"""<?xml version="1.0" encoding="UTF-8"?>
<wsdl:definitions targetNamespace="{SPACE}" xmlns:tns="{SPACE}" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
    xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/">
  <wsdl:types>
    <xsd:schema targetNamespace="{SPACE}" elementFormDefault="qualified">
      <xsd:element name="eiInterface"><xsd:complexType><xsd:sequence>
        <xsd:element name="in0" type="xsd:string" minOccurs="0" nillable="true"/>
      </xsd:sequence></xsd:complexType></xsd:element>
      <xsd:element name="eiInterfaceResponse"><xsd:complexType><xsd:sequence>
        <xsd:element name="return" type="xsd:string" minOccurs="0" nillable="true"/>
      </xsd:sequence></xsd:complexType></xsd:element>
    </xsd:schema>
  </wsdl:types>
  <wsdl:message name="request"><wsdl:part name="parameters" element="tns:eiInterface"/></wsdl:message>
  <wsdl:message name="response"><wsdl:part name="parameters" element="tns:eiInterfaceResponse"/></wsdl:message>
  <wsdl:portType name="SajtIssueInvoiceServicePortType">
    <wsdl:operation name="eiInterface">
      <wsdl:input message="tns:request"/>
      <wsdl:output message="tns:response"/>
    </wsdl:operation>
  </wsdl:portType>
  <wsdl:binding name="SajtIssueInvoiceServiceSoap11Binding" type="tns:SajtIssueInvoiceServicePortType">
    <soap:binding transport="http://schemas.xmlsoap.org/soap/http" style="document"/>
    <wsdl:operation name="eiInterface">
      <soap:operation soapAction="urn:eiInterface" style="document"/>
      <wsdl:input><soap:body use="literal"/></wsdl:input>
      <wsdl:output><soap:body use="literal"/></wsdl:output>
    </wsdl:operation>
  </wsdl:binding>
  <wsdl:service name="SajtIssueInvoiceService">
    <wsdl:port name="SajtIssueInvoiceServiceHttpSoap11Endpoint" binding="tns:SajtIssueInvoiceServiceSoap11Binding">
      <soap:address location="http://127.0.0.1/axis2/services/SajtIssueInvoiceService"/>
    </wsdl:port>
  </wsdl:service>
</wsdl:definitions>
""".encode()
