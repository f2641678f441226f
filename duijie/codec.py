"""JSON in and out without ever passing through a float.

Every number with a fraction becomes a :class:`~decimal.Decimal` and goes back out digit for digit, so a cent
cannot change between the byte a vendor sent and the byte the next system receives. Canonical form is UTF-8 JSON
with sorted keys; its SHA-256 is the identity of a record.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

import msgspec

Record = dict[str, Any]

_canonical = msgspec.json.Encoder(decimal_format="number", order="sorted")
_as_given = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def decode(text: bytes | str) -> Any:
    """Parse JSON; fractions become Decimal, integers stay exact beyond 2^53. Raises msgspec.DecodeError."""
    return _decoder.decode(text)


def encode(value: Any) -> bytes:
    """Canonical JSON: sorted keys, decimals as plain JSON numbers."""
    return _canonical.encode(value)


def encode_ordered(value: Any) -> bytes:
    """JSON in the order given: some vendors fill fields in the order they arrive."""
    return _as_given.encode(value)


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical form."""
    return hashlib.sha256(encode(value)).hexdigest()
