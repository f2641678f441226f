"""What sinks of this connector share: outcomes of errors that came before anything was sent, and of one write each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.vendure.client import ERRORS, Client
from duijie.codec import Record
from duijie.connect.errors import DuijieError, Terminal
from duijie.connect.protocol import Done, Later, Outcome
from duijie.connect.retry import outcome_of, side_by_side

PAUSE = 5.0


def not_sent(error: DuijieError) -> Outcome:
    """The outcome where a look-up failed and nothing was written."""
    if isinstance(error, Terminal):
        return outcome_of(error)
    return Later(error.zh, error.en, getattr(error, "retry_after", PAUSE))


def settled(code: str, text: str) -> Outcome:
    """The outcome of one of our own codes, in the words of errors.yaml."""
    return outcome_of(ERRORS.error(code, text, where=text))


def each(client: Client, write: Callable[[Record, str], Done], payloads: Sequence[Record]) -> list[Outcome]:
    """One write per payload, side by side."""
    return each_of(client, write, payloads, [""] * len(payloads))


def each_of(
    client: Client, write: Callable[[Record, str], Done], payloads: Sequence[Record], native_ids: Sequence[str]
) -> list[Outcome]:
    """One write per payload and native id, side by side; outcomes in their order.

    `write` may look up before it sends; what fails then was not carried out, whatever became of the answer.
    """

    def one(pair: tuple[Record, str]) -> Outcome:
        client.has_sent = False
        try:
            return write(*pair)
        except DuijieError as error:
            return outcome_of(error) if client.has_sent else not_sent(error)

    return side_by_side(one, list(zip(payloads, native_ids, strict=True)))
