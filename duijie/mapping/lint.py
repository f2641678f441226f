"""Every finding of every mapping file, without running anything."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from duijie.connect.errors import MappingError
from duijie.mapping.findings import Finding, Spot, shown
from duijie.mapping.mapping import examine


def lint(paths: Iterable[Path]) -> list[Finding]:
    """Errors, warnings and notes of mapping files or folders of them, in file order."""
    return [finding for path in mapping_files(paths) for finding in findings_of(path)]


def findings_of(path: Path) -> list[Finding]:
    """Those of one file, in the order of its lines."""
    return sorted(_findings(path), key=lambda each: each.spot)


def mapping_files(paths: Iterable[Path]) -> list[Path]:
    """The mapping files among files and folders; `mappings/rules` holds rules of another kind."""
    found: list[Path] = []
    for path in paths:
        below = sorted([*path.rglob("*.in.yaml"), *path.rglob("*.out.yaml")]) if path.is_dir() else [path]
        found += [each for each in below if each.parent.name != "rules" or each == path]
    return found


def _findings(path: Path) -> list[Finding]:
    try:
        return examine(path)[1]
    except MappingError as error:
        return [Finding(Spot(shown(path)), error.zh, error.en)]
