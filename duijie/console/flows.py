"""The flow files as pages need them: those that can be read, and why the others cannot."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from duijie.connect.errors import ConfigError
from duijie.flow import Flow, load_flow


def readable(root: Path) -> tuple[dict[str, Flow], list[str]]:
    """Flows by name, and a sentence for each file below `root` that is wrong."""
    flows: dict[str, Flow] = {}
    broken: list[str] = []
    for path in sorted((root / "dags" / "flows").glob("*.yaml")):
        try:
            stat = path.stat()
            flow = _read(path, stat.st_mtime_ns, stat.st_size)
            flows[flow.flow] = flow
        except ConfigError as error:
            broken.append(error.zh)
    return flows, broken


@lru_cache(maxsize=256)
def _read(path: Path, changed: int, size: int) -> Flow:
    """Parsed again only when the file has changed: pages read all of them every time."""
    return load_flow(path)


def titles(root: Path) -> dict[str, str]:
    """What people call the flows whose files can be read, by name."""
    return {name: flow.title for name, flow in readable(root)[0].items()}
