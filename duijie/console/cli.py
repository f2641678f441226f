"""`duijie console`: serve the pages, keep the users."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from duijie.console import users

app = typer.Typer(no_args_is_help=True)
people = typer.Typer(no_args_is_help=True)
app.add_typer(people, name="user", help="Who may log in.")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8090,
) -> None:
    """Serve the console until Ctrl-C."""
    import uvicorn  # noqa: PLC0415

    from duijie.connect.errors import DuijieError  # noqa: PLC0415
    from duijie.console.app import create_app  # noqa: PLC0415

    try:
        app = create_app()
    except DuijieError as error:
        typer.echo(error.zh, err=True)
        raise typer.Exit(1) from error
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, proxy_headers=False)


@people.command()
def add(
    name: Annotated[str, typer.Argument(help="Login name.")],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(users.ROLES)}.")] = "viewer",
    display: Annotated[str, typer.Option(help="Name shown on the pages.")] = "",
    duty: Annotated[list[str] | None, typer.Option(help="In invoicing: ask, approve, issue; may be repeated.")] = None,
) -> None:
    """Add a person, or change password and role; the password is asked for, or read from standard input."""
    from duijie.connect.errors import ConfigError  # noqa: PLC0415

    asked = (
        typer.prompt("密码", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else sys.stdin.readline()
    )
    try:
        users.add_user(users.default_path(), name, asked.strip(), role, display, duty or ())
    except ConfigError as error:
        typer.echo(error.zh, err=True)
        raise typer.Exit(1) from error
    typer.echo(f"用户 {name} ({role}) 已保存到 {users.default_path()}")
