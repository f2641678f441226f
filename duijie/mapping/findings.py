"""What is wrong with a mapping file: every finding at once, each with its place and its remedy in two voices."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from duijie.connect.errors import MappingError

Severity = Literal["error", "warning", "note"]
LANGUAGE, UNKNOWN_NAME, SUSPICIOUS = "DJ001", "DJ002", "DJ003"  # the rules of findings that name none themselves
DUPLICATE_KEY = "DJ004"


@dataclass(frozen=True, order=True)
class Spot:
    """A place in a mapping file; line and column count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Finding:
    """One thing wrong: an `error` keeps the mapping from loading, a `warning` fails the lint, a `note` fails nothing.

    `rule` is the id of docs/lint.md.
    """

    spot: Spot
    zh: str
    en: str
    severity: Severity = "error"
    rule: str = LANGUAGE

    def __str__(self) -> str:
        return f"{self.spot}: {self.en}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for `--json`."""
        return {**asdict(self.spot), "severity": self.severity, "rule": self.rule, "zh": self.zh, "en": self.en}


class MappingErrors(MappingError):
    """All errors of a mapping file; `findings` holds them in file order."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = sorted(findings, key=lambda finding: finding.spot)
        super().__init__(
            "; ".join(f"{finding.spot}: {finding.zh}" for finding in self.findings),
            en="; ".join(map(str, self.findings)),
            code="MAPPING",
            where=str(self.findings[0].spot),
        )


class Findings:
    """Collects findings while a file is read, so that one run reports them all. `text` is the file as written."""

    def __init__(self) -> None:
        self.all: list[Finding] = []
        self.text = ""

    def error(self, spot: Spot, zh: str, en: str, rule: str = LANGUAGE) -> None:
        """Note what keeps the mapping from loading."""
        self.all.append(Finding(spot, zh, en, "error", rule))

    def warning(self, spot: Spot, zh: str, en: str, rule: str = SUSPICIOUS) -> None:
        """Note what is suspicious."""
        self.all.append(Finding(spot, zh, en, "warning", rule))

    def unknown(
        self, spot: Spot, what: tuple[str, str], name: str, valid: Iterable[str], rule: str = UNKNOWN_NAME
    ) -> None:
        """Note an unknown name with the nearest valid one; `what` is (zh, en) for the kind of name."""
        self.all.append(unknown(spot, what, name, valid, rule=rule))

    @property
    def errors(self) -> list[Finding]:
        """Those that keep the mapping from loading."""
        return [finding for finding in self.all if finding.severity == "error"]


def unknown(
    spot: Spot,
    what: tuple[str, str],
    name: str,
    valid: Iterable[str],
    severity: Severity = "error",
    rule: str = UNKNOWN_NAME,
) -> Finding:
    """The finding for an unknown name, naming the nearest valid one or all of them."""
    known = sorted(valid)
    near = nearest(name, known)
    listed = ", ".join(known[:30])
    if near:
        zh, en = f"是否指 {near}?", f"did you mean {near}?"
    elif known:
        zh, en = f"可用: {listed}", f"there are: {listed}"
    else:
        zh, en = "此处没有可用的名称", "there are none here"
    return Finding(spot, f"未知的{what[0]} {name}; {zh}", f"unknown {what[1]} {name}; {en}", severity, rule)


def nearest(name: str, valid: Iterable[str], likeness: float = 0.6) -> str:
    """The valid name most like this one, whatever its case and width; empty when none is like it."""
    plain = {_plain(each): each for each in valid}
    found = get_close_matches(_plain(name), list(plain), 1, likeness)
    return plain[found[0]] if found else ""


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().replace("_", "").strip()


def shown(path: Path) -> str:
    """How a file is named to people: from its `mappings` folder down where there is one."""
    parts = path.parts
    if "mappings" in parts:
        start = len(parts) - 1 - parts[::-1].index("mappings")
        return "/".join(parts[start:])
    return path.name
