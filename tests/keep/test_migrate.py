"""Migrating while workers of the version before write: they wait, none loses anything, one host migrates at a time."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import func, inspect, select, text
from typer.testing import CliRunner

from duijie.cli.main import app
from duijie.connect.errors import ConfigError, JournalBusy
from duijie.journal import Journal, journal, schema
from duijie.journal.migrations import gently
from duijie.journal.tables import delivery, delivery_event, document
from tests.journal.old import journal_at
from tests.keep.workers import writing

OLD = "0007"
Elsewhere = Callable[[], str]
Reopened = Callable[[str], Journal]


def count(kept: Journal) -> dict[str, int]:
    with kept.reading() as tx:
        return {
            table.name: tx.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (document, delivery, delivery_event)
        }


@pytest.mark.slow
def test_old_workers_go_on_while_the_schema_is_brought_up_to_date(
    elsewhere: Elsewhere, reopened: Reopened, tmp_path: Path
) -> None:
    url = elsewhere()
    journal_at(url, OLD).engine.dispose()
    with writing(url, tmp_path) as workers:
        kept = reopened(url)
        assert schema.current(kept.engine) == schema.newest()
    assert workers.delivered > 0
    assert count(kept) == {
        "document": workers.delivered,
        "delivery": workers.delivered,
        "delivery_event": workers.delivered * 3,
    }


@pytest.mark.slow
def test_several_processes_that_open_an_old_journal_migrate_it_once(
    elsewhere: Elsewhere, reopened: Reopened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = elsewhere()
    journal_at(url, "0005").engine.dispose()
    opened: list[str | None] = []

    def another_host() -> None:
        opened.append(schema.current(reopened(url).engine))

    hosts = [threading.Thread(target=another_host) for _ in range(4)]
    for one in hosts:
        one.start()
    for one in hosts:
        one.join(60)
    assert opened == [schema.newest()] * 4


def test_a_journal_of_a_newer_program_is_refused_and_left_alone(kept: Journal) -> None:
    with kept.writing() as tx:
        tx.execute(text("UPDATE duijie_version SET version_num = '9999'"))
    url = kept.engine.url.render_as_string(hide_password=False)
    for attempt in (Journal.open, Journal.open_to_read, Journal.preview):
        with pytest.raises(ConfigError, match="newer than this program") as caught:
            attempt(url)
        assert "请升级本机的 Duijie" in caught.value.zh
    assert schema.current(kept.engine) == "9999"


def fed_to_the_database(url: str, script: str) -> None:
    """As psql or sqlite3 would run it, transactions and function bodies included."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(script)
    else:
        psql = ["psql", url, "-q", "-v", "ON_ERROR_STOP=1"]
        subprocess.run(psql, input=script, text=True, check=True, capture_output=True)


def test_a_preview_is_the_upgrade_in_words_and_changes_nothing(elsewhere: Elsewhere, reopened: Reopened) -> None:
    url = elsewhere()
    old = journal_at(url, OLD)
    said = Journal.preview(url)
    assert "CREATE TABLE upkeep" in said
    assert schema.current(old.engine) == OLD
    old.engine.dispose()
    fed_to_the_database(url, said)
    assert schema.current(reopened(url).engine) == schema.newest()
    assert Journal.preview(url) == ""


def test_a_journal_too_old_to_preview_says_so(elsewhere: Elsewhere) -> None:
    url = elsewhere()
    with pytest.raises(ConfigError, match="cannot be previewed"):
        Journal.preview(url)


def test_the_command_prints_the_statements(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", url)
    journal_at(url, OLD).engine.dispose()
    shell = CliRunner()
    assert "CREATE TABLE upkeep" in shell.invoke(app, ["journal", "migrate", "--sql"]).stdout
    assert f"已是最新 ({schema.newest()})" in shell.invoke(app, ["journal", "migrate"]).stdout
    assert "已是最新" in shell.invoke(app, ["journal", "migrate", "--sql"]).stdout


@pytest.fixture
def server_url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return str(request.getfixturevalue("postgres_database"))


@pytest.mark.slow
@pytest.mark.postgres
class TestPostgres:
    def test_a_table_that_stays_in_use_ends_in_a_clear_word_and_holds_nobody_up(
        self, server_url: str, reopened: Reopened, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        old = journal_at(server_url, "0005")
        monkeypatch.setattr(schema, "PATIENCE_SECONDS", 2.0)
        monkeypatch.setattr(schema, "TABLE_SECONDS", 1)
        with old.engine.connect() as reader, reader.begin():
            reader.execute(select(func.count()).select_from(text("delivery")))
            began = time.monotonic()
            with pytest.raises(JournalBusy, match="nothing was left half done"):
                Journal.open(server_url)
            assert time.monotonic() - began < 10
        assert schema.current(old.engine) == "0005"
        assert schema.current(reopened(server_url).engine) == schema.newest()
        old.engine.dispose()

    def test_another_hosts_lock_is_waited_for(self, server_url: str, reopened: Reopened) -> None:
        other = journal_at(server_url, OLD)
        lock = text("SELECT pg_advisory_lock(:key)")
        with other.engine.connect() as holder:
            holder.execute(lock, {"key": schema.ADVISORY_LOCK})
            waiting = threading.Thread(target=reopened, args=(server_url,))
            waiting.start()
            time.sleep(1.0)
            assert schema.current(other.engine) == OLD
            holder.execute(text("SELECT pg_advisory_unlock_all()"))
            waiting.join(30)
        assert schema.current(other.engine) == schema.newest()
        other.engine.dispose()

    def test_an_index_is_built_while_somebody_writes_the_table(self, server_url: str, tmp_path: Path) -> None:
        kept = Journal.open(server_url)
        with writing(server_url, tmp_path) as workers, kept.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
            with Operations.context(context):
                for _ in range(2):  # repeating it is no harm
                    gently.create_index("delivery_changed", "delivery", ["changed_at"])
            assert connection.execute(text("SHOW lock_timeout")).scalar_one() == f"{schema.TABLE_SECONDS}s"
        assert "delivery_changed" in {one["name"] for one in inspect(kept.engine).get_indexes("delivery")}
        with kept.reading() as tx:
            invalid = "SELECT count(*) FROM pg_index WHERE NOT indisvalid"
            assert tx.execute(text(invalid)).scalar_one() == 0
        assert workers.delivered == count(kept)["delivery"]
        kept.engine.dispose()


def test_an_empty_place_becomes_a_journal(elsewhere: Elsewhere, reopened: Reopened) -> None:
    url = elsewhere()
    assert schema.current(journal._engine(url)) is None
    assert schema.current(reopened(url).engine) == schema.newest()
