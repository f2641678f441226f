"""Money and quantities: rounding, shares with a named tail, bundles, units."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from duijie.mapping.allocation import allocate, explode
from duijie.mapping.numbers import Known, ceil, decimal, floor, money
from duijie.mapping.units import convert, convert_price
from duijie.mapping.values import Fault

D = Decimal
CENTS = st.integers(-(10**12), 10**12).map(lambda cents: D(cents).scaleb(-2))
WEIGHTS = st.lists(st.one_of(st.integers(0, 10**9), st.decimals(0, 10**6, places=3)), min_size=1, max_size=20).filter(
    any
)
TAILS = st.one_of(st.sampled_from(["last", "largest"]), st.integers(0, 19))
BEER = {"瓶": 1, "提": 6, "箱": 24, "毫升": "1/330"}
WRITTEN = st.one_of(
    st.from_regex(r"[-+ ]?[0-9]{1,29}\.[0-9]{1,3}", fullmatch=True),
    st.text("0123456789.-+eE_ NaNinfs１٣", max_size=9),
)


@pytest.mark.parametrize("read", [money, decimal])
@given(text=WRITTEN)
@example(text="-887120268064709422382338763.66")
def test_a_number_seen_before_is_what_the_rule_reads_and_none_where_it_refuses(read, text):
    try:
        expected = str(read(text))
    except Fault as refused:
        with pytest.raises(Fault, match=refused.en):
            Known(read)[text]
    else:
        known = Known(read)
        assert [str(known[text]), str(known[text])] == [expected, expected]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("floor(2.5)", 2),
        ("floor(-2.5)", -3),
        ("ceil(2.000001)", 3),
        ("ceil('-2.9')", -2),
        ("allocate(10.00, [1, 1, 1])", ["3.33", "3.33", "3.34"]),
        ("allocate(10.00, [1, 1, 1, 1, 1, 1], 'last')", ["1.67", "1.67", "1.67", "1.67", "1.67", "1.65"]),
        ("allocate(10.00, [1, 3, 2], tail='largest')", ["1.67", "5.00", "3.33"]),
        ("allocate(10.00, [1, 1, 1], tail=0)", ["3.34", "3.33", "3.33"]),
        ("allocate(0.05, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], 'last')", ["0.00"] * 4 + ["0.01"] * 5 + ["0.00"]),
        ("allocate(-10.00, [1, 1, 1], 'last')", ["-3.33", "-3.33", "-3.34"]),
        ("allocate(10.00, (l.w for l in lines), tail='last')", ["2.50", "7.50"]),
        ("convert(2, '箱', '瓶', units)", "48"),
        ("convert('1.5', '箱', '提', units)", "6"),
        ("convert(7, '瓶', '箱', units, 3)", "0.292"),
        ("convert(-1, '瓶', '箱', units, places=2)", "-0.04"),
        ("convert(2.50, '件', '件', [])", "2.5"),
        ("convert_price(72.00, '箱', '瓶', units)", "3"),
        ("convert_price(3, '瓶', '箱', units, 2)", "72.00"),
        ("convert_price(10, '箱', '瓶', units, 4)", "0.4167"),
        ("convert(3, 'box', 'piece', rows)", "37.5"),
        ("convert(1, 'third', 'piece', rows, 2)", "0.33"),
    ],
)
def test_amounts_and_quantities(value, expression, expected):
    rows = [
        {"unit": "piece", "ratio": 1},
        {"unit": "box", "ratio": "12.5"},
        {"unit": "third", "factor_num": 1, "factor_den": 3},
    ]
    record = {"lines": [{"w": 1}, {"w": 3}], "units": BEER, "rows": rows}
    result = value(expression, record)
    assert (list(map(str, result)) if isinstance(result, list) else str(result)) == (
        expected if isinstance(expected, list) else str(expected)
    )


@given(CENTS, WEIGHTS, TAILS)
def test_every_line_but_the_tail_is_its_exact_share_to_the_cent(total, weights, tail):
    named = tail % len(weights) if isinstance(tail, int) else tail
    parts = allocate(total, weights, named)
    taker = {"last": len(weights) - 1, "largest": max(range(len(weights)), key=lambda at: (weights[at], at))}
    assert sum(map(Fraction, parts)) == Fraction(total)
    for at, (part, weight) in enumerate(zip(parts, weights, strict=True)):
        assert part == 0 or (part > 0) == (total > 0)
        if at != taker.get(named, named):
            exact = Fraction(total) * Fraction(weight) / sum(map(Fraction, weights))
            assert abs(Fraction(part) - exact) < Fraction(1, 100)


@given(CENTS, WEIGHTS)
def test_other_lines_round_half_up_wherever_the_tail_can_bear_it(total, weights):
    *others, tail = allocate(total, [*weights, sum(weights)], "last")
    exact = [Fraction(total) * Fraction(weight) / (2 * sum(map(Fraction, weights))) for weight in weights]
    rounded = [int(abs(each) * 100 + Fraction(1, 2)) * (1 if total > 0 else -1) for each in exact]
    assert tail * total > 0 or [int(each * 100) for each in others] == rounded or sum(rounded) * total > total * total
    if tail != 0:
        assert [int(each * 100) for each in others] == rounded


PARTS = st.lists(
    st.fixed_dictionaries(
        {"sku": st.text("AB12", min_size=1), "qty": st.one_of(st.integers(1, 99), st.decimals("0.001", 99, places=3))},
        optional={"price": st.one_of(st.none(), st.decimals(0, 10**4, places=2)), "name": st.text(max_size=3)},
    ),
    min_size=1,
    max_size=8,
)


@given(PARTS, st.integers(-9, 99), CENTS)
def test_the_parts_of_a_bundle_cost_what_the_bundle_costs(parts, qty, amount):
    lines = explode(parts, qty, amount)
    assert sum(line["amount"] for line in lines) == amount
    for part, line in zip(parts, lines, strict=True):
        assert line["qty"] == part["qty"] * qty
        assert {**line, "qty": part["qty"]} == {**part, "amount": line["amount"]}


def test_a_bundle_is_priced_by_its_parts_prices_and_by_quantity_where_it_has_none(value):
    parts = [{"sku": "A", "qty": 1, "price": "30.00", "name": "壶"}, {"sku": "B", "qty": 2, "price": 10}]
    assert value("explode(parts, 3, 120.01)", {"parts": parts}) == [
        {"sku": "A", "qty": 3, "price": "30.00", "name": "壶", "amount": D("72.01")},
        {"sku": "B", "qty": 6, "price": 10, "amount": D("48.00")},
    ]
    free = [{"sku": "A", "qty": 1, "price": 0}, {"sku": "B", "qty": "3"}]
    assert [str(line["amount"]) for line in explode(free, 1, D("10.00"))] == ["2.50", "7.50"]


@given(
    st.decimals(-(10**9), 10**9, places=6),
    st.fractions(Fraction(1, 1000), 1000, max_denominator=1000),
    st.fractions(Fraction(1, 1000), 1000, max_denominator=1000),
)
def test_conversion_is_exact_or_says_that_it_is_not(qty, here, there):
    units = {"a": f"{here.numerator}/{here.denominator}", "b": f"{there.numerator}/{there.denominator}"}
    exact = Fraction(qty) * here / there
    rounded = convert(qty, "a", "b", units, 6)
    assert abs(Fraction(rounded) - exact) <= Fraction(1, 2 * 10**6) and -rounded.as_tuple().exponent == 6
    try:
        assert Fraction(convert(qty, "a", "b", units)) == exact
    except Fault:
        assert 10**12 * exact % 1 != 0
    assert convert_price(qty, "b", "a", units, 6) == rounded


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: floor("x"), "not a number"),
        (lambda: ceil(True), "not a number"),
        (lambda: allocate(D(1), [1], "first"), "the tail goes to"),
        (lambda: allocate(D(1), [1], 1), "the tail goes to"),
        (lambda: allocate(D(1), [1], True), "the tail goes to"),
        (lambda: allocate(D(1), [1], -1), "the tail goes to"),
        (lambda: allocate(D("0.001"), [1]), "whole cents"),
        (lambda: allocate(D(1), [0, 0], "last"), "add up to zero"),
        (lambda: allocate(D(1), [1, -1], "last"), "negative"),
        (lambda: allocate("1.00", [1]), "a number is needed"),
        (lambda: convert(1, "箱", "桶", BEER), "there are"),
        (lambda: convert(1, None, "瓶", BEER), "there are"),
        (lambda: convert(1, "瓶", "箱", BEER), "how many places"),
        (lambda: convert(1, "瓶", "箱", {"瓶": 0, "箱": 1}), "above zero"),
        (lambda: convert(1, "瓶", "箱", {"瓶": "1/0", "箱": 1}), "not a number"),
        (lambda: convert(1, "瓶", "箱", [{"ratio": 1}]), "unit and ratio"),
        (lambda: convert(1, "瓶", "箱", [{"unit": "瓶"}, {"unit": "箱"}]), "not a number"),
        (lambda: convert(1, "瓶", "箱", None), "a list is needed"),
        (lambda: convert(1, "瓶", "箱", BEER, 13), "from 0 to 12"),
        (lambda: convert(D("9e58"), "箱", "毫升", BEER), "out of range"),
        (lambda: explode([], 1, D(1)), "add up to zero"),
        (lambda: explode([{"sku": "A"}], 1, D(1)), "sku and qty"),
        (lambda: explode([{"qty": 1}], 1, D(1)), "sku and qty"),
        (lambda: explode(["A"], 1, D(1)), "sku and qty"),
        (lambda: explode([{"sku": "A", "qty": 0}], 1, D(1)), "above zero"),
        (lambda: explode([{"sku": "A", "qty": 1, "price": -1}], 1, D(1)), "negative"),
        (lambda: explode([{"sku": "A", "qty": 1}], 1, D("0.005")), "whole cents"),
        (lambda: explode({"sku": "A"}, 1, D(1)), "a list is needed"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(call, said):
    with pytest.raises(Fault) as caught:
        call()
    assert said in caught.value.en
    assert caught.value.zh
