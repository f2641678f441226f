"""A proposal says what would be asked for and what is wrong with it, and holds no good order up for a bad one."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from duijie.connect.invoicing import Limits
from duijie.derive.invoice_grouping import requests
from duijie.derive.invoice_preview import preview
from tests.derive.test_invoice_grouping import MERGING, RULES, sold
from tests.derive.test_invoices import COMPANY, line, refund

D = Decimal


def test_what_is_proposed_is_what_is_asked_for() -> None:
    orders = [sold(1), sold(2), sold(3, line(1, D("10.00")), invoice_wish={**COMPANY, "kind": "normal"})]
    proposed = preview(orders, MERGING)
    assert [request for one in proposed for request in one.requests] == requests(orders, MERGING)
    assert [(one.is_merged, one.is_split, one.reason) for one in proposed] == [(True, False, ""), (False, False, "")]


def test_a_split_is_told_with_the_findings_of_each_part() -> None:
    bad = line(3, D("1.13"), tax_class_code="")
    [proposal] = preview(
        [sold(1, line(1, D("1.13")), line(2, D("1.13")), bad)], msgspec.structs.replace(RULES, max_lines=2)
    )
    assert proposal.is_split
    assert [[one.code for one in found] for found in proposal.findings] == [[], ["E-TAXCODE-MISSING"]]
    assert proposal.reason.startswith("E-TAXCODE-MISSING")


def test_warnings_do_not_hold_a_request_up() -> None:
    [proposal] = preview([sold(1, line(1, D("1.13"), tax_class_code="9" * 19))], RULES)
    assert [one.code for one in proposal.findings[0]] == ["W-TAXCODE-UNKNOWN"]
    assert (proposal.errors, proposal.reason) == ([], "")


def test_bad_orders_stand_apart_with_their_reasons_and_the_good_share_an_invoice() -> None:
    orders = [sold(1), sold(2, gross=D("1.00")), sold(3), sold(4, line(1, D("0.00")))]
    good, first, second = preview(orders, MERGING)
    assert (good.requests[0]["order_keys"], good.reason) == (["taobao:S01:1", "taobao:S01:3"], "")
    assert "E-HEADER-SUM" in first.reason
    assert (second.requests, second.refused != "") == ((), True)


def test_a_platforms_limits_are_heeded_in_splitting_and_in_checking() -> None:
    [proposal] = preview([sold(1)], RULES, platform=Limits(remark=3))
    assert [one.code for one in proposal.errors] == ["E-LIMIT-REMARK"]


def test_what_was_paid_back_in_full_is_neither_asked_for_nor_refused() -> None:
    back = {"taobao:S01:1": [refund("113.00", order_key="taobao:S01:1")]}
    [proposal] = preview([sold(1)], RULES, back)
    assert (proposal.is_paid_back, proposal.requests, proposal.reason) == (True, (), "")
