"""税收分类编码: the small table shipped for the samples, or the official one that the user imported beside it.

A code has 19 digits, one for 篇 and two for each of 类 章 节 条 款 项 目 子目 细目; what is above another is a group
and may not be used on an invoice. Source: 商品和服务税收分类编码表 (国家税务总局公告 2016 年第 23 号 and its updates).
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal, NamedTuple

from rapidfuzz import fuzz, process

from duijie.codec import Record
from duijie.connect.errors import ConfigError

LENGTH = 19
SHIPPED, IMPORTED = "tax_codes.csv", "tax_codes.local.csv"
HEADER = ("code", "name", "short", "rates", "leaf", "keywords")
LEAST_LIKE = 70.0
_SEPARATORS = re.compile(r"[\s、,，;；()（）]+")
Verdict = Literal["", "unknown", "group"]


class TaxCode(NamedTuple):
    """One row: 19 digits, its name, the 简称 printed as *简称*, the rates as written, whether it is a last level."""

    code: str
    name: str
    short: str = ""
    rates: str = ""
    is_leaf: bool = True
    keywords: str = ""


class TaxCodes:
    """The codes that are known; none at all says nothing about any."""

    def __init__(self, rows: Iterable[TaxCode] = ()) -> None:
        self.by_code = {row.code: row for row in rows}
        self._groups = {group for code in self.by_code for group in above(code)}

    def __len__(self) -> int:
        return len(self.by_code)

    def judge(self, code: str) -> Verdict:
        """Nothing for a code that may be used, "group" for one with others below it, "unknown" for one not listed."""
        if code in self._groups:
            return "group"
        row = self.by_code.get(code)
        if row is None:
            return "unknown" if self.by_code else ""
        return "" if row.is_leaf else "group"

    def suggest(self, name: str, most: int = 3) -> list[TaxCode]:
        """The usable codes that have a word most like a part of a product's name, best first."""
        words = [word for word, _ in self._words]
        found = process.extract(name, words, scorer=fuzz.partial_ratio, limit=None, score_cutoff=LEAST_LIKE)
        found.sort(key=lambda one: (-one[1], -len(one[0]), one[2]))
        codes = dict.fromkeys(self._words[place][1] for _, _, place in found)
        return [self.by_code[code] for code in list(codes)[:most]]

    @cached_property
    def _words(self) -> list[tuple[str, str]]:
        """(word, code) of the names and keywords of the usable codes."""
        usable = [row for row in self.by_code.values() if self.judge(row.code) == ""]
        texts = ((f"{row.name} {row.short} {row.keywords}", row.code) for row in usable)
        return [(word, code) for text, code in texts for word in _SEPARATORS.split(text) if len(word) > 1]


def above(code: str) -> Iterator[str]:
    """The codes of the levels above one: 篇, 类, 章 …"""
    level = len(code.rstrip("0"))
    level += (level + 1) % 2
    for end in range(1, min(level, LENGTH), 2):
        yield code[:end].ljust(LENGTH, "0")


def load(folder: Path) -> TaxCodes:
    """The imported table of a folder, else the shipped one, else none. Raises ConfigError for one it cannot read."""
    for name in (IMPORTED, SHIPPED):
        path = folder / name
        if path.is_file():
            return TaxCodes(_rows(path))
    return TaxCodes()


def _rows(path: Path) -> list[TaxCode]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = csv.DictReader(line for line in file if not line.startswith("#"))
            return [_row(line) for line in lines]
    except (OSError, UnicodeError, csv.Error, KeyError) as error:
        raise unreadable(path, f"表头应为 {','.join(HEADER)}: {error}", f"expected {HEADER}: {error}") from error


def _row(line: Mapping[str, str]) -> TaxCode:
    code, name, short, rates, leaf, keywords = (line[column] for column in HEADER)
    return TaxCode(code, name, short, rates, leaf != "0", keywords)


def unreadable(path: Path, zh: str, en: str) -> ConfigError:
    """The error of a table that cannot be read, with what is wrong and what was expected."""
    return ConfigError(f"税收分类编码表 {path} 无法读取: {zh}, 请更正后重试", en=f"{path}: {en}", where=str(path))


class Uncoded(NamedTuple):
    """A SKU that is sold without a tax class code: how often, what it would be invoiced with, and what may fit."""

    sku: str
    name: str
    lines: int
    codes: tuple[TaxCode, ...]


def with_codes(order: Record, by_sku: Mapping[str, str]) -> Record:
    """An order whose lines without a tax class code have that of their SKU; itself where none is missing."""
    if all(line.get("tax_class_code") for line in order["lines"]):
        return order
    lines = [
        {**line, "tax_class_code": by_sku[line["sku"]]}
        if not line.get("tax_class_code") and by_sku.get(line["sku"])
        else line
        for line in order["lines"]
    ]
    return {**order, "lines": lines}


def uncoded(orders: Iterable[Record], by_sku: Mapping[str, str], table: TaxCodes, most: int = 3) -> list[Uncoded]:
    """Every SKU of the orders that has no code of its own or its product's, the most used first."""
    names: dict[str, str] = {}
    used: Counter[str] = Counter()
    for order in orders:
        for line in with_codes(order, by_sku)["lines"]:
            if not line.get("tax_class_code"):
                used[line["sku"]] += 1
                names.setdefault(line["sku"], line["name"])
    return [
        Uncoded(sku, names[sku], count, tuple(table.suggest(names[sku], most))) for sku, count in used.most_common()
    ]


__all__ = [
    "HEADER",
    "IMPORTED",
    "LENGTH",
    "TaxCode",
    "TaxCodes",
    "Uncoded",
    "above",
    "load",
    "uncoded",
    "unreadable",
    "with_codes",
]
