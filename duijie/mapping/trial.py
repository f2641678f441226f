"""A mapping file's own `tests:`, run and compared exactly."""

from __future__ import annotations

from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from duijie import schemas
from duijie.codec import Record
from duijie.connect.errors import DuijieError
from duijie.mapping.mapping import Mapping
from duijie.mapping.values import show


@dataclass(frozen=True)
class StaticLookup:
    """Answers from two plain tables: kind → code → counterpart, entity → key → document."""

    xrefs: Table[str, Table[Any, Any]] = field(default_factory=dict)
    refs: Table[str, Table[Any, Record]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        texts = {kind: {code: str(found) for code, found in rows.items()} for kind, rows in self.xrefs.items()}
        object.__setattr__(self, "xrefs", texts)

    def xref(self, kind: str, code: str) -> str | None:
        """The counterpart of a code."""
        found: str | None = self.xrefs.get(kind, {}).get(code)
        return found

    def counterparts(self, kind: str) -> Table[str, str]:
        """All of a kind."""
        return self.xrefs.get(kind, {})

    def documents(self, entity: str) -> Table[str, Record]:
        """All of an entity."""
        return self.refs.get(entity, {})

    def codes(self, kind: str, counterpart: str) -> list[str]:
        """The codes that stand for a counterpart."""
        return [str(code) for code, found in self.xrefs.get(kind, {}).items() if found == counterpart]

    def ref(self, entity: str, key: str) -> Record | None:
        """A document."""
        return self.refs.get(entity, {}).get(key)


@dataclass(frozen=True)
class TestResult:
    """How one test went; `differences` is empty when it passed."""

    __test__ = False

    mapping: str
    name: str
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the result was as expected."""
        return not self.differences


def run_tests(mapping: Mapping) -> list[TestResult]:
    """Run the tests a mapping file carries, in order."""
    return [
        TestResult(mapping.name, str(test.get("name", f"#{number}")), tuple(_run(mapping, test)))
        for number, test in enumerate(mapping.tests, 1)
    ]


def _run(mapping: Mapping, test: dict[str, Any]) -> list[str]:
    lookup = StaticLookup(test.get("xref") or {}, test.get("ref") or {})
    try:
        result = mapping.run(test.get("given") or {}, lookup, test.get("settings") or {})
        if result is not None:
            _check(mapping, test, lookup)
    except DuijieError as error:
        return _error(error, test)
    if "error" in test:
        return [f"expected an error holding {test['error']!r}, got {show(result)}"]
    return differences(test["expect"], result, "")


def _check(mapping: Mapping, test: dict[str, Any], lookup: StaticLookup) -> None:
    """Raises InvalidDocument for a document that no journal would take, however little of it the test expects."""
    target = str(mapping.target.get("entity", ""))
    for name, document in mapping.documents(test.get("given") or {}, lookup, test.get("settings") or {}):
        if schemas.is_entity(name or target):
            schemas.check(name or target, document)


def _error(error: DuijieError, test: dict[str, Any]) -> list[str]:
    if "error" not in test:
        return [str(error)]
    wanted = str(test["error"])
    return [] if wanted in str(error) or wanted in error.zh else [f"expected an error holding {wanted!r}, got {error}"]


def differences(expected: Any, actual: Any, path: str) -> list[str]:
    """Where `actual` departs from `expected`: objects may hold more, everything else must be equal."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        found = []
        for key, value in expected.items():
            below = f"{path}.{key}" if path else str(key)
            found += differences(value, actual[key], below) if key in actual else [f"{below}: missing"]
        return found
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [
            each
            for at, pair in enumerate(zip(expected, actual, strict=True))
            for each in differences(*pair, f"{path}[{at}]")
        ]
    if _kind(expected) == _kind(actual) and expected == actual:
        return []
    return [f"{path or 'result'}: expected {show(expected)}, got {show(actual)}"]


def _kind(value: Any) -> type:
    return Decimal if type(value) is int else type(value)
