"""`python -m benchmarks.einvoice.files`: parsing an invoice's XML and comparing it with its request, 3 lines each.

The median of `--rounds` rounds over many different files, in one process, from bytes to verdict: guard, lxml, sums,
words, every field of every line. Ends with one line of JSON; the goal is under 1 ms a file.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from datetime import datetime
from decimal import Decimal
from typing import Any

from duijie.originals.compare import verdict
from sandbox.bureau_files import CHINA, Face, Item, Side, face_xml

GOAL_US = 1000.0
Record = dict[str, Any]
SELLER = Side("杭州示例供应有限公司", "91330106MA2DEMK14E", "示例路1号", "0571-00000000")
BUYER = Side("上海示例采购有限公司", "91310115MA1DEMA278")
ISSUED = datetime(2026, 11, 23, 10, 0, 3, tzinfo=CHINA)
NAMES = ("鼠标", "键盘", "显示器")


def face(number: int) -> Face:
    """An invoice of three lines, different for each number."""
    lines = []
    for at, name in enumerate(NAMES):
        qty, price = Decimal(1 + number % 7 + at), Decimal(100 + number % 900) / 4
        net = (qty * price).quantize(Decimal("0.01"))
        tax = (net * Decimal("0.13")).quantize(Decimal("0.01"))
        code = "1090511030000000000"
        lines.append(Item(f"*计算机外部设备*{name}", net, tax, "0.13", code, "", "只", qty, price))
    return Face(f"2699{number:016}", ISSUED, "normal", SELLER, BUYER, tuple(lines), remark=f"SO{number}")


def wanted(one: Face) -> Record:
    """What `duijie.originals.compare.expected` makes of the invoice and its request."""
    fields = ("name", "net", "tax", "spec", "unit", "qty", "price")
    lines = [
        {name: getattr(line, name) for name in fields}
        | {"name": line.name.rpartition("*")[2], "tax_class_code": line.code, "tax_rate": Decimal(line.rate)}
        for line in one.lines
    ]
    head = {"number": one.number, "issued_at": one.issued_at.isoformat(), "colour": "blue", "kind": one.kind}
    parties = {"seller_tax_no": one.seller.tax_no, "buyer_name": one.buyer.name, "buyer_tax_no": one.buyer.tax_no}
    return {**head, **parties, "net": one.net, "tax": one.tax, "gross": one.gross, "lines": lines}


def round_of(work: list[tuple[bytes, Record]]) -> float:
    """Microseconds a file. Raises AssertionError where a file is not found right."""
    started = time.perf_counter()
    wrong = sum(bool(verdict(file, expected)) for file, expected in work)
    spent = time.perf_counter() - started
    if wrong:
        raise AssertionError(f"{wrong} right files were refused")
    return spent / len(work) * 1e6


def main() -> None:
    """Measure and say so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    work = [(face_xml(one), wanted(one)) for one in map(face, range(chosen.files))]
    rounds = [round_of(work) for _ in range(chosen.rounds)]
    figures = {"files": chosen.files, "us_per_file": round(statistics.median(rounds), 1), "goal_us": GOAL_US}
    print(f"{platform.python_version()}: rounds {', '.join(f'{one:.0f}' for one in rounds)} µs a file")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
