"""A file that was tampered with is refused by the right rule, one that was not passes."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from duijie.originals.compare import between, read, verdict
from tests.einvoice.tampered import cases, refused, untampered

RIGHT = untampered()


def test_files_as_they_were_issued_pass() -> None:
    assert [verdict(file, wanted) for file, wanted in untampered()] == [[]] * len(untampered())


def test_two_hundred_tampered_files_are_each_refused_by_the_right_rule() -> None:
    found = cases()
    wrong = [(case[0], case[1][:2000], verdict(case[1], case[2])) for case in found if not refused(case)]
    assert wrong == []
    assert len({file for _, file, _ in found}) == len(found) >= 200
    assert len(Counter(code for code, _, _ in found)) >= 12


def test_each_refusal_names_the_field_and_what_to_do() -> None:
    for _, file, wanted in cases():
        for fault in verdict(file, wanted):
            assert fault.field and fault.zh


def damaged(data: bytes, chance: Random) -> bytes:
    """A few bytes changed, lost, put in or doubled."""
    made = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 5, 20])):
        at, size = chance.randrange(len(made)), chance.randrange(1, 40)
        match chance.randrange(4):
            case 0:
                made[at] = chance.randrange(256)
            case 1:
                del made[at : at + size]
            case 2:
                made[at:at] = chance.randbytes(size)
            case _:
                made[at:at] = made[: size * 2]
        if not made:
            return b""
    return bytes(made)


@given(st.sampled_from(RIGHT), st.randoms(use_true_random=False))
def test_whatever_is_damaged_is_refused_or_says_the_same_and_nothing_breaks(
    right: tuple[bytes, dict[str, object]], chance: Random
) -> None:
    data, wanted = right
    changed = damaged(data, chance)
    if not verdict(changed, wanted):
        assert between(read(data), read(changed)) == []
