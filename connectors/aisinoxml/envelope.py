"""The message of 航信 eiInterface (DZFP1.0): an outer XML whose content is Base64, or 3DES and Base64, of an inner one.

Sources: 航信电子发票接口 DZFP1.0 as its clients in public write it; 3DES in ECB with PKCS#5 padding and a key of 24
bytes is that of the library `cryptography`. Answers are read without entities, DTD or network, unzipped up to a size.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.padding import PKCS7
from lxml import etree

from duijie.connect import xml
from duijie.connect.errors import MalformedMessage

XSI = "http://www.w3.org/2001/XMLSchema-instance"
SCHEMA = "http://www.chinatax.gov.cn/tirip/dataspec/interfaces.xsd"
BLOCK = 64
KEY_LENGTH = 24
GZIP = b"\x1f\x8b"
UNZIPPED = 64 * 1024 * 1024
Fields = Mapping[str, str]


class Sealed(ValueError):
    """Content that our key does not open."""


@dataclass(frozen=True)
class Answer:
    """What came back: `code` 0000 is good; `content` as it was sealed, "" where there is none."""

    code: str
    text: str
    content: str
    is_encrypted: bool


def password(random: str, register: str, form: str) -> str:
    """passWord: ten random digits, the Base64 of MD5(digits + register code) as hex text or "raw"; "empty": none."""
    if form == "empty":
        return ""
    digest = hashlib.md5(f"{random}{register}".encode(), usedforsecurity=False)
    content = digest.digest() if form == "raw" else digest.hexdigest().encode()
    return random + base64.b64encode(content).decode()


def encrypt(plain: bytes, key: bytes) -> str:
    """Base64 of the 3DES."""
    padder = PKCS7(BLOCK).padder()
    encryptor = Cipher(TripleDES(key), ECB()).encryptor()  # noqa: S305  the platform's choice
    return base64.b64encode(encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()).decode()


def plain(content: bytes) -> str:
    """Base64 alone."""
    return base64.b64encode(content).decode()


def content_of(answer: Answer, key: bytes) -> etree._Element:
    """The inner XML of an answer. Raises Sealed, MalformedMessage."""
    try:
        text = _unzipped(base64.b64decode(answer.content))
        if answer.is_encrypted:
            decryptor = Cipher(TripleDES(key), ECB()).decryptor()  # noqa: S305  the platform's choice
            unpadder = PKCS7(BLOCK).unpadder()
            text = unpadder.update(decryptor.update(text) + decryptor.finalize()) + unpadder.finalize()
    except (ValueError, zlib.error) as error:
        raise Sealed("content") from error
    return xml.parse(text)


def interface(head: Fields, content: str, is_encrypted: bool) -> bytes:
    """The outer XML of a call."""
    root = etree.Element("interface", {f"{{{XSI}}}schemaLocation": SCHEMA, "version": "DZFP1.0"}, nsmap={"xsi": XSI})
    _filled(etree.SubElement(root, "globalInfo"), head)
    _filled(etree.SubElement(root, "returnStateInfo"), {"returnCode": "", "returnMessage": ""})
    data = etree.SubElement(root, "Data")
    code = {"encryptCode": "1", "codeType": "3DES"} if is_encrypted else {"encryptCode": "0", "codeType": "0"}
    _filled(etree.SubElement(data, "dataDescription"), {"zipCode": "0", **code})
    etree.SubElement(data, "content").text = content
    return xml.serialise(root)


def read(text: bytes) -> Answer:
    """The outer XML of an answer. Raises MalformedMessage for anything else."""
    root = xml.parse(text)
    code = root.findtext("returnStateInfo/returnCode")
    if root.tag != "interface" or code is None:
        raise MalformedMessage("航信的应答不是 interface 报文", en="the answer is no interface message", code="DZFP")
    return Answer(
        code.strip(),
        _message(root.findtext("returnStateInfo/returnMessage") or ""),
        (root.findtext("Data/content") or "").strip(),
        root.findtext("Data/dataDescription/encryptCode") == "1",
    )


def request(head: Fields, lines: Sequence[Fields], order: Fields) -> bytes:
    """REQUEST_FPKJXX: what issues an invoice."""
    root = _classed(None, "REQUEST_FPKJXX")
    _filled(_classed(root, "FPKJXX_FPTXX"), head)
    listed = etree.SubElement(root, "FPKJXX_XMXXS", {"class": "FPKJXX_XMXX;", "size": str(len(lines))})
    for line in lines:
        _filled(etree.SubElement(listed, "FPKJXX_XMXX"), line)
    _filled(_classed(root, "FPKJXX_DDXX"), order)
    return bytes(etree.tostring(root, encoding="UTF-8"))


def query(fields: Fields) -> bytes:
    """REQUEST_FPXXXZ_NEW: what asks for an invoice."""
    root = _classed(None, "REQUEST_FPXXXZ_NEW")
    _filled(root, fields)
    return bytes(etree.tostring(root, encoding="UTF-8"))


def delivery(way: Fields, invoice: Fields) -> bytes:
    """REQUEST_EMAILPHONEFPTS: what sends an invoice again."""
    root = _classed(None, "REQUEST_EMAILPHONEFPTS")
    _named(_classed(root, "TSFSXX"), way)
    listed = etree.SubElement(root, "FPXXS", {"class": "FPXX;", "size": "1"})
    _named(etree.SubElement(listed, "FPXX"), invoice)
    return bytes(etree.tostring(root, encoding="UTF-8"))


def _classed(parent: etree._Element | None, name: str) -> etree._Element:
    attributes = {"class": name}
    return etree.Element(name, attributes) if parent is None else etree.SubElement(parent, name, attributes)


def _filled(parent: etree._Element, fields: Fields) -> None:
    for name, value in fields.items():
        etree.SubElement(parent, name).text = value or None


def _named(parent: etree._Element, fields: Fields) -> None:
    """Fields as pairs of name and value, which this one message has."""
    nodes = etree.SubElement(parent, "COMMON_NODES", {"class": "COMMON_NODE;", "size": str(len(fields))})
    for name, value in fields.items():
        _filled(etree.SubElement(nodes, "COMMON_NODE"), {"NAME": name, "VALUE": value})


def _message(text: str) -> str:
    """returnMessage, which is Base64; one that is not is taken as it stands."""
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return text


def _unzipped(content: bytes) -> bytes:
    if not content.startswith(GZIP):
        return content
    unzipper = zlib.decompressobj(wbits=31)
    plain = unzipper.decompress(content, UNZIPPED)
    if unzipper.unconsumed_tail:
        raise Sealed("the zipped content is too long")
    return plain
