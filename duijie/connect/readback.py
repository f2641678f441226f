"""Proof that a sink's look-up brings what was written, where the vendor does not publish how it is read.

Such a look-up rests on settings that somebody found out at one site. Were they wrong, it would say "not there" of
everything, and a document whose answer was lost would be written twice. So the first document written is looked up at
once; where that does not bring it, nothing more is written.
"""

from __future__ import annotations

from collections.abc import Callable

from duijie.connect.errors import ConfigError, DuijieError


class ReadBack:
    """Of one sink in one process. `remedy`: what to do when the proof fails, in Chinese and English."""

    def __init__(self, name: str, remedy: tuple[str, str]) -> None:
        self._name = name
        self._remedy = remedy
        self._proved = False
        self._missed = ""

    def must_hold(self) -> None:
        """Raises ConfigError once a document that was written could not be read back."""
        if self._missed:
            zh, en = self._remedy
            raise ConfigError(
                f"{self._name} 读不回刚写入的单据 {self._missed}, 已停止写入以免重复; {zh}",
                en=f"{self._name} cannot read back {self._missed}, which it has just written; {en}",
                code="READBACK",
                where=self._name,
            )

    def after(self, key: str, is_there: Callable[[], bool]) -> None:
        """A document was written under this key: look once whether it is there. What cannot be asked proves nothing."""
        if self._proved or self._missed:
            return
        try:
            self._proved = is_there()
        except DuijieError:
            return
        self._missed = "" if self._proved else key
