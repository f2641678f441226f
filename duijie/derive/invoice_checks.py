"""What must hold before a request for an invoice leaves: every fault at once, in the order head, lines, totals.

Rules, sources and remedies stand in `duijie.derive.invoice_codes`, limits and tolerances in mappings/rules/invoice.yaml
or with the platform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from duijie.codec import Record
from duijie.connect.invoicing import Limits
from duijie.derive.invoice_codes import Fault, Finding, finding
from duijie.derive.invoice_rates import FREE, agrees
from duijie.derive.invoice_rules import InvoiceRules, makes_amount
from duijie.derive.invoice_special import check_special
from duijie.derive.tax_numbers import is_person, is_tax_number

ZERO = Decimal(0)
KINDS = ("normal", "special")
AMOUNTS = ("net", "tax", "gross")
SAME = ("name", "tax_class_code", "tax_rate")


def check(request: Record, rules: InvoiceRules, platform: Limits | None = None) -> list[Finding]:
    """Every fault of an invoice_request; `platform` are the limits of where it goes, where those are known."""
    limits = rules.limits(platform)
    faults = [*_kind(request), *_buyer(request, limits), *_size(request, limits)]
    for line in request["lines"]:
        faults += _line(line, request, rules, limits)
    faults += _discounts(request["lines"])
    if "special" in request:
        faults += check_special(request)
    faults += _totals(request, rules)
    return [finding(fault, rules.severity) for fault in faults]


def length(text: str, limits: Limits) -> int:
    """How long a text is to the platform: in characters or in bytes of GBK (what GBK lacks has four)."""
    return len(text) if limits.counted_in == "characters" else len(text.encode("gb18030"))


def _kind(request: Record) -> Iterator[Fault]:
    kind = request["kind"]
    if kind not in KINDS:
        yield Fault("E-KIND", "kind", kind, f"票种 {kind} 不是专票 (special) 或普票 (normal)")
    if kind != "special":
        return
    if request["buyer"].get("natural_person"):
        yield Fault("E-KIND", "kind", kind, f"购方 {request['buyer']['name']} 是自然人, 不能开专票")
    for line in request["lines"]:
        if line.get("policy") in FREE:
            where, name = f"lines[{line['line_no']}].policy", line["name"]
            yield Fault("E-KIND", where, line["policy"], f"第 {line['line_no']} 行 {name} 免税或不征税, 不能开在专票上")


def _buyer(request: Record, limits: Limits) -> Iterator[Fault]:
    buyer = request["buyer"]
    name, tax_no = buyer["name"], buyer.get("tax_no", "")
    if not name.strip() or 0 < limits.buyer_name < length(name, limits):
        yield Fault("E-BUYER-NAME", "buyer.name", name, f"购方名称为空或超过 {limits.buyer_name} 个字")
    if not tax_no:
        yield from _without_number(request)
    elif not (is_person(tax_no) if buyer.get("natural_person") else is_tax_number(tax_no)):
        yield Fault("W-USCC-CHECK", "buyer.tax_no", tax_no, f"购方税号 {tax_no} 的格式或校验码不对")


def _without_number(request: Record) -> Iterator[Fault]:
    if request["kind"] == "special":
        yield Fault("E-BUYER-TAXNO-MISSING", "buyer.tax_no", "", "专票必须有购方税号")
    elif request["buyer"].get("natural_person"):
        yield Fault("E-BUYER-TAXNO-MISSING", "buyer.tax_no", "", "购方标为自然人, 却没有身份证号")


def _size(request: Record, limits: Limits) -> Iterator[Fault]:
    remark, count, gross = request.get("remark", ""), len(request["lines"]), request["gross"]
    if 0 < limits.remark < (size := length(remark, limits)):
        unit = "字" if limits.counted_in == "characters" else "字节 (GBK)"
        yield Fault("E-LIMIT-REMARK", "remark", remark, f"备注 {size} {unit}, 超过 {limits.remark} {unit}")
    if 0 < limits.lines < count:
        yield Fault("E-LIMIT-LINES", "lines", count, f"明细 {count} 行, 超过 {limits.lines} 行")
    if 0 < limits.gross < gross:
        yield Fault("E-LIMIT-GROSS", "gross", gross, f"价税合计 {gross} 超过单张限额 {limits.gross}")


_Found = tuple[str, str, str] | None  # code, field, what is wrong


def _line(line: Record, request: Record, rules: InvoiceRules, limits: Limits) -> Iterator[Fault]:
    found = [one(line, rules) for one in _LINE_CHECKS]
    found.append(_rate(line, rules, request["ordered_at"]))
    found.append(_name_length(line, limits))
    if limits.number_places or limits.number_characters:
        found += (_number(line, name, limits) for name in ("qty", "price"))
    for one in found:
        if one is not None:
            code, field, said = one
            at = line["line_no"]
            yield Fault(code, f"lines[{at}].{field}", line.get(field, ""), f"第 {at} 行 {line['name']}: {said}")


def _tax_class(line: Record, rules: InvoiceRules) -> _Found:
    code = line["tax_class_code"]
    if not (len(code) == 19 and code.isascii() and code.isdigit()):
        return "E-TAXCODE-MISSING", "tax_class_code", "没有 19 位税收分类编码"
    verdict = rules.codes.judge(code)
    if verdict == "group":
        return "E-TAXCODE-NOT-LEAF", "tax_class_code", f"编码 {code} 是汇总项, 不是最末级"
    if verdict == "unknown":
        return "W-TAXCODE-UNKNOWN", "tax_class_code", f"编码 {code} 不在税收分类编码表中"
    return None


def _sign(line: Record, _: InvoiceRules) -> _Found:
    if line.get("nature") == "discount":
        return None
    if line["gross"] > 0 and line["net"] > 0 and line["tax"] >= 0 and line.get("qty", 1) > 0:
        return None
    return "E-NEGATIVE-LINE", "gross", "蓝票明细的金额与数量必须大于 0"


def _line_sum(line: Record, _: InvoiceRules) -> _Found:
    if line["net"] + line["tax"] == line["gross"]:
        return None
    return "E-LINE-SUM", "gross", f"不含税 {line['net']} 与税额 {line['tax']} 之和不等于价税合计"


def _line_tax(line: Record, rules: InvoiceRules) -> _Found:
    if (error := tax_error(line)) <= rules.line_tax_tolerance:
        return None
    return "E-LINE-TAX", "tax", f"税额与 金额×税率 相差 {error:.4f}"


def _quantity(line: Record, _: InvoiceRules) -> _Found:
    qty, price = line.get("qty"), line.get("price")
    if qty is None or price is None:
        return None if qty is price else ("E-QTY-PRICE", "price", "数量与单价只填了一个")
    if line.get("nature") == "discount" or makes_amount(qty, price, line["net"]):
        return None
    return "E-QTY-PRICE", "price", f"数量 {qty} × 单价 不等于金额 {line['net']}"


_LINE_CHECKS: Sequence[Callable[[Record, InvoiceRules], _Found]] = (_tax_class, _sign, _line_sum, _line_tax, _quantity)


def _rate(line: Record, rules: InvoiceRules, ordered_at: str) -> _Found:
    rate, policy = line["tax_rate"], line.get("policy", "")
    if rate not in rules.rates:
        until = rules.historic_rates.get(rate)
        if until is None:
            return "E-RATE", "tax_rate", f"税率 {rate} 不是法定税率"
        if ordered_at[:10] >= until.isoformat():
            return "E-RATE", "tax_rate", f"税率 {rate} 自 {until} 起已停用"
    if policy and not agrees(rate, policy):
        return "E-RATE", "tax_rate", f"税率 {rate} 与优惠政策标识 {policy} 不符"
    if policy in FREE and line["tax"]:
        return "E-RATE", "tax", f"免税或不征税行的税额应为 0, 现为 {line['tax']}"
    return None


def _name_length(line: Record, limits: Limits) -> _Found:
    if not 0 < limits.name < (size := length(line["name"], limits)):
        return None
    return "E-LIMIT-NAME", "name", f"商品名称长 {size}, 超过 {limits.name}"


def _number(line: Record, name: str, limits: Limits) -> _Found:
    """A quantity or a price that has more decimals or characters than the platform takes."""
    if (value := line.get(name)) is None:
        return None
    written = f"{Decimal(value):f}"
    places = len(written.partition(".")[2])
    if 0 < limits.number_places < places:
        return "E-LIMIT-NUMBER", name, f"{written} 有 {places} 位小数, 超过 {limits.number_places} 位"
    if 0 < limits.number_characters < len(written):
        return "E-LIMIT-NUMBER", name, f"{written} 长 {len(written)}, 超过 {limits.number_characters}"
    return None


def tax_error(line: Record) -> Decimal:
    """|net × rate − tax| in yuan, unrounded."""
    return Decimal(abs(line["net"] * line["tax_rate"] - line["tax"]))


def _discounts(lines: Sequence[Record]) -> Iterator[Fault]:
    """A discounted line is followed by its discount line, and nothing else is."""
    before: Record = {}
    for line in lines:
        nature = line.get("nature", "normal")
        if before.get("nature") == "discounted" and nature != "discount":
            yield _order_fault(before, "标为被折扣行, 其后却没有折扣行")
        if nature == "discount":
            yield from _discount(before, line)
        before = line
    if before.get("nature") == "discounted":
        yield _order_fault(before, "标为被折扣行, 其后却没有折扣行")


def _discount(before: Record, line: Record) -> Iterator[Fault]:
    if before.get("nature") != "discounted":
        yield _order_fault(line, "折扣行之前不是被折扣行")
        return
    if different := [name for name in SAME if line[name] != before[name]]:
        yield _order_fault(line, f"折扣行与被折扣行的 {'、'.join(different)} 不同")
    if "qty" in line or "price" in line:
        yield _order_fault(line, "折扣行不能有数量与单价")
    if not (line["net"] < 0 and line["tax"] <= 0):
        yield _order_fault(line, f"折扣行的金额与税额应为负数, 现为 {line['net']} 与 {line['tax']}")
    elif -line["net"] > before["net"] or -line["tax"] > before["tax"]:
        where = f"lines[{line['line_no']}].net"
        said = f"第 {line['line_no']} 行 {line['name']}: 折扣 {line['gross']} 超过被折扣行的 {before['gross']}"
        yield Fault("E-DISCOUNT-OVER", where, line["net"], said)


def _order_fault(line: Record, said: str) -> Fault:
    at = line["line_no"]
    nature = line.get("nature", "normal")
    return Fault("E-DISCOUNT-ORDER", f"lines[{at}].nature", nature, f"第 {at} 行 {line['name']}: {said}")


def _totals(request: Record, rules: InvoiceRules) -> Iterator[Fault]:
    lines = request["lines"]
    for name in AMOUNTS:
        total = sum((line[name] for line in lines), ZERO)
        if total != request[name]:
            yield Fault("E-HEADER-SUM", name, request[name], f"明细合计 {total} 不等于单据的 {request[name]}")
    if request["gross"] <= 0:
        yield Fault("E-TOTAL", "gross", request["gross"], f"价税合计 {request['gross']} 不大于 0")
    error = sum((tax_error(line) for line in lines), ZERO)
    if error > rules.document_tax_tolerance:
        said = f"各行税额误差累计 {error:.4f}, 超过 {rules.document_tax_tolerance}"
        yield Fault("W-DOC-TAX", "tax", error, said)


__all__ = ["check", "length", "tax_error"]
