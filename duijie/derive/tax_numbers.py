"""购方税号: which numbers can be a taxpayer's.

Eighteen characters are a 统一社会信用代码, whose characters 9–17 are an organisation code with a check character of its
own, or a person's identity number; 15, 17 and 20 are older or temporary numbers without one. Sources: GB 32100-2015,
GB 11714-1997, GB 11643-1999.
"""

from __future__ import annotations

import re
from functools import lru_cache

from stdnum.cn import ric, uscc

OTHER_LENGTHS = (15, 17, 20)
_PRINTED = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}", re.ASCII)
_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "0123456789X"


def has_organisation_check(code: str) -> bool:
    """Whether the nine characters of an organisation code check out (GB 11714-1997)."""
    total = sum(weight * int(character, 36) for weight, character in zip(_WEIGHTS, code, strict=False))
    return code[8] == _CHECK[-total % 11]


@lru_cache(100_000)
def is_person(tax_no: str) -> bool:
    """Whether it is a valid identity number 身份证号 of 18 characters."""
    return bool(ric.is_valid(tax_no))


@lru_cache(100_000)
def is_company(tax_no: str) -> bool:
    """Whether it is a 统一社会信用代码 with both check characters right, written as printed (capitals, no gaps)."""
    return bool(_PRINTED.fullmatch(tax_no)) and has_organisation_check(tax_no[8:17]) and bool(uscc.is_valid(tax_no))


def is_tax_number(tax_no: str) -> bool:
    """Whether it can be a tax number: 18 characters that check out, or 15, 17 or 20 of [0-9A-Za-z]."""
    if len(tax_no) == 18:
        return is_company(tax_no) or is_person(tax_no)
    return len(tax_no) in OTHER_LENGTHS and tax_no.isascii() and tax_no.isalnum()


__all__ = ["has_organisation_check", "is_company", "is_person", "is_tax_number"]
