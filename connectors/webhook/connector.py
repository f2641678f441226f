"""A connection to a system that only pushes: streams, no sinks."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.webhook.hook import StandardWebhook
from connectors.webhook.streams import streams_of
from duijie.connect.connection import Connection
from duijie.connect.protocol import Sink, Stream
from duijie.connect.services import Services


class Webhook:
    """One sender."""

    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._streams = streams_of(connection)

    @property
    def streams(self) -> Mapping[str, Stream]:
        """Those of the setting `streams`."""
        return dict(self._streams)

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """None."""
        return {}

    def check(self) -> list[tuple[str, str]]:
        """Whether secret and streams are as they must be; nobody can be asked. Raises ConfigError."""
        hook = StandardWebhook(self._connection)
        return [(f"推送地址 /in/{self._connection.conn_id}/{name}", "等待推送") for name in hook.streams]
