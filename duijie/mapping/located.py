"""`explain` with a full path for everything that was read, also where a rule took it out of a list put together from
others or out of a document that `ref` answered.

Such elements are the record's own objects, so that their place is found by identity.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping as Table
from dataclasses import dataclass, field, replace
from typing import Any

from duijie.codec import Record
from duijie.mapping.evaluate import Cell, Names, Noting, Row, World
from duijie.mapping.expression import path_of
from duijie.mapping.forms import Named
from duijie.mapping.interpret import Provenance, Rule, Tracer
from duijie.mapping.mapping import Mapping
from duijie.mapping.runtime import Lookup

_MARK = "\0"  # no path of a record begins with it


def located(mapping: Mapping, record: Record, lookup: Lookup, settings: Table[str, Any]) -> list[Provenance]:
    """What `explain` gives; `reads` also holds `ref_path(entity, key, path)` for what was read of master documents.

    Empty for a skipped record. Raises what `mapping.run` raises.
    """
    world = _World(record, lookup, dict(settings), mapping.parts.tables, mapping.parts.rows)
    run = _Locating(mapping.parts, world)
    if mapping.limited(run.run) is None:
        return []
    lets: dict[str, Provenance] = {}
    for each in run.trail:
        lets[each.field] = _told(each, lets)
    return [_told(each, lets) for each in run.trail]


def ref_path(entity: str, key: str, path: str) -> str:
    """How `reads` names a field of a master document."""
    return f"{_MARK}{entity}{_MARK}{key}{_MARK}{path}"


def ref_of(path: str) -> tuple[str, str, str] | None:
    """(entity, key, path) of such a name; None for a path of the record."""
    if not path.startswith(_MARK):
        return None
    _, entity, key, below = path.split(_MARK, 3)
    return entity, key, below.removeprefix(".")


def _told(each: Provenance, lets: dict[str, Provenance]) -> Provenance:
    """Without the objects that a rule only passed through; what made the let it read is what it read."""
    reads: dict[str, Any] = {}
    rows = list(each.rows)
    for path, value in each.reads.items():
        if (let := _let_of(path, lets)) is not None:
            reads |= let.reads
            rows += [row for row in let.rows if row not in rows]
        elif not _is_passed(path, value, each.reads):
            reads[path] = value
    return replace(each, reads=reads, rows=tuple(rows))


def _let_of(path: str, lets: dict[str, Provenance]) -> Provenance | None:
    """The let that made what stands at a path."""
    while "let " in path:
        if path in lets:
            return lets[path]
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return None


def _is_passed(path: str, value: Any, reads: dict[str, Any]) -> bool:
    if not isinstance(value, dict | list):
        return False
    return any(other.startswith((f"{path}.", f"{path}[")) for other in reads)


@dataclass(frozen=True)
class _World(World):
    """Knows where each object of the record and of the answers stands."""

    places: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.know(self.record, "")

    def know(self, value: Any, path: str) -> None:
        """Every object and list below a value."""
        if isinstance(value, dict):
            self.places.setdefault(id(value), path)
            for key, inner in value.items():
                self.know(inner, f"{path}.{key}" if path else str(key))
        elif isinstance(value, list):
            for at, inner in enumerate(value):
                self.know(inner, f"{path}[{at}]")

    def place(self, value: Any) -> str | None:
        """The full path of an object, None where it is not the record's and no answer."""
        return self.places.get(id(value)) if isinstance(value, dict) else None


class _Finding(Noting):
    """Finds the origin of what has none."""

    def __init__(self, world: World, names: Names, loops: int = 0) -> None:
        super().__init__(world, names, loops)
        assert isinstance(world, _World)  # noqa: S101  `located` made it
        self.known = world

    def note(self, node: ast.expr, value: Any, cell: Cell) -> None:
        """With the place of the object that a path began in."""
        if self.origin is None and (start := self.known.place(cell.value)) is not None:
            path = path_of(node)
            steps = [self.value(key) for key in path[1]] if path else []
            self.origin = "".join(_step(key) for key in steps)
            self.origin = f"{start}{self.origin}" if start else self.origin.removeprefix(".")
        super().note(node, value, cell)

    def looked_up(self, row: Row) -> None:
        """The answer's objects get a place too."""
        if row.kind == "ref":
            self.known.know(row.answer, ref_path(row.name, str(row.code), ""))
        super().looked_up(row)

    def _step(self, base: Any, key: Any, node: ast.expr) -> Any:
        value = super()._step(base, key, node)
        if path_of(node) is None and (start := self.known.place(base)) is not None:
            self.reading.reads[f"{start}{_step(key)}"] = value
        return value


class _Locating(Tracer):
    evaluator = _Finding

    def _let(self, named: Named, names: Names, rule: Rule) -> None:
        """Lists and objects that a let makes are places of their own."""
        super()._let(named, names, rule)
        if isinstance(self.world, _World):
            self.world.know(names.cells[named.name].value, rule.field)


def _step(key: Any) -> str:
    return f"[{key}]" if type(key) is int else f".{key}"
