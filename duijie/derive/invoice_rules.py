"""What must hold before a request for an invoice leaves: every fault at once, each with what to do.

The limits are data (mappings/rules/invoice.yaml); codes beginning with E are errors, with W warnings, unless the rules
say otherwise. Sources: 诺税通 SaaS field table (open.nuonuo.com) for tolerances and limits; GB 32100-2015 for the check
digit of a 统一社会信用代码; 增值税法 第十条 for rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import yaml
from stdnum.cn import ric, uscc

from duijie.codec import Record
from duijie.connect.errors import ConfigError

Severity = Literal["error", "warning"]

CENT = Decimal("0.01")
OTHER_TAX_NUMBERS = (15, 17, 20)
PLATFORM = "诺税通 requestBillingNew"


class Freight(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How freight stands on an invoice; `tax_rate` as a fraction."""

    name: str
    tax_class_code: str
    tax_rate: Decimal
    unit: str = "次"


class InvoiceRules(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """mappings/rules/invoice.yaml. Tolerances in yuan, rates as fractions."""

    seller_tax_no: str
    blue_prefix: str
    red_prefix: str
    remark: str
    freight: Freight
    rates: tuple[Decimal, ...]
    line_tax_tolerance: Decimal
    document_tax_tolerance: Decimal
    max_lines: int
    max_remark: int
    severity: dict[str, Severity] = {}


class Finding(NamedTuple):
    """One fault: where it is, what stands there, what to do, and which rule says so."""

    code: str
    severity: Severity
    field: str
    value: str
    message: str
    source: str


class Fault(NamedTuple):
    """A finding before its severity is known."""

    code: str
    field: str
    value: Any
    message: str
    source: str = PLATFORM


def load_rules(path: Path) -> InvoiceRules:
    """Read invoice.yaml. Raises ConfigError naming the file, the place and what was expected."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506  texts only, no floats
        return msgspec.convert(data, InvoiceRules, strict=False)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"开票规则 {path} 有误: {error}, 请更正后重试", en=f"{path} is wrong: {error}", where=str(path)
        ) from error


def makes_amount(qty: Decimal, price: Decimal, amount: Decimal) -> bool:
    """Whether quantity times price comes to the amount, to the cent."""
    return abs(qty * price - amount) <= CENT


def check(request: Record, rules: InvoiceRules) -> list[Finding]:
    """Every fault of an invoice_request, in the order head, lines, totals."""
    faults = [*_buyer(request), *_limits(request, rules)]
    for line in request["lines"]:
        faults += _line(line, rules)
    faults += _totals(request, rules)
    return [_finding(fault, rules) for fault in faults]


def is_tax_number(tax_no: str) -> bool:
    """Whether it can be a tax number: 18 characters that check out (统一社会信用代码, 身份证号), or 15, 17 or 20."""
    if len(tax_no) == 18:
        return bool(uscc.is_valid(tax_no) or ric.is_valid(tax_no))
    return len(tax_no) in OTHER_TAX_NUMBERS and tax_no.isascii() and tax_no.isalnum()


def _finding(fault: Fault, rules: InvoiceRules) -> Finding:
    usual: Severity = "warning" if fault.code.startswith("W-") else "error"
    severity = rules.severity.get(fault.code, usual)
    return Finding(fault.code, severity, fault.field, str(fault.value), fault.message, fault.source)


def _buyer(request: Record) -> Iterator[Fault]:
    name, tax_no = request["buyer"]["name"], request["buyer"].get("tax_no", "")
    if not 0 < len(name) <= 100:
        yield Fault("E-BUYER-NAME", "buyer.name", name, "购方名称为空或超过 100 个字; 请买家重新提供发票抬头")
    if request["kind"] == "special" and not tax_no:
        yield Fault("E-BUYER-TAXNO-MISSING", "buyer.tax_no", "", "专票必须有购方税号; 请向买家索取, 或改开普票")
    if tax_no and not is_tax_number(tax_no):
        remedy = f"购方税号 {tax_no} 的格式或校验码不对; 请与买家核对后更正订单的开票信息"
        yield Fault("W-USCC-CHECK", "buyer.tax_no", tax_no, remedy, "GB 32100-2015")


def _limits(request: Record, rules: InvoiceRules) -> Iterator[Fault]:
    remark, count = request.get("remark", ""), len(request["lines"])
    if len(remark) > rules.max_remark:
        said = f"备注 {len(remark)} 字, 超过 {rules.max_remark} 字; 请在开票规则 remark 中缩短"
        yield Fault("E-LIMIT-REMARK", "remark", remark, said)
    if count > rules.max_lines:
        yield Fault(
            "E-LIMIT-LINES", "lines", count, f"明细 {count} 行, 超过 {rules.max_lines} 行; 请拆分订单后人工开票"
        )


def _line(line: Record, rules: InvoiceRules) -> Iterator[Fault]:
    where = f"lines[{line['line_no']}]"
    said = f"第 {line['line_no']} 行 {line['name']}: "
    checks: tuple[Callable[[Record, InvoiceRules], tuple[str, str, str] | None], ...] = (
        _tax_class,
        _rate,
        _sign,
        _line_sum,
        _line_tax,
        _quantity,
    )
    for one in checks:
        if found := one(line, rules):
            code, field, message = found
            yield Fault(code, f"{where}.{field}", line[field], said + message)


def _tax_class(line: Record, _: InvoiceRules) -> tuple[str, str, str] | None:
    code = line["tax_class_code"]
    if len(code) == 19 and code.isdigit():
        return None
    return "E-TAXCODE-MISSING", "tax_class_code", "没有 19 位税收分类编码; 请在商品资料中补上后重放"


def _rate(line: Record, rules: InvoiceRules) -> tuple[str, str, str] | None:
    if line["tax_rate"] in rules.rates:
        return None
    return "E-RATE", "tax_rate", f"税率 {line['tax_rate']} 不是法定税率; 请更正商品资料的税率"


def _sign(line: Record, _: InvoiceRules) -> tuple[str, str, str] | None:
    if line["gross"] > 0 and line["qty"] > 0:
        return None
    return "E-NEGATIVE-LINE", "gross", "蓝票明细的金额与数量必须大于 0; 请把折扣或退货行并入其他行"


def _line_sum(line: Record, _: InvoiceRules) -> tuple[str, str, str] | None:
    if line["net"] + line["tax"] == line["gross"]:
        return None
    return "E-LINE-SUM", "gross", f"不含税 {line['net']} 与税额 {line['tax']} 之和不等于价税合计; 请核对订单金额"


def _line_tax(line: Record, rules: InvoiceRules) -> tuple[str, str, str] | None:
    if _tax_error(line) <= rules.line_tax_tolerance:
        return None
    return "E-LINE-TAX", "tax", f"税额与 金额×税率 相差 {_tax_error(line):.2f}; 请核对该行的税率与税额"


def _quantity(line: Record, _: InvoiceRules) -> tuple[str, str, str] | None:
    if makes_amount(line["qty"], line["price"], line["net"]):
        return None
    return "E-QTY-PRICE", "price", f"数量 {line['qty']} × 单价 不等于金额 {line['net']}; 请核对数量与单价"


def _tax_error(line: Record) -> Decimal:
    return Decimal(abs(line["net"] * line["tax_rate"] - line["tax"]))


def _totals(request: Record, rules: InvoiceRules) -> Iterator[Fault]:
    lines = request["lines"]
    for name in ("net", "tax", "gross"):
        total = sum((line[name] for line in lines), Decimal(0))
        if total != request[name]:
            said = f"明细合计 {total} 不等于单据的 {request[name]}; 请核对订单明细、运费与实付金额"
            yield Fault("E-HEADER-SUM", name, request[name], said)
    error = sum((_tax_error(line) for line in lines), Decimal(0))
    if error > rules.document_tax_tolerance:
        said = f"各行税额误差累计 {error:.2f}, 超过 {rules.document_tax_tolerance}; 请核对税额的取整方式"
        yield Fault("W-DOC-TAX", "tax", error, said)


__all__ = ["Finding", "Freight", "InvoiceRules", "check", "is_tax_number", "load_rules", "makes_amount"]
