"""How a gross amount is split: tax = round half up(gross·r/(1+r), 2), net = gross − tax, never two roundings."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

CENT = Decimal("0.01")


class Split(NamedTuple):
    """gross = net + tax, exactly."""

    gross: Decimal
    net: Decimal
    tax: Decimal


def split_tax(gross: Decimal, rate: Decimal) -> Split:
    """Split a tax-included amount at a rate given as a fraction (0.13)."""
    tax = (gross * rate / (1 + rate)).quantize(CENT, ROUND_HALF_UP)
    return Split(gross, gross - tax, tax)
