"""What was sent under each of our serials and what was answered, for platforms that do not tell it themselves.

One cannot be asked by serial at all, another tells no amounts before an invoice is issued. What was sent is noted
beside the connection's token before the call leaves, so that every worker of the connection knows it. A serial is
`sent` while its call is under way, `answered` when a number came back, `refused` when certainly nothing came of it,
`doubt` when the answer was lost, and `told` when a person has been told of the doubt and may send it again.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import DuijieError
from duijie.connect.tokens import Token, Tokens

KEPT_SECONDS = 400 * 86400.0
FREE = ("refused", "told")  # nothing came of it, or a person has looked: what is sent next counts


@dataclass(frozen=True)
class Kept:
    """One serial: its state, the payload that was sent, the answer ({} without one), a mark of who noted it."""

    state: str
    payload: Record
    answer: Record
    by: str = ""

    @property
    def is_doubtful(self) -> bool:
        """It may have been carried out."""
        return self.state in ("sent", "doubt")


class _Absent(DuijieError):
    pass


class Memory:
    """Of one sink of one connection."""

    def __init__(self, tokens: Tokens, name: str) -> None:
        self._tokens = tokens
        self._name = name

    def kept(self, key: str) -> Kept | None:
        """What is known of a serial; None for one that was never sent."""
        try:
            return _kept(self._tokens.get(self._place(key), _absent))
        except _Absent:
            return None

    def begin(self, key: str, payload: Record) -> Kept:
        """Note a payload before its call leaves. Returns what was known before: `refused` for a new serial.

        Of two workers that begin at once, one is told that the serial is `sent`.
        """
        before = self.kept(key)
        if before is not None and before.state not in FREE:
            return before
        mine = secrets.token_hex(8)
        noted = self._move(key, before.state if before else "", Kept("sent", payload, {}), mine)
        return noted if noted.by != mine else before or Kept("refused", payload, {})

    def answered(self, key: str, answer: Mapping[str, object]) -> Kept:
        """A number came back."""
        before = self.kept(key) or Kept("", {}, {})
        return self._move(key, before.state, Kept("answered", before.payload, dict(answer)))

    def ended(self, key: str, state: str) -> None:
        """A call that is under way ended so; a doubt that was there stays, for a later refusal says nothing of it."""
        before = self.kept(key)
        if before is not None and (before.state == "sent" or (before.state, state) == ("doubt", "told")):
            self._move(key, before.state, Kept(state, before.payload, {}))

    def cleared(self, key: str) -> None:
        """It is certain that nothing came of it."""
        if (before := self.kept(key)) is not None:
            self._move(key, before.state, Kept("refused", before.payload, {}))

    def _move(self, key: str, before: str, after: Kept, by: str = "") -> Kept:
        kept = {"payload": _text(after.payload), "answer": _text(after.answer), "by": by}
        fresh = Token(after.state, time.time() + KEPT_SECONDS, kept)
        return _kept(self._tokens.replace(self._place(key), before, lambda: fresh))

    def _place(self, key: str) -> str:
        return f"{self._name}.{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _kept(token: Token) -> Kept:
    extra = token.extra
    return Kept(token.value, codec.decode(extra["payload"]), codec.decode(extra["answer"]), extra["by"])


def _text(value: Record) -> str:
    return codec.encode_ordered(value).decode()


def _absent() -> Token:
    raise _Absent("未发送过")
