"""What a message is before a channel gives it its form, and how long it may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from duijie.alerts.config import Person

LINES = 15


@dataclass(frozen=True)
class Message:
    """A title, lines, links (words, address), and people of ours to be called by name."""

    title: str
    lines: Sequence[str]
    links: Sequence[tuple[str, str]] = ()
    people: Sequence[Person] = field(default=())

    @property
    def text(self) -> str:
        """As plain text, the addresses written out."""
        return "\n".join((*self.lines, *(f"{words}: {address}" for words, address in self.links)))


def neutral(text: str) -> str:
    """A text in which nothing is a link, a tag or a call to everybody: what a vendor wrote is shown, never obeyed."""
    return text.translate(str.maketrans("<>[]`*", "＜＞［］ˋ＊")).replace("@", "＠")


def within(text: str, size: int) -> str:
    """The text, cut to so many bytes of UTF-8."""
    whole = text.encode()
    return text if len(whole) <= size else whole[: size - 3].decode(errors="ignore") + "…"
