"""Tests of a mapping out of what really came by: recorded records, masked, with what the mapping makes of them now.

The masks are put on before the mapping runs, so that the expected result agrees with the record saved. Look-ups are
asked with the masks taken off again and answered masked; what was asked for is saved with the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import ConfigError, DataError, DuijieError, MalformedMessage
from duijie.flow import Flow
from duijie.journal import Journal, samples
from duijie.journal.lookup import JournalLookup
from duijie.journal.samples import PointLookup, Recorded, Sample
from duijie.mapping import Lookup, Mapping, run_tests
from duijie.mapping.mapping import examine_text
from duijie.masking import Masks
from duijie.places import Place, places
from duijie.yamltests import appended

ROUNDS = 5  # a document looked up may give away a person whom the record names as well


@dataclass(frozen=True)
class Wanted:
    """Which records: the newest under each key, or the newest `last` of each place."""

    keys: tuple[str, ...] = ()
    last: int = 0


@dataclass
class Saved:
    """What a recording came to: the cases to save, the names of those there already, and why others cannot be."""

    cases: list[Record] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


class Recorder:
    """Answers a mapping's questions in masks and keeps the answers; whole tables it has none."""

    def __init__(self, lookup: JournalLookup, masks: Masks) -> None:
        self._lookup = lookup
        self._masks = masks
        self.xrefs: dict[str, dict[str, str]] = {}
        self.refs: dict[str, dict[str, Record]] = {}

    def xref(self, kind: str, code: str) -> str | None:
        """The counterpart of a code, masked."""
        found = self._lookup.xref(kind, self._masks.original(code))
        if found is None:
            return None
        return self.xrefs.setdefault(kind, {}).setdefault(code, self._masks.record(found))

    def codes(self, kind: str, counterpart: str) -> list[str]:
        """The codes that stand for a counterpart, masked."""
        found = [self._masks.record(code) for code in self._lookup.codes(kind, self._masks.original(counterpart))]
        self.xrefs.setdefault(kind, {}).update(dict.fromkeys(found, counterpart))
        return found

    def ref(self, entity: str, key: str) -> Record | None:
        """A current document, masked."""
        found = self._lookup.ref(entity, self._masks.original(key))
        if found is None:
            return None
        return self.refs.setdefault(entity, {}).setdefault(key, self._masks.record(found))


class Recording:
    """Makes cases of one mapping; `text` is that of the file they go to."""

    def __init__(self, journal: Journal, mapping: Mapping, text: str) -> None:
        self._journal = journal
        self._mapping = mapping
        self._masks = Masks(text)
        self._names = {str(test.get("name")) for test in mapping.tests}
        self._alike = {_bare(test.get("given")) for test in mapping.tests}

    def save(self, found: list[tuple[Place, Recorded]]) -> Saved:
        """A case for each record that has none yet."""
        saved = Saved()
        for place, one in found:
            try:
                self._add(saved, place, one)
            except DataError as error:
                saved.refused[one.key] = error.zh
        return saved

    def _add(self, saved: Saved, place: Place, one: Recorded) -> None:
        taken = _taken(self._journal, place, one)
        record = _decoded(taken)
        case = self._case(place, taken, record, one.key)
        bare = _bare(record)
        if case["name"] in self._names or (bare in self._alike and self._is_masked(one.key)):
            saved.known.append(case["name"])
            return
        self._names.add(case["name"])
        self._alike.add(bare)
        saved.cases.append(case)

    def _is_masked(self, key: str) -> bool:
        """Whether a key is hidden itself, and so no name to know a record by."""
        return self._key(key) != key

    def _key(self, key: str) -> str:
        return str(self._masks.record({"key": key})["key"])

    def _case(self, place: Place, taken: Sample, record: Record, key: str) -> Record:
        settings = (place.settings or {}) | ({} if place.entity else {"partition": taken.part})
        for _ in range(ROUNDS):
            known = len(self._masks)
            given, used = self._masks.record(record), self._masks.record(settings)
            lookup = PointLookup(self._journal, place.connection)
            asked = Recorder(lookup.on(taken.day) if taken.day else lookup, self._masks)
            result = self._mapping.run(given, cast(Lookup, asked), used)
            if len(self._masks) == known:
                break
        told = {"xref": _filled(asked.xrefs), "ref": _filled(asked.refs), "settings": _filled(used)}
        name = f"记录 {self._key(key)}"
        return {"name": name, "given": given} | {kind: rows for kind, rows in told.items() if rows} | {"expect": result}


