"""What replaying a message would change: its result now, beside the documents that stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection as Transaction

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import DataError
from duijie.journal import documents, standing
from duijie.journal.inbox import HELD, Message, Source
from duijie.journal.standing import Name, Standing
from duijie.pull import Made, Refinery
from duijie.replay.choose import Chosen


@dataclass(frozen=True)
class Result:
    """One document that a message makes now. `old` is what stands under its key."""

    entity: str
    body: Record
    old: Standing | None

    @property
    def fate(self) -> str:
        """new, unchanged or changed."""
        if self.old is None:
            return "new"
        return "unchanged" if self.old.hash == codec.digest(self.body) else "changed"

    @property
    def amounts(self) -> tuple[int, int]:
        """Fen before and after."""
        return self.old.amount if self.old else 0, documents.amount_of(self.body)


@dataclass(frozen=True)
class Verdict:
    """What becomes of a chosen message.

    `message` is the one that was mapped: an earlier one where the chosen is older than the document that stands.
    `fate`: made (see `results`), failing, waiting, skipped, gone (a document stands that nothing makes any more),
    renamed (it would now get another key: a second document at the target).
    """

    chosen: Chosen
    message: Message
    fate: str
    made: Made | DataError
    results: Sequence[Result] = ()
    lost: Sequence[Standing] = ()


Stand = Mapping[Name, Standing]


def judge(
    tx: Transaction, refinery: Refinery, source: Source, chosen: Sequence[Chosen], settings: Record
) -> list[Verdict]:
    """Map messages again and compare; writes nothing."""
    made = {one.message.id: refinery.make(one.message, settings) for one in chosen}
    stand = standing.by_name(tx, [name for one in made.values() for name in _names(one)])
    newer = {message_id: origin for message_id, one in made.items() if (origin := _newer_origin(one, stand))}
    origins = standing.messages(tx, newer.values())
    behind = standing.by_message_key(tx, source, [one.message.key for one in chosen])
    verdicts = []
    for one in chosen:
        message = origins.get(newer.get(one.message.id, 0), one.message)
        result = made[one.message.id] if message is one.message else refinery.make(message, settings)
        verdicts.append(_verdict(one, message, result, stand, behind.get(one.message.key, [])))
    return verdicts


def _newer_origin(made: Made | DataError, stand: Stand) -> int | None:
    """The message of a standing document that is newer than what was made now: it came in first, but says more."""
    if isinstance(made, DataError):
        return None
    olds = ((body, stand.get((entity, str(body["key"])))) for entity, body in made)
    return next((old.message_id for body, old in olds if old and documents.is_older(body, old.body)), None)


def _verdict(
    chosen: Chosen, message: Message, made: Made | DataError, stand: Stand, behind: Sequence[Standing]
) -> Verdict:
    if isinstance(made, DataError):
        return Verdict(chosen, message, "waiting" if chosen.state in HELD else "failing", made)
    results = [Result(entity, body, stand.get((entity, str(body["key"])))) for entity, body in made]
    lost = [one for one in behind if one.name not in _names(made)] if chosen.state == "mapped" else []
    if lost and any(one.old is None and one.entity == other.entity for one in results for other in lost):
        return Verdict(chosen, message, "renamed", made, results, lost)
    if not made:
        return Verdict(chosen, message, "gone" if lost else "skipped", made, (), lost)
    return Verdict(chosen, message, "made", made, results)


def _names(made: Made | DataError) -> set[Name]:
    return set() if isinstance(made, DataError) else {(entity, str(body["key"])) for entity, body in made}
