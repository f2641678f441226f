"""The rules of invoicing: rates however they are written, tax numbers, limits, severity, and a file that is wrong."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc

from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.connect.invoicing import Limits
from duijie.derive.invoice_checks import check
from duijie.derive.invoice_codes import CODES
from duijie.derive.invoice_rates import parse_rate
from duijie.derive.invoice_rules import load_rules
from duijie.derive.tax_numbers import has_organisation_check, is_company, is_person, is_tax_number
from tests.einvoice.good_requests import company

SHIPPED = Path("mappings/rules/invoice.yaml")
RULES = load_rules(SHIPPED)


@pytest.mark.parametrize(
    ("written", "rate", "policy"),
    [
        ("13", "0.13", ""),
        ("13%", "0.13", ""),
        ("13 %", "0.13", ""),
        ("13.000％", "0.13", ""),
        ("0.13", "0.13", ""),
        ("0.130000", "0.13", ""),
        (Decimal("0.13"), "0.13", ""),
        (13, "0.13", ""),
        ("1%", "0.01", ""),
        ("0.01", "0.01", ""),
        ("1.5", "0.015", ""),
        ("0.5%", "0.005", ""),
        ("0", "0", ""),
        ("0%", "0", ""),
        ("免税", "0", "03"),
        ("不征税", "0", "04"),
    ],
)
def test_a_rate_is_read_however_it_is_written(written: str | Decimal | int, rate: str, policy: str) -> None:
    assert parse_rate(written) == (Decimal(rate), policy)


@pytest.mark.parametrize("written", ["1", "1.00", "100%", "100", "-0.13", "13%%", "", "十三", "NaN", "1e-1", "0.1.3"])
def test_what_may_mean_two_rates_or_none_is_refused(written: str) -> None:
    with pytest.raises(InvalidDocument, match="rate"):
        parse_rate(written)


@given(st.integers(1, 9_999))
def test_percent_and_fraction_of_a_rate_are_one(hundredths: int) -> None:
    fraction = Decimal(hundredths).scaleb(-4)
    assert parse_rate(f"{fraction * 100}%").rate == parse_rate(f"{fraction}").rate == fraction


@pytest.mark.parametrize(
    "tax_no",
    ["91330106MA2DEMK14E", "91310115MA1DEMA278", "91440305MA5DEMN35X", "91110108MA0DEMB48B", "91350100M000100Y43",
     "91110108551385082Q", "91330100799655058B", "11100000000013338W"],
)  # fmt: skip
def test_a_companys_number_has_both_its_check_characters(tax_no: str) -> None:
    assert is_company(tax_no) and is_tax_number(tax_no)
    head = f"{tax_no[:16]}{'1' if tax_no[16] != '1' else '2'}"
    wrong_inside = head + uscc.calc_check_digit(head)
    assert uscc.is_valid(wrong_inside)
    assert not is_company(wrong_inside)
    assert not is_company(tax_no.lower())


@given(st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=8, max_size=8))
def test_every_organisation_code_has_exactly_one_check_character(body: str) -> None:
    assert sum(has_organisation_check(body + end) for end in "0123456789X") == 1


def test_a_person_is_no_company() -> None:
    assert is_person("11010519491231002X") and not is_company("11010519491231002X")


def test_a_platforms_limits_come_first_and_the_files_fill_the_rest() -> None:
    limits = RULES.limits(Limits(lines=100, remark=0, counted_in="gbk"))
    assert (limits.lines, limits.remark, limits.buyer_name, limits.counted_in) == (100, 200, 100, "gbk")


def test_historic_rates_are_dated() -> None:
    assert RULES.historic_rates[Decimal("0.17")] == date(2018, 5, 1)


def test_any_severity_is_the_files_to_decide() -> None:
    special = company() | {"kind": "paper"}
    mild = msgspec.structs.replace(RULES, severity={"E-KIND": "warning"})
    assert [one.severity for by in (RULES, mild) for one in check(special, by)] == ["error", "warning"]
    assert all(code[:2] in ("E-", "W-") for code in CODES)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_lines: 2000", "max_lines: viele", "max_lines"),
        ("discounts: net_price", "discounts: gross", "discounts"),
        ("by: none", "by: everyone", "merge.by"),
        ("severity: {W-USCC-CHECK: error}", "severity: {W-USC-CHECK: error}", "W-USC-CHECK"),
        ("{order_no}", "{order_nr}", "order_nr"),
        ("{order_no}", "{order_no", "remark"),
        ("0.17: 2018-05-01", "0.17: 2018-13-01", "historic_rates"),
        ("special_classes: {}", 'special_classes: {oil: ["1"]}', "special_classes"),
        ("gifts: drop", "gift: drop", "gift"),
        ("policies: {}", "codes: {}", "codes"),
        ("0.06, 0.05", "0.06, 1", "1%"),
        ("tax_rate: 0.09", "tax_rate: 九", "九"),
    ],
)
def test_a_wrong_file_names_itself_and_the_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "invoice.yaml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        load_rules(tmp_path / "invoice.yaml")


def test_rates_in_the_file_may_be_written_in_percent(tmp_path: Path) -> None:
    text = SHIPPED.read_text(encoding="utf-8").replace("[0.13, 0.09,", '["13%", 9,').replace("0.17: 2018", "17%: 2018")
    (tmp_path / "invoice.yaml").write_text(text.replace("tax_rate: 0.09", "tax_rate: 9%"), encoding="utf-8")
    made = load_rules(tmp_path / "invoice.yaml")
    assert (made.rates, made.historic_rates) == (RULES.rates, RULES.historic_rates)
    assert made.freight == RULES.freight


def test_a_file_of_before_the_new_settings_still_loads(tmp_path: Path) -> None:
    kept = (
        "seller_tax_no",
        "blue_prefix",
        "red_prefix",
        "remark",
        "freight",
        "rates",
        "line_tax",
        "document_tax",
        "max_lines",
        "max_remark",
    )
    lines = [line for line in SHIPPED.read_text(encoding="utf-8").splitlines() if line.startswith(kept)]
    (tmp_path / "invoice.yaml").write_text("\n".join(lines), encoding="utf-8")
    old = load_rules(tmp_path / "invoice.yaml")
    assert (old.merge.by, old.discounts, old.gifts, len(old.codes)) == ("none", "net_price", "drop", 0)
