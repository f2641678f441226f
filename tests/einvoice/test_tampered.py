"""A file that was tampered with is refused by the right rule, one that was not passes."""

from __future__ import annotations

from collections import Counter

from duijie.originals.compare import verdict
from tests.einvoice.tampered import cases, refused, untampered


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
