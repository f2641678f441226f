"""店铺可售数: never more than there is, all of it shown, safety kept back."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from duijie.derive.stock import available, shop_figures, split, to_push


def level(sku: str, quantity: str, warehouse: str = "CK01") -> dict[str, object]:
    return {"sku": sku, "warehouse": warehouse, "available": Decimal(quantity)}


def listing(shop: str, sku: str) -> dict[str, object]:
    return {"key": f"{shop}:{sku}", "shop": shop, "sku": sku, "item": f"I{sku}", "quantity": 4}


def test_a_fraction_is_never_rounded_up() -> None:
    assert available([level("A", "9.5")]) == {"A": 9}


def test_a_warehouse_below_zero_counts_as_empty_not_against_the_others() -> None:
    assert available([level("A", "5"), level("A", "-3", "CK02")]) == {"A": 5}


def test_safety_is_kept_back_and_never_shown_as_less_than_nothing() -> None:
    assert available([level("A", "103"), level("B", "4")], safety=10) == {"A": 93, "B": 0}


def test_shops_share_what_there_is_and_an_unknown_sku_shows_nothing() -> None:
    made = shop_figures([listing("S02", "A"), listing("S01", "A"), listing("S01", "Z")], [level("A", "7")])
    assert {one["key"]: one["quantity"] for one in made} == {"S01:A": 4, "S02:A": 3, "S01:Z": 0}


@given(st.integers(0, 10**6), st.integers(1, 50))
def test_the_shops_together_show_exactly_what_there_is(total: int, shops: int) -> None:
    shares = split(total, shops)
    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


def test_only_what_the_shop_shows_wrongly_is_worth_a_call() -> None:
    made = shop_figures([listing("S01", "A"), listing("S02", "A")], [level("A", "7")])
    assert [one["key"] for one in to_push(made, {})] == ["S02:A"]
    assert [one["key"] for one in to_push(made, {"S01:A": 9})] == ["S01:A", "S02:A"]
