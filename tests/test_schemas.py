"""Documents against their schemas: quickly where they are right, every fault where they are not."""

from __future__ import annotations

from decimal import Decimal

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duijie import schemas
from duijie.connect.errors import InvalidDocument

VOUCHER = {
    "key": "sale:S01:2026-11-11:1", "date": "2026-11-11", "period": "202611", "word": "记", "summary": "销售",
    "attachments": 1, "debit": Decimal("113.00"), "credit": Decimal("113.00"),
    "lines": [
        {"line_no": 1, "summary": "销售", "account": "1122", "debit": Decimal("113.00"), "credit": 0},
        {"line_no": 2, "summary": "销售", "account": "6001", "debit": 0, "credit": Decimal("113.0")},
    ],
}  # fmt: skip
ODD = [Decimal("1E+2"), Decimal("1.100"), Decimal("0.001"), Decimal("1.00"), 3, True, None, "1.00"]
AMOUNTS = st.one_of(st.decimals(-1000, 1000, places=2), st.decimals(-1000, 1000, places=3), st.sampled_from(ODD))


def test_a_right_document_passes_and_amounts_are_whole_cents_however_written() -> None:
    schemas.check("voucher", VOUCHER)
    schemas.check("voucher", {**VOUCHER, "debit": Decimal("113.000"), "credit": Decimal("1.13E+2")})


def test_a_fraction_of_a_cent_is_named_with_its_place() -> None:
    lines = [VOUCHER["lines"][0], {**VOUCHER["lines"][1], "credit": Decimal("113.001")}]
    with pytest.raises(InvalidDocument, match=r"lines\.1\.credit"):
        schemas.check("voucher", {**VOUCHER, "lines": lines})


@given(st.lists(st.fixed_dictionaries({"debit": AMOUNTS, "credit": AMOUNTS}), max_size=3), AMOUNTS)
def test_the_quick_way_says_what_the_schema_says(lines: list[dict[str, object]], debit: object) -> None:
    made = [{**VOUCHER["lines"][0], **line} for line in lines]
    document = {**VOUCHER, "debit": debit, "lines": made}
    whole = jsonschema_rs.validator_for(schemas.schema("voucher"), validate_formats=True)
    try:
        schemas.check("voucher", document)
        passed = True
    except InvalidDocument:
        passed = False
    assert passed == whole.is_valid(document)


@pytest.mark.parametrize("entity", schemas.entities())
def test_every_amount_of_a_schema_is_checked_the_quick_way(entity: str) -> None:
    quick = schemas._quick(entity)
    assert str(schemas.schema(entity)).count("multipleOf") == quick.amounts.count


def test_amounts_of_a_shared_definition_are_checked_the_quick_way_too() -> None:
    money = {"type": "number", "multipleOf": Decimal("0.01")}
    line = {"type": "object", "properties": {"net": {"$ref": "#/$defs/money"}, "parts": {"$ref": "#/$defs/lines"}}}
    shared = {"money": money, "lines": {"type": "array", "items": line}}
    whole = {"properties": {"tax": {"$ref": "#/$defs/money"}, "lines": {"$ref": "#/$defs/lines"}}, "$defs": shared}
    exact, quick = jsonschema_rs.validator_for(whole), schemas.quick(whole)
    assert quick.amounts.count == 2
    for net in (Decimal("1.00"), Decimal("1.001"), "1.00", None):
        for document in ({"tax": net}, {"lines": [{"net": net}]}, {"lines": [{"parts": [{"net": net}]}]}):
            assert quick.accepts(document) == exact.is_valid(document), document
