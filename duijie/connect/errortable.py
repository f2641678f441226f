"""A vendor's codes as data: code → action, blame and two sentences that end with what to do.

`errors.yaml` beside each connector::

    system: taobao
    codes:
      "27":         {action: refresh_token, zh: "授权已失效, 正在自动刷新", en: "session expired; refreshing"}
      "isv.*":      {action: reject, zh: "...", en: "..."}
    default:        {action: reject, zh: "{text}", en: "{text}"}

`codes` are matched exactly first, then as shell patterns in the order written. `{code}` and `{text}` stand for
what the vendor said. A row of action `retry` or `wait` may have `after: 3600`, the seconds until another try can help:
a long one is waited for in the journal, not by a worker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from duijie.connect.errors import (
    AlreadyThere,
    AnswerLost,
    ConfigError,
    CredentialError,
    CreditExhausted,
    DuijieError,
    LoginNeeded,
    RateLimited,
    TokenExpired,
    VendorBusy,
    VendorRejected,
)

Action = Literal[
    "retry", "refresh_token", "wait", "reject", "look_up", "already_there", "credential", "credit", "login"
]
WAITING = ("retry", "wait")


@dataclass(frozen=True)
class Resolution:
    """One row: what to do and how to say it."""

    action: Action
    zh: str
    en: str
    after: float | None = None


_BUILD: dict[Action, Callable[..., DuijieError]] = {
    "retry": VendorBusy,
    "refresh_token": TokenExpired,
    "wait": RateLimited,
    "reject": VendorRejected,
    "look_up": AnswerLost,
    "already_there": AlreadyThere,
    "credential": CredentialError,
    "credit": CreditExhausted,
    "login": LoginNeeded,
}


class ErrorTable:
    """Resolves a vendor's code to one error of the tree."""

    def __init__(self, system: str, codes: dict[str, Resolution], default: Resolution) -> None:
        self.system = system
        self.codes = codes
        self.default = default

    @classmethod
    def load(cls, path: Path) -> ErrorTable:
        """Read an errors.yaml; raises ConfigError naming the file and the row."""
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        codes = {str(code): _resolution(row, f"{path}:{code}") for code, row in data["codes"].items()}
        return cls(data["system"], codes, _resolution(data["default"], f"{path}:default"))

    def resolve(self, code: str) -> Resolution:
        """The row for a code: exact, then first pattern, then the default."""
        if code in self.codes:
            return self.codes[code]
        patterns = (row for pattern, row in self.codes.items() if fnmatchcase(code, pattern))
        return next(patterns, self.default)

    def error(self, code: str, text: str = "", *, where: str = "", retry_after: float | None = None) -> DuijieError:
        """The error to raise for what the vendor said."""
        row = self.resolve(code)
        words = {"code": code, "text": text}
        keywords = {"en": row.en.format(**words), "code": f"{self.system}:{code}", "where": where}
        error = _BUILD[row.action](row.zh.format(**words), **keywords)
        seconds = row.after if retry_after is None else retry_after
        if isinstance(error, RateLimited) and seconds is not None:
            error.retry_after = seconds
        elif isinstance(error, VendorBusy) and row.after is not None:
            error.retry_after = row.after
        return error


def _resolution(row: dict[str, Any], where: str) -> Resolution:
    if row.get("action") not in get_args(Action):
        raise ConfigError(
            f"{where}: action 必须是 {', '.join(get_args(Action))} 之一",
            en=f"{where}: action must be one of {', '.join(get_args(Action))}",
            where=where,
        )
    return Resolution(row["action"], row["zh"], row["en"], _after(row, where))


def _after(row: dict[str, Any], where: str) -> float | None:
    after = row.get("after")
    if after is None:
        return None
    if row["action"] not in WAITING or not isinstance(after, int) or after <= 0:
        raise ConfigError(
            f"{where}: after 须为正整数 (秒), 且只用于 action {', '.join(WAITING)}",
            en=f"{where}: after must be a positive whole number of seconds, of action {' or '.join(WAITING)}",
            where=where,
        )
    return float(after)
