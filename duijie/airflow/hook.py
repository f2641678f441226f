"""Airflow's Connections handed to the engine: the one file where an Airflow Connection becomes ours.

Airflow wants a hook class per connection type: `DuijieHook_<conn_type>` is made when it is asked for.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from typing import Any

import msgspec
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from duijie import codec
from duijie.connect.connection import Connection, find_connection
from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Connector
from duijie.connect.registry import GROUP, open_connection
from duijie.connect.services import Services
from duijie.diagnosis import diagnose
from duijie.journal import Journal
from duijie.sharing import tokens_of


class DuijieHook(BaseHook):
    """Gives a task the connection of a connector. `conn_name_attr` serves Airflow's own look-up of hooks."""

    conn_name_attr = "duijie_conn_id"
    default_conn_name = "duijie_default"
    hook_name = "Duijie 对接"
    conn_type: str | None = None

    def __init__(self, duijie_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.duijie_conn_id = duijie_conn_id

    def get_conn(self) -> Connection:
        """The connection as connectors take it. Raises ConfigError."""
        return connection_from_airflow(self.duijie_conn_id)

    def connector(self) -> Connector:
        """A live connector of it. Raises ConfigError."""
        return open_connection(self.get_conn(), Services(tokens_of(Journal.open())))

    def test_connection(self) -> tuple[bool, str]:
        """Airflow's test button: (whether all of it works, what `duijie connection test` says)."""
        told = diagnose(self.get_conn(), Services(tokens_of(Journal.open())))
        return all(one.verdict != "fails" for one in told), "; ".join(f"{one.what}: {one.how}" for one in told)


def __getattr__(name: str) -> type[DuijieHook]:
    prefix, _, conn_type = name.partition("_")
    if prefix != "DuijieHook" or conn_type not in entry_points(group=GROUP).names:
        raise AttributeError(name)
    return _hook_class(conn_type)


@cache
def _hook_class(conn_type: str) -> type[DuijieHook]:
    members = {"conn_type": conn_type, "hook_name": f"Duijie 对接 {conn_type}", "__module__": __name__}
    return type(f"DuijieHook_{conn_type}", (DuijieHook,), members)


def connection_from_airflow(conn_id: str) -> Connection:
    """An Airflow Connection, else one of our own environment or file. Raises ConfigError when neither knows it."""
    try:
        return converted(BaseHook.get_connection(conn_id))
    except AirflowNotFoundException:
        return find_connection(conn_id)


def converted(found: Any) -> Connection:
    """Airflow's Connection object as ours. Raises ConfigError for an extra that is no JSON object."""
    try:
        extra = codec.decode(found.extra) if found.extra else {}
        if not isinstance(extra, dict):
            raise msgspec.DecodeError("not an object")
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"Airflow 连接 {found.conn_id} 的 extra 不是 JSON 对象, 请在连接页面更正",
            en=f"the extra of the Airflow connection {found.conn_id} is not a JSON object; correct it",
            where=f"{found.conn_id}.extra",
        ) from error
    return Connection(
        conn_id=found.conn_id,
        conn_type=found.conn_type,
        host=found.host or "",
        login=found.login or "",
        password=found.password or "",
        schema=found.schema or "",
        port=found.port,
        extra=extra,
    )
