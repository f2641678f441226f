"""凭证: one voucher per shop and day of the documents a rule covers, balanced to the cent by construction.

Rules are data (mappings/rules/voucher.yaml). A document contributes postings: a role account, a side, and the amount it
reads from a document or from its lines, kept apart by tax rate, because different rates in one sum would be taxed at
the highest (增值税法 第十二条). Reductions are negative on the *same* side (红字), so that period totals stay right.
Amounts come from the documents as they are: gross never moves, and a voucher whose sides differ is refused.
Source of form and validity rules: 会计基础工作规范 (财政部), 第五十一条.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from duijie.codec import Record
from duijie.connect.errors import ConfigError, InvalidDocument
from duijie.derive.rounding import split_tax

ZERO = Decimal("0.00")
REVERSAL = "_reversal"


class Posting(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One line of a rule. `of`: field with the amount; `per_line`: read it from every document line.

    `part` takes net or tax of a gross amount at `rate`; without a rate the field is posted as it is.
    """

    account: str
    side: str
    of: str
    per_line: bool = False
    part: str = ""
    rate: Decimal | None = None
    customer: bool = False


class VoucherRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a rule covers and posts. `where`: field → values it must have; `sign` −1 makes a red voucher."""

    entity: str
    word: str
    summary: str
    where: dict[str, tuple[str, ...]]
    postings: tuple[Posting, ...]
    sign: int = 1
    name: str = ""

    def applies(self, document: Record) -> bool:
        """Whether the rule covers this document."""
        return all(document.get(field) in values for field, values in self.where.items())


class Voucher(msgspec.Struct, frozen=True):
    """A made voucher and (source key, amount) of every document in it."""

    document: Record
    sources: tuple[tuple[str, Decimal], ...]


def load_rules(path: Path) -> dict[str, VoucherRule]:
    """Read voucher.yaml. Raises ConfigError naming the file, the place and what was expected."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        rules = msgspec.convert(data, dict[str, VoucherRule], strict=False)
    except (OSError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"凭证规则 {path} 有误: {error}, 请更正后重试", en=f"{path} is wrong: {error}", where=str(path)
        ) from error
    return {name: msgspec.structs.replace(rule, name=name) for name, rule in rules.items()}


def groups_of(documents: Iterable[Record], rule: VoucherRule) -> list[list[Record]]:
    """The documents that the rule covers, one list per shop and day, in order."""
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for document in documents:
        if rule.applies(document):
            groups[document["shop"], document["business_date"]].append(document)
    return [group for _, group in sorted(groups.items())]


def voucher(group: list[Record], rule: VoucherRule, issued: Mapping[str, int], names: Mapping[str, str]) -> Voucher:
    """The voucher of one group. Raises InvalidDocument when its sides differ or come to nothing.

    `issued`: group → how many vouchers it has already: late documents make a supplement 补, never a change.
    `names`: shop → how it is called in the summary.
    """
    shop, day = group[0]["shop"], group[0]["business_date"]
    key = f"{rule.name}:{shop}:{day}"
    number = issued.get(key, 0) + 1
    supplement = "补" if number > 1 else ""
    words = {"shop": names.get(shop, shop), "day": day[5:], "count": len(group)}
    summary = supplement + rule.summary.format(**words)
    head = {"key": f"{key}:{number}", "rule": rule.name, "shop": shop, "date": day}
    return _voucher(head, group, rule, summary)


def reversal_key(original: str, number: int) -> str:
    """The key of a voucher's n-th reversal: sale:S01:2026-11-11:1 → sale_reversal:S01:2026-11-11:1:n."""
    rule, _, rest = original.partition(":")
    return f"{rule}{REVERSAL}:{rest}:{number}"


def original_key(reversal: str) -> str:
    """The key of the voucher that a reversal reverses."""
    rule, _, rest = reversal.partition(":")
    return f"{rule.removesuffix(REVERSAL)}:{rest.rpartition(':')[0]}"


def reversal(original: Record, group: list[Record], rule: VoucherRule, number: int, day: str) -> Voucher:
    """冲销: the red voucher that takes some documents of a posted voucher out again; its date is `day` at the earliest.

    `group` holds them as they were posted. Raises InvalidDocument as `voucher` does.
    """
    head = {
        "key": reversal_key(original["key"], number),
        "rule": f"{rule.name}{REVERSAL}",
        "shop": original["shop"],
        "date": max(day, original["date"]),
    }
    summary = f"冲销 {original['key']} {len(group)}单"
    return _voucher(head, group, msgspec.structs.replace(rule, sign=-rule.sign), summary)


