"""Whether a file is the invoice that was asked for, and whether two files are of one invoice.

Compared are number, day, kind, colour, both parties, the three totals, the words and every line; what one side does not
say is not compared. Names are held against each other without spaces and widths (NFKC), the line's without the short
name of its tax class (*简称*) that platforms put before it, a person's without （个人）.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from duijie.codec import Record
from duijie.connect.invoicing import SHORT_NAME
from duijie.originals import checks, ofd, xml
from duijie.originals.guard import kind_of
from duijie.originals.model import BadFile, Fault, Original, Row

CENT = Decimal("0.01")
PERSON = re.compile(r"\(个人\)$")
DIFFERS = "文件与开票申请不一致: 请勿交付此文件, 由开票员核对"
TWO_FILES = "同一张发票的两个文件不一致: 请重新下载并核对"
KIND_WORDS = {"special": "增值税专用发票", "normal": "普通发票"}
COLOUR_WORDS = {"blue": "蓝字", "red": "红字"}


def expected(invoice: Record, request: Record | None = None, seller_name: str = "") -> Record:
    """What the files of an issued canonical invoice must say: its own figures and those of its request.

    `request` is an invoice_request or a red_request; what it asked for counts where both say something.
    """
    asked = request or {}
    buyer = asked.get("buyer", {})
    return {
        "number": invoice["number"],
        "issued_at": invoice.get("issued_at", ""),
        "colour": invoice["colour"],
        "kind": asked.get("kind") or asked.get("blue_kind") or invoice.get("kind", ""),
        "seller_tax_no": asked.get("seller_tax_no") or invoice.get("seller_tax_no", ""),
        "seller_name": seller_name,
        "buyer_name": buyer.get("name") or invoice.get("buyer_name", ""),
        "buyer_tax_no": buyer.get("tax_no", "") if asked else invoice.get("buyer_tax_no"),
        "net": asked.get("net", invoice["net"]),
        "tax": asked.get("tax", invoice["tax"]),
        "gross": asked.get("gross", invoice["gross"]),
        "blue_number": asked.get("blue_number") or invoice.get("blue_number", ""),
        "form_no": invoice.get("form_no", ""),
        "lines": asked.get("lines") or invoice.get("lines", []),
    }


def read(data: bytes) -> Original:
    """What an XML or OFD file says. Raises BadFile, also for a PDF, which says nothing that can be relied on."""
    readers = {"xml": xml.read, "ofd": ofd.read}
    if (kind := kind_of(data)) not in readers:
        raise BadFile("E-FILE-KIND", "文件是 PDF, 不含可核对的数据", "a PDF holds no data to compare")
    return readers[kind](data)


def verdict(data: bytes, wanted: Record) -> list[Fault]:
    """Everything that is wrong with a file: refused whole, against itself, against what it must say."""
    try:
        original = read(data)
    except BadFile as error:
        return [Fault(error.code, error.where or "文件", "", "", error.zh)]
    return [*checks.faults(original), *differences(original, wanted)]


def differences(one: Original, wanted: Record) -> list[Fault]:
    """Where a file is not what it must be; `wanted` as `expected` makes it."""
    ours = {
        "发票号码": wanted["number"],
        "票种": KIND_WORDS.get(wanted["kind"], ""),
        "红蓝": COLOUR_WORDS[wanted["colour"]] if one.colour else None,
        "销售方名称": wanted.get("seller_name") or None,
        "销售方税号": wanted.get("seller_tax_no") or None,
        "购买方名称": wanted["buyer_name"] or None,
        "购买方税号": wanted.get("buyer_tax_no"),
        "合计金额": wanted["net"],
        "合计税额": wanted["tax"],
        "价税合计": wanted["gross"],
        "蓝字发票号码": wanted.get("blue_number") or None,
        "红字确认单编号": wanted.get("form_no") or None,
    }
    found = [*_unlike(ours, _face(one), DIFFERS), *_day(wanted.get("issued_at", ""), one.issued_at, DIFFERS)]
    return [*found, *_rows(wanted["lines"], one.rows)] if one.rows and wanted["lines"] else found


def between(one: Original, other: Original) -> list[Fault]:
    """Where two files of one invoice say different things; `ours` is the first."""
    said = {name: value for name, value in _face(other).items() if value not in ("", None)}
    ours = {name: value for name, value in _face(one).items() if value not in ("", None) and name in said}
    return [*_unlike(ours, said, TWO_FILES), *_day(one.issued_at, other.issued_at, TWO_FILES)]


def _face(one: Original) -> dict[str, Any]:
    return {
        "发票号码": one.number,
        "票种": KIND_WORDS.get(one.kind, ""),
        "红蓝": COLOUR_WORDS.get(one.colour, ""),
        "销售方名称": one.seller.name,
        "销售方税号": one.seller.tax_no,
        "购买方名称": one.buyer.name,
        "购买方税号": one.buyer.tax_no,
        "合计金额": one.net,
        "合计税额": one.tax,
        "价税合计": one.gross,
        "蓝字发票号码": one.blue_number if one.form == "xml" else None,
        "红字确认单编号": one.form_no if one.form == "xml" else None,
    }


def _unlike(ours: Mapping[str, Any], theirs: Mapping[str, Any], zh: str) -> Iterator[Fault]:
    for name, mine in ours.items():
        said = theirs[name]
        if mine is None or said is None or mine == said or (name == "票种" and not (mine and said)):
            continue
        if isinstance(said, Decimal) or not _same_text(mine, said, name):
            yield Fault("E-FILE-MISMATCH", name, str(mine), str(said), zh)


def _same_text(mine: str, said: str, name: str) -> bool:
    return name.endswith("名称") and PERSON.sub("", plain(mine)) == PERSON.sub("", plain(said))


def plain(text: str) -> str:
    """A name without what printing may change in it: spaces, widths."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def _day(mine: str, said: str, zh: str) -> Iterator[Fault]:
    """The days, which may be one apart: a platform tells the time it heard of it."""
    if mine and said and abs((date.fromisoformat(mine[:10]) - date.fromisoformat(said[:10])).days) > 1:
        yield Fault("E-FILE-MISMATCH", "开票日期", mine, said, zh)


