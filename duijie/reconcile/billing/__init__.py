"""票单勾稽: order ↔ invoice ↔ voucher ↔ payment, line by line, from what the journal holds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from duijie.journal import Journal
from duijie.reconcile.billing.keeping import explain, keep
from duijie.reconcile.billing.result import Result, compute


def compare_billing(journal: Journal, flow: str, mappings: Path) -> Counter[str]:
    """Compare and keep; differences that need a person become work items. Raises ConfigError for broken rules."""
    result = compute(journal, mappings)
    unexplained = keep(journal, flow, result)
    return Counter(orders=len(result.facts.orders), differences=len(result.differences), unexplained=unexplained)


__all__ = ["Result", "compare_billing", "compute", "explain"]
