"""`duijie watch`: look for silence now; for a shell, for cron, for whoever watches the watchdog."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from duijie import watch as watching
from duijie.cli.output import AsJson, show, told
from duijie.connect.connection import find_connection
from duijie.flow import Watch, load_flows
from duijie.journal import Journal

DEFAULT = Path("dags/flows")


@told
def watch(
    flows: Annotated[Path, typer.Option("--flows", help="The folder of flow files.")] = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Look for silence, lag, stranded rows, stopped parts and what is about to end; exit 1 when something is found.

    What is found becomes alerts, once each; what is over is closed. The flow `watchdog` does the same every 5 minutes.
    """
    known = load_flows(flows)
    steps = (step for flow in known.values() for step in flow.steps if isinstance(step, Watch))
    limits = next(steps, Watch(name="look"))
    looked = watching.look(Journal.open(), watching.Around(known, limits, find_connection))
    rows = [
        {"级别": one.level, "规则": one.rule, "对象": one.subject, "发现": one.title, "下一步": one.body}
        for one in looked.findings
    ]
    show(rows, as_json, "值守")
    if rows:
        raise typer.Exit(1)
