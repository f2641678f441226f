"""Which connections take pushes, and how each is checked; looked up again every few seconds.

For a name that no connection has there is a door too: it does the same work and lets nobody in, so that the time of
an answer does not tell which names exist.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from duijie.connect.connection import Connection, list_connections
from duijie.connect.errors import ConfigError, Forged
from duijie.connect.hooks import Answer, Call, Hook, Push
from duijie.connect.protocol import Plugin
from duijie.connect.registry import plugin

log = logging.getLogger(__name__)
LOOKED_UP_EVERY = 5.0
MissingDoor = Answer(404)


class Wall:
    """The hook of connections that are none."""

    accepted = refused = MissingDoor
    media_types: frozenset[str] = frozenset()
    remember = timedelta()
    streams: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def verify(self, call: Call) -> Push:
        """Never true, after as much work as a signature takes."""
        digest = hmac.new(self._key, call.body, hashlib.sha256).digest()
        hmac.compare_digest(digest, self._key)
        raise Forged("没有这个连接", en="no such connection", code="unknown")


@dataclass(frozen=True)
class Door:
    """One connection's way in."""

    connection: str
    hook: Hook
    is_known: bool = True


class Doors:
    """All of them, by connection."""

    def __init__(
        self,
        connections: Callable[[], Sequence[Connection]] = list_connections,
        plugins: Callable[[str], Plugin] = plugin,
    ) -> None:
        self._connections = connections
        self._plugins = plugins
        self._known: dict[str, Door] = {}
        self._wall = Wall()
        self._looked_up = float("-inf")

    def of(self, connection: str) -> Door:
        """The door of this connection, or a wall that looks the same from outside."""
        if time.monotonic() - self._looked_up > LOOKED_UP_EVERY:
            self._look_up()
        return self._known.get(connection) or Door(connection, self._wall, is_known=False)

    def _look_up(self) -> None:
        """A connections file that is wrong just now leaves the doors as they were."""
        self._looked_up = time.monotonic()
        try:
            found = [door for one in self._connections() if (door := self._door(one))]
        except ConfigError as error:
            log.error("the connections cannot be read, pushes are checked as before: %s", error)
            return
        self._known = {door.connection: door for door in found}

    def _door(self, connection: Connection) -> Door | None:
        try:
            make = self._plugins(connection.conn_type).hook
            return Door(connection.conn_id, make(connection)) if make else None
        except ConfigError as error:
            log.error("connection %s takes no pushes: %s", connection.conn_id, error)
            return None
