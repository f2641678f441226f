"""`duijie connection` and `duijie connector`: which accounts there are, whether they work, what can be connected."""

from __future__ import annotations

from typing import Annotated

import typer

from duijie.cli.output import AsJson, show, told
from duijie.connect.connection import find_connection, list_connections
from duijie.connect.registry import open_connection, plugins
from duijie.connect.secrets import MASK
from duijie.connect.services import Services

app = typer.Typer(no_args_is_help=True)
connectors = typer.Typer(no_args_is_help=True)


@app.command("list")
@told
def list_all(as_json: AsJson = False) -> None:
    """Every connection that the environment and the connections file name; secrets stay masked."""
    rows = [
        {
            "连接": one.conn_id,
            "类型": one.conn_type,
            "地址": one.host,
            "账号": one.login,
            "密钥": MASK if one.password else "",
        }
        for one in list_connections()
    ]
    show(rows, as_json, "连接")


@app.command()
@told
def test(
    conn_id: Annotated[str, typer.Argument(help="The connection's id.")],
    as_json: AsJson = False,
) -> None:
    """Log in and say what works."""
    connector = open_connection(find_connection(conn_id), Services.default())
    show([{"检查": what, "结果": how} for what, how in connector.check()], as_json, f"连接 {conn_id}")


@connectors.command("list")
@told
def list_connectors(as_json: AsJson = False) -> None:
    """Every installed connector; `duijie connector show TYPE` lists the settings of one."""
    rows = [
        {
            "类型": name,
            "系统": plugin.spec.title,
            "说明": plugin.spec.summary,
            "限流": plugin.spec.rate,
            "接口版本": plugin.spec.api_version,
        }
        for name, plugin in plugins().items()
    ]
    show(rows, as_json, "连接器")


@connectors.command("show")
@told
def show_settings(
    conn_type: Annotated[str, typer.Argument(help="The connector.")],
    as_json: AsJson = False,
) -> None:
    """The settings of one connector, as its connection form asks for them."""
    from duijie.connect.registry import plugin  # noqa: PLC0415

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
