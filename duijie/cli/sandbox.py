"""`duijie sandbox up`: the vendors' servers for trying things out, each with example data and a connection to it.

They are part of a checkout, not of the installed package, and run as a process of their own: the engine imports none.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from duijie.cli.output import told
from duijie.connect.errors import ConfigError

ROOT = Path(__file__).parents[2]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `up` a command of its own name."""


@app.command()
@told
def up(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME[=PORT]", help="Which; all by default.")] = None,
    state: Annotated[Path, typer.Option("--state", help="Where they keep what they hold.")] = Path("var/sandbox"),
) -> None:
    """Serve sandboxes on 127.0.0.1 until Ctrl-C, filled with example data; faults are ordered over /_admin/faults."""
    if not (ROOT / "sandbox").is_dir():
        raise ConfigError(
            "沙箱只随源码提供, 请在源码目录中运行 (git clone 后 make setup)",
            en="sandboxes come with a checkout of the source, not with the installed package",
            where="sandbox",
        )
    command = [sys.executable, "-m", "tests.contract.up", "--state", str(state.resolve()), *(names or [])]
    os.chdir(ROOT)
    os.execv(sys.executable, command)  # noqa: S606  our own module, in this process's place
