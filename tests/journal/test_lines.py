"""What all workers know of a connection, and what a person is told of it, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import select

from duijie.connect.errors import ConfigError, Disabled, LineDown
from duijie.connect.line import STRIKES, Line, State
from duijie.journal import Journal, lines
from duijie.journal.lines import JournalBoard
from duijie.journal.tables import alert, work_item

NOW = 1_800_000_000.0


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    place = f"sqlite:///{tmp_path / 'journal.db'}"
    opened = Journal.open(place if request.param == "sqlite" else str(request.getfixturevalue("postgres_database")))
    yield opened
    opened.engine.dispose()


def told(kept: Journal) -> list[tuple[str, str]]:
    with kept.reading() as tx:
        return [tuple(row) for row in tx.execute(select(alert.c.dedupe, alert.c.state).order_by(alert.c.id))]


def items(kept: Journal) -> list[tuple[str, str, str]]:
    with kept.reading() as tx:
        return [tuple(row) for row in tx.execute(select(work_item.c.kind, work_item.c.subject, work_item.c.state))]


def strike_out(kept: Journal, name: str = "psi") -> None:
    board = JournalBoard(kept)
    for number in range(STRIKES):
        board.change(name, lambda state, at=NOW + number * 60: state.struck(at, "密钥错误"))  # type: ignore[misc]


def test_every_worker_reads_what_one_wrote(kept: Journal) -> None:
    board = JournalBoard(kept)
    assert board.read("psi") == State()
    before, after = board.change("psi", lambda state: state.rested(NOW))
    assert (before, after) == (State(), State(rests_until=NOW))
    assert JournalBoard(Journal(kept.engine)).read("psi") == after


def test_only_one_of_many_tries_a_dead_line(kept: Journal) -> None:
    board = JournalBoard(kept)
    board.change("psi", lambda state: state.died(NOW))
    start, won = Barrier(6), []

    def tries() -> None:
        start.wait()
        before, after = board.change("psi", lambda state: state.tried(NOW + 60))
        if before != after:
            won.append(1)

    threads = [Thread(target=tries) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_a_dead_line_is_one_alert_which_is_over_when_it_works(kept: Journal) -> None:
    board = JournalBoard(kept)
    board.change("psi", lambda state: state.died(NOW))
    board.change("psi", lambda state: state.tried(NOW + 60))
    board.change("psi", lambda state: state.died(NOW + 61))
    assert [dedupe for dedupe, _ in told(kept)] == ["line|psi"]
    board.change("psi", State.worked)
    assert ("line|psi", "pending") not in told(kept)


def test_a_disabled_connection_is_one_work_item_and_one_alert(kept: Journal) -> None:
    strike_out(kept)
    strike_out(kept)
    assert items(kept) == [("credential", "psi", "open")]
    assert len(told(kept)) == 1
    with pytest.raises(Disabled):
        Line("psi", JournalBoard(kept)).check()


def test_enabling_it_closes_the_item_and_clears_every_part(kept: Journal) -> None:
    strike_out(kept, "shops:S01")
    strike_out(kept, "shopsother")
    JournalBoard(kept).change("shops", lambda state: state.died(NOW))
    assert lines.enable(kept, "shops", "李四")
    assert not lines.enable(kept, "shops", "李四")
    assert sorted(items(kept)) == [("credential", "shops:S01", "closed"), ("credential", "shopsother", "open")]
    assert JournalBoard(kept).read("shops:S01") == State()


def test_a_person_switches_a_connection_off_and_on(kept: Journal) -> None:
    lines.disable(kept, "psi", "李四", "对方停机维护")
    with pytest.raises(Disabled, match="connection enable psi"):
        Line("psi", JournalBoard(kept)).check()
    with pytest.raises(ConfigError, match="disabled already"):
        lines.disable(kept, "psi", "李四", "对方停机维护")
    assert lines.enable(kept, "psi", "李四")
    Line("psi", JournalBoard(kept)).check()


def test_a_pause_that_was_asked_for_tells_nobody(kept: Journal) -> None:
    line = Line("psi", JournalBoard(kept))
    JournalBoard(kept).change("psi", lambda state: state.rested(4_000_000_000.0))
    with pytest.raises(LineDown):
        line.check()
    assert told(kept) == []
