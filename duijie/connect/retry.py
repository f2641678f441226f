"""Retrying, where it is safe: reads whatever happened, writes only when certainly not carried out.

tenacity does the looping. A TokenExpired is followed by the client's own refresh; a RateLimited waits as long as it
was told to; anything else backs off exponentially with jitter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from duijie.connect.errors import (
    DuijieError,
    OutcomeUnknown,
    RateLimited,
    TokenExpired,
    Transient,
)
from duijie.connect.protocol import Done, Incident, Later, Observer, Outcome, Refused, Unknown

T = TypeVar("T")
R = TypeVar("R")
ATTEMPTS = 6
LONGEST_WAIT = 60.0  # a daily ban must not hold a worker for hours: the row goes back and waits in the journal

_backoff = wait_exponential_jitter(multiplier=0.05, max=5.0, jitter=0.1)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimited):
        return min(error.retry_after, LONGEST_WAIT)
    return 0.0 if isinstance(error, TokenExpired) else _backoff(state)


@dataclass(frozen=True)
class Retrier:
    """How one connection repeats a call. `refresh` fetches a new token after TokenExpired."""

    conn_id: str
    refresh: Callable[[], None]
    observe: Observer

    def read(self, call: Callable[[], T]) -> T:
        """Repeat on anything but a Terminal error: reading twice harms nobody."""
        return self._retrying((Transient, OutcomeUnknown))(call)

    def write(self, call: Callable[[], T]) -> T:
        """Repeat only what was certainly not carried out; OutcomeUnknown passes through at once."""
        return self._retrying((Transient,))(call)

    def outcome(self, call: Callable[[], Done]) -> Outcome:
        """Run one write and turn every error of the tree into its Outcome."""
        try:
            return self.write(call)
        except DuijieError as error:
            return outcome_of(error)

    def _retrying(self, kinds: tuple[type[DuijieError], ...]) -> Retrying:
        return Retrying(
            retry=retry_if_exception_type(kinds),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            before_sleep=self._between,
            reraise=True,
        )

    def _between(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.observe(Incident(self.conn_id, type(error).__name__, str(error)))
        if isinstance(error, TokenExpired):
            self.refresh()


def outcome_of(error: DuijieError) -> Unknown | Later | Refused:
    """What an error of the tree means for the payload that was being written."""
    if isinstance(error, OutcomeUnknown):
        return Unknown(error.zh, error.en, getattr(error, "settles_after", 0.0))
    if isinstance(error, Transient):
        return Later(error.zh, error.en, getattr(error, "retry_after", 5.0))
    return Refused(error.code, error.zh, error.en)


def side_by_side(call: Callable[[T], R], items: Sequence[T], workers: int = 8) -> list[R]:
    """Run `call` over the items on a few threads, with the caller's leave to send; results in the items' order."""
    if len(items) <= 1:
        return [call(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(workers, len(items))) as pool:
        running = [pool.submit(copy_context().run, call, item) for item in items]
        return [one.result() for one in running]
