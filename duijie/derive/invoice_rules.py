"""mappings/rules/invoice.yaml: who sells, how orders become requests, within which limits, how severe a fault is.

What the fields mean is said beside them in the file. The checks are in `duijie.derive.invoice_checks`.
"""

from __future__ import annotations

import string
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.connect.invoicing import Limits
from duijie.derive import tax_codes
from duijie.derive.invoice_codes import CODES, Finding, Severity
from duijie.derive.invoice_rates import parse_rate
from duijie.derive.tax_codes import TaxCodes
from duijie.derive.tax_numbers import is_tax_number

CENT = Decimal("0.01")
REMARK_FIELDS = frozenset({"order_no", "orders", "platform", "shop", "title", "date"})
Factor = Literal["building", "freight", "property_sale", "property_lease", "passenger", "farm_purchase"]


class Freight(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How freight stands on an invoice; `tax_rate` as a fraction."""

    name: str
    tax_class_code: str
    tax_rate: Decimal
    unit: str = "次"


class Merge(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which orders share an invoice: none, or all of one buyer that were made within a day, a month, or ever."""

    by: Literal["none", "buyer"] = "none"
    within: Literal["day", "month", "ever"] = "month"
    across_shops: bool = True


class InvoiceRules(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The file. Tolerances and limits in yuan and characters, rates as fractions, 0 for no limit."""

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
    max_name: int = 90
    max_buyer_name: int = 100
    max_gross: Decimal = Decimal(0)
    historic_rates: dict[Decimal, date] = {}
    discounts: Literal["net_price", "discount_line"] = "net_price"
    gifts: Literal["drop", "discount_line"] = "drop"
    negative_lines: Literal["refuse", "spread"] = "refuse"
    merge: Merge = Merge()
    policies: dict[str, str] = {}
    special_classes: dict[Factor, tuple[str, ...]] = {}
    number_areas: frozenset[str] = frozenset()
    severity: dict[str, Severity] = {}
    codes: TaxCodes = msgspec.field(default_factory=TaxCodes)  # of the table beside the file

    def limits(self, platform: Limits | None = None) -> Limits:
        """The limits of a platform where it names them, else the file's."""
        told = platform or Limits(buyer_name=0)
        return Limits(
            lines=told.lines or self.max_lines,
            remark=told.remark or self.max_remark,
            name=told.name or self.max_name,
            buyer_name=told.buyer_name or self.max_buyer_name,
            number_places=told.number_places,
            number_characters=told.number_characters,
            gross=told.gross or self.max_gross,
            counted_in=told.counted_in,
        )

    def policy_of(self, tax_class_code: str) -> str:
        """The policy mark of the longest beginning of a code that has one, "" for none."""
        fitting = [start for start in self.policies if tax_class_code.startswith(start)]
        return self.policies[max(fitting, key=len)] if fitting else ""


def load_rules(path: Path) -> InvoiceRules:
    """Read invoice.yaml. Raises ConfigError naming the file, the place and what was expected."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506  texts only, no floats
        rules = msgspec.convert(_with_fractions(data), InvoiceRules, strict=False)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise _wrong(path, str(error)) from error
    except InvalidDocument as error:
        raise _wrong(path, error.zh) from error
    if unknown := sorted(set(rules.severity) - set(CODES)):
        raise _wrong(path, f"severity: {', '.join(unknown)} - `$.severity`")
    try:
        fields = _remark_fields(rules)
    except ValueError as error:
        raise _wrong(path, f"remark: {error} - `$.remark`") from error
    if unknown := sorted(fields - REMARK_FIELDS):
        raise _wrong(path, f"remark: {', '.join(unknown)} not in {', '.join(sorted(REMARK_FIELDS))} - `$.remark`")
    return msgspec.structs.replace(rules, codes=tax_codes.load(path.parent))


def names_title(rules: InvoiceRules) -> bool:
    """Whether the remark names the buyer."""
    return "title" in _remark_fields(rules)


def _remark_fields(rules: InvoiceRules) -> set[str]:
    """What the remark template names. Raises ValueError where it is no template."""
    return {name for _, name, _, _ in string.Formatter().parse(rules.remark) if name is not None}


def _with_fractions(data: Any) -> Any:
    """The file with its rates as fractions, however they are written: 13%, 13, 0.13. Raises InvalidDocument."""
    if not isinstance(data, dict):
        return data
    made = dict(data)
    if isinstance(made.get("rates"), list):
        made["rates"] = [parse_rate(one).rate for one in made["rates"]]
    if isinstance(made.get("historic_rates"), dict):
        made["historic_rates"] = {parse_rate(one).rate: day for one, day in made["historic_rates"].items()}
    if isinstance(freight := made.get("freight"), dict) and "tax_rate" in freight:
        made["freight"] = {**freight, "tax_rate": parse_rate(freight["tax_rate"]).rate}
    return made


def _wrong(path: Path, said: str) -> ConfigError:
    return ConfigError(f"开票规则 {path} 有误: {said}, 请更正后重试", en=f"{path} is wrong: {said}", where=str(path))


def makes_amount(qty: Decimal, price: Decimal, amount: Decimal) -> bool:
    """Whether quantity times price comes to the amount, to the cent."""
    return abs(qty * price - amount) <= CENT


__all__ = [
    "Finding",
    "Freight",
    "InvoiceRules",
    "Merge",
    "Severity",
    "is_tax_number",
    "load_rules",
    "makes_amount",
    "names_title",
]
