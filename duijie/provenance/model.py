"""What an explanation is made of, as plain values that pages, the terminal and JSON show alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from duijie.codec import Record
from duijie.provenance.history import Change

Kind = Literal["message", "document", "delivery", "sample", "settings"]


@dataclass(frozen=True)
class Origin:
    """Where a value stands: a raw message, a version of a document, a delivery, a sample, or a flow's settings.

    `name` is connection/stream, entity or sink; `at` when it was received or made.
    """

    kind: Kind
    name: str = ""
    key: str = ""
    id: int | None = None
    version: int = 0
    at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, without what does not apply."""
        told = {"kind": self.kind, "name": self.name, "key": self.key, "id": self.id, "version": self.version}
        kept: dict[str, Any] = {name: value for name, value in told.items() if value}
        return kept | ({"at": self.at.isoformat()} if self.at else {})


@dataclass(frozen=True)
class Place:
    """A line of a file, and who changed it last."""

    file: str
    line: int
    change: Change

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"file": self.file, "line": self.line, "changed": self.change.as_dict()}


@dataclass(frozen=True)
class Step:
    """One rule that took part: a let, a condition, a posting; `role` says which."""

    name: str
    value: Any
    rule: str
    place: Place
    role: str = "let"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        told = {"name": self.name, "value": self.value, "rule": self.rule, "role": self.role}
        return told | self.place.as_dict()


@dataclass(frozen=True)
class Looked:
    """A row that answered: of a table in the file (`place`), of the code tables (who keeps it), of the master data."""

    kind: str
    name: str
    code: Any
    answer: Any
    place: Place | None = None
    kept_by: str = ""
    kept_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values; of a master document no more than that it was found."""
        told = {"kind": self.kind, "name": self.name, "code": self.code}
        told |= {} if isinstance(self.answer, dict) else {"answer": self.answer}
        told |= {"place": self.place.as_dict()} if self.place else {}
        return told | ({"kept_by": self.kept_by, "kept_at": self.kept_at.isoformat()} if self.kept_at else {})


@dataclass(frozen=True)
class Source:
    """One value that was read, where it stands, and why it is there (None for what came from outside)."""

    path: str
    value: Any
    origin: Origin
    why: Why | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, the whole chain below included."""
        told = {"path": self.path, "value": self.value, "from": self.origin.as_dict()}
        return told | ({"why": self.why.as_dict()} if self.why else {})


@dataclass(frozen=True)
class Why:
    """Why one field has its value. `more` counts the sources that are not listed."""

    origin: Origin
    field: str
    value: Any
    rule: str
    place: Place | None
    steps: tuple[Step, ...] = ()
    rows: tuple[Looked, ...] = ()
    sources: tuple[Source, ...] = ()
    more: int = 0
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, the whole chain included."""
        return {
            "of": self.origin.as_dict(),
            "field": self.field,
            "value": self.value,
            "rule": self.rule,
            "place": self.place.as_dict() if self.place else None,
            "steps": [each.as_dict() for each in self.steps],
            "rows": [each.as_dict() for each in self.rows],
            "sources": [each.as_dict() for each in self.sources],
            "more_sources": self.more,
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Explained:
    """Fields of one record. `mapping` is name@version of what made it, `notes` holds for the whole record."""

    origin: Origin
    body: Record
    mapping: str
    whys: tuple[Why, ...]
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "of": self.origin.as_dict(),
            "mapping": self.mapping,
            "notes": list(self.notes),
            "fields": [each.as_dict() for each in self.whys],
        }
