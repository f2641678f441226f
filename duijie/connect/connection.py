"""One authorised account at one system, in the same JSON that an Airflow Connection uses.

Found, in this order: `DUIJIE_CONN_<ID>` and `AIRFLOW_CONN_<ID>` in the environment (JSON), then the file named by
`DUIJIE_CONNECTIONS` (a JSON object id → connection, readable by its owner only). Airflow tasks hand over theirs
through `duijie.airflow.hook`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from duijie import codec
from duijie.connect.errors import ConfigError

ENV_PREFIXES = ("DUIJIE_CONN_", "AIRFLOW_CONN_")


@dataclass(frozen=True)
class Connection:
    """conn_id, conn_type, base URL and credentials. `password` and secret extras never show in its repr."""

    conn_id: str
    conn_type: str
    host: str = ""
    login: str = ""
    password: str = field(default="", repr=False)
    schema: str = ""
    port: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def from_json(cls, conn_id: str, text: bytes | str) -> Connection:
        """Parse Airflow's JSON form; `extra` may be an object or a JSON string. Raises ConfigError."""
        try:
            data = codec.decode(text)
            extra = data.get("extra") or {}
            extra = codec.decode(extra) if isinstance(extra, str) else extra
            known = {name: data[name] for name in ("host", "login", "password", "schema", "port") if data.get(name)}
            return cls(conn_id=conn_id, conn_type=data["conn_type"], extra=extra, **known)
        except (msgspec.DecodeError, AttributeError, KeyError, TypeError) as error:
            raise ConfigError(
                f"连接 {conn_id} 不是有效的 JSON 连接定义, 请按 Airflow Connection 的 JSON 格式填写",
                en=f"connection {conn_id} is not a JSON connection; write it as Airflow's JSON form",
                where=conn_id,
            ) from error

    @property
    def base_url(self) -> str:
        """Scheme, host and port without a trailing slash."""
        host = self.host if "://" in self.host else f"https://{self.host}"
        return f"{host.rstrip('/')}:{self.port}" if self.port else host.rstrip("/")

    def require(self, name: str) -> str:
        """A setting out of `extra` that the connector cannot work without. Raises ConfigError."""
        value = self.extra.get(name)
        if value in (None, ""):
            raise ConfigError(
                f"连接 {self.conn_id} 缺少设置 {name}, 请在连接的 extra 中补上",
                en=f"connection {self.conn_id} lacks extra.{name}; add it to the connection",
                where=f"{self.conn_id}.{name}",
            )
        return str(value)


def find_connection(conn_id: str, environ: Mapping[str, str] = os.environ) -> Connection:
    """The connection of that id from the environment or the connections file. Raises ConfigError."""
    for prefix in ENV_PREFIXES:
        text = environ.get(prefix + conn_id.upper())
        if text:
            return Connection.from_json(conn_id, text)
    listed = _from_file(environ)
    if conn_id not in listed:
        raise ConfigError(
            f"没有名为 {conn_id} 的连接, 请设置环境变量 DUIJIE_CONN_{conn_id.upper()} 或写入 DUIJIE_CONNECTIONS 文件",
            en=f"no connection named {conn_id}; set DUIJIE_CONN_{conn_id.upper()} or add it to the connections file",
            where=conn_id,
        )
    return Connection.from_json(conn_id, codec.encode(listed[conn_id]))


def list_connections(environ: Mapping[str, str] = os.environ) -> list[Connection]:
    """Every connection that the environment and the file name, by id."""
    ids = {name.removeprefix(prefix).lower() for prefix in ENV_PREFIXES for name in environ if name.startswith(prefix)}
    return [find_connection(conn_id, environ) for conn_id in sorted(ids | set(_from_file(environ)))]


def _from_file(environ: Mapping[str, str]) -> dict[str, Any]:
    name = environ.get("DUIJIE_CONNECTIONS")
    if not name:
        return {}
    path = Path(name)
    if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise ConfigError(
            f"连接文件 {path} 可被他人读取, 请执行 chmod 600 {path}",
            en=f"the connections file {path} is readable by others; run chmod 600 {path}",
            where=str(path),
        )
    try:
        return dict(codec.decode(path.read_bytes()))
    except (OSError, msgspec.DecodeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"连接文件 {path} 无法读取: {error}",
            en=f"the connections file {path} cannot be read: {error}",
            where=str(path),
        ) from error
