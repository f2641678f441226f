"""Settings that name things: the streams or sinks of a connection whose system has none of its own."""

from __future__ import annotations

from typing import Any

import msgspec

from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError


def named(connection: Connection, setting: str, kind: type[Any], example: str) -> dict[str, Any]:
    """What a setting (an object, or its JSON where a form holds it) names, each as `kind`. Raises ConfigError."""
    given = connection.extra.get(setting) or {}
    try:
        told = codec.decode(given) if isinstance(given, str) else given
        return msgspec.convert(told, dict[str, kind])  # type: ignore[valid-type]
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ConfigError(
            f"连接 {connection.conn_id} 的 {setting} 有误 ({error}), 请照此填写: {example}",
            en=f"connection {connection.conn_id}: extra.{setting} is wrong ({error}); write it like {example}",
            where=f"{connection.conn_id}.{setting}",
        ) from None
