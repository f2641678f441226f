"""What a file is, by its own first bytes, and whether it may be opened at all: nothing in it is trusted.

The limits: 10 MB a file; of a package 200 members, 50 MB unpacked, a hundredth of its size packed, no name that leaves
its folder. XML is read without DTD, entities and network.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Literal

from lxml import etree

from duijie.originals.model import BadFile

MOST_BYTES = 10 * 1024 * 1024
MOST_MEMBERS = 200
MOST_UNPACKED = 50 * 1024 * 1024
MOST_RATIO = 100
SMALL = 64 * 1024  # a member below this may be packed as tightly as it likes
ZIP, PDF = b"PK\x03\x04", b"%PDF-"
BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
OFD_ROOT = "OFD.xml"
Kind = Literal["xml", "ofd", "pdf"]
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def kind_of(data: bytes) -> Kind:
    """What a file is; an XML may come alone in a ZIP. Raises BadFile for what is none of the three, or too large."""
    if len(data) > MOST_BYTES:
        raise BadFile("E-FILE-SIZE", f"文件有 {len(data)} 字节, 超过 10 MB", "the file is larger than 10 MB")
    if data.startswith(PDF):
        return "pdf"
    if data.startswith(ZIP):
        return "ofd" if OFD_ROOT in _names(data) else "xml"
    if _looks_like_xml(data):
        return "xml"
    shown = data[:8].hex(" ")
    raise BadFile(
        "E-FILE-KIND", f"文件不是 PDF、OFD 或 XML (开头为 {shown or '空'})", f"neither PDF, OFD nor XML: {shown}"
    )


def bare_xml(data: bytes) -> bytes:
    """The XML itself, taken out of a ZIP that holds exactly one. Raises BadFile."""
    if len(data) > MOST_BYTES:
        raise BadFile("E-FILE-SIZE", f"文件有 {len(data)} 字节, 超过 10 MB", "the file is larger than 10 MB")
    if not data.startswith(ZIP):
        if not _looks_like_xml(data):
            raise BadFile("E-FILE-KIND", "文件不是 XML", "the file is no XML")
        return data
    found = [body for name, body in members(data).items() if name.lower().endswith(".xml")]
    if len(found) != 1:
        raise BadFile("E-FILE-ZIP", f"压缩包内有 {len(found)} 个 XML, 应恰有一个", "the ZIP must hold exactly one XML")
    if not _looks_like_xml(found[0]):
        raise BadFile("E-FILE-KIND", "压缩包内的文件不是 XML", "the file in the ZIP is no XML")
    return found[0]


def members(data: bytes) -> Mapping[str, bytes]:
    """Every file of a package by its name, within the limits. Raises BadFile."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            infos = [one for one in package.infolist() if not one.is_dir()]
            _check(infos)
            return {one.filename: _unpacked(package, one) for one in infos}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError) as error:
        raise _broken(error) from error


def parse(text: bytes) -> etree._Element:
    """The root of untrusted XML. Raises BadFile: E-FILE-DTD for a document type declaration, else E-FILE-XML."""
    try:
        root = etree.fromstring(text, _PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        declares = b"<!DOCTYPE" in text[:4096] or b"<!ENTITY" in text[:4096]
        if declares:
            raise _dtd() from error
        raise BadFile("E-FILE-XML", f"XML 无法解析 ({error})", f"the XML cannot be parsed: {error}") from error
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr]
        raise _dtd()
    return root


def _dtd() -> BadFile:
    return BadFile("E-FILE-DTD", "XML 含有 DTD 或实体定义", "the XML carries a document type declaration")


def _broken(error: Exception) -> BadFile:
    return BadFile("E-FILE-ZIP", f"压缩包损坏 ({error})", f"the package cannot be opened: {error}")


def _looks_like_xml(data: bytes) -> bool:
    head = data[:64]
    if head.startswith(BOMS):
        head = head.lstrip(b"\xef\xbb\xbf\xff\xfe").replace(b"\0", b"")
    return head.lstrip().startswith((b"<?xml", b"<EInvoice", b"<!DOCTYPE", b"<xbrl", b"<!--"))


def _names(data: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            return package.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise _broken(error) from error


def _check(infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > MOST_MEMBERS:
        raise BadFile("E-FILE-ZIP", f"压缩包内有 {len(infos)} 个文件, 超过 {MOST_MEMBERS}", "too many members")
    if len({one.filename for one in infos}) < len(infos):
        raise BadFile("E-FILE-ZIP", "压缩包内有重名文件", "two members have one name")
    unpacked = sum(one.file_size for one in infos)
    if unpacked > MOST_UNPACKED:
        raise BadFile("E-FILE-ZIP", f"压缩包展开有 {unpacked} 字节, 超过 50 MB", "more than 50 MB unpacked")
    for one in infos:
        if _leaves(one.filename):
            raise BadFile("E-FILE-ZIP", f"压缩包内的路径 {one.filename!r} 越出目录", f"unsafe path {one.filename!r}")
        if one.file_size > SMALL and one.file_size > MOST_RATIO * max(one.compress_size, 1):
            raise BadFile("E-FILE-ZIP", f"{one.filename} 的压缩比超过 {MOST_RATIO}", "the ratio is that of a bomb")


def _leaves(name: str) -> bool:
    plain = name.replace("\\", "/")
    return plain.startswith("/") or ".." in plain.split("/") or ":" in plain or "\0" in plain


def _unpacked(package: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member's bytes, no more than it says it has."""
    with package.open(info) as member:
        body = member.read(info.file_size + 1)
    if len(body) != info.file_size:
        raise BadFile("E-FILE-ZIP", f"{info.filename} 的长度与目录不符", f"{info.filename} is not as long as it says")
    return body
