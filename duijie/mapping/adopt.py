"""`based_on` written anew: the shipped rules a file overrides as they are now; nothing else of it changes by a byte."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from duijie import codec
from duijie.connect.errors import MappingError
from duijie.mapping.chain import Whole, bases, whole
from duijie.mapping.document import Block, plain, read
from duijie.mapping.findings import Findings, MappingErrors, Spot, shown
from duijie.mapping.override import VANISHED, rule_text

_WORD = re.compile(r"[-+.0-9].*|true|false|null|yes|no|on|off|y|n|", re.IGNORECASE).fullmatch
_UNSAFE = re.compile(r"^[\s\-?:,\[\]{}#&*!|>'\"%@`]|: |:$| #|\s$|[^\x20-\x7e\u00a0-\ud7ff\uf900-\ufffd]").search


def overridden(text: str, path: Path) -> dict[str, str]:
    """The shipped rules that a file overrides, by path, in the order the file has them.

    Raises MappingErrors for a file that extends nothing or cannot be merged; a shipped rule that is gone is no
    hindrance.
    """
    merged = _merged(text, path)
    return {change.path: change.rule for change in merged.changes if change.was is not None}


def _merged(text: str, path: Path) -> Whole:
    findings = Findings()
    root = read(text, shown(path), findings)
    if not isinstance(root, Block) or root.get("extends") is None:
        findings.error(
            Spot(shown(path)), "此文件没有 extends, 无可记录", "this file extends no other; there is nothing to adopt"
        )
        raise MappingErrors(findings.errors)
    merged = whole(root, path, bases(text, path), findings)
    wrong = [finding for finding in findings.errors if finding.rule != VANISHED]
    if wrong or merged is None:
        raise MappingErrors(wrong)
    return merged


def adopted(text: str, path: Path) -> str:
    """The text with `based_on` as it should be. Raises MappingErrors as `overridden`, MappingError where it cannot."""
    rules = overridden(text, path)
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    start, stop = _place(text, lines)
    before, after = "".join(lines[:start]), "".join(lines[stop:])
    if rules and before and not before.endswith("\n"):
        before += end
    made = before + "".join(f"{line}{end}" for line in _block(rules)) + after
    if _content(made) != _content(text) or recorded(made) != rules:
        raise MappingError(
            "无法改写 based_on; 请将其移到单独的行上",
            en="based_on cannot be rewritten; put it on lines of its own",
            where=str(path),
        )
    return made


def _content(text: str) -> dict[str, object]:
    """What the file says beside `based_on`."""
    root = read(text, "", Findings())
    entries = root.entries if isinstance(root, Block) else ()
    return {entry.key: plain(entry.item) for entry in entries if entry.key != "based_on"}


def recorded(text: str) -> dict[str, str]:
    """The shipped rules as a text records them."""
    root = read(text, "", Findings())
    item = root.get("based_on") if isinstance(root, Block) else None
    return {entry.key: rule_text(entry.item) for entry in item.entries} if isinstance(item, Block) else {}


def _place(text: str, lines: list[str]) -> tuple[int, int]:
    """The lines of the block; where there is none, an empty place before `tests`, or at the end."""
    root = read(text, "", Findings())
    spots = {entry.key: entry.spot.line - 1 for entry in root.entries} if isinstance(root, Block) else {}
    if "based_on" in spots:
        start = spots["based_on"]
        return start, _end(lines, start)
    at = spots.get("tests", len(lines))
    while at < len(lines) and at > 0 and lines[at - 1].startswith("#"):
        at -= 1
    return at, at


def _end(lines: list[str], start: int) -> int:
    """After the last line of a block that begins here: those indented below it, blank ones between them included."""
    stop = at = start + 1
    while at < len(lines) and (not lines[at].strip() or lines[at][0] in " \t"):
        at += 1
        if lines[at - 1].strip():
            stop = at
    return stop


def _block(rules: Mapping[str, str]) -> list[str]:
    return ["based_on:", *(f"  {scalar(path)}: {scalar(rule)}" for path, rule in rules.items())] if rules else []


def scalar(text: str) -> str:
    """A YAML scalar that reads back as this text: plain where it can be."""
    if not _UNSAFE(text) and not _WORD(text):
        return text
    if re.search(r"[^\x20-\x7e\u00a0-\ud7ff\uf900-\ufffd]", text):
        return codec.encode(text).decode()
    return "'" + text.replace("'", "''") + "'"
