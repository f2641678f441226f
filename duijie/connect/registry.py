"""Which connectors there are: every package that declares the entry point `duijie.connectors`."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Connector, Plugin, Safety
from duijie.connect.secrets import secrets_of
from duijie.connect.services import Services

GROUP = "duijie.connectors"


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)}


def conn_types() -> tuple[str, ...]:
    """The names of every installed connector; none is imported."""
    return tuple(_entries())


def plugins() -> dict[str, Plugin]:
    """Every installed connector by conn_type."""
    return {name: plugin(name) for name in _entries()}


@cache
def plugin(conn_type: str) -> Plugin:
    """The connector for a conn_type, imported on first use. Raises ConfigError naming the nearest one."""
    known = _entries()
    if conn_type in known:
        loaded: Plugin = known[conn_type].load()
        return loaded
    near = get_close_matches(conn_type, known, 1)
    hint = f", 是否指 {near[0]}?" if near else ""
    raise ConfigError(
        f"没有类型为 {conn_type} 的连接器{hint} 已安装: {', '.join(known)}",
        en=f"no connector for conn_type {conn_type}; installed: {', '.join(known)}",
        where=conn_type,
    )


def open_connection(connection: Connection, services: Services) -> Connector:
    """Bring a connection to life; refuses a connector with a sink that does not say how it is safe."""
    connector = plugin(connection.conn_type).open(connection, services)
    for name, sink in connector.sinks.items():
        if not isinstance(getattr(sink, "safety", None), Safety):
            raise ConfigError(
                f"连接器 {connection.conn_type} 的写入口 {name} 未声明安全方式, 不予注册",
                en=f"sink {connection.conn_type}/{name} declares no safety; it cannot be registered",
                where=f"{connection.conn_type}/{name}",
            )
    return connector


def secret_values(connection: Connection) -> tuple[str, ...]:
    """The secret values of a connection, by its connector's spec."""
    found = [connection.password]
    for setting in plugin(connection.conn_type).spec.settings:
        if setting.secret and setting.target == "extra":
            found.append(str(connection.extra.get(setting.name, "")))
    return secrets_of(found)
