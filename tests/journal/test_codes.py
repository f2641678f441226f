"""Code tables 对照 on SQLite and PostgreSQL: every version is kept, the one of the record's day answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text

from duijie.connect.errors import ConfigError, UnmappedCode
from duijie.journal import Journal, codes, work
from duijie.journal.codes import Code
from duijie.journal.lookup import JournalLookup, as_of, day_of
from duijie.journal.migrations import as_of_0005
from duijie.journal.tables import ALWAYS, unmapped
from tests.journal.old import journal_at

NOVEMBER, DECEMBER = date(2026, 11, 11), date(2026, 12, 1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'journal.db'}"
    return str(request.getfixturevalue("postgres_database"))


@pytest.fixture
def kept(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    opened = Journal.open(url)
    monkeypatch.setattr(opened, "now", lambda: datetime(2026, 11, 23, 4, tzinfo=UTC))
    yield opened
    opened.engine.dispose()


def customer(code: str, counterpart: str, since: date | None = None, connection: str = "psi") -> Code:
    return Code("customer", connection, code, counterpart, since)


def answers(kept: Journal, code: str, *days: date) -> list[str | None]:
    return [JournalLookup(kept, "psi").on(day).xref("customer", code) for day in days]


class TestVersions:
    def test_a_new_code_holds_since_ever_and_a_changed_one_from_today(self, kept: Journal) -> None:
        assert codes.put(kept, [customer("S01", "C1")], "张三") == 1
        assert codes.put(kept, [customer("S01", "C2")], "李四") == 1
        assert [(row.version, row.counterpart, row.valid_from, row.changed_by) for row in history(kept)] == [
            (2, "C2", date(2026, 11, 23), "李四"),
            (1, "C1", ALWAYS, "张三"),
        ]

    def test_what_holds_already_makes_no_version(self, kept: Journal) -> None:
        codes.put(kept, [customer("S01", "C1")], "张三")
        assert codes.put(kept, [customer("S01", "C1"), customer("S01", "C1", DECEMBER)], "李四") == 0

    def test_the_row_of_the_records_own_day_answers(self, kept: Journal) -> None:
        codes.put(kept, [customer("S01", "C1"), customer("S01", "C2", DECEMBER)], "张三")
        assert answers(kept, "S01", NOVEMBER, date(2026, 11, 30), DECEMBER) == ["C1", "C1", "C2"]

    def test_a_correction_of_the_past_leaves_what_holds_later(self, kept: Journal) -> None:
        codes.put(kept, [customer("S01", "C1"), customer("S01", "C2", DECEMBER)], "张三")
        codes.put(kept, [customer("S01", "C9", ALWAYS)], "张三")
        assert answers(kept, "S01", NOVEMBER, DECEMBER) == ["C9", "C2"]

    def test_a_code_that_begins_later_is_unmapped_before(self, kept: Journal) -> None:
        codes.put(kept, [customer("S01", "C1", DECEMBER)], "张三")
        assert answers(kept, "S01", NOVEMBER, DECEMBER) == [None, "C1"]

    def test_the_codes_of_a_counterpart_are_those_of_the_day(self, kept: Journal) -> None:
        codes.put(kept, [customer("S01", "C1"), customer("S01", "C2", DECEMBER), customer("S02", "C1")], "张三")
        before, after = (JournalLookup(kept, "psi").on(day) for day in (NOVEMBER, DECEMBER))
        assert [sorted(before.codes("customer", "C1")), before.codes("customer", "C2")] == [["S01", "S02"], []]
        assert [after.codes("customer", "C1"), after.codes("customer", "C2")] == [["S02"], ["S01"]]

    def test_a_connections_own_row_goes_before_the_one_for_all(self, kept: Journal) -> None:
        codes.put(kept, [customer("S01", "ALL", DECEMBER, "*"), customer("S02", "ALL", None, "*")], "张三")
        codes.put(kept, [customer("S01", "OWN"), customer("S02", "LEDGER", None, "ledger")], "张三")
        assert answers(kept, "S01", DECEMBER) + answers(kept, "S02", DECEMBER) == ["OWN", "ALL"]

    def test_the_list_shows_what_holds_today_and_what_will(self, kept: Journal) -> None:
        codes.put(kept, [customer("S01", "C0"), customer("S01", "C1", NOVEMBER)], "张三")
        codes.put(kept, [customer("S01", "C2", DECEMBER), customer("S01", "C3", DECEMBER)], "张三")
        assert [(row.counterpart, row.version) for row in codes.rows(kept, "customer")] == [("C1", 2), ("C3", 4)]
        assert [row.counterpart for row in codes.rows(kept, search="3")] == ["C3"]
        assert codes.kinds(kept) == {"customer": 1}

    def test_text_that_looks_like_a_pattern_is_only_text(self, kept: Journal) -> None:
        codes.put(kept, [customer("A%", "C1"), customer("AB", "C2")], "张三")
        assert [row.code for row in codes.rows(kept, search="%")] == ["A%"]

    def test_one_row_that_cannot_be_kept_keeps_the_others_out(self, kept: Journal) -> None:
        with pytest.raises(ConfigError, match="counterpart of customer 'S02'"):
            codes.put(kept, [customer("S01", "C1"), customer("S02", " ")], "张三")
        assert codes.rows(kept) == []

    def test_two_people_at_the_same_moment_make_two_versions(self, kept: Journal) -> None:
        codes.put(kept, [customer("S01", "C0")], "张三")
        people = [
            threading.Thread(target=codes.put, args=(kept, [customer("S01", f"C{number}")], str(number)))
            for number in range(1, 7)
        ]
        for one in people:
            one.start()
        for one in people:
            one.join()
        assert [row.version for row in history(kept)] == [7, 6, 5, 4, 3, 2, 1]


def history(kept: Journal) -> list[codes.Row]:
    return codes.history(kept, ("customer", "psi", "S01"))


class TestTheDayOfUse:
    def test_it_is_the_documents_own(self) -> None:
        assert day_of({"business_date": "2026-11-11"}) == NOVEMBER
        assert day_of({"date": "2026-12-01T00:00:00+08:00"}) == DECEMBER
        assert [day_of({}), day_of({"date": "soon"}), day_of({"date": 7})] == [None, None, None]

    def test_without_one_it_is_today(self, kept: Journal) -> None:
        codes.put(kept, [customer("S01", "C1"), customer("S01", "C2", date(2026, 11, 23))], "张三")
        assert as_of(JournalLookup(kept, "psi"), day_of({})).xref("customer", "S01") == "C2"


class TestTheItem:
    def test_what_is_missing_is_kept_in_columns(self, kept: Journal) -> None:
        with kept.writing() as tx:
            for error in (UnmappedCode("customer", "S:01@x"), UnmappedCode("product", "A1", what="document")):
                work.open_item(tx, kept, "orders", work.finding_for(error, "", "psi"))
            rows = tx.execute(select(unmapped).order_by(unmapped.c.work_item_id)).all()
        assert [tuple(row)[1:] for row in rows] == [
            ("code", "customer", "psi", "S:01@x"),
            ("document", "product", "", "A1"),
        ]

    def test_a_code_missing_at_two_connections_is_two_items_and_a_document_one(self, kept: Journal) -> None:
        with kept.writing() as tx:
            found = [
                work.open_item(tx, kept, "orders", work.finding_for(UnmappedCode("x", "1", what=what), "", connection))
                for what in ("code", "document")
                for connection in ("psi", "ledger", "psi")
            ]
        assert [found[0] == found[2], found[0] == found[1], found[3] == found[4] == found[5]] == [True, False, True]


OLD_XREF = """CREATE TABLE xref (id {serial} PRIMARY KEY, kind VARCHAR(40) NOT NULL, connection VARCHAR(80) NOT NULL,
    code VARCHAR(200) NOT NULL, counterpart VARCHAR(200) NOT NULL, changed_by VARCHAR(80) NOT NULL DEFAULT '',
    changed_at TIMESTAMP NOT NULL, CONSTRAINT xref_once UNIQUE (kind, connection, code))"""


OLD_ITEM = {
    "kind": "unmapped",
    "subject": "customer:S:01",
    "flow": "orders",
    "reason": "对照缺失",
    "next_step": "请补对照",
    "owner": "运营",
    "created_at": datetime(2026, 11, 1, tzinfo=UTC),
}


def test_a_journal_of_the_first_schema_keeps_its_rows_and_open_items(url: str) -> None:
    first = journal_at(url, "0005")
    old = OLD_XREF.format(serial="BIGSERIAL" if first.is_postgres else "INTEGER")
    row = "INSERT INTO xref (kind, connection, code, counterpart, changed_at) VALUES (:k, 'psi', 'S01', 'C1', :at)"
    with first.writing() as tx:
        tx.execute(insert(as_of_0005.work_item).values(OLD_ITEM))
        for statement in ("DROP TABLE unmapped", "DROP TABLE xref", old):
            tx.execute(text(statement))
        tx.execute(text(row), {"k": "customer", "at": "2026-11-23 00:00:00"})
        tx.execute(text("UPDATE duijie_version SET version_num = '0001'"))
    first.engine.dispose()
    kept = Journal.open(url)
    [found] = codes.rows(kept)
    assert (found.counterpart, found.valid_from, found.version) == ("C1", ALWAYS, 1)
    assert codes.put(kept, [customer("S01", "C2")], "张三") == 1
    with kept.reading() as tx:
        [item] = tx.execute(select(unmapped)).all()
    assert tuple(item)[1:] == ("code", "customer", "", "S:01")
    kept.engine.dispose()
