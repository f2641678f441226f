"""One run of a mapping over a record, and from it the reason of any field of the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from duijie.codec import Record
from duijie.connect.secrets import mask_record
from duijie.difference import changes
from duijie.mapping.evaluate import Row
from duijie.mapping.interpret import Provenance
from duijie.mapping.located import ref_of
from duijie.provenance.model import Looked, Origin, Source, Step, Why
from duijie.provenance.past import PastLookup
from duijie.provenance.used import Used

_PART = re.compile(r"[^.\[\]]+")
_NOTHING = object()
Follow = Callable[[str, Any], Source]


@dataclass(frozen=True)
class Run:
    """A mapping's run: what it made of what. `prefix` leads to the record inside a result of several documents."""

    origin: Origin
    given: Origin
    body: Record
    used: Used
    trail: Sequence[Provenance]
    lookup: PastLookup | None = None
    prefix: str = ""
    notes: tuple[str, ...] = ()
    made: Record | None = None

    def rule_of(self, path: str) -> Provenance | None:
        """The rule that computed a field, or the value that the field is a part of."""
        wanted = f"{self.prefix}{path}"
        own = {each.field: each for each in self.trail if each.role == "field"}
        while wanted:
            if wanted in own:
                return own[wanted]
            wanted = re.sub(r"(\.[^.\[\]]+|\[\d+\]|^[^.\[\]]+)\Z", "", wanted)
        return None

    def reading(self, path: str) -> list[str]:
        """The fields whose rules have read what stands at a path of the record."""
        fields = [each.field for each in self.trail if each.role == "field" and path in each.reads]
        return [name.removeprefix(self.prefix) for name in fields if name.startswith(self.prefix)]

    def why(self, path: str, follow: Follow) -> Why | None:
        """The reason of one field; None where no rule computed it. `follow` says where an input came from."""
        rule = self.rule_of(path)
        if rule is None:
            return None
        value = shown(path, at(self.body, path))
        return Why(
            self.origin,
            path,
            value,
            rule.rule,
            self.used.place(rule.spot),
            tuple(self._steps(rule)),
            tuple(self._looked(row) for row in rule.rows),
            tuple(follow(name, value) for name, value in rule.reads.items()),
            notes=tuple(self._doubt(path)),
        )

    def _doubt(self, path: str) -> Iterator[str]:
        """Said where the rule gives another value now than is kept."""
        kept, made = _find(self.body, path), _find(self.made, path)
        if self.made is not None and any(changes(kept, made)):
            told = "没有这个字段" if made is _NOTHING else repr(shown(path, made))
            yield f"注意: 按此规则重算得到 {told}, 与存档的值不同"

    def _steps(self, rule: Provenance) -> Iterator[Step]:
        """The lets that the rule used, in the order computed, and the conditions that let it happen."""
        before = self.trail[: next(at for at, each in enumerate(self.trail) if each is rule)]
        used = {re.split(r"[.\[]", name, maxsplit=1)[0] for name in rule.inputs}
        lets: dict[str, Provenance] = {}
        for each in before:
            lead, _, name = each.field.rpartition("let ")
            if each.role == "let" and name in used and below(rule.field, lead.strip()):
                lets[name] = each
            elif each.role == "when" and below(rule.field, each.field.removesuffix(" when")):
                lets[each.field] = each
        for name, each in lets.items():
            value = shown(name, each.value)
            yield Step("when" if each.role == "when" else name, value, each.rule, self.used.place(each.spot), each.role)

    def _looked(self, row: Row) -> Looked:
        place = self.used.place(row.spot) if row.spot else None
        kept = self.lookup.row(row.name, str(row.code)) if row.kind == "xref" and self.lookup else None
        told = (kept.changed_by, kept.changed_at) if kept else ("", None)
        return Looked(row.kind, row.name, row.code, row.answer, place, *told)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of everything that is no object and no list, and of empty ones."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]")
    else:
        yield path, value


def at(value: Any, path: str) -> Any:
    """The value at a path such as `lines[0].net`; None where there is none."""
    found = _find(value, path)
    return None if found is _NOTHING else found


def has(value: Any, path: str) -> bool:
    """Whether a record has this path."""
    return _find(value, path) is not _NOTHING


def plain_path(path: str) -> str:
    """A path as people may write it (`lines.0.net`) in the form used here (`lines[0].net`)."""
    parts = _PART.findall(path)
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in parts).removeprefix(".")


def shown(path: str, value: Any) -> Any:
    """A value as it may be seen: what is named like a secret, here or above, is masked."""
    for name in reversed([part for part in _PART.findall(path) if not part.isdigit()]):
        value = mask_record({name: value})[name]
    return mask_record(value)


def below(path: str, field_name: str) -> bool:
    """Whether a path is a field or inside it; everything is inside ""."""
    return not field_name or path == field_name or path.startswith((f"{field_name}.", f"{field_name}["))


def is_ref(path: str) -> tuple[str, str, str] | None:
    """(entity, key, path) of what was read of a master document."""
    return ref_of(path)


def _find(value: Any, path: str) -> Any:
    for part in _PART.findall(path):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return _NOTHING
    return value
