"""`duijie connection` and `duijie connector`: which accounts there are, whether they work, what can be connected."""

from __future__ import annotations

import getpass
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from duijie import codec
from duijie.cli.output import AsJson, show, told
from duijie.connect import pages
from duijie.connect.connection import find_connection, list_connections
from duijie.connect.form import schema_of
from duijie.connect.line import State
from duijie.connect.registry import plugin, plugins
from duijie.connect.secrets import MASK
from duijie.connect.services import Services
from duijie.diagnosis import diagnose
from duijie.journal import Journal, lines
from duijie.sharing import tokens_of

USUAL = "正常"
SIGNS = {"works": "✓", "warns": "!", "fails": "✗", "unasked": "·"}

app = typer.Typer(no_args_is_help=True)
connectors = typer.Typer(no_args_is_help=True)


@app.command("list")
@told
def list_all(as_json: AsJson = False) -> None:
    """Every connection that the environment and the connections file name, and how it is; secrets stay masked."""
    states = lines.all_states(Journal.open())
    rows = [
        {
            "连接": one.conn_id,
            "类型": one.conn_type,
            "地址": one.host,
            "账号": one.login,
            "密钥": MASK if one.password else "",
            "状态": _how(one.conn_id, states),
        }
        for one in list_connections()
    ]
    show(rows, as_json, "连接")


def _how(conn_id: str, states: Mapping[str, State]) -> str:
    """The connection's state, and what its parts have of their own."""
    named = {name: state for name, state in states.items() if name == conn_id or name.startswith(f"{conn_id}:")}
    told = {name.removeprefix(conn_id).removeprefix(":"): _words(state) for name, state in named.items()}
    return "; ".join(f"{part} {words}".strip() for part, words in told.items() if words != USUAL) or USUAL


def _words(state: State) -> str:
    if state.disabled:
        return f"已停用: {state.disabled}"
    rest = state.rests_until - time.time()
    if state.pauses:
        return f"没有应答, {max(rest, 0):.0f} 秒后再试"
    return f"按对方要求暂停 {rest:.0f} 秒" if rest > 0 else USUAL


@app.command()
@told
def enable(
    conn_id: Annotated[str, typer.Argument(help="The connection's id, or connection:shop.")],
    who: Annotated[str, typer.Option("--who", help="Who says so; your login by default.")] = "",
) -> None:
    """Put a connection back into use after its key was mended; its waiting documents go on by themselves."""
    changed = lines.enable(Journal.open(), conn_id, who or getpass.getuser())
    typer.echo(f"连接 {conn_id} 已恢复使用" if changed else f"连接 {conn_id} 本来就在使用中")


@app.command()
@told
def disable(
    conn_id: Annotated[str, typer.Argument(help="The connection's id.")],
    why: Annotated[str, typer.Option("--why", help="The reason, which everybody will see.")],
    who: Annotated[str, typer.Option("--who", help="Who says so; your login by default.")] = "",
) -> None:
    """Take a connection out of use: no worker calls it any more, its documents wait."""
    lines.disable(Journal.open(), conn_id, who or getpass.getuser(), why)
    typer.echo(f"连接 {conn_id} 已停用, 恢复请执行 duijie connection enable {conn_id}")


@app.command()
@told
def test(
    conn_id: Annotated[str, typer.Argument(help="The connection's id.")],
    as_json: AsJson = False,
) -> None:
    """Say what works and what is missing: settings, key, rights to read and to look up, clock, expiry. Writes nothing.

    Exit 1 when something does not work.
    """
    journal = Journal.open()
    services = Services(tokens_of(journal))
    told = diagnose(find_connection(conn_id), services, lines.all_states(journal).get(conn_id, State()))
    rows = [{"检查": one.what, "": SIGNS[one.verdict], "结果": one.how} for one in told]
    show(rows, as_json, f"连接 {conn_id}")
    if any(one.verdict == "fails" for one in told):
        raise typer.Exit(1)


@connectors.command("list")
@told
def list_connectors(as_json: AsJson = False) -> None:
    """Every installed connector; `duijie connector show TYPE` lists the settings of one."""
    rows = [
        {
            "类型": name,
            "系统": plugin.spec.title,
            "读取": pages.reads(plugin.spec),
            "写入": pages.writes(plugin.spec),
            "不重复的保证": pages.safe_because(plugin.spec),
            "限流": plugin.spec.rate,
            "接口版本": plugin.spec.api_version,
        }
        for name, plugin in plugins().items()
    ]
    show(rows, as_json, "连接器")


@connectors.command("docs")
@told
def write_docs(
    folder: Annotated[Path, typer.Argument(help="Where the pages are.")] = Path("docs/connectors"),
) -> None:
    """Write the tables of connectors, and the settings and moves of each, into their pages and the README."""
    changed = pages.write_pages(folder, plugins()) + pages.write_readmes(folder.parent.parent, plugins())
    typer.echo("\n".join(f"已更新 {path}" for path in changed) or "文档与连接器一致, 无需更新")


@connectors.command("show")
@told
def show_settings(
    conn_type: Annotated[str, typer.Argument(help="The connector.")],
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of its connections.")] = False,
    as_json: AsJson = False,
) -> None:
    """The settings of one connector, as its connection form asks for them."""
    if schema:
        typer.echo(msgspec.json.format(codec.encode_ordered(schema_of(plugin(conn_type).spec))).decode())
        return
    rows = [
        {
            "设置": s.name,
            "名称": s.label,
            "位置": s.target,
            "密钥": "是" if s.secret else "",
            "必填": "是" if s.required else "",
            "说明": s.help,
        }
        for s in plugin(conn_type).spec.settings
    ]
    show(rows, as_json, plugin(conn_type).spec.title)
