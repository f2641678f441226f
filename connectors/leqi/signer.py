"""The one part of 乐企 that is not published: how `access_signature` is computed.

Only a company that the tax bureau has admitted knows it. Such a company writes it as a function and installs it as a
package with an entry point in the group `duijie.leqi`; the setting `signer` of a connection names that entry point::

    [project.entry-points."duijie.leqi"]
    ours = "acme_leqi:sign"

    def sign(call: Unsigned) -> str: ...

Nothing here guesses it: without a signer every call raises ConfigError. Only what is installed can be named, so that
who may edit a connection cannot make a worker run something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points

from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError

GROUP = "duijie.leqi"


@dataclass(frozen=True)
class Unsigned:
    """A call before it is signed: path, headers, the body as it leaves, and the signer's secret."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    timestamp: int  # seconds since 1970
    secret: str = field(default="", repr=False)


Signer = Callable[[Unsigned], str]


def find_signer(connection: Connection) -> Signer:
    """The signer that a connection names; one that refuses every call where it names none that is installed.

    Raises ConfigError for one that cannot be loaded.
    """
    name = str(connection.extra.get("signer") or "")
    found = [one for one in entry_points(group=GROUP) if one.name == name]
    return _loaded(found[0], connection.conn_id) if found else _refusing(connection.conn_id, name)


def _loaded(entry: EntryPoint, conn_id: str) -> Signer:
    try:
        signer: Signer = entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"连接 {conn_id} 的签名插件 {entry.name} 无法加载: {error}; 请重新安装该插件",
            en=f"the signer {entry.name} of {conn_id} cannot be loaded: {error}",
            code="LEQI-SIGNER",
            where=f"{conn_id}.signer",
        ) from error
    return signer


def _refusing(conn_id: str, name: str) -> Signer:
    told = f"未安装名为 {name} 的签名插件" if name else "未设置签名插件 signer"

    def refuse(_: Unsigned) -> str:
        raise ConfigError(
            f"连接 {conn_id} {told}: 乐企的 access_signature 算法未公开, "
            f"须由获准直连的企业提供 (入口点 {GROUP}), 未发出任何请求",
            en=f"{conn_id} has no signer {name!r}: how access_signature is computed is not published; a company that "
            f"is admitted to 乐企 must provide it as an entry point of {GROUP}; nothing was sent",
            code="LEQI-SIGNER",
            where=f"{conn_id}.signer",
        )

    return refuse
