"""冲销: what its source has withdrawn after it was posted is taken out of the books by a red voucher of its own.

The voucher that was posted stays as it is, whether its period is open or closed: the red one bears today's date. It
holds the same postings of the withdrawn documents, as they were when they were posted, with the opposite sign.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from duijie.connect.errors import InvalidDocument
from duijie.derive import vouchers
from duijie.flow import withdrawn
from duijie.journal import documents, reversals
from duijie.journal.codes import CHINA
from duijie.journal.reversals import Used
from duijie.journal.tables import UNFINISHED_STATES
from duijie.schemas import check

if TYPE_CHECKING:
    from duijie.derive.making import Making

Counts = Counter[str]
SPAN = timedelta(days=92)  # a run this late still finds what was withdrawn


class _Taken(Exception):
    """Another process has reversed the same."""


def voucher_reversals(making: Making) -> Counts:
    """Reverse every withdrawn source of the step's rule (of all rules where it names none)."""
    counts: Counts = Counter()
    for rule in vouchers.load_rules(making.rules / "voucher.yaml").values():
        if making.step.rule in ("", rule.name):
            for key, used in _by_voucher(making, rule).items():
                counts[_reverse(making, rule, key, used)] += 1
                counts["sources"] += len(used)
    return counts


def _by_voucher(making: Making, rule: vouchers.VoucherRule) -> dict[str, list[Used]]:
    found: dict[str, list[Used]] = defaultdict(list)
    since = making.journal.now() - SPAN
    for one in reversals.changed(making.journal, rule.name, rule.entity, since):
        if withdrawn(one.now):
            found[one.result_key].append(one)
    return found


def _reverse(making: Making, rule: vouchers.VoucherRule, key: str, used: Sequence[Used]) -> str:
    """What became of it: a new document, or it waits for the voucher's delivery or for a person."""
    states = reversals.states(making.journal, "voucher", key)
    if not states or states & set(UNFINISHED_STATES):
        return "postponed"
    if states != {"done"}:
        _tell(making, used, f"凭证 {key} 所依据的单据已被来源撤销, 但该凭证未送达全部账套, 请人工冲销")
        return "waiting"
    try:
        _store(making, rule, key, used)
    except InvalidDocument as error:
        _tell(making, used, error.zh)
        return "waiting"
    except _Taken:
        return "unchanged"
    return "new_documents"


def _store(making: Making, rule: vouchers.VoucherRule, key: str, used: Sequence[Used]) -> None:
    journal = making.journal
    with journal.reading() as tx:
        sources = documents.by_ids(tx, [one.document_id for one in used])
    group = [sources[one.document_id] for one in used]
    original = documents.get(journal, "voucher", key)
    if original is None:
        raise InvalidDocument(f"日志库中没有凭证 {key}, 不能冲销", en=f"no voucher {key}", where=key)
    number = 1
    while documents.get(journal, "voucher", vouchers.reversal_key(key, number)):
        number += 1
    today = f"{journal.now().astimezone(CHINA):%Y-%m-%d}"
    made = vouchers.reversal(original.body, [one.body for one in group], rule, number, today)
    check("voucher", made.document)
    kind = f"{rule.name}{reversals.SUFFIX}"
    amounts = dict(made.sources)
    with journal.writing() as tx:
        if not reversals.put_aside(tx, rule.name, used, made.document["key"]):
            raise _Taken
        documents.put(tx, journal, "voucher", made.document, (None, f"rules/{kind}"))
        for one in group:
            target = ("voucher", made.document["key"], documents.fen(amounts[one.key]))
            documents.connect(tx, journal, kind, one, target)
        documents.connect(tx, journal, "reversal", original, ("voucher", made.document["key"], 0))
        making.passed(tx, group)


def _tell(making: Making, used: Sequence[Used], reason: str) -> None:
    with making.journal.reading() as tx:
        sources = documents.by_ids(tx, [one.document_id for one in used])
    for one in used:
        making.wait(sources[one.document_id], "conflict", reason)
