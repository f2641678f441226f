"""The streams of a sender: what it pushes under which name. Nothing can be read from it, so a pull only maps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
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
    given: Any = connection.extra.get("streams")
    try:
        rows = msgspec.convert(codec.decode(given) if isinstance(given, str) else given, dict[str, Named])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigError(
            f'连接 {connection.conn_id} 的 streams 无效 ({error}), 请填 {{"order": {{"entity": "…", "key": "…"}}}}',
            en=f"connection {connection.conn_id}: extra.streams must name entity and key of each stream: {error}",
            where=f"{connection.conn_id}.streams",
        ) from error
    return {name: PushedStream(name, row.entity, row.key) for name, row in rows.items()}
