"""XML inside records: a text read into nested objects and written from them, by the same shape both ways.

An element is an object of its attributes ("@name"), its own text ("#text") and its children by name; one that holds
only text is that text, one that holds nothing is null; children of the same name are a list. Every leaf is a text:
numbers are not guessed. Prefixes and namespace declarations, comments and processing instructions are dropped.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from duijie.codec import Record
from duijie.connect import xml as safe
from duijie.connect.errors import MalformedMessage
from duijie.mapping.given import sized, string
from duijie.mapping.texts import text as plain
from duijie.mapping.values import LIST_LIMIT, TEXT_LIMIT, Fault

_DEPTH = 100
_DECLARATION = re.compile(r"\ufeff?\s*(<\?xml\s[^>]*\?>)?")
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]").search


def parse_xml(value: Any, *lists: Any) -> Any:
    """What the root element holds. Elements named in `lists` are lists even where there is one of them.

    Refuses what is not well-formed, any document type declaration, more than a million characters, a hundred levels.
    """
    source = string(value)
    if len(source) > TEXT_LIMIT:
        raise Fault("文本过长", f"the text is longer than {TEXT_LIMIT} characters", source)
    always = frozenset(map(string, lists))
    try:
        root = safe.parse(_DECLARATION.sub("", source, count=1).encode())
    except MalformedMessage as error:
        raise Fault(error.zh, error.en, value) from None
    except UnicodeEncodeError:
        raise Fault("文本含有不成对的代理字符", "the text holds a lone surrogate", value) from None
    return _value(root, always, 0)


def _value(element: Any, lists: frozenset[str], depth: int) -> Any:
    _deep(depth, element.tag)
    held: Record = {f"@{_local(name)}": text for name, text in element.attrib.items()}
    for child in element.iterchildren(tag=etree.Element):
        _put(held, _local(child.tag), _value(child, lists, depth + 1), lists)
    words = (element.text or "") + "".join(child.tail or "" for child in element)
    if not words.strip():
        return held or None
    return {**held, "#text": words} if held else words


def _put(held: Record, name: str, value: Any, lists: frozenset[str]) -> None:
    if name not in held:
        held[name] = [value] if name in lists else value
    elif type(held[name]) is list:
        held[name].append(value)
        if len(held[name]) > LIST_LIMIT:
            raise Fault("列表过长", f"the list is longer than {LIST_LIMIT}", name)
    else:
        held[name] = [held[name], value]


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _deep(depth: int, place: str) -> None:
    if depth > _DEPTH:
        raise Fault(f"XML 嵌套超过 {_DEPTH} 层", f"the XML is nested more than {_DEPTH} levels deep", place)


def xml(root: Any, value: Any) -> str:
    """The element `root` that holds a value, as text without a declaration, in the order of the fields.

    Texts, numbers (plain, without exponent) and true/false are text, null is an empty element, a list is its element
    repeated, "@name" an attribute (left out where null), "#text" the text before the children.
    """
    name = string(root)
    element = _element(name, name)
    _fill(element, value, name, 0)
    return sized(etree.tostring(element, encoding="unicode"))


def _element(name: str, path: str) -> Any:
    try:
        return etree.Element(_unbraced(name))
    except ValueError:
        raise Fault(f"{path}: 不能用作 XML 元素名", f"{path}: cannot be the name of an XML element", name) from None


def _fill(element: Any, value: Any, path: str, depth: int) -> None:
    _deep(depth, path)
    if type(value) is not dict:
        element.text = None if value is None else _words(value, path)
        return
    for key, each in value.items():
        below = f"{path}.{key}"
        if key == "#text":
            element.text = None if each is None else _words(each, below)
        elif key.startswith("@"):
            _attribute(element, key[1:], each, below)
        else:
            _children(element, key, each, below, depth)


def _attribute(element: Any, name: str, value: Any, path: str) -> None:
    if value is None:
        return
    try:
        element.set(_unbraced(name), _words(value, path))
    except ValueError:
        raise Fault(f"{path}: 不能用作 XML 属性名", f"{path}: cannot be the name of an XML attribute", name) from None


def _unbraced(name: str) -> str:
    """Without lxml's own notation for namespaces, which stands in no XML."""
    if "{" in name:
        raise ValueError(name)
    return name


def _children(element: Any, name: str, value: Any, path: str, depth: int) -> None:
    for at, each in enumerate(value if type(value) is list else [value]):
        below = f"{path}[{at}]" if type(value) is list else path
        child = _element(name, below)
        element.append(child)
        _fill(child, each, below, depth + 1)


def _words(value: Any, path: str) -> str:
    if type(value) is list:
        raise Fault(f"{path}: 列表中不能再有列表", f"{path}: a list cannot stand here", value)
    words = plain(value)
    if bad := _FORBIDDEN(words):
        code = f"U+{ord(bad[0]):04X}"
        raise Fault(
            f"{path}: 第 {bad.start() + 1} 个字符 {code} 不能写入 XML; 请先用 replace() 或 sub() 去除",
            f"{path}: character {bad.start() + 1} ({code}) cannot stand in XML; remove it with replace() or sub()",
            words,
        )
    return words
