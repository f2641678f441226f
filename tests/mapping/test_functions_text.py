"""Texts: regular expressions in linear time, ends and places, amounts in capital characters."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duijie.mapping import FieldError, lint
from duijie.mapping.patterns import find, match, sub
from duijie.mapping.values import Fault
from duijie.mapping.words import contains, ends, length, pad, position, right, rmb_words, starts

D = Decimal
CENTS = st.integers(-(10**18) + 1, 10**18 - 1)
FIGURES = "零壹贰叁肆伍陆柒捌玖"
UNITS = {"拾": 10, "佰": 100, "仟": 1000}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('match(mobile, "^1[3-9][0-9]{9}$")', True),
        ('match(mobile, "^9")', False),
        ('match(note, "发票")', True),
        ('find(note, "[0-9]+")', "91"),
        ('find(note, "(?P<head>[0-9]+)([A-Z]+)", 2)', "MA"),
        ('find(note, "(?P<head>[0-9]+)([A-Z]+)", "head")', "91"),
        ('find(note, "x(y)?|抬头", 1)', None),
        ('find(note, "没有")', None),
        (r'sub(mobile, "^([0-9]{3})[0-9]{4}", "\\1****")', "138****5678"),
        ('sub(note, "\\\\s+", "")', "抬头:91MA,发票"),
        ('sub("中文", "", "-")', "-中-文-"),
        (r'sub("a.b", "\\.", "\\\\")', "a\\b"),
        ("right(mobile, 4)", "5678"),
        ("right('ab', 9) + right('ab', 0)", "ab"),
        ("starts(mobile, '138') and ends(mobile, '78') and contains(note, '发票')", True),
        ("contains(note, '收据')", False),
        ("length('数电票a')", 4),
        ("pad('42', 6, '0') + pad('1234567', 6, '0')", "0000421234567"),
        ("position(codes, 'B')", 1),
        ("codes[position(codes, 'C')]", "C"),
        ("position(codes, 'Z')", None),
        ("position([1.00, 2], 1)", 0),
        ("position(['1', true, 1], 1)", 2),
        ("position((c + '!' for c in codes), 'B!')", 1),
        ("rmb_words('113')", "壹佰壹拾叁元整"),
        ("rmb_words(113.5, '圆')", "壹佰壹拾叁圆伍角"),
    ],
)
def test_texts_are_searched_cut_and_filled(value, expression, expected):
    record = {"mobile": "13812345678", "note": "抬头: 91MA, 发票", "codes": ["A", "B", "C"]}
    result = value(expression, record)
    assert (result, type(result)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        # the examples of the annex
        ("1409.50", "壹仟肆佰零玖元伍角"),
        ("6007.14", "陆仟零柒元壹角肆分"),
        ("1680.32", "壹仟陆佰捌拾元叁角贰分"),
        ("107000.53", "壹拾万柒仟元伍角叁分"),
        ("16409.02", "壹万陆仟肆佰零玖元零贰分"),
        ("325.04", "叁佰贰拾伍元零肆分"),
        # its rules at their edges
        ("0", "零元整"),
        ("0.05", "伍分"),
        ("0.50", "伍角"),
        ("10", "壹拾元整"),
        ("-12.30", "负壹拾贰元叁角"),
        ("10001", "壹万零壹元整"),
        ("100100", "壹拾万零壹佰元整"),
        ("100000000", "壹亿元整"),
        ("100007000", "壹亿零柒仟元整"),
        ("10000000007", "壹佰亿零柒元整"),
        ("1000000000000", "壹万亿元整"),
        ("1000100000000", "壹万零壹亿元整"),
        ("9999999999999999.99", "玖仟玖佰玖拾玖万玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
    ],
)
def test_amounts_are_spelt_as_the_payment_rules_say(amount, words):
    assert rmb_words(D(amount)) == words


def figure(words: str) -> Decimal:
    """Read an amount in words, the way a person does."""
    yuan, _, tail = words.removeprefix("负").rpartition("元")
    small = sum(
        FIGURES.index(mark) * worth for mark, unit in re.findall("([^零])([角分])", tail)
        for worth in [D("0.1") if unit == "角" else D("0.01")]
    )  # fmt: skip
    return (whole(yuan) + small) * (-1 if words.startswith("负") else 1)


def whole(words: str) -> int:
    for mark, scale in (("亿", 10**8), ("万", 10**4)):
        high, found, low = words.rpartition(mark)
        if found:
            return whole(high) * scale + whole(low)
    return sum(FIGURES.index(mark) * UNITS.get(unit, 1) for mark, unit in re.findall("([^零])([拾佰仟]?)", words))


@given(CENTS)
def test_amounts_in_words_say_the_amount_and_never_two_zeros_running(cents):
    words = rmb_words(D(cents).scaleb(-2))
    assert figure(words) == D(cents).scaleb(-2)
    assert "零零" not in words
    assert not re.search("零[拾佰仟万亿]", words)
    assert words.endswith("整") == (cents % 100 == 0)


@given(st.text(max_size=30), st.text(min_size=1, max_size=3))
def test_a_plain_pattern_finds_what_python_finds(text, part):
    plain = re.escape(part)
    assert match(text, plain) == (part in text) == contains(text, part)
    assert find(text, plain) == (part if part in text else None)
    assert sub(text, plain, "") == text.replace(part, "")
    assert starts(part + text, part) and ends(text + part, part)


@given(st.text(max_size=20), st.integers(0, 30))
def test_padding_and_cutting_keep_the_text(text, width):
    padded = pad(text, width, "0")
    assert padded.endswith(text) and length(padded) == max(width, length(text))
    assert right(padded, length(text)) == text


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: match("a", "("), "missing )"),
        (lambda: match("a", "(?=a)"), "invalid perl operator"),
        (lambda: match("a", r"(a)\1"), "invalid escape sequence"),
        (lambda: match("a", r"\p{L}{900}"), "too large"),
        (lambda: match("a", "a" * 501), "500 characters"),
        (lambda: match("a", None), "a text is needed"),
        (lambda: match(1, "1"), "a text is needed"),
        (lambda: match("\ud800", "a"), "surrogate"),
        (lambda: find("a", "a", 1), "from 0 to 0"),
        (lambda: find("a", "(?P<n>a)", "m"), "there are: n"),
        (lambda: find("a", "(a)", True), "from 0 to 1"),
        (lambda: sub("a", "a", r"\1"), "no group 1"),
        (lambda: sub("a", "a", r"\q"), "group's number"),
        (lambda: sub("a" * 1000, "a", "b" * 2000), "1000000 characters"),
        (lambda: right("a", -1), "from 0"),
        (lambda: right("a", 1.5), "from 0"),
        (lambda: pad("a", 3, "00"), "one character"),
        (lambda: pad("a", 10**9, "0"), "from 0 to 1000000"),
        (lambda: starts("a", None), "a text is needed"),
        (lambda: length([1]), "a text is needed"),
        (lambda: position("abc", "b"), "a list is needed"),
        (lambda: rmb_words("1.005"), "whole cents"),
        (lambda: rmb_words(10**16), "too large"),
        (lambda: rmb_words(1, "美元"), "元 or 圆"),
        (lambda: rmb_words("壹"), "not a number"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(call, said):
    with pytest.raises(Fault) as caught:
        call()
    assert said in caught.value.en
    assert caught.value.zh


def test_a_bad_pattern_is_found_before_anything_runs(write):
    path = write("fields:\n  x: 'match(name, \"^[A\")'\n")
    (finding,) = [each for each in lint([path]) if each.rule == "DJ303"]
    assert finding.spot.line == 5 and "missing ]" in finding.en


def test_a_pattern_that_ruins_other_engines_takes_no_time_here(value):
    assert value('match(s, "^(a+)+$")', {"s": "a" * 50_000 + "b"}) is False


def test_searching_long_texts_again_and_again_is_paid_for(value):
    record = {"xs": [1] * 50_000, "s": "a" * 100_000}
    with pytest.raises(FieldError, match="1000000 steps"):
        value('count(x for x in xs if match(s, "b[a-z]{20}"))', record)
    with pytest.raises(FieldError, match="takes too long on this text"):
        value('length(sub(s, "a.*b|a", "c"))', record)
