"""One worker's world: a scene's systems as servers in threads of this process, and journals made from a template."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path

import psycopg

from duijie.journal import Journal, codes
from duijie.journal.tables import metadata
from sandbox.kit import Fault, Sandbox
from sandbox.serve import Running, build
from sandbox.store import Store
from tests.faults.scenes import Scene, Truth


def _build(name: str) -> Sandbox:
    if name != "strict":
        return build(name, Store())
    made: Sandbox = import_module("tests.faults.strict").SANDBOX(Store())
    return made


class Systems:
    """The sandboxes of a scene, served."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.held = {name: _build(name) for name in scene.seeds}
        self.urls: dict[str, str] = {}

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Until the end of the block."""
        with ExitStack() as stack:
            self.urls = {name: stack.enter_context(Running(sandbox)) for name, sandbox in self.held.items()}
            yield

    def new(self) -> None:
        """As on the first day."""
        for name, sandbox in self.held.items():
            sandbox.__init__(Store())  # type: ignore[misc]
            sandbox.seed(self._scene.seeds[name])
            sandbox.faults = [Fault(**rule) for rule in self._scene.faults.get(name, [])]
        self._scene.prepare(self.held)

    def truth(self) -> Truth:
        """What the target holds."""
        return self._scene.truth(self.held)


class Journals:
    """Fresh journals with a scene's code tables. `server` is a PostgreSQL URI without a database, "" for SQLite."""

    def __init__(self, scene: Scene, folder: Path, server: str = "") -> None:
        self._folder = folder
        self._server = server
        self._name = f"t{abs(hash((scene.name, str(folder)))):x}"
        self._template = self._make(scene)

    def _make(self, scene: Scene) -> str:
        url = f"{self._server}/{self._name}" if self._server else f"sqlite:///{self._folder / 'template.db'}"
        if self._server:
            self._sql(f"CREATE DATABASE {self._name}", "postgres")
        journal = Journal.open(url)
        if scene.codes:
            codes.put(journal, scene.codes, "test")
        if self._server:
            self._sql("CREATE SCHEMA kept; CREATE TABLE kept.xref AS TABLE xref")
        else:
            with journal.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        journal.engine.dispose()
        return url

    def fresh(self, home: Path) -> str:
        """The URL of one in which nothing has happened; it is the same every time."""
        if self._server:
            self._sql(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY; INSERT INTO xref TABLE kept.xref")
            return self._template
        shutil.copyfile(self._template.removeprefix("sqlite:///"), home / "journal.db")
        return f"sqlite:///{home / 'journal.db'}"

    def close(self) -> None:
        """Leave nothing behind on the server."""
        if self._server:
            self._sql(f"DROP DATABASE {self._name} WITH (FORCE)", "postgres")

    def _sql(self, statement: str, database: str = "") -> None:
        with psycopg.connect(f"{self._server}/{database or self._name}", autocommit=True) as connection:
            connection.execute(statement.encode())


def clean(folder: Path) -> Path:
    """The folder, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
