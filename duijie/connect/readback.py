"""Proof that a sink's look-up brings what was written, where the vendor does not publish how it is read.

Such a look-up rests on settings that somebody found out at one site. Were they wrong, it would say "not there" of
everything, and a document whose answer was lost would be written twice. So the first document written is looked up at
once; where that does not bring it, nothing more is written. A document whose answer was lost before there was any proof
is not written again until there is one, or a person has looked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from duijie.connect.errors import ConfigError, DuijieError, VendorRejected


class ReadBack:
    """Of one sink in one process. `remedy`: what to do when the proof fails, in Chinese and English."""

    def __init__(self, name: str, remedy: tuple[str, str]) -> None:
        self._name = name
        self._remedy = remedy
        self._proved = False
        self._missed = ""
        self._doubtful: set[str] = set()

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

    def lost(self, key: str, is_there: Callable[[], bool]) -> None:
        """The answer to a write under this key was lost: being there is proof, not being there is none."""
        if self._proved:
            return
        with suppress(DuijieError):
            self._proved = is_there()
        if not self._proved:
            self._doubtful.add(key)

    def may_write(self, key: str) -> None:
        """Raises ConfigError like `must_hold`, and once VendorRejected for a key that may be there unseen."""
        self.must_hold()
        if key in self._doubtful and not self._proved:
            self._doubtful.discard(key)
            raise VendorRejected(
                f"{key} 的应答丢失, 且尚未证明查询设置能读回单据; 请在对方系统中核对该单: "
                "已有则关闭本待处理, 没有则重放",
                en=f"the answer for {key} was lost before the look-up was proved; look there, replay if it is missing",
                code="READBACK",
                where=key,
            )
