"""Hostile messages through the shipped flows: each ends as a document or as a work item, and the good ones get through.

Here a few thousand; `make faults` sends 100,000.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duijie.connect import records
from duijie.connect.errors import MalformedMessage
from tests.faults.hostile import messages, nested, text_of
from tests.faults.storm import Storm, Told

MESSAGES = 2000


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres])])
def told(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    on_disk = f"sqlite:///{tmp_path / 'journal.db'}"
    url = request.getfixturevalue("postgres_database") if request.param == "postgresql" else on_disk
    return Storm(url, tmp_path).go(3, MESSAGES)


@pytest.mark.slow
def test_every_message_ends_as_a_document_or_a_work_item(told: Told) -> None:
    assert told.is_kept, told.broken[:5]
    assert told.inputs == MESSAGES
    assert told.good > 90
    assert min(told.states[f"message {state}"] for state in ("mapped", "blocked", "invalid", "malformed")) > 60


def test_a_seed_gives_the_same_messages_again() -> None:
    assert list(messages(1, 300)) == list(messages(1, 300)) != list(messages(2, 300))


PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text()
JSON = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@settings(max_examples=100)
@given(JSON)
def test_whatever_is_json_is_kept_and_read_again_or_refused_in_words(value: object) -> None:
    body, digest = records.kept(value)
    key = records.key_of(value, digest)
    assert 0 < len(key) <= records.KEY_LENGTH
    assert "\x00" not in key
    try:
        assert records.read(body) == value
    except MalformedMessage as error:
        assert not isinstance(value, dict) or "\\u0000" in body.decode()
        assert error.zh


class Evil:
    def __repr__(self) -> str:
        raise ValueError("no")


def endless() -> list[object]:
    found: list[object] = []
    found.append(found)
    return found


def deep() -> list[object]:
    found: list[object] = []
    for _ in range(100_000):
        found = [found]
    return found


@pytest.mark.parametrize("make", [Evil, endless, deep, lambda: "\ud800", lambda: {"a": object()}, lambda: {Evil(): 1}])
def test_what_is_no_json_is_kept_as_a_sentence_about_it(make: object) -> None:
    body, digest = records.kept(make())  # type: ignore[operator]
    assert len(digest) == 64
    with pytest.raises(MalformedMessage, match="not a record"):
        records.read(body)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (text_of({"a": nested(200)}), "nested"),
        (text_of({"a": nested(900, '{"a":', "}")}), "nested"),
        ('{"a": "x\\u0000y"}', "NUL"),
        ('{"a": "x\\\\\\u0000y"}', "NUL"),
        ("[1]", "not a record"),
    ],
)
def test_what_no_mapping_can_take_is_refused(text: str, words: str) -> None:
    with pytest.raises(MalformedMessage, match=words):
        records.read(text.encode())


@pytest.mark.parametrize("text", ['{"a": "x\\\\u0000y"}', '{"a": "[[[' + "[" * 300 + '"}', text_of({"a": [[1]] * 200})])
def test_what_only_looks_like_it_is_read(text: str) -> None:
    assert set(records.read(text.encode())) == {"a"}
