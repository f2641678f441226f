"""Fetching a file from an address that a platform gave in an answer: only from hosts that a person trusts.

An address in an answer is somebody else's word: without this a forged answer could make us call anything on our own
network. The host of the connection is trusted; others are named in its setting `file_hosts`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, VendorRejected
from duijie.connect.http import Http

FILE_BYTES = 10 * 1024 * 1024


def download(http: Http, url: str, connection: Connection) -> bytes:
    """The bytes at `url`, at most 10 MB. Raises ConfigError for a host nobody trusts, else errors of the tree."""
    host = _trusted(url, connection)
    answer = http.send("GET", url)
    _trusted(answer.url, connection)  # where redirects ended
    if len(answer.content) > FILE_BYTES:
        raise VendorRejected(
            f"{host} 给出的文件超过 10 MB ({len(answer.content)} 字节), 未保存; 请人工核对",
            en=f"a file of {len(answer.content)} bytes from {host} exceeds 10 MB",
            code="FILE-SIZE",
            where=host,
        )
    return answer.content


def _trusted(url: str, connection: Connection) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme in ("http", "https") and _is_trusted(host, connection):
        return host
    raise ConfigError(
        f"文件地址的域名 {host or url!r} 未列入连接 {connection.conn_id} 的 file_hosts, 未下载; 确认可信后请补上",
        en=f"the host {host or url!r} is not in file_hosts of {connection.conn_id}; add it if it can be trusted",
        code="FILE-HOST",
        where=f"{connection.conn_id}.file_hosts",
    )


def _is_trusted(host: str, connection: Connection) -> bool:
    own = urlsplit(connection.base_url).hostname
    listed = str(connection.extra.get("file_hosts") or "").replace(",", " ").lower().split()
    return bool(host) and (host == own or any(host == one or host.endswith(f".{one}") for one in listed))


__all__ = ["download"]
