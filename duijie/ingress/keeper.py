"""One thread keeps what all requests bring: whatever waits goes into one transaction (group commit).

A commit costs a write to disk, however much it holds; at a hundred pushes a second one each would be the limit. The
queue is bounded: who does not fit is told to come back, and a repeat of what was kept after all is recognised.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from duijie.connect.errors import DuijieError, JournalBusy
from duijie.ingress.durable import in_turn
from duijie.ingress.limits import Limits
from duijie.journal import Journal, pushes
from duijie.journal.pushes import Arrived

log = logging.getLogger(__name__)
AT_ONCE = 128


class Full(Exception):
    """The queue holds as much as it may."""


@dataclass(frozen=True)
class Waiting:
    """A push and the request that waits for it."""

    arrived: Arrived
    loop: asyncio.AbstractEventLoop
    kept: asyncio.Future[bool]


class Keeper:
    """Begins with the first push, ends with the process."""

    def __init__(self, journal: Callable[[], Journal], limits: Limits) -> None:
        self._open = journal
        self._queue: queue.Queue[Waiting] = queue.Queue(limits.queue)
        self._patience = limits.seconds
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    async def keep(self, arrived: Arrived) -> bool:
        """Wait until the push is committed; whether it was new. Raises Full, JournalBusy."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(arrived, loop, loop.create_future())
        try:
            self._queue.put_nowait(waiting)
        except queue.Full as error:
            raise Full from error
        self._start()
        return await waiting.kept

    def _start(self) -> None:
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="duijie-ingress", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        journal = None
        while True:
            batch = self._next()
            try:
                journal = journal or self._open()
                self._keep(journal, batch)
            except DuijieError as error:
                log.error("the ingress cannot use the journal: %s", error)
                _fail(batch, error)

    def _next(self) -> list[Waiting]:
        """What waits, at most a batch; waits for the first."""
        batch = [self._queue.get()]
        with suppress(queue.Empty):
            while len(batch) < AT_ONCE:
                batch.append(self._queue.get_nowait())
        return batch

    def _keep(self, journal: Journal, batch: Sequence[Waiting]) -> None:
        try:
            kept = in_turn(lambda: pushes.keep(journal, [one.arrived for one in batch]), self._patience)
        except SQLAlchemyError as error:
            log.error("a batch of %d pushes cannot be kept: %s", len(batch), type(error).__name__)
            self._one_by_one(journal, batch)
            return
        for one, is_new in zip(batch, kept, strict=True):
            _tell(one, is_new)

    @staticmethod
    def _one_by_one(journal: Journal, batch: Sequence[Waiting]) -> None:
        """One push that the database refuses takes no other with it."""
        for one in batch:
            try:
                _tell(one, pushes.keep(journal, [one.arrived])[0])
            except SQLAlchemyError as error:
                _fail([one], JournalBusy("推送无法入库", en=f"a push cannot be kept: {type(error).__name__}"))


def _tell(one: Waiting, is_new: bool) -> None:
    _later(one, lambda: one.kept.set_result(is_new))


def _fail(batch: Sequence[Waiting], error: DuijieError) -> None:
    for one in batch:
        _later(one, lambda one=one: one.kept.set_exception(error))  # type: ignore[misc]


def _later(one: Waiting, settle: Callable[[], None]) -> None:
    """In the request's own loop, unless it has given up or its loop is gone."""

    def unless_done() -> None:
        if not one.kept.done():
            settle()

    with suppress(RuntimeError):
        one.loop.call_soon_threadsafe(unless_done)
