"""What expressions compute: money to the cent, texts, dates, lists."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duijie.mapping import FieldError
from duijie.mapping.allocation import allocate
from duijie.mapping.numbers import divide, floor_divide, modulo, money, split_tax
from duijie.mapping.values import Fault

D = Decimal
CENTS = st.integers(-(10**12), 10**12).map(lambda cents: D(cents).scaleb(-2))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("123.45 * 0.13", D("16.0485")),
        ("0.1 + 0.2", D("0.3")),
        ("money(price) * 3", D("59.70")),
        ("money(1.005)", D("1.01")),
        ("money(0.125 * 10.1)", D("1.26")),
        ("round(2.5, 0)", D("3")),
        ("round(-2.5, 0)", D("-3")),
        ("1 / 8", D("0.125")),
        ("qty / 2", D("1.5")),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("-7.0 // 2", D("-4")),
        ("-7.5 % 2", D("0.5")),
        ("7 % 4", 3),
        ("integer('12')", 12),
        ("integer(12.00)", 12),
        ("decimal(' 1.10 ')", D("1.10")),
        ("abs(-1.5)", D("1.5")),
        ("max(1, 2.5)", D("2.5")),
        ("min(lines)", 1),
        ("12345678901234567890 + 1", 12345678901234567891),
    ],
)
def test_numbers_are_exact(value, expression, expected):
    result = value(expression, {"price": "19.90", "qty": 3, "lines": [3, 1, 2]})
    assert result == expected
    assert type(result) is type(expected)
    assert str(result) == str(expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("text(1.10)", "1.10"),
        ("text(decimal('0.0000001'))", "0.0000001"),
        ("text(true)", "true"),
        ("join('-', 'a', 1, 2.50)", "a-1-2.50"),
        ("join(',', names)", "甲,乙"),
        ("join(',', (n for n in names if n != '甲'))", "乙"),
        ("trim('　a ')", "a"),
        ("upper('a') + lower('B')", "Ab"),
        ("nfkc('ＡＢ１２')", "AB12"),
        ("replace('a-b', '-', '')", "ab"),
        ("left('数电票发票', 3)", "数电票"),
        ("split('a;b', ';')[1]", "b"),
        ("datetime('2026-11-11 00:00:01', '%Y-%m-%d %H:%M:%S')", "2026-11-11T00:00:01+08:00"),
        ("datetime('20261111', '%Y%m%d')", "2026-11-11T00:00:00+08:00"),
        ("datetime('2026-11-11T00:00:00+0000', '%Y-%m-%dT%H:%M:%S%z')", "2026-11-11T08:00:00+08:00"),
        ("datetime(1794326400123, 'ms')", "2026-11-11T00:00:00.123000+08:00"),
        ("datetime('1794326400', 's', tz='UTC')", "2026-11-10T16:00:00+00:00"),
        ("date('2026-11-11T23:59:59+08:00')", "2026-11-11"),
        ("format_date('2026-11-11T23:59:59+08:00', '%Y年%m期')", "2026年11期"),
        ("epoch_ms('2026-11-11T00:00:00.123+08:00')", 1794326400123),
        ("json({'b': 1, 'a': 1.10})", '{"a":1.10,"b":1}'),
        ("parse_json('{\"a\": 0.10}').a", D("0.10")),
        ("count(names)", 2),
        ("first(names)", "甲"),
        ("first((n for n in names if n == '丙'), '无')", "无"),
        ("list(n + '!' for n in names)", ["甲!", "乙!"]),
        ("sum(n * 2 for n in numbers if n > 1)", 10),
        ("all(n > 0 for n in numbers)", True),
        ("any(n > 5 for n in numbers)", False),
        ("sum(a * b for a in numbers for b in numbers)", 36),
        ("'x' in ('x', 'y')", True),
        ("1 < 2 <= 2", True),
        ("'a' if has(names) else 'b'", "a"),
        ("has(empty) or has(nowhere.at.all)", False),
        ("default(empty, 'z') + default(nowhere.x, 'z')", "zz"),
        ("default(names[5], default(names[0], 'z'))", "甲"),
        ("[1, {'a': null}]", [1, {"a": None}]),
        ("record['from']", "here"),
        ("settings.shop", "S1"),
    ],
)
def test_texts_dates_and_lists(value, expression, expected):
    record = {"names": ["甲", "乙"], "numbers": [1, 2, 3], "empty": None, "from": "here"}
    assert value(expression, record, settings={"shop": "S1"}) == expected


@pytest.mark.parametrize(
    ("gross", "rate", "tax"),
    [
        ("113.00", "0.13", "13.00"),
        ("200", "0.01", "1.98"),
        ("100", "0.13", "11.50"),
        ("3", "0.01", "0.03"),
        ("2", "0.03", "0.06"),
        ("0.05", "0.13", "0.01"),
        ("10100.00", "0.01", "100.00"),
        ("10100.00", "0.03", "294.17"),
        ("100", "0", "0.00"),
    ],
)
def test_tax_is_taken_out_of_the_gross_amount_half_up(gross, rate, tax):
    parts = split_tax(D(gross), D(rate))
    assert parts == {"gross": D(gross), "tax": D(tax), "net": D(gross) - D(tax)}


def test_tax_on_a_net_amount_rounds_half_up_where_bankers_rounding_would_not(value):
    assert value("money(10.05 * 0.10)") == D("1.01")


def test_by_line_and_by_total_differ_by_the_known_cent():
    by_line = [split_tax(D("59.70"), D("0.13")), split_tax(D("69.93"), D("0.13"))]
    assert sum(part["tax"] for part in by_line) == D("14.92")
    assert split_tax(D("129.63"), D("0.13"))["tax"] == D("14.91")


@given(CENTS, st.sampled_from(["0", "0.01", "0.03", "0.06", "0.09", "0.13"]).map(D))
def test_net_and_tax_always_make_the_gross(gross, rate):
    parts = split_tax(gross, rate)
    assert parts["net"] + parts["tax"] == gross
    assert abs(gross * rate / (1 + rate) - parts["tax"]) <= D("0.005")


@pytest.mark.parametrize(
    ("total", "weights", "expected"),
    [
        ("10.00", [1, 1, 1], ["3.33", "3.33", "3.34"]),
        ("10.00", [59, 29, 12], ["5.90", "2.90", "1.20"]),
        ("-10.00", [1, 1, 1], ["-3.33", "-3.33", "-3.34"]),
        ("0.02", [1, 1, 1], ["0.00", "0.01", "0.01"]),
        ("0.00", [0, 0], ["0.00", "0.00"]),
        ("0", [], []),
    ],
)
def test_allocation_by_largest_remainder_gives_equal_remainders_to_the_later_line(total, weights, expected):
    assert [str(part) for part in allocate(D(total), weights)] == expected


@given(CENTS, st.lists(st.integers(0, 10**9), min_size=1, max_size=20).filter(any))
def test_allocation_loses_no_cent(total, weights):
    parts = allocate(total, weights)
    assert sum(parts) == total
    assert all(
        abs(part - total * weight / sum(weights)) < D("0.01") for part, weight in zip(parts, weights, strict=True)
    )


@given(st.integers(-(10**9), 10**9), st.integers(-(10**6), 10**6).filter(bool))
def test_decimals_and_whole_numbers_divide_alike(left, right):
    assert floor_divide(D(left), right) == left // right
    assert modulo(left, D(right)) == left % right
    assert divide(left, right) == D(left) / D(right)


@pytest.mark.parametrize(
    "wrong", [1.5, "1,234.00", "1_000", "NaN", "１２", "", None, True, [], "1e9", D("NaN"), D("1e70")]
)
def test_money_refuses_what_is_no_exact_number(wrong):
    with pytest.raises(Fault):
        money(wrong)


@pytest.mark.parametrize(
    "expression",
    [
        "a + b",
        "b + a",
        "a * 3",
        "3 * a",
        "b * xs",
        "a % b",
        "a - b",
        "-a",
        "a < b",
        "b / 0",
        "b // 0",
        "money(b) / 0",
        "integer(1.5)",
        "split_tax(b, 13)",
        "split_tax(a, 0.13)",
        "allocate(0.001, [1])",
        "allocate(1, [0])",
        "allocate(1, [-1])",
        "join(',', xs, nothing)",
        "text(nothing)",
        "sum(xs)",
        "count(a)",
        "first([])",
        "min([])",
        "max(a, b)",
        "left(a, -1)",
        "split(a, '')",
        "datetime('2026-02-30', '%Y-%m-%d')",
        "datetime(a, 'ms')",
        "datetime(a, '%Y', 'Mars/Base')",
        "datetime('2026-W46-3 00:00:01', '%Y-%m-%d %H:%M:%S')",
        "datetime('2026-11-11 00:00+08', '%Y-%m-%d %H:%M:%S')",
        "datetime('2026-11-31 00:00:00', '%Y-%m-%d %H:%M:%S')",
        "date(a)",
        "format_date('2026-11-11', '%9999999Y')",
        "epoch_ms('2026-11-11')",
        "parse_json('{')",
        "xs[9]",
        "xs.name",
        "a.b",
        "a in b",
        "sum(c for c in a)",
        "xref('sku', nothing)",
    ],
)
def test_a_wrong_kind_or_value_is_a_field_error_at_its_place(value, expression):
    with pytest.raises(FieldError) as caught:
        value(expression, {"a": "text", "b": 2, "xs": ["x"], "nothing": None})
    assert caught.value.field == "x"
    assert (caught.value.spot.file, caught.value.spot.line) == ("thing.in.yaml", 5)
