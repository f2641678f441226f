"""No bad request leaves: each of some hundreds is found under its code, and no good neighbour of theirs is accused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from duijie.derive.invoice_codes import CODES
from tests.einvoice.bad_requests import cases, findings, found, good

# What else a fault of one code shows as, by its nature: a line that does not add up unsettles its tax, and so on.
FOLLOW = {
    "E-BUYER-NAME": set(),
    "E-RATE": {"E-LINE-TAX"},
    "E-LINE-TAX": {"E-NEGATIVE-LINE", "W-DOC-TAX"},
    "E-LINE-SUM": {"E-LINE-TAX"},
    "E-HEADER-SUM": set(),
    "E-TOTAL": set(),
    "E-DISCOUNT-ORDER": {"E-NEGATIVE-LINE", "E-LINE-TAX", "E-TOTAL", "E-QTY-PRICE"},
    "E-NEGATIVE-LINE": {"E-QTY-PRICE", "E-LINE-TAX", "W-DOC-TAX"},
    "E-LIMIT-NUMBER": {"E-QTY-PRICE"},
    "E-RED-OVER": {"E-QTY-PRICE"},
}


def test_every_bad_request_is_found_under_its_code() -> None:
    made = cases()
    assert len(made) >= 200
    assert len({repr(one) for one in made}) == len(made)
    assert [one for one in made if not found(one)] == []


def test_a_bad_request_is_accused_of_nothing_it_has_not_done() -> None:
    for code, record in cases():
        others = {one.code for one in findings(record)} - {code} - FOLLOW.get(code, set())
        assert others == set(), (code, others, str(record)[:500])


def test_every_code_has_bad_requests_of_its_own() -> None:
    made = Counter(code for code, _ in cases())
    assert set(made) == set(CODES)
    assert min(made.values()) >= 2


def test_the_page_of_requests_lists_every_code_with_its_rule() -> None:
    page = Path("docs/invoice-requests.md").read_text(encoding="utf-8")
    for code, told in CODES.items():
        assert f"| `{code}` | {told.rule} | {told.source} | {told.remedy} |" in page


def test_good_requests_have_no_fault_even_at_the_boundary() -> None:
    made = good()
    assert len(made) >= 30
    assert [(one, str(record)[:200]) for record in made if (one := findings(record))] == []


def test_a_finding_says_where_what_why_and_what_to_do_in_chinese() -> None:
    for _, record in cases():
        for one in findings(record):
            assert one.field and one.source and one.rule and one.remedy
            assert one.message.endswith(one.remedy)
            assert any("\u4e00" <= character <= "\u9fff" for character in one.message)
