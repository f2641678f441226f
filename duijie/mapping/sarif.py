"""Findings for programs: SARIF 2.1.0 (OASIS) for code hosts and editors, and the one-line form every editor reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from duijie.mapping.chain import mappings
from duijie.mapping.checks import RULES, Rule
from duijie.mapping.findings import Finding, shown

Found = Sequence[tuple[Path, Sequence[Finding]]]
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_PLACES = {rule.id: at for at, rule in enumerate(RULES)}


def sarif(found: Found) -> dict[str, Any]:
    """A SARIF log with one run; paths are relative to the current folder where they are below it."""
    driver = {"name": "duijie mapping lint", "rules": [_rule(rule) for rule in RULES]}
    results = [_result(path, finding) for path, findings in found for finding in findings]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def gcc(found: Found) -> Iterable[str]:
    """`path:line:column: warning: words [DJ101]`, one line each."""
    for path, findings in found:
        for each in findings:
            place = f"{near(_file(path, each))}:{each.spot.line}:{each.spot.column}"
            yield f"{place}: {each.severity}: {each.zh} / {each.en} [{each.rule}]".replace("\n", " ")


def near(path: Path) -> str:
    """A path as seen from the current folder."""
    here, whole = Path.cwd(), path.absolute()
    return (whole.relative_to(here) if whole.is_relative_to(here) else whole).as_posix()


def _file(path: Path, finding: Finding) -> Path:
    """The file a finding is in: the one checked, or one it extends."""
    if finding.spot.file == shown(path):
        return path
    return mappings(path) / finding.spot.file.removeprefix("mappings/")


def _rule(rule: Rule) -> dict[str, Any]:
    words = f"{rule.en} {rule.remedy}"
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.name.split("-")),
        "shortDescription": {"text": rule.zh},
        "fullDescription": {"text": rule.en},
        "help": {"text": words, "markdown": f"**{rule.zh}** {words}"},
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(path: Path, finding: Finding) -> dict[str, Any]:
    path = _file(path, finding)
    at = near(path)
    artifact = {"uri": quote(at), "uriBaseId": "%SRCROOT%"} if not at.startswith("/") else {"uri": path.as_uri()}
    region = {"startLine": finding.spot.line, "startColumn": finding.spot.column}
    return {
        "ruleId": finding.rule,
        "ruleIndex": _PLACES[finding.rule],
        "level": finding.severity,
        "message": {"text": f"{finding.zh} / {finding.en}"},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
    }
