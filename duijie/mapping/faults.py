"""The error of a rule: a sentence that names field, file, line, column, path and value."""

from __future__ import annotations

import re
from typing import Any

from duijie.connect.errors import DataError, UnmappedCode
from duijie.mapping.findings import Spot
from duijie.mapping.values import Fault, Said, show

RAISED = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError, Fault, UnmappedCode)


_NUMBER = re.compile(r"\[\d+\]")


class FieldError(DataError):
    """A rule failed on this record: `field`, `spot` (file, line, column) and the offending `value`."""

    def __init__(self, field: str, spot: Spot, words: tuple[str, str], value: Any, *, code: str = "MAPPING") -> None:
        zh, en = words
        if not isinstance(value, Said):
            zh, en = f"字段 {field}: {zh} (值: {show(value)})", f"{field}: {en} (value: {show(value)})"
        super().__init__(zh, en=en, code=code, where=f"{field} {spot}")
        self.cause = f"字段 {_NUMBER.sub('[]', field)}"
        self.field = field
        self.spot = spot
        self.value = value