def _voucher(head: Record, group: list[Record], rule: VoucherRule, summary: str) -> Voucher:
    lines = _lines(rule, head["shop"], group, summary)
    debit, credit = (sum((line[side] for line in lines), ZERO) for side in ("debit", "credit"))
    if debit != credit or len(lines) < 2:
        raise InvalidDocument(
            f"凭证 {head['key']} 不平: 借 {debit} 贷 {credit}; 请核对凭证规则 {rule.name} 与来源单据的金额",
            en=f"voucher {head['key']} does not balance: debit {debit}, credit {credit}",
            where=head["key"].rpartition(":")[0],
        )
    made: Record = {
        **head,
        "period": head["date"][:4] + head["date"][5:7],
        "word": rule.word,
        "summary": summary,
        "attachments": len(group),
        "debit": debit,
        "credit": credit,
        "lines": lines,
    }
    amount = rule.postings[0].of
    return Voucher(made, tuple((one["key"], rule.sign * Decimal(one[amount])) for one in group))


class Part(NamedTuple):
    """What one posting takes from one place of one document; `rate` is None where rates are not kept apart."""

    position: int
    rate: Decimal | None
    key: str
    field: str
    amount: Decimal


def parts(rule: VoucherRule, group: Iterable[Record]) -> Iterator[Part]:
    """Every amount that goes into a group's voucher, with the document and the field it is read from."""
    documents = list(group)
    for position, posting in enumerate(rule.postings):
        for document in documents:
            for place, part in _places(posting, document):
                rate = part.get("tax_rate") if posting.rate is None else posting.rate
                kept_apart = None if posting.customer else rate
                amount = rule.sign * _amount(posting, part)
                yield Part(position, kept_apart, str(document["key"]), f"{place}{posting.of}", amount)


def into_line(rule: VoucherRule, group: Iterable[Record], line: Record) -> list[Part]:
    """The parts that one line of the group's voucher is the sum of; those of nothing left out."""
    side = "debit" if line["debit"] else "credit"
    wanted = (line["account"], side, line.get("tax_rate"))
    return [
        part
        for part in parts(rule, group)
        if part.amount
        and (rule.postings[part.position].account, rule.postings[part.position].side, part.rate) == wanted
    ]


def _places(posting: Posting, document: Record) -> list[tuple[str, Record]]:
    if not posting.per_line:
        return [("", document)]
    return [(f"lines[{index}].", line) for index, line in enumerate(document["lines"])]


def _lines(rule: VoucherRule, shop: str, group: list[Record], summary: str) -> list[Record]:
    """Postings merged by account, side and tax rate; what comes to nothing is left out."""
    totals: dict[tuple[int, Decimal | None], Decimal] = defaultdict(lambda: ZERO)
    for part in parts(rule, group):
        totals[part.position, part.rate] += part.amount
    ordered = sorted(totals.items(), key=lambda item: (item[0][0], -(item[0][1] or 0)))
    lines = [_line(rule.postings[at], rate, amount, shop, summary) for (at, rate), amount in ordered if amount]
    return [{"line_no": number, **line} for number, line in enumerate(_merged(lines), 1)]


def _amount(posting: Posting, part: Record) -> Decimal:
    value = Decimal(part.get(posting.of) or 0)
    if not posting.part:
        return value
    split = split_tax(value, posting.rate or Decimal(0))
    return split.net if posting.part == "net" else split.tax


def _line(posting: Posting, rate: Decimal | None, amount: Decimal, shop: str, summary: str) -> Record:
    made: Record = {"summary": summary, "account": posting.account, "debit": ZERO, "credit": ZERO, posting.side: amount}
    if posting.customer:
        made["aux"] = {"customer": shop}
    if rate is not None:
        made["tax_rate"] = rate
    return made


def _merged(lines: list[Record]) -> list[Record]:
    """One line per account, side and rate: freight VAT joins goods VAT of the same rate."""
    merged: dict[tuple[str, bool, Decimal | None], Record] = {}
    for line in lines:
        key = (line["account"], line["debit"] != 0, line.get("tax_rate"))
        if key in merged:
            merged[key]["debit"] += line["debit"]
            merged[key]["credit"] += line["credit"]
        else:
            merged[key] = dict(line)
    return [line for line in merged.values() if line["debit"] or line["credit"]]
