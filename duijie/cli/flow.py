"""`duijie flow`: list, run, check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from duijie.cli.output import AsJson, console, errors, show, told
from duijie.connect.errors import ConfigError, DuijieError
from duijie.flow import Deliver, Flow, Poll, Pull, load_flow, load_flows

app = typer.Typer(no_args_is_help=True)
Folder = Annotated[Path, typer.Option("--flows", help="The folder of flow files.")]
DEFAULT = Path("dags/flows")


@app.command("list")
@told
def list_flows(flows: Folder = DEFAULT, as_json: AsJson = False) -> None:
    """Every flow with its schedule and steps."""
    rows = [
        {
            "flow": one.flow,
            "名称": one.title,
            "计划": one.schedule or "手动",
            "步骤": " → ".join(s.name for s in one.steps),
        }
        for one in load_flows(flows).values()
    ]
    show(rows, as_json, "流程")


@app.command()
@told
def check(flows: Folder = DEFAULT, as_json: AsJson = False) -> None:
    """Read every flow file and every mapping that it names; exit 1 when one is wrong."""
    from duijie.deliver import must_take  # noqa: PLC0415
    from duijie.given import must_be_given  # noqa: PLC0415
    from duijie.mapping import load_mapping  # noqa: PLC0415
    from duijie.pull.refinery import entities_of  # noqa: PLC0415
    from duijie.pull.sweep import must_sweep  # noqa: PLC0415

    rows = []
    for path in sorted(flows.glob("*.yaml")):
        try:
            for step in load_flow(path).steps:
                if name := getattr(step, "mapping", ""):
                    mapping = load_mapping(Path("mappings") / f"{name}.yaml")
                    if isinstance(step, Pull | Poll | Deliver):
                        must_be_given(step, mapping)
                    if isinstance(step, Deliver):
                        must_take(step, mapping)
                    if isinstance(step, Pull) and step.sweep_days:
                        must_sweep(step, entities_of(mapping, str(mapping.target.get("entity", ""))))
            rows.append({"文件": str(path), "结果": "正确", "原因": ""})
        except DuijieError as error:
            rows.append({"文件": str(path), "结果": "有误", "原因": error.zh})
    show(rows, as_json, "流程检查")
    if any(row["结果"] == "有误" for row in rows):
        raise typer.Exit(1)


@app.command()
@told
def run(
    name: Annotated[str, typer.Argument(help="The flow.")],
    step: Annotated[str, typer.Option(help="Only this step.")] = "",
    flows: Folder = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Run a flow's steps here and now, in order, without Airflow."""
    from duijie.engine import Engine  # noqa: PLC0415
    from duijie.journal import Journal  # noqa: PLC0415

    chosen = _flow(flows, name)
    engine = Engine(Journal.open())
    steps = [chosen.step(step)] if step else list(chosen.steps)
    rows = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        for one in steps:
            task = progress.add_task(f"{chosen.title}: {one.name}", total=1)
            rows.append({"步骤": one.name, **_words(engine.run(chosen, one))})
            progress.update(task, completed=1)
    if as_json:
        show(rows, True)
        return
    for row in rows:
        console.print(" ".join(f"{key} {value}" for key, value in row.items()))


def _words(counts: dict[str, int]) -> dict[str, int]:
    return {name: value for name, value in counts.items() if value}


def _flow(folder: Path, name: str) -> Flow:
    flows = load_flows(folder)
    if name not in flows:
        raise ConfigError(
            f"没有流程 {name}, 可选: {', '.join(flows)}", en=f"no flow {name}; known: {', '.join(flows)}", where=name
        )
    return flows[name]
