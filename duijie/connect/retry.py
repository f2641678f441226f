"""Retrying, where it is safe: reads whatever happened, writes only when certainly not carried out.

tenacity does the looping. A TokenExpired is followed by the client's own refresh; a RateLimited waits as long as it was
told to; either it or a VendorBusy goes back to the journal when its time is long; anything else backs off exponentially
with jitter. Where the workers of a connection share a line, every call is made over it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from duijie.connect.errors import (
    CredentialError,
    CreditExhausted,
    DuijieError,
    LineDown,
    LoginNeeded,
    OutcomeUnknown,
    Parked,
    RateLimited,
    TokenExpired,
    Transient,
    VendorBusy,
)
from duijie.connect.line import Line
from duijie.connect.protocol import Done, Halt, Incident, Later, Observer, Outcome, Refused, Unknown

T = TypeVar("T")
R = TypeVar("R")
ATTEMPTS = 6
LONGEST_WAIT = 60.0  # a daily ban must not hold a worker for hours: the row goes back and waits in the journal
KEY_SECONDS = 60.0  # a refused key is no fault of the document that met it: it goes back and waits for the key

_backoff = wait_exponential_jitter(multiplier=0.05, max=5.0, jitter=0.1)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimited):
        return error.retry_after
    return 0.0 if isinstance(error, TokenExpired | CredentialError) else _backoff(state)


@dataclass(frozen=True)
class Retrier:
    """How one connection repeats a call. `refresh` fetches a new token after TokenExpired; `line` is None alone."""

    conn_id: str
    refresh: Callable[[], None]
    observe: Observer
    line: Line | None = None

    def read(self, call: Callable[[], T]) -> T:
        """Repeat on anything but a Terminal error: reading twice harms nobody."""
        return self._repeat(call, (Transient, OutcomeUnknown))

    def write(self, call: Callable[[], T]) -> T:
        """Repeat only what was certainly not carried out; OutcomeUnknown passes through at once."""
        return self._repeat(call, (Transient,))

    def outcome(self, call: Callable[[], Done]) -> Outcome:
        """Run one write and turn every error of the tree into its Outcome."""
        try:
            return self.write(call)
        except DuijieError as error:
            return outcome_of(error)

    def _repeat(self, call: Callable[[], T], kinds: tuple[type[DuijieError], ...]) -> T:
        expired: list[TokenExpired] = []

        def once() -> T:
            with self.line.call() if self.line else nullcontext():
                if expired:
                    self.refresh()
                    expired.clear()
                return call()

        def between(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            self.observe(Incident(self.conn_id, type(error).__name__, str(error)))
            if isinstance(error, TokenExpired):
                expired.append(error)

        repeating: Callable[[Callable[[], T]], T] = Retrying(
            retry=retry_if_exception(lambda error: self._may_repeat(error, kinds)),
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            before_sleep=between,
            reraise=True,
        )
        return repeating(once)

    def _may_repeat(self, error: BaseException, kinds: tuple[type[DuijieError], ...]) -> bool:
        if isinstance(error, RateLimited):
            return not isinstance(error, LineDown) and error.retry_after <= LONGEST_WAIT
        if isinstance(error, Parked) or (isinstance(error, VendorBusy) and error.retry_after > LONGEST_WAIT):
            return False
        return isinstance(error, kinds) or (self.line is not None and self.line.may_be_asked_again(error))


def outcome_of(error: DuijieError) -> Unknown | Later | Refused | Halt:
    """What an error of the tree means for the payload that was being written."""
    if isinstance(error, LoginNeeded):
        return Halt("login", error.zh, error.en, error.qr)
    if isinstance(error, CreditExhausted):
        return Halt("credit", error.zh, error.en)
    if isinstance(error, OutcomeUnknown):
        return Unknown(error.zh, error.en, getattr(error, "settles_after", 0.0))
    if isinstance(error, Transient):
        return Later(error.zh, error.en, getattr(error, "retry_after", 5.0))
    if isinstance(error, CredentialError):
        return Later(error.zh, error.en, KEY_SECONDS)
    return Refused(error.code, error.zh, error.en)


def side_by_side(call: Callable[[T], R], items: Sequence[T], workers: int = 8) -> list[R]:
    """Run `call` over the items on a few threads, with the caller's leave to send; results in the items' order."""
    if len(items) <= 1:
        return [call(item) for item in items]
    with ThreadPoolExecutor(max_workers=min(workers, len(items))) as pool:
        running = [pool.submit(copy_context().run, call, item) for item in items]
        return [one.result() for one in running]
