"""Which files a mapping is made of: its own, and those it extends, down to the shipped one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from duijie.mapping.document import Block, Scalar, read
from duijie.mapping.findings import Findings, Spot, shown
from duijie.mapping.override import Change, Merger, compare

_NAME = re.compile(r"[^/\\.\s][^/\\\s]*(/[^/\\.\s][^/\\\s]*)*").fullmatch


@dataclass(frozen=True)
class File:
    """A file as it was read."""

    path: Path
    text: str


@dataclass(frozen=True)
class Whole:
    """A mapping with everything it extends merged in; what it changes; the files below it as they are written."""

    root: Block
    changes: tuple[Change, ...] = ()
    shipped: tuple[Block, ...] = ()


def bases(text: str, path: Path) -> tuple[File, ...]:
    """The files a text extends, nearest first, as far as they can be found; `whole` tells where one cannot."""
    found: list[File] = []
    seen = {path.absolute()}
    while (name := _extends(text)) is not None:
        base = below(path, name)
        if base is None or base.absolute() in seen or not base.is_file():
            break
        path = base
        seen.add(path.absolute())
        text = path.read_text(encoding="utf-8", errors="replace")
        found.append(File(path, text))
    return tuple(found)


def below(path: Path, name: str) -> Path | None:
    """The file of another mapping of the same folder `mappings` (without one: beside this file)."""
    return mappings(path) / f"{name}.yaml" if _NAME(name) else None


def mappings(path: Path) -> Path:
    """The folder that names of mappings start from."""
    parts = path.parts
    if "mappings" not in parts[:-1]:
        return path.parent
    return Path(*parts[: len(parts) - parts[::-1].index("mappings")])


def whole(root: Block, path: Path, shipped: Sequence[File], findings: Findings) -> Whole | None:
    """Merge a mapping into what it extends. None after a finding that leaves nothing to merge."""
    item = root.get("extends")
    if item is None:
        if (stray := root.get("based_on")) is not None:
            findings.error(stray.spot, "based_on 须与 extends 同用", "based_on goes with extends")
        return Whole(root)
    name = item.value if isinstance(item, Scalar) else None
    if not isinstance(name, str) or not shipped or shipped[0].path != below(path, name):
        _tell(item.spot, str(name), path, findings)
        return None
    told = Findings()
    written = read(shipped[0].text, shown(shipped[0].path), told)
    base = whole(written, shipped[0].path, shipped[1:], told) if isinstance(written, Block) else None
    findings.all += told.errors
    if base is None or not isinstance(written, Block):
        return None
    merger = Merger(findings)
    merged = merger.root(base.root, root)
    compare(root, merger.changes, findings)
    return Whole(merged, tuple(merger.changes), (written, *base.shipped))


def _tell(spot: Spot, name: str, path: Path, findings: Findings) -> None:
    named = below(path, name)
    if named is not None and named.is_file():
        findings.error(
            spot, f"{name} 最终继承了本文件自己", f"extends goes round in a circle: {name} extends this file in the end"
        )
        return
    folder = mappings(path)
    files = (file for end in ("in", "out") for file in folder.rglob(f"*.{end}.yaml") if file != path)
    known = [file.relative_to(folder).as_posix().removesuffix(".yaml") for file in files]
    findings.unknown(spot, ("映射 (extends)", "mapping to extend"), name, known)


@lru_cache(256)
def _extends(text: str) -> str | None:
    root = read(text, "", Findings()) if "extends" in text else None
    item = root.get("extends") if isinstance(root, Block) else None
    return item.value if isinstance(item, Scalar) and isinstance(item.value, str) else None
