"""The streams of a sender: what it pushes under which name. Nothing can be read from it, so a pull only maps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from duijie.connect.connection import Connection
from duijie.connect.named import named
from duijie.connect.protocol import Page, Traits, Window


class Named(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One row of the setting `streams`."""

    entity: str
    key: str


class PushedStream:
    """A stream that fills by pushes alone."""

    traits = Traits(answers_keys=False)

    def __init__(self, name: str, entity: str, key: str) -> None:
        self.name, self.entity, self.key = name, entity, key

    def partitions(self) -> Iterable[str]:
        """One sender, one partition."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Nothing: the sender cannot be asked, what it pushed waits in the inbox."""
        return iter(())


def streams_of(connection: Connection) -> dict[str, PushedStream]:
    """The streams that extra.streams (object or JSON text) names. Raises ConfigError."""
    connection.require("streams")
    rows = named(connection, "streams", Named, '{"order": {"entity": "…", "key": "…"}}')
    return {name: PushedStream(name, row.entity, row.key) for name, row in rows.items()}
