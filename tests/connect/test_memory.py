"""What was sent under a serial is known to every worker, and no serial is begun twice at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from duijie.connect.memory import Memory
from duijie.connect.tokens import TokenStore


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(TokenStore(tmp_path), "pt.blue")


def test_a_new_serial_is_free_and_what_was_sent_is_known_to_another_worker(memory: Memory, tmp_path: Path) -> None:
    assert memory.kept("DJ1") is None
    assert memory.begin("DJ1", {"gross": "113.00"}).state == "refused"
    other = Memory(TokenStore(tmp_path), "pt.blue").kept("DJ1")
    assert other is not None
    assert (other.state, other.payload, other.is_doubtful) == ("sent", {"gross": "113.00"}, True)


def test_a_serial_with_an_answer_keeps_it_and_what_was_sent_first(memory: Memory) -> None:
    memory.begin("DJ1", {"gross": "113.00"})
    memory.answered("DJ1", {"Fphm": "26992000000000000001"})
    again = memory.begin("DJ1", {"gross": "9.00"})
    assert (again.state, again.payload, again.answer["Fphm"]) == (
        "answered",
        {"gross": "113.00"},
        "26992000000000000001",
    )


def test_a_refused_serial_is_free_for_the_corrected_payload(memory: Memory) -> None:
    memory.begin("DJ1", {"gross": "113.00"})
    memory.ended("DJ1", "refused")
    assert memory.begin("DJ1", {"gross": "9.00"}).state == "refused"
    kept = memory.kept("DJ1")
    assert kept is not None and kept.payload == {"gross": "9.00"}


def test_a_doubt_outlasts_a_later_refusal_until_a_person_was_told_or_it_is_cleared(memory: Memory) -> None:
    memory.begin("DJ1", {})
    memory.ended("DJ1", "doubt")
    memory.ended("DJ1", "refused")
    assert memory.begin("DJ1", {}).is_doubtful
    memory.ended("DJ1", "told")
    assert memory.begin("DJ1", {}).state == "told"
    memory.ended("DJ1", "doubt")
    memory.cleared("DJ1")
    assert memory.begin("DJ1", {}).state == "refused"


def test_of_workers_that_begin_one_serial_at_once_one_may_send(tmp_path: Path) -> None:
    workers = [Memory(TokenStore(tmp_path), "pt.blue") for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        states = [one.state for one in pool.map(lambda worker: worker.begin("DJ1", {}), workers)]
    assert sorted(states) == ["refused", *["sent"] * 7]


def test_amounts_are_kept_exact_and_sinks_apart(memory: Memory, tmp_path: Path) -> None:
    memory.begin("DJ1", {"gross": Decimal("0.10")})
    kept = memory.kept("DJ1")
    assert kept is not None and str(kept.payload["gross"]) == "0.10"
    assert Memory(TokenStore(tmp_path), "pt.red").kept("DJ1") is None


def test_only_its_owner_may_read_it(memory: Memory, tmp_path: Path) -> None:
    memory.begin("DJ1", {"buyer": "某公司"})
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("*.json")} == {0}
