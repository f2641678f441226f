"""YAML with a place for every node and without YAML's traps.

`NO`, `on`, `010`, `12:30` and `2026-11-11` stay texts, a number with a fraction is a Decimal, a key written twice is
an error, and there are no aliases (a small file could otherwise unfold into gigabytes).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from duijie.mapping.findings import DUPLICATE_KEY, Findings, Spot

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where libyaml came with PyYAML
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,3})?\Z")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}


@dataclass(frozen=True)
class Scalar:
    """A single value. `places` gives line and column (from 1) of each character of a text."""

    spot: Spot
    value: Any
    places: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Listing:
    """A sequence."""

    spot: Spot
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Entry:
    """One key of an object with its value."""

    spot: Spot
    key: str
    raw_key: Any
    item: Item


@dataclass(frozen=True)
class Block:
    """An object, in the order written."""

    spot: Spot
    entries: tuple[Entry, ...]

    def get(self, key: str) -> Item | None:
        """The value under a key."""
        return next((entry.item for entry in self.entries if entry.key == key), None)

    def keys(self) -> list[str]:
        """In order."""
        return [entry.key for entry in self.entries]


Item = Scalar | Listing | Block


def read(text: str, file: str, findings: Findings) -> Item | None:
    """Parse one YAML document; findings take what is wrong. None when nothing could be read."""
    findings.text = text
    try:
        node = _compose(text)
    except _Alias as alias:
        spot = Spot(file, alias.line + 1, alias.column + 1)
        findings.error(spot, "映射文件不允许使用 YAML 别名 (*name)", "YAML aliases are not allowed here")
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        spot = Spot(file, mark.line + 1, mark.column + 1) if mark else Spot(file)
        findings.error(spot, f"不是有效的 YAML: {error.problem}", f"not valid YAML: {error.problem}")
        return None
    except (yaml.YAMLError, RecursionError) as error:
        findings.error(Spot(file), f"不是有效的 YAML: {error}", f"not valid YAML: {error}")
        return None
    if node is None:
        findings.error(Spot(file), "文件为空", "the file is empty")
        return None
    return _Reader(text, file, findings).item(node)


class _Alias(Exception):
    def __init__(self, line: int, column: int) -> None:
        super().__init__(line, column)
        self.line = line
        self.column = column


def _compose(text: str) -> Node | None:
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            mark = event.start_mark
            raise _Alias(mark.line if mark else 0, mark.column if mark else 0)
    return yaml.compose(text, Loader=_Loader)


def plain(item: Item) -> Any:
    """The value of a node as ordinary Python data (numbers int or Decimal)."""
    if isinstance(item, Scalar):
        return item.value
    if isinstance(item, Listing):
        return [plain(each) for each in item.items]
    return {entry.key: plain(entry.item) for entry in item.entries}


class _Reader:
    def __init__(self, text: str, file: str, findings: Findings) -> None:
        self.text = text
        self.file = file
        self.findings = findings

    def item(self, node: Node) -> Item:
        if isinstance(node, MappingNode):
            return self._block(node)
        if isinstance(node, SequenceNode):
            return Listing(self._spot(node), tuple(self.item(each) for each in node.value))
        assert isinstance(node, ScalarNode)  # noqa: S101  the third and last kind of YAML node
        value = _value(node)
        return Scalar(self._spot(node), value, self._places(node) if isinstance(value, str) else ())

    def _block(self, node: MappingNode) -> Block:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            spot = self._spot(key_node)
            if not isinstance(key_node, ScalarNode):
                self.findings.error(spot, "键必须是单个值", "a key must be a single value")
                continue
            raw = _value(key_node)
            key = raw if isinstance(raw, str) else key_node.value
            if key in entries:
                first = entries[key].spot.line
                self.findings.error(
                    spot,
                    f"键 {key} 重复 (首次在第 {first} 行)",
                    f"duplicate key {key} (first on line {first})",
                    DUPLICATE_KEY,
                )
                continue
            entries[key] = Entry(spot, key, raw, self.item(value_node))
        return Block(self._spot(node), tuple(entries.values()))

    def _spot(self, node: Node) -> Spot:
        return Spot(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _places(self, node: ScalarNode) -> tuple[tuple[int, int], ...]:
        """Find each character of the value again in the raw text, whatever quoting or folding lies between."""
        at, end = node.start_mark.index, node.end_mark.index
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        skip = self._opening(node)
        places: list[tuple[int, int]] = []
        for char in node.value:
            hit = at + skip if char.isspace() else self.text.find(char, at + skip, end)
            if hit >= 0 and not char.isspace():
                line, column = _advance(self.text, at, hit, line, column)
                at, skip = hit, 1
            places.append((line, column))
        return tuple(places)

    def _opening(self, node: ScalarNode) -> int:
        if node.style in ("|", ">"):
            return self.text.find("\n", node.start_mark.index) - node.start_mark.index
        return 1 if node.style else 0


def _advance(text: str, at: int, hit: int, line: int, column: int) -> tuple[int, int]:
    breaks = text.count("\n", at, hit)
    if not breaks:
        return line, column + hit - at
    return line + breaks, hit - text.rfind("\n", at, hit)


def _value(node: ScalarNode) -> Any:
    text: str = node.value
    if node.style or node.tag == "tag:yaml.org,2002:binary":
        return text
    if text.lower() in _WORDS and text in {text.lower(), text.upper(), text.capitalize()}:
        return _WORDS[text.lower()]
    if _INTEGER.match(text) and len(text) < 100:
        return int(text)
    if _DECIMAL.match(text):
        return Decimal(text)
    return text
