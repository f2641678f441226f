"""What counts as a change of a vendor's records, and what does not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import pytest

from duijie.drift import changes, learned, seen

SCHEMA = {
    "type": "object",
    "required": ["tid"],
    "properties": {
        "tid": {"type": "integer"},
        "fee": {"type": "number"},
        "memo": {"type": ["string", "null"]},
        "orders": {
            "type": "array",
            "items": {"type": "object", "required": ["oid"], "properties": {"oid": {"type": "integer"}}},
        },
        "extra": {"type": "object"},
    },
}
GOOD = {"tid": 1, "fee": Decimal("1.50"), "memo": None, "orders": [{"oid": 1}, {"oid": 2}], "extra": {"any": 1}}


def found(*records: Any, before: list[Any] | None = None, schema: Any = SCHEMA) -> list[tuple[str, str, str, int]]:
    now = seen((f"K{at}", record) for at, record in enumerate(records))
    told = changes(now, schema, seen(("old", record) for record in before or []))
    return [(one.kind, one.path, one.now, one.times) for one in told]


def test_records_as_the_schema_says_have_not_changed() -> None:
    assert found(GOOD, {**GOOD, "fee": 2}, {"tid": 2}) == []


@pytest.mark.parametrize(
    ("record", "change"),
    [
        ({**GOOD, "level": "VIP"}, ("new", "level", "string", 1)),
        ({**GOOD, "orders": [{"oid": 1, "gift": True}]}, ("new", "orders[].gift", "boolean", 1)),
        ({**GOOD, "tid": "1"}, ("retyped", "tid", "string", 1)),
        ({**GOOD, "memo": 5}, ("retyped", "memo", "integer", 1)),
        ({**GOOD, "orders": {"order": []}}, ("retyped", "orders", "object", 1)),
        ({**GOOD, "orders": [{}, {"oid": 2}]}, ("missing", "orders[].oid", "", 1)),
        ({"fee": 1}, ("missing", "tid", "", 1)),
    ],
)
def test_one_change_is_told_once_by_its_path(record: Any, change: tuple[str, str, str, int]) -> None:
    assert found(record) == [change]


def test_what_is_below_a_new_field_is_not_told_as_well() -> None:
    assert found({**GOOD, "buyer": {"name": "x", "tags": [1]}}) == [("new", "buyer", "object", 1)]


def test_the_key_of_a_record_that_shows_it_is_named() -> None:
    now = seen([("T1", GOOD), ("T2", {**GOOD, "level": 3})])
    assert [one.example for one in changes(now, SCHEMA, seen([]))] == ["T2"]


class TestEarlierTraffic:
    def test_a_field_that_most_had_and_nobody_has_any_more_is_missed(self) -> None:
        without = {"tid": 1, "orders": [{"oid": 1}]}
        told = found(*[without] * 20, before=[GOOD] * 20)
        assert [(kind, path) for kind, path, _, _ in told] == [
            ("missing", "extra"),
            ("missing", "fee"),
            ("missing", "memo"),
        ]

    def test_few_records_miss_nothing(self) -> None:
        assert found(*[{"tid": 1}] * 19, before=[GOOD] * 20) == []

    def test_without_a_schema_it_alone_says_what_is_new_or_retyped(self) -> None:
        before = [{"no": "1", "qty": 1}] * 20
        assert found({"no": "1", "qty": 1}, before=before, schema=None) == []
        told = found({"no": 1, "qty": 1, "unit": "件"}, before=before, schema=None)
        assert told == [("retyped", "no", "integer", 1), ("new", "unit", "string", 1)]

    def test_without_either_nothing_is_said(self) -> None:
        assert found({"no": 1}, schema=None) == []


class TestWhatASchemaDoesNotName:
    """Some vendors' documents name part of what they send: what came before is then not new."""

    BEFORE: ClassVar = [{**GOOD, "undocumented": 1}] * 20

    def test_is_new_only_once_where_the_schema_leaves_it_open(self) -> None:
        assert found({**GOOD, "undocumented": 2}, before=self.BEFORE) == []
        assert found({**GOOD, "level": 2}, before=self.BEFORE) == [("new", "level", "integer", 1)]

    def test_is_new_whenever_it_comes_where_the_schema_is_closed(self) -> None:
        closed = {**SCHEMA, "additionalProperties": False}
        assert found({**GOOD, "undocumented": 2}, before=self.BEFORE, schema=closed) == [
            ("new", "undocumented", "integer", 1)
        ]

    def test_is_free_at_first_where_the_schema_takes_anything(self) -> None:
        free = {**SCHEMA, "additionalProperties": True}
        assert found({**GOOD, "level": 2}, schema=free) == []
        assert found({**GOOD, "level": 2}, before=self.BEFORE, schema=free) == [("new", "level", "integer", 1)]


class TestLearning:
    def test_what_was_seen_keeps_the_schema_learned_of_it(self) -> None:
        records = [GOOD, {**GOOD, "memo": "x", "orders": []}]
        schema = learned(seen(("k", record) for record in records), "shop", "trade")
        assert found(*records, schema=schema) == []
        assert schema["$id"] == "duijie:source:shop:trade"
        assert schema["properties"]["memo"]["type"] == ["string", "null"]

    def test_a_field_that_was_not_always_there_is_not_required(self) -> None:
        schema = learned(seen([("1", {"a": 1, "b": 2}), ("2", {"a": 1})]), "shop", "trade")
        assert schema["required"] == ["a"]

    def test_it_holds_no_value(self) -> None:
        schema = learned(seen([("13800000000", {"phone": "13800000000"})]), "shop", "trade")
        assert "13800000000" not in str(schema)
