"""A connection as all its workers share it: whether it may be used now, and what the last calls said of it.

A system that asks for patience gets it from every worker. One that does not answer is left alone for a while, and then
tried by one call before the others follow (a circuit breaker). One that refuses our key three times is not asked again
until a person says so: vendors lock accounts that go on trying.

`Board` is where workers leave word for each other; `Line` is what a worker knows of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from threading import Lock
from typing import Protocol

from duijie.connect.errors import (
    AnswerLost,
    CredentialError,
    Disabled,
    DuijieError,
    JournalBusy,
    LineDown,
    NotSent,
    RateLimited,
    VendorBusy,
)

FAILURES = 10  # calls in a row without an answer, after which the line is taken for dead
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 300.0
STRIKES = 3
STRIKE_RESTS = (5.0, 20.0)  # seconds after the first refusal of our key and after the second
LONGEST_SLEEP = 60.0  # a worker waits that long itself; for longer its work goes back and waits in the journal
TRIAL_SECONDS = 150.0  # a trial call that tells nothing for so long is taken for dead with its worker
LOOK_SECONDS = 1.0  # how old a worker's knowledge may be


@dataclass(frozen=True)
class State:
    """What is known of a line. Moments are Unix seconds.

    `pauses`: how often it was found dead since it last worked; `strikes`: how often our key was refused since.
    """

    rests_until: float = 0.0
    pauses: int = 0
    is_tried: bool = False
    strikes: int = 0
    disabled: str = ""

    def rested(self, until: float) -> State:
        """Nobody calls before then."""
        return replace(self, rests_until=max(self.rests_until, until))

    def died(self, now: float) -> State:
        """It does not answer: longer and longer pauses. What was under way when it was found dead tells nothing new."""
        if self.pauses and not self.is_tried and self.rests_until > now:
            return self
        pause = min(FIRST_PAUSE * 2.0**self.pauses, LONGEST_PAUSE)
        return replace(self, pauses=self.pauses + 1, is_tried=False, rests_until=now + pause)

    def tried(self, now: float) -> State:
        """One worker tries it; the others wait for what it finds. Unchanged where another was faster."""
        if not self.pauses or self.rests_until > now:
            return self
        return replace(self, is_tried=True, rests_until=now + TRIAL_SECONDS)

    def worked(self) -> State:
        """An answer: whatever it says, the line lives and the key is good."""
        return State(disabled=self.disabled, rests_until=0.0 if self.pauses or self.strikes else self.rests_until)

    def struck(self, now: float, why: str) -> State:
        """Our key was refused; refusals of calls that were under way together are one."""
        if self.disabled or (self.strikes and self.rests_until > now):
            return self
        if self.strikes + 1 >= STRIKES:
            return replace(self, strikes=self.strikes + 1, disabled=why or "密钥被拒绝")
        return replace(self, strikes=self.strikes + 1, rests_until=now + STRIKE_RESTS[self.strikes])


class Board(Protocol):
    """Where the workers of a connection leave word for each other."""

    def read(self, conn_id: str) -> State:
        """What is known now."""

    def change(self, conn_id: str, how: Callable[[State], State]) -> tuple[State, State]:
        """Change it in one step; returns (before, after)."""


class Alone:
    """A board for one process."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._lock = Lock()

    def read(self, conn_id: str) -> State:
        """What is known now."""
        return self._states.get(conn_id, State())

    def change(self, conn_id: str, how: Callable[[State], State]) -> tuple[State, State]:
        """Change it in one step; returns (before, after)."""
        with self._lock:
            before = self.read(conn_id)
            self._states[conn_id] = after = how(before)
        return before, after


_inside: ContextVar[frozenset[str]] = ContextVar("inside", default=frozenset())


class Line:
    """One worker's end of it; its threads share it."""

    def __init__(
        self,
        conn_id: str,
        board: Board,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._conn_id = conn_id
        self._board = board
        self._clock = clock
        self._sleep = sleep
        self._known = State()
        self._looked_at = float("-inf")
        self._failures = 0

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call: wait while the line rests, then note how it went. A call inside a call is part of it.

        Raises Disabled, or LineDown for a line that rests longer than a worker should sleep.
        """
        if self._conn_id in _inside.get():
            yield
            return
        self.wait()
        token = _inside.set(_inside.get() | {self._conn_id})
        try:
            yield
        except DuijieError as error:
            self._failed(error)
            raise
        else:
            self._worked()
        finally:
            _inside.reset(token)

    def check(self) -> None:
        """Raises Disabled or LineDown where a call would."""
        self._refuse(self._look(), self._clock())

    def wait(self) -> None:
        """Sleep until a call may be made. Raises Disabled or LineDown."""
        while True:
            now = self._clock()
            known = self._look()
            self._refuse(known, now)
            if known.rests_until > now:
                self._sleep(min(known.rests_until - now, LOOK_SECONDS))
            elif not known.pauses or self._tries():
                return

    def may_be_asked_again(self, error: BaseException) -> bool:
        """A refused key is tried again, after a rest, until the line is disabled; by the outermost call alone."""
        if not isinstance(error, CredentialError) or isinstance(error, Disabled):
            return False
        return self._conn_id not in _inside.get() and self._look().strikes > 0

    def _refuse(self, known: State, now: float) -> None:
        if known.disabled:
            raise Disabled(self._conn_id, known.disabled)
        rest = known.rests_until - now
        if rest > (0.0 if known.pauses else LONGEST_SLEEP):
            raise LineDown(self._conn_id, rest, is_dead=known.pauses > 0)

    def _look(self) -> State:
        now = self._clock()
        if now - self._looked_at > LOOK_SECONDS:
            self._known = self._board.read(self._conn_id)
            self._looked_at = now
        return self._known

    def _change(self, how: Callable[[State], State]) -> tuple[State, State]:
        before, self._known = self._board.change(self._conn_id, how)
        self._looked_at = self._clock()
        return before, self._known

    def _tries(self) -> bool:
        before, after = self._change(lambda state: state.tried(self._clock()))
        return after.is_tried and before != after

    def _worked(self) -> None:
        self._failures = 0
        if self._known.pauses or self._known.strikes:
            self._change(State.worked)

    def _failed(self, error: DuijieError) -> None:
        now = self._clock()
        match error:
            case Disabled() | LineDown() | JournalBusy():
                return
            case RateLimited():
                self._change(lambda state: state.rested(now + error.retry_after))
            case CredentialError():
                self._change(lambda state: state.struck(now, error.zh))
            case NotSent() if error.code == "LEASE":
                return
            case NotSent() | AnswerLost() | VendorBusy():
                self._failures += 1
                if self._failures >= FAILURES or self._known.pauses:
                    self._change(lambda state: state.died(now))
            case _:
                self._worked()
