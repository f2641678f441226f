"""`python -m benchmarks.einvoice.requests`: µs to make and check one request, then one line of JSON.

Orders of three lines, every buyer and every amount another, in batches made outside the timing; CPU time of this one
process. `merged`: the same orders, ten of each buyer on one invoice, per order. The goal is 150 µs per invoice.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import process_time_ns

import msgspec
from stdnum.cn import uscc

from duijie.codec import Record
from duijie.derive.invoice_grouping import requests
from duijie.derive.invoice_rules import InvoiceRules, Merge
from duijie.derive.invoices import check, load_rules
from duijie.derive.rounding import split_tax
from duijie.derive.tax_numbers import has_organisation_check

RULES = Path(__file__).parents[2] / "mappings/rules/invoice.yaml"
BATCH = 5_000
GOAL = 150.0
CODES = (("1030299990000000000", "0.13"), ("1010115990000000000", "0.09"), ("3040201030000000000", "0.06"))
CHECKS = "0123456789X"


def main() -> None:
    """Time both, print the figures."""
    options = _options()
    rules = load_rules(RULES)
    merging = msgspec.structs.replace(rules, merge=Merge(by="buyer", within="ever"))
    buyers = [tax_number(number) for number in range(options.orders)]
    alone = [timed(batch, rules) for batch in batches(options.orders, buyers)]
    shared = [timed(batch, merging) for batch in batches(options.orders, [one for one in buyers for _ in range(10)])]
    each, merged = (median(times) for times in (alone, shared))
    worst = max(alone)
    print(f"making and checking {options.orders:,} requests of 3 lines")
    print(f"  one order, one invoice  {each:7.1f} µs an invoice (slowest batch {worst:.1f}); goal {GOAL:.0f}")
    print(f"  ten orders merged       {merged:7.1f} µs an order")
    told = {"requests": options.orders, "microseconds": round(each, 1), "slowest_batch": round(worst, 1)}
    print(json.dumps({**told, "merged_microseconds_per_order": round(merged, 1), "goal": GOAL, "met": each <= GOAL}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=100_000)
    return parser.parse_args()


def timed(orders: Sequence[Record], rules: InvoiceRules) -> float:
    """µs of CPU per order to make the requests and check each; raises ValueError where one has a fault."""
    work: Callable[[], int] = lambda: sum(len(check(made, rules)) for made in requests(orders, rules))  # noqa: E731
    gc.collect()
    gc.disable()
    began = process_time_ns()
    faults = work()
    spent = process_time_ns() - began
    gc.enable()
    if faults:
        raise ValueError(f"{faults} faults in requests that should have none")
    return spent / len(orders) / 1000


def batches(count: int, buyers: Sequence[str]) -> Sequence[Sequence[Record]]:
    """Orders in batches, made as they are asked for would cost memory only."""
    return [
        [order(number, buyers[number]) for number in range(start, min(start + BATCH, count))]
        for start in range(0, count, BATCH)
    ]


def order(number: int, tax_no: str) -> Record:
    """An order of three lines with freight for one in three."""
    lines = [line(number, place) for place in (1, 2, 3)]
    freight = Decimal("8.00") if number % 3 == 0 else Decimal("0.00")
    gross = sum((one["gross"] for one in lines), freight)
    return {
        "key": f"taobao:S01:{number}",
        "platform": "taobao",
        "shop": "S01",
        "order_no": str(number),
        "ordered_at": "2026-11-11T09:00:00+08:00",
        "buyer": {"key": tax_no, "name": "甲"},
        "invoice_wish": {"title": f"杭州第{tax_no}号贸易有限公司", "tax_no": tax_no, "kind": "special"},
        "seller_discount": Decimal("0.00"),
        "platform_discount": Decimal("0.00"),
        "freight": freight,
        "gross": gross,
        "lines": lines,
    }


def line(number: int, place: int) -> Record:
    """A line whose amount is its own."""
    code, rate = CODES[place - 1]
    gross = Decimal(number * 37 % 90_000 + 100 * place).scaleb(-2)
    head = {"line_no": place, "oid": f"{number}-{place}", "sku": f"A{place}", "name": f"商品 {place}", "unit": "件"}
    amounts = split_tax(gross, Decimal(rate))._asdict()
    return {**head, "tax_class_code": code, "qty": number % 7 + 1, "tax_rate": Decimal(rate), **amounts}


def tax_number(number: int) -> str:
    """A made-up 统一社会信用代码 with both its check characters."""
    body = f"MA{number:06d}"
    organisation = next(body + end for end in CHECKS if has_organisation_check(body + end))
    head = f"91330106{organisation}"
    return f"{head}{uscc.calc_check_digit(head)}"


if __name__ == "__main__":
    main()
