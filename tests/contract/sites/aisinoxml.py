"""航信 eiInterface under contract, as bare XML; SOAP is tested beside it. Its stream is read by our numbers."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from connectors.aisinoxml import CONNECTOR as AISINO_XML
from connectors.aisinoxml.envelope import encrypt, password
from duijie.codec import Record
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import Mapping, StaticLookup, load_mapping
from sandbox.aisinoxml import AisinoXmlSandbox
from tests.connectors import canonical_invoice as canonical
from tests.contract.served import MAPPINGS, filled, lately, served

SELLER, KEY = "91310101MA5DEMK12A", "123456789012345678901234"
ISSUED = 52  # more than one page
EMPTY_REQUEST = b'<REQUEST_FPKJXX class="REQUEST_FPKJXX"/>'
VECTORS = [
    (
        "3DES",
        lambda: encrypt(EMPTY_REQUEST, KEY.encode()),
        "RIpD670ZujnQYb1Rg0welZqCpKVB7EcP9iC2S//tDOz6F7GwBFTkVJM1zC/HhcJr",
    ),
    (
        "passWord",
        lambda: password("1234567890", "REG-demo", "hex"),
        "1234567890Zjk2OGJhMDdhZjc3MTRjOGM3ZTNkYThiYjBhYWU3MGM=",
    ),
]


@cache
def mapped() -> Mapping:
    """The mapping to 航信 eiInterface."""
    return load_mapping(MAPPINGS / "aisinoxml/invoice_request.out.yaml")


def aisinoxml_request(number: int) -> Record:
    """A 普票 of one line over 113 yuan."""
    document = canonical.request(f"DJ{number}", SELLER, kind="normal")
    return mapped().run(document, StaticLookup(), {}) or {}


def changed(payload: Record, **head: str) -> Record:
    return {**payload, "head": {**payload["head"], **head}}


def aisinoxml(url: str) -> Site:
    """Requests for blue invoices and what becomes of them."""
    requests = SinkCase(
        aisinoxml_request,
        "bureau_blue",
        spoil=lambda payload: changed(payload, GHFMC=""),
        say=lambda payload, text: changed(payload, BZ=text),
        bare=True,
    )
    window = lately()
    numbers = tuple(f"DJ{number}" for number in range(1, ISSUED + 1))
    stream = StreamCase(
        replace(window, keys=numbers),
        ISSUED,
        empty=replace(window, keys=("NONE1",)),
        mapping=MAPPINGS / "aisinoxml/invoice.in.yaml",
        fill=filled("invoice_request", requests, ISSUED),
    )
    caller = {"authorization_code": "3100000090", "register_code": "REG-demo", "tax_no": SELLER}
    return Site(
        AISINO_XML,
        url,
        "111MFWIK",
        KEY,
        {**caller, "seller_name": "航信 XML 测试企业", "drawer": "张三", "rate": "10000/second"},
        seed={"tax_no": SELLER, "bureau": {"issue_seconds": "0"}},
        streams={"invoice": stream},
        sinks={"invoice_request": requests},
        vectors=VECTORS,
    )


SITE = served(AisinoXmlSandbox, aisinoxml)
