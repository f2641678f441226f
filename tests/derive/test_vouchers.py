"""凭证: balanced to the cent, rates apart, late documents in a supplement, refunds red on the same sides."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duijie.codec import Record
from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.derive.rounding import split_tax
from duijie.derive.vouchers import Voucher, VoucherRule, groups_of, load_rules, voucher
from duijie.schemas import check

RULES = load_rules(Path("mappings/rules/voucher.yaml"))
RATES = [Decimal("0.13"), Decimal("0.09"), Decimal("0.06")]


def vouchers(
    documents: list[Record], rule: VoucherRule, issued: dict[str, int], names: dict[str, str]
) -> list[Voucher]:
    return [voucher(group, rule, issued, names) for group in groups_of(documents, rule)]


def order(key: str, lines: list[tuple[str, Decimal]], freight: str = "0.00", **more: object) -> Record:
    made = []
    for gross, rate in lines:
        split = split_tax(Decimal(gross), rate)
        made.append({"gross": split.gross, "net": split.net, "tax": split.tax, "tax_rate": rate})
    total = sum((line["gross"] for line in made), Decimal(freight))
    head = {"key": key, "shop": "S01", "business_date": "2026-11-11", "status": "finished"}
    return {**head, "gross": total, "freight": Decimal(freight), "lines": made, **more}


def refund(key: str, amount: str, **more: object) -> Record:
    split = split_tax(Decimal(amount), RATES[0])
    head = {"key": key, "shop": "S01", "business_date": "2026-11-11", "status": "success"}
    return {**head, "amount": split.gross, "net": split.net, "tax": split.tax, "tax_rate": RATES[0], **more}


def posted(document: Record) -> list[tuple[str, Decimal, Decimal]]:
    return [(line["account"], line["debit"], line["credit"]) for line in document["lines"]]


def test_a_day_of_one_shop_is_one_voucher_with_its_rates_apart() -> None:
    orders = [order("a", [("113.00", RATES[0]), ("10.90", RATES[1])]), order("b", [("11.30", RATES[0])])]
    [made] = vouchers(orders, RULES["sale"], {}, {"S01": "旗舰店"})
    assert made.document["summary"] == "销售 旗舰店 11-11 2单"
    assert posted(made.document) == [
        ("receivable", Decimal("135.20"), Decimal("0.00")),
        ("revenue", Decimal("0.00"), Decimal("110.00")),
        ("revenue", Decimal("0.00"), Decimal("10.00")),
        ("output_vat", Decimal("0.00"), Decimal("14.30")),
        ("output_vat", Decimal("0.00"), Decimal("0.90")),
    ]
    assert made.sources == (("a", Decimal("123.90")), ("b", Decimal("11.30")))
    check("voucher", made.document)


def test_freight_is_income_of_its_own_and_its_vat_joins_the_same_rate() -> None:
    [made] = vouchers([order("a", [("10.90", RATES[1])], freight="8.00")], RULES["sale"], {}, {})
    assert posted(made.document) == [
        ("receivable", Decimal("18.90"), Decimal("0.00")),
        ("revenue", Decimal("0.00"), Decimal("10.00")),
        ("output_vat", Decimal("0.00"), Decimal("1.56")),
        ("freight_income", Decimal("0.00"), Decimal("7.34")),
    ]


def test_each_shop_and_day_has_its_own_and_unpaid_orders_have_none() -> None:
    orders = [
        order("a", [("1.00", RATES[0])]),
        order("b", [("1.00", RATES[0])], shop="S02"),
        order("c", [("1.00", RATES[0])], business_date="2026-11-12"),
        order("d", [("1.00", RATES[0])], status="unpaid"),
    ]
    made = vouchers(orders, RULES["sale"], {}, {})
    assert [one.document["key"] for one in made] == [
        "sale:S01:2026-11-11:1",
        "sale:S01:2026-11-12:1",
        "sale:S02:2026-11-11:1",
    ]


def test_late_orders_make_a_supplement_never_a_change() -> None:
    [made] = vouchers([order("late", [("1.00", RATES[0])])], RULES["sale"], {"sale:S01:2026-11-11": 1}, {})
    assert made.document["key"] == "sale:S01:2026-11-11:2"
    assert made.document["summary"].startswith("补销售")


def test_a_refund_is_red_on_the_same_sides() -> None:
    [made] = vouchers([refund("r", "113.00")], RULES["refund"], {}, {})
    assert posted(made.document) == [
        ("receivable", Decimal("-113.00"), Decimal("0.00")),
        ("revenue", Decimal("0.00"), Decimal("-100.00")),
        ("output_vat", Decimal("0.00"), Decimal("-13.00")),
    ]
    assert made.document["debit"] == made.document["credit"] == Decimal("-113.00")
    assert made.sources == (("r", Decimal("-113.00")),)


def test_an_order_whose_parts_do_not_add_up_is_refused_by_name() -> None:
    wrong = {**order("a", [("113.00", RATES[0])]), "gross": Decimal("113.01")}
    with pytest.raises(InvalidDocument, match=r"sale:S01:2026-11-11:1 does not balance: debit 113.01, credit 113.00"):
        vouchers([wrong], RULES["sale"], {}, {})


amounts = st.integers(1, 10**7).map(lambda cents: str(Decimal(cents) / 100))


@given(
    st.lists(
        st.tuples(st.lists(st.tuples(amounts, st.sampled_from(RATES)), min_size=1, max_size=4), amounts),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_the_orders_both_sides_are_what_the_buyers_owe(
    orders: list[tuple[list[tuple[str, Decimal]], str]],
) -> None:
    given_orders = [order(f"o{number}", lines, freight) for number, (lines, freight) in enumerate(orders)]
    [made] = vouchers(given_orders, RULES["sale"], {}, {})
    owed = sum((one["gross"] for one in given_orders), Decimal(0))
    assert made.document["debit"] == made.document["credit"] == owed
    assert all((line["debit"] != 0) != (line["credit"] != 0) for line in made.document["lines"])


def test_a_wrong_rule_names_the_file_and_the_place(tmp_path: Path) -> None:
    path = tmp_path / "voucher.yaml"
    path.write_text(
        "sale: {entity: sales_order, word: 记, summary: x, where: {}, postings: [{account: a, sid: debit}]}"
    )
    with pytest.raises(ConfigError, match=r"voucher\.yaml is wrong.*postings"):
        load_rules(path)
