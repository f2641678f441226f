"""What sinks of this connector share: outcomes of errors that came before anything was sent, and of one write each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.vendure.client import ERRORS
from duijie.codec import Record
from duijie.connect.errors import DuijieError, Terminal
from duijie.connect.protocol import Done, Later, Outcome
from duijie.connect.retry import Retrier, outcome_of, side_by_side

PAUSE = 5.0


def not_sent(error: DuijieError) -> Outcome:
    """The outcome where a look-up failed and nothing was written."""
    if isinstance(error, Terminal):
        return outcome_of(error)
    return Later(error.zh, error.en, getattr(error, "retry_after", PAUSE))


def settled(code: str, text: str) -> Outcome:
    """The outcome of one of our own codes, in the words of errors.yaml."""
    return outcome_of(ERRORS.error(code, text, where=text))


def each(retrier: Retrier, write: Callable[[Record, str], Done], payloads: Sequence[Record]) -> list[Outcome]:
    """One write per payload, side by side."""
    return each_of(retrier, write, payloads, [""] * len(payloads))


def each_of(
    retrier: Retrier, write: Callable[[Record, str], Done], payloads: Sequence[Record], native_ids: Sequence[str]
) -> list[Outcome]:
    """One write per payload and native id, side by side; outcomes in their order."""
    pairs = list(zip(payloads, native_ids, strict=True))
    return side_by_side(lambda pair: retrier.outcome(lambda: write(*pair)), pairs)
