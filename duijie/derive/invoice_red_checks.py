"""What must hold of a red form against its blue, and of the number of an invoice, issued or received.

Sources: 国家税务总局公告 2024 年第 11 号 (red letters: 开票有误 in full only, together never more than the blue).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal

from duijie.codec import Record
from duijie.derive.invoice_codes import Fault, Finding, finding
from duijie.derive.invoice_rules import InvoiceRules, makes_amount

NUMBER = re.compile(r"\d{20}", re.ASCII)
AMOUNTS = ("net", "tax", "gross")
ZERO = Decimal("0.00")


def check_red(red: Record, blue_request: Record, earlier: Sequence[Record], rules: InvoiceRules) -> list[Finding]:
    """Every fault of a red_request; `earlier` are the red_requests of the blue before it, void ones left out.

    A form without lines reverses the whole invoice; a discount is reversed with the line before it, whose number a
    red names. Amounts of reds are negative, in yuan.
    """
    faults = [*_full_only(red, blue_request), *_amounts(red, rules), *_over(red, blue_request, earlier)]
    faults += _number(red["blue_number"], "", rules, "blue_number")
    return [finding(fault, rules.severity) for fault in faults]


def check_number(number: str, issued_at: str, rules: InvoiceRules, field: str = "number") -> list[Finding]:
    """Every fault of a 数电票 number; `issued_at` is its moment or day (ISO), "" where it is not known."""
    return [finding(fault, rules.severity) for fault in _number(number, issued_at, rules, field)]


def _number(number: str, issued_at: str, rules: InvoiceRules, field: str) -> Iterator[Fault]:
    if not NUMBER.fullmatch(number):
        yield Fault("E-NUMBER", field, number, f"发票号码 {number} 不是 20 位数字")
        return
    if issued_at and number[:2] != issued_at[2:4]:
        said = f"发票号码 {number} 的年份 {number[:2]} 与开票日期 {issued_at[:10]} 不符"
        yield Fault("E-NUMBER", field, number, said)
    if rules.number_areas and number[2:4] not in rules.number_areas:
        yield Fault("E-NUMBER", field, number, f"发票号码 {number} 的地区代码 {number[2:4]} 不存在")


def _full_only(red: Record, blue: Record) -> Iterator[Fault]:
    if red["reason"] != "wrong_invoice" or all(red[name] == -blue[name] for name in AMOUNTS):
        return
    said = f"开票有误只能全额红冲 {blue['gross']}, 现为 {red['gross']}"
    yield Fault("E-RED-FULL-ONLY", "reason", red["reason"], said)


def _amounts(red: Record, rules: InvoiceRules) -> Iterator[Fault]:
    if red["net"] + red["tax"] != red["gross"]:
        said = f"金额 {red['net']} 与税额 {red['tax']} 之和不等于价税合计 {red['gross']}"
        yield Fault("E-HEADER-SUM", "gross", red["gross"], said)
    for name in AMOUNTS if red["lines"] else ():
        if (total := sum((line[name] for line in red["lines"]), ZERO)) != red[name]:
            yield Fault("E-HEADER-SUM", name, red[name], f"红字明细合计 {total} 不等于单据的 {red[name]}")
    for line in red["lines"]:
        yield from _line(line, rules)


def _line(line: Record, rules: InvoiceRules) -> Iterator[Fault]:
    where, head = f"lines[{line['line_no']}]", f"第 {line['line_no']} 行 {line['name']}: "
    net, tax, qty = line["net"], line["tax"], line.get("qty", ZERO)
    if net + tax != line["gross"]:
        said = f"{head}金额 {net} 与税额 {tax} 之和不等于价税合计 {line['gross']}"
        yield Fault("E-LINE-SUM", f"{where}.gross", line["gross"], said)
    if (error := abs(net * line["tax_rate"] - tax)) > rules.line_tax_tolerance:
        yield Fault("E-LINE-TAX", f"{where}.tax", tax, f"{head}税额与 金额×税率 相差 {error:.4f}")
    if qty and not makes_amount(qty, line["price"], net):
        yield Fault("E-QTY-PRICE", f"{where}.price", line["price"], f"{head}数量 {qty} × 单价 不等于金额 {net}")


def _over(red: Record, blue: Record, earlier: Sequence[Record]) -> Iterator[Fault]:
    """A red, with those before it, takes no more than the blue has, in all and of each line, and no positive amount."""
    if any(red[name] > 0 for name in AMOUNTS):
        yield _too_much("gross", red["gross"], f"红字金额应为负数, 现为 {red['gross']}")
    for name in AMOUNTS:
        if (left := blue[name] + sum((one[name] for one in earlier), ZERO)) + red[name] < 0:
            yield _too_much(name, red[name], f"红冲 {red[name]} 超过蓝票剩余的 {left}")
    taken = _taken(earlier)
    blues = _standing(blue["lines"])
    for line in red["lines"]:
        yield from _line_over(line, blues.get(line["blue_line"]), taken[line["blue_line"]])


def _standing(lines: Sequence[Record]) -> dict[int, Record]:
    """What of each line of a blue can be reversed, by its number: of a discounted one what its discount leaves."""
    found: dict[int, Record] = {}
    before = 0
    for line in lines:
        if line.get("nature") == "discount" and before in found:
            whole = found[before]
            found[before] = {**whole, **{name: whole[name] + line[name] for name in AMOUNTS}}
        else:
            before = line["line_no"]
            found[before] = line
    return found


def _taken(earlier: Sequence[Record]) -> dict[int, list[Record]]:
    found: dict[int, list[Record]] = defaultdict(list)
    for red in earlier:
        for line in red["lines"]:
            found[line["blue_line"]].append(line)
    return found


def _line_over(line: Record, blue: Record | None, taken: list[Record]) -> Iterator[Fault]:
    where = f"lines[{line['line_no']}]"
    if blue is None:
        said = f"蓝票没有第 {line['blue_line']} 行"
        yield _too_much(f"{where}.blue_line", line["blue_line"], said)
        return
    for name in (*AMOUNTS, "qty"):
        have = blue.get(name)
        if have is None or name not in line:
            continue
        left = have + sum((one.get(name, ZERO) for one in taken), ZERO)
        if left + line[name] < 0:
            said = f"第 {line['line_no']} 行 {line['name']}: 红冲 {name} {line[name]} 超过蓝票该行剩余的 {left}"
            yield _too_much(f"{where}.{name}", line[name], said)
    taken.append(line)


def _too_much(field: str, value: object, said: str) -> Fault:
    return Fault("E-RED-OVER", field, value, said)


__all__ = ["check_number", "check_red"]