def _rows(lines: Sequence[Record], rows: Sequence[Row]) -> Iterator[Fault]:
    if len(lines) != len(rows):
        yield Fault("E-FILE-MISMATCH", "明细", f"{len(lines)} 行", f"{len(rows)} 行", DIFFERS)
    for at, (line, row) in enumerate(zip(lines, rows, strict=False), 1):
        for name, mine, said in _unlike_row(line, row):
            yield Fault("E-FILE-MISMATCH", f"第 {at} 行 {name}", str(mine), str(said), DIFFERS)


def _unlike_row(line: Record, row: Row) -> Iterator[tuple[str, Any, Any]]:
    """Each field of a line that differs, with both values."""
    if line["name"] != row.name and item(line["name"]) != item(row.name):
        yield "项目名称", line["name"], row.name
    if line["net"] != row.net:
        yield "金额", line["net"], row.net
    if line["tax"] != row.tax:
        yield "税额", line["tax"], row.tax
    if row.rate is not None and line["tax_rate"] != row.rate:
        yield "税率", line["tax_rate"], row.rate
    if row.policy != (line.get("policy", "") if line.get("policy") in ("03", "04") else ""):
        yield "优惠政策", line.get("policy", ""), row.policy
    code = line.get("tax_class_code")
    if code and row.tax_class_code and code != row.tax_class_code:
        yield "税收分类编码", code, row.tax_class_code
    for name, mine, said in (("规格型号", line.get("spec"), row.spec), ("单位", line.get("unit"), row.unit)):
        if mine and mine != said and plain(mine) != plain(said):
            yield name, mine, said
    yield from _quantity(line, row)


def _quantity(line: Record, row: Row) -> Iterator[tuple[str, Any, Any]]:
    qty, price = line.get("qty") or None, line.get("price") or None  # 0: an allowance, of no goods
    if qty != row.qty:
        yield "数量", qty or "", row.qty or ""
    elif qty and price and row.price is not None and abs(price - row.price) * max(abs(qty), 1) > CENT:
        yield "单价", price, row.price


def item(name: str) -> str:
    """A line's name without the short name of its tax class."""
    return plain(SHORT_NAME.sub("", name))
