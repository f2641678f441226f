"""Where a value came from: for each let, condition and target field the rule, its place, and what it read."""

from __future__ import annotations

from collections.abc import Mapping as Table
from typing import Any

from duijie.codec import Record
from duijie.mapping.interpret import Provenance, trace
from duijie.mapping.mapping import Mapping
from duijie.mapping.runtime import Lookup

__all__ = ["Provenance", "explain"]


def explain(mapping: Mapping, record: Record, lookup: Lookup, settings: Table[str, Any]) -> list[Provenance]:
    """How each field of the result came about, lets and conditions included, in the order computed.

    Empty for a skipped record. Raises what `mapping.run` raises.
    """
    return mapping.limited(lambda: trace(mapping.parts, record, lookup, dict(settings)))
