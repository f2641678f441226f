"""The book of a company that numbers its own invoices: which number went to which request, and what was sent.

With 乐企 the seller takes numbers in advance and builds the invoice itself, so that "once" is decided here: a request
is given one number, and what was built under it is kept and sent again byte for byte until the bureau has answered. It
is written before anything leaves. One SQLite file a connection; its writers are the workers of one machine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from duijie.connect.errors import ConfigError

TABLES = """
CREATE TABLE IF NOT EXISTS pool (first TEXT PRIMARY KEY, last TEXT NOT NULL, next TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS invoice (serial TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE, digest TEXT NOT NULL,
    body TEXT NOT NULL, receipt TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS spoilt (number TEXT PRIMARY KEY, serial TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS red (key TEXT PRIMARY KEY, blue TEXT NOT NULL, net TEXT NOT NULL, tax TEXT NOT NULL,
    uuid TEXT NOT NULL DEFAULT '');
"""
BEGIN_RED = """
INSERT INTO red VALUES (?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
    SET blue = excluded.blue, net = excluded.net, tax = excluded.tax WHERE uuid = ''
"""
Refill = Callable[[], tuple[str, str]]


@dataclass(frozen=True)
class Numbered:
    """A request with its number; `body` is the JSON as it is sent, `receipt` the 受理流水号 of the last upload."""

    serial: str
    number: str
    digest: str
    body: str
    receipt: str


@dataclass(frozen=True)
class Begun:
    """A red form that was asked for: amounts in yuan, negative; `uuid` once the bureau has told it."""

    key: str
    blue: str
    net: str
    tax: str
    uuid: str


class Register:
    """The book of one connection. Raises ConfigError where its file cannot be used."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            with self._writing() as db:
                for statement in TABLES.split(";\n"):
                    db.execute(statement)
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(
                f"登记簿 {path} 打不开: {error}; 请核对路径与权限, 它记录着每个发票号码的去向",
                en=f"the register {path} cannot be opened: {error}",
                code="LEQI-REGISTER",
                where=str(path),
            ) from error

    def of(self, serial: str) -> Numbered | None:
        """What a request was given."""
        return self._one("SELECT serial, number, digest, body, receipt FROM invoice WHERE serial = ?", serial)

    def by_number(self, number: str) -> Numbered | None:
        """What a number was given to."""
        return self._one("SELECT serial, number, digest, body, receipt FROM invoice WHERE number = ?", number)

    def give(self, serial: str, digest: str, build: Callable[[str], str], refill: Refill) -> Numbered:
        """The request with its number, which is taken from the pool (filled first where it is empty) if it has none."""
        while True:
            with self._writing() as db:
                if kept := self.of(serial):
                    return kept
                number = _next(db)
                if number:
                    made = Numbered(serial, number, digest, build(number), "")
                    db.execute("INSERT INTO invoice VALUES (?, ?, ?, ?, ?)", tuple(vars(made).values()))
                    return made
            self._fill(refill)

    def take_back(self, serial: str) -> None:
        """Forget what a request was given: the bureau refused it for good. The number stays spoilt."""
        with self._writing() as db:
            db.execute("INSERT INTO spoilt SELECT number, serial, body FROM invoice WHERE serial = ?", (serial,))
            db.execute("DELETE FROM invoice WHERE serial = ?", (serial,))

    def received(self, serial: str, receipt: str) -> None:
        """Keep the 受理流水号 of an upload."""
        with self._writing() as db:
            db.execute("UPDATE invoice SET receipt = ? WHERE serial = ?", (receipt, serial))

    def begin(self, red: Begun) -> Begun:
        """Keep that a form is going to be asked for, as it is now; what has become a form already stays."""
        with self._writing() as db:
            db.execute(BEGIN_RED, tuple(vars(red).values()))
        return self.red(red.key) or red

    def red(self, key: str) -> Begun | None:
        """A form that was asked for."""
        with self._reading() as db:
            row = db.execute("SELECT key, blue, net, tax, uuid FROM red WHERE key = ?", (key,)).fetchone()
        return Begun(*row) if row else None

    def claim(self, key: str, uuid: str) -> None:
        """Keep which form it became."""
        with self._writing() as db:
            db.execute("UPDATE red SET uuid = ? WHERE key = ?", (uuid, key))

    def claimed(self, blue: str) -> set[str]:
        """The forms of a blue invoice that belong to one of our applications."""
        with self._reading() as db:
            return {row[0] for row in db.execute("SELECT uuid FROM red WHERE blue = ? AND uuid <> ''", (blue,))}

    def _one(self, statement: str, value: str) -> Numbered | None:
        with self._reading() as db:
            row = db.execute(statement, (value,)).fetchone()
        return Numbered(*row) if row else None

    def _fill(self, refill: Refill) -> None:
        """One worker asks for numbers while the others wait for them."""
        with FileLock(f"{self._path}.lock", mode=0o600):
            with self._reading() as db:
                if db.execute("SELECT 1 FROM pool WHERE next <= last").fetchone():
                    return
            first, last = refill()
            with self._writing() as db:
                db.execute("INSERT INTO pool VALUES (?, ?, ?)", (first, last, first))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        try:
            yield db
        finally:
            db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One immediate transaction, on disk when it is over."""
        with self._reading() as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")


def _next(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT first, next FROM pool WHERE next <= last ORDER BY first LIMIT 1").fetchone()
    if row is None:
        return ""
    db.execute("UPDATE pool SET next = ? WHERE first = ?", (f"{int(row[1]) + 1:020d}", row[0]))
    return str(row[1])
