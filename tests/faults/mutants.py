"""Promises taken out of the product, one at a time, to see that the proof notices. Only ever in a child process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _no_find_before_resend() -> None:
    """What is unknown is sent again without asking the target."""
    from duijie.deliver import Delivering  # noqa: PLC0415

    Delivering._must_ask = lambda *_: False  # type: ignore[method-assign]


def _sent_after_the_call() -> None:
    """A crash in the call finds the row claimed, as if nothing had left; only what is unknown is asked for."""
    from duijie.deliver import Delivering  # noqa: PLC0415
    from duijie.journal import deliveries  # noqa: PLC0415

    settle, written = deliveries.settle, Delivering._written
    late: list[Callable[[], object]] = []

    def settle_late(journal: Any, before: str, changes: Any) -> Any:
        if all(change.after != "sent" for change in changes.values()):
            return settle(journal, before, changes)
        late.append(lambda: settle(journal, before, changes))
        return set(changes)

    def write_first(self: Any, *args: Any) -> Any:
        outcomes = written(self, *args)
        while late:
            late.pop()()
        return outcomes

    Delivering._must_ask = lambda _, parcel: parcel.delivery.before == "unknown"  # type: ignore[method-assign]
    deliveries.settle = settle_late
    Delivering._written = write_first  # type: ignore[method-assign]


def _blind_retry() -> None:
    """A write whose answer was lost is repeated at once, as an HTTP library's retry would."""
    from duijie.connect.retry import Retrier  # noqa: PLC0415

    Retrier.write = Retrier.read  # type: ignore[method-assign]


def _sent_is_done() -> None:
    """Whatever was on its way when the worker died is taken for delivered."""
    from duijie.journal import deliveries  # noqa: PLC0415

    deliveries._RECOVERED = (("claimed", False, "pending"), ("sent", True, "done"))


MUTANTS: dict[str, Callable[[], None]] = {
    "no find before re-send": _no_find_before_resend,
    "sent committed after the call": _sent_after_the_call,
    "a blind retry of writes": _blind_retry,
    "what was sent is taken for done": _sent_is_done,
}


def _any_lease_has_ended() -> None:
    """Whoever looks for dead workers takes the living for dead."""
    from sqlalchemy import update  # noqa: PLC0415

    from duijie.journal import deliveries  # noqa: PLC0415
    from duijie.journal.tables import delivery  # noqa: PLC0415

    def recover(tx: Any, journal: Any, sink: str, before: str, was_sent: bool, after: str) -> int:
        dead = update(delivery).where(delivery.c.sink == sink, delivery.c.state == before)
        dead = dead.where((delivery.c.attempts > 0) == was_sent)
        change = deliveries.Change(after, "工作进程中断, 租约到期")
        return int(tx.execute(dead.values(**deliveries._values(journal, change))).rowcount)

    deliveries._recover = recover


OF_LOAD: dict[str, Callable[[], None]] = {"any lease has ended": _any_lease_has_ended}


def install(name: str) -> None:
    """Break this process; "" leaves it whole."""
    if name.startswith("einvoice: "):
        from tests.einvoice.mutants import MUTANTS as OF_INVOICES  # noqa: PLC0415

        OF_INVOICES[name]()
    elif name:
        (MUTANTS | OF_LOAD)[name]()
