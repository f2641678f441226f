"""The messages of 航信 eiInterface as the platform reads and writes them, bare or in SOAP.

Source: 航信电子发票接口 DZFP1.0 as its clients in public write it.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.modes import ECB
from lxml import etree

from duijie.connect import xml
from duijie.connect.errors import MalformedMessage

Record = dict[str, Any]
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
SPACE = "http://service.sl.shdzfp.sajt"
BLOCK = 8


class Unread(Exception):
    """What cannot be read: `code` and words for the answer."""


def unwrapped(body: bytes) -> tuple[bytes, bool]:
    """The interface message, and whether it came by SOAP. Raises Unread."""
    try:
        root = xml.parse(body)
    except MalformedMessage as error:
        raise Unread("报文不是 XML") from error
    if root.tag != f"{{{SOAP}}}Envelope":
        return body, False
    call = root.find(f"{{{SOAP}}}Body/{{{SPACE}}}eiInterface")
    text = None if call is None else call.findtext(f"{{{SPACE}}}in0")
    if text is None:
        raise Unread("SOAP 报文没有 eiInterface/in0")
    return text.encode(), True


def wrapped(message: bytes) -> bytes:
    """An answer as SOAP carries it."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soapenv": SOAP, "ns": SPACE})
    answer = etree.SubElement(etree.SubElement(root, f"{{{SOAP}}}Body"), f"{{{SPACE}}}eiInterfaceResponse")
    etree.SubElement(answer, f"{{{SPACE}}}return").text = message.decode()
    return xml.serialise(root)


def head_of(message: bytes) -> tuple[Record, Record, str]:
    """globalInfo, dataDescription and the content of a call. Raises Unread."""
    try:
        root = xml.parse(message)
    except MalformedMessage as error:
        raise Unread("报文不是 XML") from error
    if root.tag != "interface" or root.get("version") != "DZFP1.0":
        raise Unread("不是 DZFP1.0 报文")
    info, description = root.find("globalInfo"), root.find("Data/dataDescription")
    if info is None or description is None:
        raise Unread("缺少 globalInfo 或 dataDescription")
    return _fields(info), _fields(description), (root.findtext("Data/content") or "").strip()


def opened(content: str, description: Record, key: bytes) -> etree._Element:
    """The inner XML. Raises Unread."""
    try:
        text = base64.b64decode(content)
        if description.get("encryptCode") == "1":
            cipher = Cipher(TripleDES(key), ECB()).decryptor()  # noqa: S305  the platform's choice
            padded = cipher.update(text) + cipher.finalize()
            text = padded[: -padded[-1]]
        return xml.parse(text)
    except (ValueError, IndexError, MalformedMessage) as error:
        raise Unread("报文解密失败") from error


def answered(info: Record, description: Record, told: tuple[str, str], inner: Record | None, key: bytes) -> bytes:
    """The interface message of an answer, its content sealed as the call was."""
    root = etree.Element("interface", {"version": "DZFP1.0"})
    _filled(etree.SubElement(root, "globalInfo"), info)
    state = {"returnCode": told[0], "returnMessage": base64.b64encode(told[1].encode()).decode()}
    _filled(etree.SubElement(root, "returnStateInfo"), state)
    data = etree.SubElement(root, "Data")
    is_encrypted = description.get("encryptCode") == "1"
    kind = {"encryptCode": "1", "codeType": "3DES"} if is_encrypted else {"encryptCode": "0", "codeType": "0"}
    _filled(etree.SubElement(data, "dataDescription"), {"zipCode": "0", **kind})
    if inner is not None:
        etree.SubElement(data, "content").text = _sealed(inner, key if is_encrypted else b"")
    return xml.serialise(root)


def passwords(info: Record, register: str) -> set[str]:
    """What passWord may be: nothing, or ten digits with either form of the MD5."""
    digits = str(info.get("passWord") or "")[:10]
    digest = hashlib.md5(f"{digits}{register}".encode(), usedforsecurity=False)
    forms = (digest.digest(), digest.hexdigest().encode())
    return {"", *(digits + base64.b64encode(form).decode() for form in forms)}


def _sealed(inner: Record, key: bytes) -> str:
    root = etree.Element("REQUEST_FPKJXX_FPJGXX_NEW", {"class": "REQUEST_FPKJXX_FPJGXX_NEW"})
    _filled(root, inner)
    text = bytes(etree.tostring(root, encoding="UTF-8"))
    if key:
        length = BLOCK - len(text) % BLOCK
        cipher = Cipher(TripleDES(key), ECB()).encryptor()  # noqa: S305  the platform's choice
        text = cipher.update(text + bytes([length]) * length) + cipher.finalize()
    return base64.b64encode(text).decode()


def _fields(element: etree._Element) -> Record:
    return {str(one.tag): (one.text or "").strip() for one in element}


def _filled(parent: etree._Element, fields: Record) -> None:
    for name, value in fields.items():
        etree.SubElement(parent, name).text = str(value) or None


__all__ = ["Unread", "answered", "head_of", "opened", "passwords", "unwrapped", "wrapped"]
