"""The demo's day: enough orders, always the same, exact to the cent, with its faults where it says they are."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from stdnum import ean
from stdnum.cn import uscc

from duijie import codec
from duijie.connect.errors import DataError, UnmappedCode
from duijie.mapping import StaticLookup, load_mapping
from sandbox.dataset import business_day, data_folder

MAPPINGS = Path(__file__).parents[2] / "mappings" / "taobao"
DELIVERABLE = ("paid", "shipped", "finished")


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        found = data_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    if not (found / "transactions.parquet").exists():
        pytest.skip(f"no parquet files in {found}")
    return found


@pytest.fixture(scope="module")
def day(folder: Path) -> dict[str, Any]:
    return business_day(folder)


@pytest.fixture(scope="module")
def trades(day: dict[str, Any]) -> list[dict[str, Any]]:
    """The readable trades."""
    return [trade for trade in day["taobao"]["trades"] if "orders" in trade]


@pytest.fixture(scope="module")
def lookup(day: dict[str, Any]) -> StaticLookup:
    """The material list as the orders' mapping sees it."""
    products = {
        row["number"]: {
            "tax_rate": Decimal(row["tax_rate"]) / 100,
            "unit": row["unit"],
            "tax_class_code": row["tax_class_code"],
        }
        for row in day["xingchen"]["materials"]
    }
    return StaticLookup(xrefs={}, refs={"product": products})


def lines_of(trades: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for trade in trades for line in trade["orders"]["order"]]


def test_the_day_is_big_enough_and_spread_over_shops_and_minutes(trades: list[dict[str, Any]]) -> None:
    assert 2100 <= len(trades) <= 2300
    assert 5500 <= len(lines_of(trades)) <= 7000
    assert len({trade["shop"] for trade in trades}) == 8
    assert {int(trade["created"][11:13]) for trade in trades} == set(range(24))
    assert all(trade["modified"].startswith("2026-11-11 ") for trade in trades)


def test_the_day_is_the_same_every_time(folder: Path, day: dict[str, Any]) -> None:
    assert codec.digest(business_day(folder)) == codec.digest(day)


def test_another_day_moves_the_dates_and_nothing_else(folder: Path, day: dict[str, Any]) -> None:
    other = business_day(folder, date(2026, 12, 12))
    ours, theirs = day["taobao"]["trades"][0], other["taobao"]["trades"][0]
    assert theirs["created"] == ours["created"].replace("2026-11-11", "2026-12-12")
    assert theirs["payment"] == ours["payment"]


def test_money_agrees_to_the_cent_in_every_line_and_order(trades: list[dict[str, Any]]) -> None:
    for line in lines_of(trades):
        full = Decimal(line["price"]) * line["num"] + Decimal(line["adjust_fee"]) - Decimal(line["discount_fee"])
        assert full == Decimal(line["total_fee"])
        assert Decimal(line["divide_order_fee"]) == full - Decimal(line["part_mjz_discount"])
    for trade in trades:
        revenue = sum(Decimal(line["divide_order_fee"]) for line in trade["orders"]["order"])
        assert revenue + Decimal(trade["post_fee"]) == Decimal(trade["payment"])


def test_no_amount_passed_through_a_float(day: dict[str, Any]) -> None:
    amounts = [trade[name] for trade in day["taobao"]["trades"] for name in ("payment", "post_fee")]
    assert all(isinstance(amount, str) for amount in amounts)
    assert not any(isinstance(row["qty"], float) for row in day["xingchen"]["stock"])


def test_states_refunds_and_wishes_come_in_their_shares(day: dict[str, Any], trades: list[dict[str, Any]]) -> None:
    total = len(trades)
    states = Counter(trade["status"] for trade in trades)
    assert 0.02 < states["TRADE_CLOSED_BY_TAOBAO"] / total < 0.04
    assert 0.005 < states["WAIT_BUYER_PAY"] / total < 0.02
    assert 0.02 < len(day["taobao"]["refunds"]) / total < 0.04
    assert 0.06 < sum("buyer_tax_no" in trade for trade in trades) / total < 0.10
    persons = sum("invoice_name" in trade and "buyer_tax_no" not in trade for trade in trades)
    assert 0.02 < persons / total < 0.06


