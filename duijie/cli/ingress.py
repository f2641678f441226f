"""`duijie ingress`: receive pushes alone, and say which connections take them and how they do."""

from __future__ import annotations

from typing import Annotated

import typer

from duijie.cli.output import AsJson, show, told
from duijie.codec import Record
from duijie.connect.connection import list_connections
from duijie.connect.registry import plugin
from duijie.journal import Journal, pushes

app = typer.Typer(no_args_is_help=True)
OUTCOMES = {"accepted": "已收", "repeated": "重复", "refused": "被拒"}


@app.command()
@told
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8091,
) -> None:
    """Receive pushes on POST /in/CONNECTION, and fetch those that systems keep for us, until Ctrl-C."""
    from duijie.ingress.serve import serve as serve_until_stopped  # noqa: PLC0415

    serve_until_stopped(host, port)


@app.command()
@told
def status(as_json: AsJson = False) -> None:
    """Per connection: how many pushes were accepted, repeated, refused, and when last."""
    able = [one.conn_id for one in list_connections() if plugin(one.conn_type).hook]
    counted = {one["connection"]: one for one in pushes.standing(Journal.open())}
    show([_row(name, counted.get(name, {})) for name in sorted({*able, *counted})], as_json, "推送")


def _row(connection: str, said: Record) -> dict[str, object]:
    row: dict[str, object] = {"连接": connection, "地址": f"/in/{connection}"}
    for outcome, word in OUTCOMES.items():
        row[word] = said.get(outcome, {}).get("count", 0)
    last = said.get("accepted", {}).get("last_at")
    row["最近一次"] = last.isoformat(timespec="seconds") if last else ""
    row["待重读"] = said.get("hints", 0)
    row["最近被拒原因"] = said.get("refused", {}).get("detail", "")
    return row
