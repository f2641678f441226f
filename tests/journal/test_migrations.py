"""A journal that an earlier version left is brought up to date, with what it holds."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from duijie.journal import Journal, chain, documents
from duijie.journal.tables import metadata
from tests.journal.old import journal_at

ADDED = (
    *("document_number", "message_held", "run_started", "incident_at"),
    *("delivery_backlog", "delivery_due"),
    *("delivery_native_no", "delivery_native_id", "delivery_target_key"),
)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return tmp_path / "journal.db"


def filled(path: Path) -> None:
    kept = journal_at(f"sqlite:///{path}", "0005")
    bodies = {
        "sales_order": {"key": "shop:S1:1001"},
        "sales_refund": {"key": "shop:S1:R7", "order_key": "shop:S1:1001"},
        "invoice_request": {"key": "DJ1", "request_no": "DJ1"},
        "invoice": {"key": "B-1", "request_no": "DJ1", "number": "26992000000000000017"},
    }
    with kept.writing() as tx:
        for entity, body in bodies.items():
            documents.put(tx, kept, entity, {"gross": Decimal("1.00"), **body}, (None, "test"))
    kept.engine.dispose()


def as_0003_left_it(path: Path) -> None:
    with sqlite3.connect(path) as old:
        for name in ADDED:
            old.execute(f"DROP INDEX {name}")
        old.execute("CREATE INDEX delivery_due ON delivery (sink, state, due_at)")
        old.execute("ALTER TABLE document DROP COLUMN number")
        old.execute("DELETE FROM link")
        old.execute("UPDATE duijie_version SET version_num = '0003'")


def indexes(path: Path) -> dict[str, str]:
    with sqlite3.connect(path) as now:
        return dict(now.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"))


def test_0004_leaves_the_same_indexes_as_a_new_journal_has(path: Path) -> None:
    filled(path)
    wanted = indexes(path)
    as_0003_left_it(path)
    journal_at(f"sqlite:///{path}", "0005").engine.dispose()
    assert indexes(path) == wanted


def test_0004_makes_earlier_documents_findable_and_links_them(path: Path) -> None:
    filled(path)
    as_0003_left_it(path)
    kept = journal_at(f"sqlite:///{path}", "0005")
    for number, root in (("1001", "shop:S1:1001"), ("R7", "shop:S1:1001"), ("26992000000000000017", "DJ1")):
        hits = chain.search(kept, number).documents
        assert [one.key for one in chain.roots(kept, hits)] == [root]
    kept.engine.dispose()


def test_a_new_journal_is_what_the_tables_say(path: Path) -> None:
    kept = Journal.open(f"sqlite:///{path}")
    with kept.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "version_table": "duijie_version"})
        assert compare_metadata(context, metadata) == []
    kept.engine.dispose()