def test_at_least_three_refunds_succeed_on_orders_that_want_an_invoice(
    day: dict[str, Any], trades: list[dict[str, Any]]
) -> None:
    by_tid = {trade["tid"]: trade for trade in trades}
    refunds = [row for row in day["taobao"]["refunds"] if row["status"] == "SUCCESS"]
    wanted = [row for row in refunds if "invoice_name" in by_tid[row["tid"]]]
    assert sum(by_tid[row["tid"]]["status"] == "TRADE_FINISHED" for row in wanted) >= 3
    assert any(row["has_good_return"] for row in wanted)


def test_every_refund_belongs_to_its_line_and_never_exceeds_it(
    day: dict[str, Any], trades: list[dict[str, Any]]
) -> None:
    lines = {line["oid"]: line for line in lines_of(trades)}
    for refund in day["taobao"]["refunds"]:
        line = lines[refund["oid"]]
        assert line["refund_id"] == str(refund["refund_id"])
        assert refund["outer_id"] == line["outer_sku_id"]
        assert Decimal(0) < Decimal(refund["refund_fee"]) <= Decimal(line["divide_order_fee"])


def test_tax_numbers_check_out_but_for_the_one_bad_one(day: dict[str, Any]) -> None:
    numbers = [company["tax_no"] for company in day["fxiaoke"]["companies"]]
    assert len(set(numbers)) == len(numbers) > 50
    assert [number for number in numbers if not uscc.is_valid(number)] == day["faults"]["bad_tax_no"]


def test_materials_have_a_known_rate_and_a_valid_barcode(day: dict[str, Any]) -> None:
    materials = day["xingchen"]["materials"]
    assert {row["tax_rate"] for row in materials} == {6, 9, 13}
    assert all(len(row["tax_class_code"]) == 19 for row in materials)
    assert all(ean.is_valid(row["barcode"]) for row in materials)
    assert len({row["number"] for row in materials}) == len(materials)


def test_opening_stock_covers_the_day_for_nearly_every_product(
    day: dict[str, Any], trades: list[dict[str, Any]]
) -> None:
    sold: Counter[str] = Counter()
    for line in lines_of(trades):
        sold[line["outer_sku_id"]] += max(line["num"], 0)
    short = [row for row in day["xingchen"]["stock"] if row["qty"] < sold[row["material_number"]]]
    assert 0 < len(short) < 0.05 * len(day["xingchen"]["stock"])


def test_every_line_is_on_sale_in_its_shop(day: dict[str, Any], trades: list[dict[str, Any]]) -> None:
    listed = {(item["shop"], sku["outer_id"]) for item in day["taobao"]["items"] for sku in item["skus"]}
    assert {(trade["shop"], line["outer_sku_id"]) for trade in trades for line in trade["orders"]["order"]} == listed
    assert max(len(item["skus"]) for item in day["taobao"]["items"]) == 20


def test_the_mapping_takes_every_order_but_the_announced_faults(day: dict[str, Any], lookup: StaticLookup) -> None:
    mapping = load_mapping(MAPPINGS / "sales_order.in.yaml")
    orders, failed, unmapped = [], set(), {}
    for trade in day["taobao"]["trades"]:
        try:
            orders.append(mapping.run(trade, lookup, {}))
        except UnmappedCode as error:
            unmapped[str(trade["tid"])] = error.key
        except DataError:
            failed.add(str(trade["tid"]))
    faults = day["faults"]
    assert failed == {*faults["zero_quantity"], *faults["malformed_trade"]}
    assert set(faults["missing_product"]) - set(faults["zero_quantity"]) < set(unmapped)
    assert [key for key in unmapped.values() if key in faults["unmapped_sku"]] == faults["unmapped_sku"]
    assert len(failed) + len(unmapped) < 25
    assert sum(order["status"] in DELIVERABLE for order in orders) >= 2000
    for order in orders:
        assert sum(line["gross"] for line in order["lines"]) + order["freight"] == order["gross"]
        assert all(line["net"] + line["tax"] == line["gross"] for line in order["lines"])


def test_the_mapping_takes_every_refund(day: dict[str, Any], lookup: StaticLookup) -> None:
    mapping = load_mapping(MAPPINGS / "sales_refund.in.yaml")
    refunds = [mapping.run(row, lookup, {}) for row in day["taobao"]["refunds"]]
    assert {row["kind"] for row in refunds} == {"money_only", "goods_and_money"}
    assert all(row["net"] + row["tax"] == row["amount"] for row in refunds)
