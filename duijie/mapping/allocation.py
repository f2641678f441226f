"""Money spread over lines, to the cent: by weight, with a say in who takes the tail, and over a bundle's parts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import lcm
from typing import Any

from duijie.codec import Record
from duijie.mapping.given import cents, listed, shifted
from duijie.mapping.numbers import decimal, multiply, number
from duijie.mapping.values import Fault

_TAILS = ("remainder", "last", "largest")


def allocate(total: Any, weights: Any, tail: Any = "remainder") -> list[Decimal]:
    """Money (whole cents) spread by weight; the sum is exact.

    `tail` "remainder": largest remainder first, equal remainders to the later line. "last", "largest" (equal weights:
    the later line) or a line's index from 0: every other line is rounded half-up and this one takes what is left;
    where that would turn its sign, as few others as needed are rounded down, those of the smallest remainder first.
    """
    whole, shares = cents(number(total)), _whole_weights(listed(weights))
    taker = _taker(tail, shares)
    base = sum(shares)
    if base == 0:
        if whole == 0:
            return [shifted(0, 2) for _ in shares]
        raise Fault("权重合计为零, 无法分摊", "the weights add up to zero, nothing to allocate over", weights)
    parts = _spread(abs(whole), shares, base, taker)
    return [shifted(part if whole > 0 else -part, 2) for part in parts]


def _spread(whole: int, shares: Sequence[int], base: int, taker: int | None) -> list[int]:
    exact = [divmod(whole * share, base) for share in shares]
    parts = [part for part, _ in exact]
    rest = whole - sum(parts)
    ranked = sorted(range(len(parts)), key=lambda at: (exact[at][1], at), reverse=True)
    if taker is None:
        raised = ranked[:rest]
    else:
        raised = [at for at in ranked if at != taker and 2 * exact[at][1] >= base][: parts[taker] + rest]
        parts[taker] += rest - len(raised)
    for at in raised:
        parts[at] += 1
    return parts


def _taker(tail: Any, shares: Sequence[int]) -> int | None:
    if type(tail) is int and 0 <= tail < len(shares):
        return tail
    if tail not in _TAILS or type(tail) is not str:
        raise Fault(
            "尾差须归于 remainder、last、largest 或某一行的序号 (从 0 起)",
            "the tail goes to remainder, last, largest or the index of a line (from 0)",
            tail,
        )
    if tail == "remainder" or not shares:
        return None
    return len(shares) - 1 if tail == "last" else max(range(len(shares)), key=lambda at: (shares[at], at))


def _whole_weights(weights: Sequence[Any]) -> list[int]:
    """The weights in the same proportion as whole numbers."""
    ratios = [decimal(number(weight)).as_integer_ratio() for weight in weights]
    for weight, (over, _) in zip(weights, ratios, strict=True):
        if over < 0:
            raise Fault("权重不能为负", "a weight must not be negative", weight)
    common = lcm(*(under for _, under in ratios))
    return [over * (common // under) for over, under in ratios]


def explode(parts: Any, qty: Any, amount: Any) -> list[Record]:
    """A bundle (组合装) as lines of its parts, for `qty` bundles that cost `amount` (whole cents) together.

    `parts`: objects with `sku`, `qty` (in one bundle) and perhaps `price` (list price of one). Each line has its
    part's own fields with `qty` multiplied and `amount` its share: by price × qty, by qty where no part has a price;
    largest remainder, equal remainders to the later part. The shares add up to the amount.
    """
    bundle, bundles = listed(parts), decimal(qty)
    quantities = [_quantity(part) for part in bundle]
    weights = [multiply(_price(part), each) for part, each in zip(bundle, quantities, strict=True)]
    money = allocate(decimal(amount), weights if any(weights) else quantities)
    lines = zip(bundle, quantities, money, strict=True)
    return [{**part, "qty": multiply(each, bundles), "amount": share} for part, each, share in lines]


def _quantity(part: Any) -> Decimal:
    if type(part) is not dict or part.get("sku") in (None, "") or part.get("qty") is None:
        raise Fault("组合装的子件须是含 sku 与 qty 的对象", "a part of a bundle is an object with sku and qty", part)
    quantity = decimal(part["qty"])
    if quantity <= 0:
        raise Fault("子件数量须大于零", "the qty of a part must be above zero", part["qty"])
    return quantity


def _price(part: Record) -> Decimal:
    price = decimal(part["price"]) if part.get("price") is not None else Decimal(0)
    if price < 0:
        raise Fault("子件单价不能为负", "the price of a part must not be negative", part["price"])
    return price
