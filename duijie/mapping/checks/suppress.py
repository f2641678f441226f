"""`# lint: ok DJ101 why`: a finding that is right as it is, said where it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from duijie.mapping.checks.rules import BY_ID
from duijie.mapping.findings import Finding, Spot, nearest

_COMMENT = re.compile(r"(?:^|\s)# *lint: *ok\b[ ]*(?P<rules>[A-Za-z0-9]+(?: *, *[A-Za-z0-9]+)*)?[ ]*(?P<reason>.*)$")
_ID = re.compile(r"[A-Z]{2}\d{3}")


@dataclass(frozen=True)
class Comment:
    """One suppression: it counts on the line it is on, or below where it has a line of its own."""

    spot: Spot
    line: int
    rules: tuple[str, ...]
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether this finding is meant; errors never are."""
        return (
            finding.severity != "error"
            and (finding.spot.file, finding.spot.line) == (self.spot.file, self.line)
            and finding.rule in self.rules
        )


def comments(text: str, file: str) -> Iterator[Comment]:
    """The suppressions of a file."""
    lines = text.splitlines()
    for at, line in enumerate(lines):
        found = _COMMENT.search(line) if "lint:" in line else None
        if found is None:
            continue
        named = re.split(r" *, *", found["rules"]) if found["rules"] else []
        ids = all(map(_ID.fullmatch, named))
        reason = found["reason"] if ids else f"{found['rules']} {found['reason']}"
        column = line.index("#", found.start()) + 1
        yield Comment(Spot(file, at + 1, column), _meant(lines, at) + 1, tuple(named) if ids else (), reason.strip())


def _meant(lines: list[str], at: int) -> int:
    """The line a comment speaks of: its own, or the next that holds more than a comment."""
    if not lines[at].lstrip().startswith("#"):
        return at
    below = (number for number in range(at + 1, len(lines)) if not lines[number].lstrip().startswith("#"))
    return next(below, at)


def applied(found: Iterable[Finding], text: str, file: str) -> list[Finding]:
    """The findings without those suppressed, and with those about the suppressions themselves.

    Of a file that this one extends only errors count: the rest is told where that file is checked.
    """
    findings = [finding for finding in found if finding.spot.file == file or finding.severity == "error"]
    told = list(comments(text, file))
    kept = [finding for finding in findings if not any(comment.covers(finding) for comment in told)]
    return kept + [about for comment in told for about in _about(comment, findings)]


def _about(comment: Comment, findings: list[Finding]) -> Iterator[Finding]:
    if not comment.rules:
        yield _finding(
            comment,
            "lint: ok 后须写规则编号, 例如 lint: ok DJ101 原因",
            "lint: ok needs the id of a rule, such as lint: ok DJ101 why",
        )
    elif not comment.reason:
        yield _finding(comment, "lint: ok 须写明原因", "lint: ok needs a reason")
    for rule in comment.rules:
        if rule not in BY_ID:
            near = nearest(rule, BY_ID)
            yield _finding(comment, f"未知的规则 {rule}; 是否指 {near}?", f"unknown rule {rule}; did you mean {near}?")
        elif not any(finding.rule == rule and comment.covers(finding) for finding in findings):
            yield _finding(
                comment,
                f"此处没有 {rule} 可忽略; 请删除注释",
                f"there is no {rule} here to suppress; delete the comment",
            )


def _finding(comment: Comment, zh: str, en: str) -> Finding:
    return Finding(comment.spot, zh, en, "warning", "DJ006")
