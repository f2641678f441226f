"""XML that cannot reach outside itself: no entities, no DTD, no network, bounded depth."""

from __future__ import annotations

from lxml import etree

from duijie.connect.errors import MalformedMessage


def parse(text: bytes) -> etree._Element:
    """Parse untrusted XML. Raises MalformedMessage for bad XML and for any document type declaration."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise MalformedMessage(
            f"XML 无法解析: {error}, 请向对方核对报文", en=f"the XML cannot be parsed: {error}", code="XML"
        ) from error
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr]
        raise MalformedMessage(
            "XML 含有 DTD, 出于安全拒收",
            en="the XML carries a document type declaration and is refused",
            code="XML-DTD",
        )
    return root


def serialise(root: etree._Element) -> bytes:
    """UTF-8 bytes with a declaration."""
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8"))
