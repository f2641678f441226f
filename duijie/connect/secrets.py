"""Secrets never show: one function masks them in text, one in records, one filter in logs."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

MASK = "******"
SHORTEST = 4
WORDS = ("password", "secret", "token", "session", "permanentcode", "signature", "authorization")
WHOLE = ("sign",)  # a word inside harmless names such as consign_time


def secrets_of(values: Iterable[str]) -> tuple[str, ...]:
    """Values worth masking, longest first so that one inside another is covered whole."""
    return tuple(sorted({value for value in values if len(value) >= SHORTEST}, key=len, reverse=True))


def mask_text(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret value replaced."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def mask_record(value: Any) -> Any:
    """A copy of a JSON-like value whose secret-named fields are masked."""
    if isinstance(value, dict):
        return {key: MASK if is_secret(str(key)) and item else mask_record(item) for key, item in value.items()}
    return [mask_record(item) for item in value] if isinstance(value, list) else value


def is_secret(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    flat = name.lower().replace("_", "").replace("-", "")
    return flat in WHOLE or any(word in flat for word in WORDS)


class MaskingFilter(logging.Filter):
    """Keeps known secret values out of a logger's lines."""

    def __init__(self, secrets: Iterable[str]) -> None:
        super().__init__()
        self._secrets = secrets_of(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the line pass, masked."""
        record.msg = mask_text(record.getMessage(), self._secrets)
        record.args = ()
        return True
