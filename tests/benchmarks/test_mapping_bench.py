"""What `make bench-mapping` compares is the same mapping: same orders in, same orders out."""

from __future__ import annotations

from decimal import Decimal

import jsonschema_rs
import pytest

from benchmarks.mapping import ours
from benchmarks.mapping.contenders import OURS, load
from benchmarks.mapping.hand import hand, hand_quantised
from benchmarks.mapping.orders import orders
from duijie import codec
from duijie.mapping import load_mapping, run_tests

SCHEMA = ours.FILE.with_name("order.schema.json")
ORDERS = [codec.decode(codec.encode(order)) for order in orders(200, seed=7)]


@pytest.mark.parametrize("name", OURS)
def test_every_implementation_gives_what_the_hand_written_one_gives(name: str) -> None:
    contender = load(name)
    assert [found for order in ORDERS for found in contender.differences(order, hand(order))] == []


def test_a_difference_of_a_cent_is_seen() -> None:
    expected = hand(ORDERS[0])
    expected["lines"][2]["tax"] += Decimal("0.01")
    assert len(ours.duijie().differences(ORDERS[0], expected)) == 1


def test_the_mapping_passes_the_tests_in_its_file() -> None:
    assert [result.differences for result in run_tests(load_mapping(ours.FILE))] == [()]


def test_orders_are_distinct_and_add_up_to_the_cent() -> None:
    assert len({order["tid"] for order in ORDERS}) == len(ORDERS)
    for order in ORDERS:
        lines = sum(Decimal(line["payment"]) for line in order["orders"])
        assert lines + Decimal(order["post_fee"]) == Decimal(order["payment"])


def test_the_same_seed_gives_the_same_orders_and_another_gives_others() -> None:
    assert orders(3, seed=7) == orders(3, seed=7)
    assert not {order["tid"] for order in orders(200, seed=8)} & {order["tid"] for order in ORDERS}


def test_an_order_weighs_as_much_as_the_documented_one() -> None:
    sizes = [(len(codec.encode(order)), len(codec.encode(hand(order)))) for order in ORDERS]
    for side in zip(*sizes, strict=True):
        assert 1500 < sum(side) / len(side) < 1700


def test_amounts_come_with_two_decimals_one_and_none() -> None:
    texts = [line["payment"] for order in ORDERS for line in order["orders"]]
    assert {len(text.partition(".")[2]) for text in texts} == {0, 1, 2}


def test_rounding_defensively_gives_two_decimals_everywhere() -> None:
    for order in ORDERS:
        result = hand_quantised(order)
        amounts = [value for row in (result, *result["lines"]) for key, value in row.items() if key != "tax_rate"]
        assert {value.as_tuple().exponent for value in amounts if isinstance(value, Decimal)} == {-2}


@pytest.mark.parametrize("lines", [1, 10, 1000])
def test_an_order_may_have_any_number_of_lines(lines: int) -> None:
    (order,) = orders(1, lines=lines)
    result = hand(order)
    assert len(result["lines"]) == lines
    assert sum(line["tax"] for line in result["lines"]) == result["tax"]


def test_every_result_keeps_to_the_schema_that_the_chain_checks() -> None:
    validator = jsonschema_rs.validator_for(codec.decode(SCHEMA.read_bytes()), validate_formats=True)
    for order in orders(500, seed=9):
        assert [error.message for error in validator.iter_errors(hand(order))] == []
