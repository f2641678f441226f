"""Sinks that a form makes: how a payload becomes a Tryton record, which buttons bring it to its goal and take it back.

A record is entered, then taken from state to state; after each button the state is read, since a button that could do
nothing says nothing. What an interrupted write left on the way is taken up, not entered again. What is read back must
say what was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from connectors.tryton.books import Books
from connectors.tryton.client import ERRORS
from connectors.tryton.records import Kind
from duijie.codec import Record
from duijie.connect.errors import AlreadyThere, AnswerLost, DuijieError, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import outcome_of

ZERO = Decimal(0)
LIVE, ARCHIVED = "active", "inactive"


def _nothing(*_: object) -> bool:
    """Nothing more to settle."""
    return False


@dataclass(frozen=True)
class Form:
    """One entity as a sink.

    `enter(books, payload)` makes the record and tells its id, `amend(books, payload, row)` rewrites it, `settle(books,
    payload, row)` puts right what the server computes and says whether it had to. `path(payload)`: state → button on
    the way to the goal; `drafts`: the states that are short of it. `open`: the states in which a record can be
    changed; `back`: state → button that opens it. `undo`: state → button on the way to one of `gone`; ARCHIVED stands
    for setting inactive. `stuck`: state → code of the error when no button led on.
    """

    kind: Kind
    safety: Safety
    enter: Callable[[Books, Record], int]
    amend: Callable[[Books, Record, Record], None]
    sent: Callable[[Record], Figures]
    held: Callable[[Record], Figures]
    path: Callable[[Record], Mapping[str, str]]
    open: frozenset[str]
    undo: Mapping[str, str]
    back: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset({"cancelled"})
    settle: Callable[[Books, Record, Record], bool] = _nothing
    stuck: Mapping[str, str] = field(default_factory=dict)
    drafts: frozenset[str] = frozenset()


class RecordSink:
    """A form brought to life. A payload has our key under `key`; batch: one record at a time, several calls each."""

    batch = 20

    def __init__(self, books: Books, form: Form) -> None:
        self.name = form.kind.entity
        self.entity = form.kind.entity
        self.safety = form.safety
        self._books = books
        self._form = form

    def key_of(self, payload: Record) -> str:
        """Our key, as the key field will hold it."""
        return str(payload["key"])

    def figures_of(self, payload: Record) -> Figures:
        """What find() must bring back equal."""
        return self._form.sent(payload)

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What has come as far as it was to; the oldest counts, `raw.copies` says how many there are."""
        found = {key: [row for row in rows if self._is_there(row)] for key, rows in self._held(keys).items()}
        return {key: self._found(rows) for key, rows in found.items() if rows}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """Enter each and bring it to its goal."""
        return [outcome(partial(self._enter, payload)) for payload in payloads]

    def update(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Change each that Tryton still lets change; one that says what was sent already is done."""
        pairs = zip(payloads, native_ids, strict=True)
        return [outcome(partial(self._change, payload, int(native))) for payload, native in pairs]

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Take each back; one that is gone already is done."""
        return [outcome(partial(self._take_back, int(native))) for native in native_ids]

    def _enter(self, payload: Record) -> Done:
        form, key = self._form, str(payload["key"])
        mine = next((row for row in self._held([key]).get(key, [])), None)
        if mine and self._is_there(mine):
            raise ERRORS.error("there", key, where=key)
        if mine is None:
            record = self._create(payload)
        else:
            record = int(mine["id"])
            if not self._is_on_its_way(mine, payload):
                self._rewrite(payload, mine)
        return self._finish(record, payload, form.path(payload))

    def _is_on_its_way(self, row: Record, payload: Record) -> bool:
        """Whether an earlier write has brought it beyond where it could be changed, and it says what is sent."""
        is_open = state_of(row) in {*self._form.open, *self._form.back}
        return not is_open and state_of(row) in self._form.path(payload) and self._says(row, payload)

    def _create(self, payload: Record) -> int:
        """The id. Raises AlreadyThere where another was first and Tryton keeps the key unique."""
        try:
            return self._form.enter(self._books, payload)
        except VendorRejected as error:
            if not self._held([str(payload["key"])]):
                raise
            raise AlreadyThere(error.zh, en=error.en, code="tryton:there", where=str(payload["key"])) from error

    def _rewrite(self, payload: Record, row: Record) -> None:
        """The record as the payload says, opened first where it must be. Raises VendorRejected."""
        row = self._walk(row, self._form.back)
        if state_of(row) not in self._form.open:
            raise ERRORS.error("locked", _told(row), where=str(payload["key"]))
        self._form.amend(self._books, payload, row)

    def _finish(self, record: int, payload: Record, path: Mapping[str, str]) -> Done:
        row = self._after(record)
        if self._form.settle(self._books, payload, row):
            row = self._after(record)
        row = self._walk(row, path)
        if not self._says(row, payload):
            raise ERRORS.error("differs", _told(row), where=str(payload["key"]))
        return _done(row)

    def _change(self, payload: Record, record: int) -> Done:
        row = self._form.kind.one(self._books, record)
        if row is None or (state_of(row) in self._form.gone and not self._form.back.get(state_of(row))):
            raise ERRORS.error("gone", str(payload["key"]), where=str(payload["key"]))
        path = self._form.path(payload)
        if state_of(row) not in {*self._form.open, *self._form.back} and state_of(row) not in path:
            if self._says(row, payload):
                return _done(row)
            raise ERRORS.error("locked", _told(row), where=str(payload["key"]))
        self._rewrite(payload, row)
        return self._finish(record, payload, path)

    def _take_back(self, record: int) -> Done:
        row = self._form.kind.one(self._books, record)
        if row is None:
            return Done(str(record), "")
        row = self._walk(row, self._form.undo)
        if state_of(row) not in self._form.gone:
            raise ERRORS.error("not_reversible", _told(row), where=str(row["key"]))
        return _done(row)

    def _walk(self, row: Record, path: Mapping[str, str]) -> Record:
        """Press each state's button until there is none. Raises VendorRejected when one leads nowhere."""
        while action := path.get(state_of(row)):
            if action == ARCHIVED:
                self._books.write(self._form.kind.model, int(row["id"]), {"active": False})
            else:
                self._books.act(self._form.kind.model, action, int(row["id"]))
            after = self._after(int(row["id"]))
            if state_of(after) == state_of(row):
                raise ERRORS.error(self._form.stuck.get(state_of(row), "stuck"), _told(row), where=str(row["key"]))
            row = after
        return row

    def _after(self, record: int) -> Record:
        """What Tryton now holds. Whatever goes wrong here, it was written to: the outcome is to be looked up."""
        try:
            row = self._form.kind.one(self._books, record)
        except DuijieError as error:
            raise AnswerLost(error.zh, en=error.en, code=error.code, where=error.where) from error
        if row is None:
            raise AnswerLost("写入后读不回, 将先查询", en="cannot be read back; looking it up", where=str(record))
        return row

    def _held(self, keys: Sequence[str]) -> dict[str, list[Record]]:
        """Records by key that have not been taken back, those that are there first, then the oldest."""
        held: dict[str, list[Record]] = {}
        for page in self._form.kind.by_key(self._books, keys):
            for row in page:
                if state_of(row) not in self._form.gone or self._form.gone == {ARCHIVED}:
                    held.setdefault(row["key"], []).append(row)
        return {key: sorted(rows, key=lambda row: not self._is_there(row)) for key, rows in held.items()}

    def _is_there(self, row: Record) -> bool:
        return state_of(row) not in self._form.gone | self._form.drafts

    def _says(self, row: Record, payload: Record) -> bool:
        return row["key"] == payload["key"] and dict(self._form.held(row)) == dict(self._form.sent(payload))

    def _found(self, rows: Sequence[Record]) -> Found:
        first = rows[0]
        return Found(
            first["id"], str(first.get("number") or ""), self._form.held(first), {**first, "copies": len(rows)}
        )


def state_of(row: Record) -> str:
    """Its state; what has none is active or not."""
    return str(row["state"]) if "state" in row else (LIVE if row["active"] else ARCHIVED)


def _told(row: Record) -> str:
    return f"{row.get('number') or row['key']} (id {row['id']}, {state_of(row)})"


def _done(row: Record) -> Done:
    return Done(row["id"], str(row.get("number") or ""), row)


def outcome(write: Callable[[], Done]) -> Outcome:
    """What a write came to, errors of the tree included."""
    try:
        return write()
    except DuijieError as error:
        return outcome_of(error)
