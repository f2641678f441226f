"""The mapping that made a record: the file as it is now where its version is the one stamped, else as git has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from duijie.connect.errors import MappingError
from duijie.mapping import Mapping, load_mapping
from duijie.mapping.findings import Spot
from duijie.mapping.mapping import examine_text
from duijie.provenance import history
from duijie.provenance.model import Place


@dataclass(frozen=True)
class Used:
    """A mapping to explain with. `is_exact`: its content is what the stamp says; `commit` where it came from git."""

    mapping: Mapping
    path: Path
    is_exact: bool
    commit: str = ""
    notes: tuple[str, ...] = ()

    @property
    def stamp(self) -> str:
        """name@version."""
        return f"{self.mapping.name}@{self.mapping.version}"

    def place(self, spot: Spot) -> Place:
        """A line of it with its last change up to the version used."""
        change = history.last_change(self.path, spot.line, self.commit)
        return Place(spot.file, spot.line, change)


def mapping_of(root: Path, stamp: str) -> Used:
    """The mapping of a stamp name@version; without a version the file as it is. Raises MappingError.

    Where the stamped version is neither the file's nor in git, the file as it is now, with a note that says so.
    """
    name, _, version = stamp.partition("@")
    path = root / "mappings" / f"{name}.yaml"
    now, problem = _current(path)
    if now is not None and version in ("", now.version):
        unknown = f"没有记下所用映射 {name} 的版本, 以现在的文件解释"
        return Used(now, path, bool(version), "", () if version else (unknown,))
    kept = _kept(path, version) if version else None
    if kept is not None:
        changed = f"映射 {name} 现在是 {now.version if now else '无法读取的文件'}, 当时用的是 {version}"
        return Used(kept[0], path, True, kept[1], (f"{changed}: 以 git {kept[1][:12]} 中当时的文件解释",))
    if now is None:
        raise problem or _missing(path)
    said = f"注意: 当时用的映射版本 {version} 不在 git 历史中, 以现在的 {now.version} 解释, 规则可能与当时不同"
    return Used(now, path, False, "", (said,))


def _current(path: Path) -> tuple[Mapping | None, MappingError | None]:
    try:
        return load_mapping(path), None
    except MappingError as error:
        return None, error


def _kept(path: Path, version: str) -> tuple[Mapping, str] | None:
    found = history.version_of(path, version)
    mapping = examine_text(found.text, path)[0] if found else None
    return (mapping, found.commit) if mapping and found else None


def _missing(path: Path) -> MappingError:
    return MappingError(f"没有映射文件 {path}", en=f"no mapping file {path}", where=str(path))
