"""The flow files as pages need them: those that can be read, and why the others cannot."""

from __future__ import annotations

from pathlib import Path

from duijie.connect.errors import ConfigError
from duijie.flow import Flow, load_flow


def readable(root: Path) -> tuple[dict[str, Flow], list[str]]:
    """Flows by name, and a sentence for each file below `root` that is wrong."""
    flows: dict[str, Flow] = {}
    broken: list[str] = []
    for path in sorted((root / "dags" / "flows").glob("*.yaml")):
        try:
            flow = load_flow(path)
            flows[flow.flow] = flow
        except ConfigError as error:
            broken.append(error.zh)
    return flows, broken
