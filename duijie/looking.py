"""Asking a sink what it holds already, so that one document that cannot be asked for does not hold up the others.

An error that names one of the documents (`where`) is of that one: the others come again at once, and it later.

A target that refuses a whole question may mean only a part of it: of a connection with many shops one has withdrawn its
authorisation, or is banned for a while. The question is then asked by halves, down to the documents it is refused for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from duijie.connect import answers
from duijie.connect.errors import DuijieError, OutcomeUnknown, RateLimited, Terminal, Transient
from duijie.connect.protocol import Found, Sink
from duijie.parcels import Parcel, shielded

ALONE_PAUSE = 60.0  # where a person must act first, or one document alone gets no answer: the run goes on without it
SHORTEST_PAUSE = 5.0


class Unanswered(NamedTuple):
    """A parcel that could not be asked for, and why. `is_assumed`: only others around it were asked for."""

    parcel: Parcel
    error: DuijieError
    is_assumed: bool = False

    @property
    def pause(self) -> float:
        """Seconds until it is worth another try; what was not asked for comes again before what was refused."""
        if self.is_assumed:
            return SHORTEST_PAUSE
        if isinstance(self.error, Terminal) or self.error.where == self.parcel.key:
            return max(ALONE_PAUSE, getattr(self.error, "retry_after", 0.0))
        return max(SHORTEST_PAUSE, getattr(self.error, "retry_after", 0.0))


class Looked(NamedTuple):
    """What the target holds, by key, and what it could not be asked for."""

    found: dict[str, Found]
    unanswered: list[Unanswered]


def look_up(name: str, sink: Sink, parcels: Sequence[Parcel]) -> Looked:
    """What the sink `name` holds of these. Raises nothing that a sink may raise."""
    if not parcels:
        return Looked({}, [])
    try:
        return Looked(shielded(name, lambda: answers.found(sink.find([one.key for one in parcels]))), [])
    except (Terminal, RateLimited) as error:
        if len(parcels) == 1:
            return Looked({}, [Unanswered(parcels[0], error)])
    except (Transient, OutcomeUnknown) as error:
        is_of_one = error.where in {one.key for one in parcels}
        return Looked({}, [Unanswered(one, error, is_of_one and error.where != one.key) for one in parcels])
    return _by_halves(name, sink, parcels)


def _by_halves(name: str, sink: Sink, parcels: Sequence[Parcel]) -> Looked:
    """Where the first half is refused throughout, and the last document too, the rest is not asked for this time."""
    middle = len(parcels) // 2
    first, rest = look_up(name, sink, parcels[:middle]), parcels[middle:]
    if len(first.unanswered) == middle > 1 and (last := look_up(name, sink, rest[-1:])).unanswered:
        error = last.unanswered[0].error
        assumed = [Unanswered(one, error, is_assumed=True) for one in rest[:-1]]
        return Looked({}, [*first.unanswered, *assumed, *last.unanswered])
    second = look_up(name, sink, rest)
    return Looked(first.found | second.found, first.unanswered + second.unanswered)


__all__ = ["Looked", "Unanswered", "look_up"]
