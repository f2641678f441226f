"""Fetching a file from an address that a platform gave in an answer: only from hosts that a person trusts.

An address in an answer is somebody else's word: without this a forged answer could make us call anything on our own
network. The host of the connection is trusted; others are named in its setting `file_hosts`. A redirect is somebody
else's word too: its host is looked at before it is followed.
"""

from __future__ import annotations

from urllib.parse import urljoin

from requests.models import REDIRECT_STATI
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, VendorRejected
from duijie.connect.http import Http
from duijie.connect.wire import REDIRECTS

FILE_BYTES = 10 * 1024 * 1024


def download(http: Http, url: str, connection: Connection) -> bytes:
    """The bytes at `url`, at most 10 MB. Raises ConfigError for a host nobody trusts, else errors of the tree."""
    for _ in range(1 + REDIRECTS):
        host = _trusted(url, connection)
        answer = http.send("GET", url, answers=REDIRECT_STATI)
        if answer.status_code not in REDIRECT_STATI:
            return _small(answer.content, host)
        url = urljoin(url, answer.headers.get("location", ""))
    raise VendorRejected(
        f"{host} 的文件地址一再重定向, 未下载; 请在平台上人工下载核对",
        en=f"the file's address at {host} redirects over and over",
        code="FILE-REDIRECT",
        where=host,
    )


def _small(content: bytes, host: str) -> bytes:
    if len(content) > FILE_BYTES:
        raise VendorRejected(
            f"{host} 给出的文件超过 10 MB ({len(content)} 字节), 未保存; 请人工核对",
            en=f"a file of {len(content)} bytes from {host} exceeds 10 MB",
            code="FILE-SIZE",
            where=host,
        )
    return content


def _trusted(url: str, connection: Connection) -> str:
    parts = _parsed(url)
    host = parts.host or ""
    if parts.scheme in ("http", "https") and _is_trusted(host, connection):
        return host
    raise ConfigError(
        f"文件地址的域名 {host or url!r} 未列入连接 {connection.conn_id} 的 file_hosts, 未下载; 确认可信后请补上",
        en=f"the host {host or url!r} is not in file_hosts of {connection.conn_id}; add it if it can be trusted",
        code="FILE-HOST",
        where=f"{connection.conn_id}.file_hosts",
    )


def _parsed(url: str) -> Url:
    """As the call itself will read it: another reading might see another host."""
    try:
        return parse_url(url)
    except LocationParseError:
        return Url()


def _is_trusted(host: str, connection: Connection) -> bool:
    own = _parsed(connection.base_url).host
    listed = str(connection.extra.get("file_hosts") or "").replace(",", " ").lower().split()
    return bool(host) and (host == own or any(host == one or host.endswith(f".{one}") for one in listed))


__all__ = ["download"]
