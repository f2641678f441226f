"""One of several operations of the same name in a WSDL: the services overload, clients by WSDL know only one of each.

Source: WSDL 1.1, 2.4 (port types), 2.5 (bindings); Axis 1.4 names the input of every overload apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from duijie.connect import xml
from duijie.connect.errors import ConfigError

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"


def is_wsdl(text: bytes) -> bool:
    """Whether a text is a description at all, and no page that says the server is away. Raises MalformedMessage."""
    return xml.parse(text).tag == f"{WSDL}definitions"


def with_one(text: bytes, operation: str, parts: Sequence[str]) -> bytes:
    """The WSDL with that operation taking exactly these parts. Raises ConfigError where it has none such."""
    root = xml.parse(text)
    offered = {_input(one): _parts(root, one) for one in _of(root, "portType", operation)}
    wanted = [name for name, has in offered.items() if list(has) == list(parts)]
    if not wanted:
        told = "; ".join(f"({', '.join(has)})" for has in offered.values()) or "没有该操作"
        raise ConfigError(
            f"服务描述 (WSDL) 中没有 {operation}({', '.join(parts)}), 有的是: {told}; 请核对 EAS 版本",
            en=f"the WSDL has no {operation}({', '.join(parts)}) but {told}; check the version of EAS",
            code="WSDL",
            where=operation,
        )
    _drop(_of(root, "portType", operation), wanted[0])
    _drop(_of(root, "binding", operation), wanted[0])
    return xml.serialise(root)


def _of(root: etree._Element, kind: str, operation: str) -> list[etree._Element]:
    return [one for one in root.iterfind(f"{WSDL}{kind}/{WSDL}operation") if one.get("name") == operation]


def _drop(operations: Sequence[etree._Element], kept: str) -> None:
    if len(operations) > 1:
        for one in operations:
            if _input(one) != kept:
                one.getparent().remove(one)  # type: ignore[union-attr]


def _input(operation: etree._Element) -> str:
    given = operation.find(f"{WSDL}input")
    return "" if given is None else str(given.get("name") or given.get("message", "").rpartition(":")[2])


def _parts(root: etree._Element, operation: etree._Element) -> list[str]:
    given = operation.find(f"{WSDL}input")
    message = "" if given is None else str(given.get("message", "")).rpartition(":")[2]
    found = (one for one in root.iterfind(f"{WSDL}message") if one.get("name") == message)
    return [str(part.get("name")) for one in found for part in one.iterfind(f"{WSDL}part")]
