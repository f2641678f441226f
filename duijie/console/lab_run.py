"""What 映射实验室 computes for one edit: findings, result, where each value came from, the file's tests, differences.

It runs in a process of its own (`workbench.py`) and reaches nothing but what the job holds, what it may ask, the
schemas and the mapping files that one extends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import DuijieError
from duijie.difference import changes
from duijie.mapping import FieldError, Provenance, StaticLookup, explain, run_tests
from duijie.mapping import Mapping as FieldMapping
from duijie.mapping.document import Listing
from duijie.mapping.evaluate import Row
from duijie.mapping.findings import Finding, Spot, shown
from duijie.mapping.mapping import examine_text
from duijie.schemas import check, is_entity

Ask = Callable[[str, str, str], Any]
ANSWERS = ("xref", "ref", "settings")
DEEPEST = 64
EXPLAINED = 3000
DIFFERENCES = 500
LONGEST_VALUE = 300
LONGEST_RESULT = 1_000_000
PLACE = re.compile(r"(\S+):(\d+):(\d+)$")


class Job(msgspec.Struct, frozen=True):
    """One edit. `test` is the number of the file's test to run; else `record` is JSON text.

    `answers` is JSON text {"xref", "ref", "settings"}; None: the test's own, else `settings` alone. `kept` are the
    documents that the journal holds for this record; `shipped` the text of the file as it is in the repository.
    """

    path: str
    text: str
    shipped: str
    test: int | None = None
    record: str | None = None
    answers: str | None = None
    settings: Record = {}
    kept: list[tuple[str, Record]] = []
    may_ask: bool = False


class Trial(msgspec.Struct, kw_only=True):
    """What an edit gives. Lines and columns count from 1; `record` and `answers` are JSON texts to show."""

    findings: list[Record] = []
    compiled: bool = False
    problem: str = ""
    error: Record | None = None
    result: str = ""
    skipped: bool = False
    record: str | None = None
    answers: str | None = None
    trail: list[Record] = []
    trail_cut: bool = False
    tests: list[Record] = []
    against: str = ""
    changes: list[Record] = []
    changes_cut: bool = False


class Wrong(Exception):
    """The sample cannot be used; the words say why."""


class Answers:
    """Look-ups answered by the sample first, then by asking; each question is asked once."""

    def __init__(self, given: StaticLookup, ask: Ask | None) -> None:
        self._given = given
        self._ask = cache(ask) if ask else None

    def xref(self, kind: str, code: str) -> str | None:
        """The counterpart of a code."""
        found = self._given.xref(kind, code)
        return self._ask("xref", kind, code) if found is None and self._ask else found

    def codes(self, kind: str, counterpart: str) -> list[str]:
        """The codes that stand for a counterpart."""
        return self._given.codes(kind, counterpart) or (self._ask("codes", kind, counterpart) if self._ask else [])

    def ref(self, entity: str, key: str) -> Record | None:
        """A document."""
        found = self._given.ref(entity, key)
        return self._ask("ref", entity, key) if found is None and self._ask else found

    def counterparts(self, kind: str) -> Mapping[str, str]:
        """`xref` by code."""
        return _Asked(lambda code: self.xref(kind, code))

    def documents(self, entity: str) -> Mapping[str, Record]:
        """`ref` by key."""
        return _Asked(lambda key: self.ref(entity, key))


Found = TypeVar("Found")


class _Asked(Mapping[str, Found]):
    """Read like a table, answered key by key."""

    def __init__(self, answer: Callable[[str], Found | None]) -> None:
        self._answer = answer

    def __getitem__(self, key: str) -> Found:
        if (found := self._answer(key)) is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def compute(job: Job, ask: Ask) -> Trial:
    """Everything the page shows for one edit."""
    trial = Trial()
    mapping, findings = examine_text(job.text, Path(job.path))
    own = shown(Path(job.path))
    trial.findings = [_finding(one, own) for one in sorted(findings, key=lambda each: each.spot)]
    if mapping is None:
        return trial
    trial.compiled, trial.tests = True, _tests(mapping)
    try:
        record, answers = _sample(job, mapping)
        trial.record, trial.answers = pretty(record), pretty(answers)
    except Wrong as wrong:
        trial.problem = str(wrong)
        return trial
    lookup = Answers(StaticLookup(answers.get("xref") or {}, answers.get("ref") or {}), ask if job.may_ask else None)
    _run(trial, mapping, job, record, lookup, answers.get("settings") or {})
    return trial


def _run(trial: Trial, mapping: FieldMapping, job: Job, record: Record, lookup: Answers, settings: Record) -> None:
    try:
        result = mapping.run(record, lookup, settings)
        trail = explain(mapping, record, lookup, settings)
    except DuijieError as error:
        trial.error = _error(error, mapping.file)
        return
    if result is None:
        trial.skipped = True
    if len(codec.encode(result)) > LONGEST_RESULT:
        trial.problem = f"结果超过 {LONGEST_RESULT:,} 字节, 不显示"
        return
    trial.result = pretty(result)
    trial.trail = [_provenance(one, mapping.file) for one in trail[:EXPLAINED]]
    trial.trail_cut = len(trail) > EXPLAINED
    documents = mapping.documents(record, lookup, settings)
    trial.findings += _broken(documents)
    _compare(trial, mapping, job, documents, _before(job, record, lookup, settings))


def _sample(job: Job, mapping: FieldMapping) -> tuple[Record, Record]:
    test = _test(mapping, job)
    record = test.get("given") or {} if job.record is None else parsed(job.record, "记录")
    if job.answers is not None:
        answers = parsed(job.answers, "对照与设置")
    else:
        told: Record = {name: test[name] for name in ANSWERS if name in test}
        answers = told if test else {"settings": job.settings}
    _check_answers(answers)
    return record, answers


def _check_answers(answers: Record) -> None:
    if unknown := set(answers) - set(ANSWERS):
        raise Wrong(f"对照与设置只能有 xref、ref、settings, 没有 {', '.join(sorted(unknown))}")
    for name in ("xref", "ref"):
        if any(not isinstance(rows, dict) for rows in (answers.get(name) or {}).values()):
            raise Wrong(f"对照与设置的 {name} 须是 {{类别: {{编码: 值}}}}")


def _test(mapping: FieldMapping, job: Job) -> Record:
    """The test to run; nothing where none was chosen, or one that is gone by now has left its record behind."""
    if job.test is None:
        return {}
    if job.test < len(mapping.tests):
        return mapping.tests[job.test]
    if job.record is None:
        raise Wrong("文件中没有这个测试, 请另选样例")
    return {}


def parsed(text: str, what: str) -> Record:
    """A JSON object no deeper than DEEPEST. Raises Wrong."""
    try:
        value = codec.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Wrong(f"{what}不是有效的 JSON: {error}") from None
    if not isinstance(value, dict):
        raise Wrong(f"{what}须是一个 JSON 对象 {{…}}")
    if depth(value) > DEEPEST:
        raise Wrong(f"{what}嵌套超过 {DEEPEST} 层")
    return value


def depth(value: Any) -> int:
    """How deep objects and lists are nested; counted without recursion."""
    level, deep = [value] if isinstance(value, dict | list) else [], 0
    while level:
        level = [
            below
            for one in level
            for below in (one.values() if isinstance(one, dict) else one)
            if isinstance(below, dict | list)
        ]
        deep += 1
    return deep


def pretty(value: Any) -> str:
    """JSON for people, in the order given."""
    return msgspec.json.format(codec.encode_ordered(value), indent=2).decode()


def _short(value: Any) -> str:
    text = codec.encode_ordered(value).decode()
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"


def _place(spot: Spot | None, own: str) -> Record:
    """Line and column in the file being edited; of another file (one that it extends) only its name and line."""
    if spot is None:
        return {"line": 0, "column": 0, "file": ""}
    if spot.file != own:
        return {"line": 0, "column": 0, "file": f"{spot.file}:{spot.line}"}
    return {"line": spot.line, "column": spot.column, "file": ""}


def _finding(one: Finding, own: str) -> Record:
    return {**_place(one.spot, own), "severity": one.severity, "words": one.zh, "rule": one.rule}


def _error(error: DuijieError, own: str) -> Record:
    """The words of a refusal, with its place in the file."""
    if isinstance(error, FieldError):
        return {**_place(error.spot, own), "words": error.zh, "field": error.field}
    told = PLACE.search(error.where)
    spot = Spot(told[1], int(told[2]), int(told[3])) if told else None
    return {**_place(spot, own), "words": error.zh, "field": ""}


def _provenance(one: Provenance, own: str) -> Record:
    told = one.reads or one.inputs
    return {
        **_place(one.spot, own),
        "field": one.field,
        "role": one.role,
        "rule": one.rule[:2000],
        "value": _short(one.value),
        "inputs": [[path, _short(value)] for path, value in told.items()],
        "rows": [_row(row, own) for row in one.rows],
    }


def _row(row: Row, own: str) -> Record:
    words = f"{row.kind}({row.name}, {_short(row.code)})"
    return {**_place(row.spot, own), "words": words, "answer": _short(row.answer)}


def _tests(mapping: FieldMapping) -> list[Record]:
    found = mapping.parts.root.get("tests")
    lines = [item.spot.line for item in found.items] if isinstance(found, Listing) else []
    results = run_tests(mapping)
    return [
        {"name": one.name, "line": line, "passed": one.passed, "differences": list(one.differences)}
        for one, line in zip(results, lines, strict=True)
    ]


def _broken(documents: list[tuple[str, Record]]) -> list[Record]:
    """What breaks the schema of the entity."""
    found = []
    for entity, document in documents:
        try:
            if is_entity(entity):
                check(entity, document)
        except DuijieError as error:
            found.append({**_place(None, ""), "severity": "error", "words": error.zh, "rule": ""})
    return found


def _before(job: Job, record: Record, lookup: Answers, settings: Record) -> list[tuple[str, Record]] | None:
    """The documents of the journal, else what the file of the repository makes; None where it makes none."""
    if job.kept:
        return job.kept
    if job.text == job.shipped:
        return None
    shipped, _ = examine_text(job.shipped, Path(job.path))
    try:
        return shipped.documents(record, lookup, settings) if shipped else None
    except DuijieError:
        return None


def _compare(
    trial: Trial,
    mapping: FieldMapping,
    job: Job,
    after: list[tuple[str, Record]],
    before: list[tuple[str, Record]] | None,
) -> None:
    if before is None:
        return
    trial.against = "journal" if job.kept else "shipped"
    several = mapping.parts.emits or len(before) > 1
    found = list(changes(_joined(before, several), _joined(after, several)))
    trial.changes_cut = len(found) > DIFFERENCES
    trial.changes = [
        {"field": one.field, "before": _short(one.before), "after": _short(one.after)} for one in found[:DIFFERENCES]
    ]


def _joined(documents: list[tuple[str, Record]], several: bool) -> Record:
    """Documents as one record: by entity and key where there may be several."""
    if several:
        return {f"{entity} {document.get('key', '')}": document for entity, document in documents}
    return documents[0][1] if documents else {}