def found(journal: Journal, flows: dict[str, Flow], mapping: Mapping, wanted: Wanted) -> list[tuple[Place, Recorded]]:
    """The recorded records wanted, with the place that each came by. Raises ConfigError for none, or no flow."""
    served = [place for flow in flows.values() for place in places(flow, mapping.name)]
    if not served:
        raise ConfigError(
            f"没有流程使用映射 {mapping.name}, 无从取得样本; 请用 --flows 指定流程目录",
            en=f"no flow uses the mapping {mapping.name}; name the folder of flows with --flows",
            where=mapping.name,
        )
    missing = [key for key in wanted.keys if not any(_under(journal, place, key) for place in served)]
    if missing:
        raise ConfigError(
            f"日志库中没有 {', '.join(missing)} 的记录, 请核对 --key",
            en=f"the journal holds no record of {', '.join(missing)}",
            where=mapping.name,
        )
    return list(_found(journal, served, wanted))


def _found(journal: Journal, served: list[Place], wanted: Wanted) -> Iterator[tuple[Place, Recorded]]:
    for place in served:
        for key in wanted.keys:
            yield from ((place, one) for one in _under(journal, place, key))
        if wanted.last:
            yield from ((place, one) for one in _newest(journal, place, wanted.last))


def _under(journal: Journal, place: Place, key: str) -> list[Recorded]:
    if place.entity:
        return samples.documents_of(journal, place.entity, key)
    return samples.messages_of(journal, place.source, key)


def _newest(journal: Journal, place: Place, most: int) -> list[Recorded]:
    if place.entity:
        return samples.documents(journal, place.entity, most)
    return samples.messages(journal, place.source, most)


def _taken(journal: Journal, place: Place, one: Recorded) -> Sample:
    if place.entity:
        taken = samples.document_sample(journal, place.entity, one.id)
    else:
        taken = samples.message_sample(journal, place.source, one.id)
    if taken is None:
        raise MalformedMessage(f"{one.key} 已不在日志库中", en=f"{one.key} is no longer in the journal")
    return taken


def _decoded(taken: Sample) -> Record:
    try:
        record = codec.decode(taken.body)
    except msgspec.DecodeError as error:
        raise MalformedMessage(f"报文无法解析: {error}", en=f"the message cannot be decoded: {error}") from None
    if not isinstance(record, dict):
        raise MalformedMessage("报文不是一条记录", en="the message is not a record")
    return record


def _filled(rows: Record) -> Record:
    return {name: value for name, value in rows.items() if value not in ({}, "")}


def _bare(given: Any) -> bytes:
    """A record under masks of its own: the same for one that was masked before."""
    return codec.encode(Masks().record(given or {}))


def with_cases(path: Path, text: str, cases: list[Record]) -> str:
    """The file's text with the cases, each of them read back and passed. Raises ConfigError."""
    grown = appended(text, cases, str(path))
    mapping, findings = examine_text(grown, path)
    if mapping is None:
        raise ConfigError("; ".join(one.zh for one in findings), en=str(findings[0]), where=str(path))
    names = [case["name"] for case in cases]
    read = mapping.tests[-len(cases) :]
    if codec.encode(read) != codec.encode(cases):
        raise _untrue(path, names, "写出后读回不一致")
    failed = [one for one in run_tests(mapping)[-len(cases) :] if not one.passed]
    if failed:
        raise _untrue(path, [one.name for one in failed], "; ".join(failed[0].differences))
    return grown


def _untrue(path: Path, names: list[str], why: str) -> DuijieError:
    zh = f"测试 {', '.join(names)} 保存后不能通过, 未写入: {why}"
    return ConfigError(zh, en=f"a test would not pass, nothing was written: {why}", where=str(path))
