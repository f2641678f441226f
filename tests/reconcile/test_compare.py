"""Comparing two sides: equal means equal to the fen, every difference has its class."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from duijie.reconcile.compare import Difference, Row, compare


def test_each_kind_of_difference_is_named() -> None:
    left = [Row("same", 100), Row("cent", 200), Row("gone", 1), Row("twice", 5)]
    right = [Row("same", 100), Row("cent", 201), Row("extra", 9), Row("twice", 2), Row("twice", 3)]
    result = compare(left, right)
    assert result.differences == (
        Difference("cent", "金额不符", 200, 201),
        Difference("extra", "多单", None, 9),
        Difference("gone", "漏单", 1, None),
        Difference("twice", "重复", 5, 5),
    )
    assert (result.left_count, result.right_count) == (4, 5)
    assert (result.left_amount, result.right_amount) == (306, 315)


def test_two_empty_sides_agree() -> None:
    assert compare([], []).differences == ()


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.integers(-(10**15), 10**15), max_size=20))
def test_a_side_agrees_with_itself_in_any_order(rows: dict[str, int]) -> None:
    one = [Row(key, amount) for key, amount in rows.items()]
    assert compare(one, reversed(one)).differences == ()
