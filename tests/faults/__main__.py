"""The whole proof: `make faults`, or `python -m tests.faults [PART …]`. Ends with one line of JSON.

Each part is a program of its own that tells how it goes and ends with a line of JSON; this one runs them in turn, adds
their figures up and ends with 1 when a promise was broken or a part did not come to its end.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

PARTS: Mapping[str, Sequence[str]] = {
    "crash": ("tests.faults.everywhere",),
    "network": ("tests.faults.network",),
    "storm": ("tests.faults.storm",),
    "liars": ("pytest", "-q", "tests/faults/test_liars.py", "tests/faults/test_answers.py"),
    "cursor": ("pytest", "-q", "--hypothesis-profile=explore", "tests/pull"),
    "load": ("tests.faults.load",),
    "airflow": ("tests.faults.airflow",),
}
SUMMED = (
    "lost",
    "doubled",
    "unknown",
    "flow_crashes",
    "documents",
    "hostile_inputs",
    "crash_points",
    "crash_points_run",
)


def run(command: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """One part: its exit code, and the figures of its last line where that is JSON."""
    last = ""
    with subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line if line.strip() else last
    try:
        told = json.loads(last)
    except json.JSONDecodeError:
        told = {}
    return process.returncode, told if isinstance(told, dict) else {}


def injected(told: Mapping[str, Any]) -> int:
    """Kills and faults of a part."""
    faults = told.get("faults_injected", 0)
    number = sum(faults.values()) if isinstance(faults, dict) else int(faults)
    return number + int(told.get("crash_points_run", 0))


def main(wanted: Sequence[str]) -> int:
    """Run the parts; 1 when any of them failed."""
    began, broken = time.monotonic(), []
    whole: dict[str, Any] = dict.fromkeys(SUMMED, 0) | {"faults_injected": 0}
    for name, command in PARTS.items():
        is_there = command[0] == "pytest" or find_spec(command[0]) is not None
        if (wanted and name not in wanted) or not is_there:
            continue
        print(f"\n{name} ({time.monotonic() - began:.0f} s)", flush=True)
        status, told = run(command)
        broken += [name] if status else []
        for figure in SUMMED:
            whole[figure] += int(told.get(figure, 0))
        whole["faults_injected"] += injected(told)
        more = {figure: value for figure, value in told.items() if figure not in (*SUMMED, "faults_injected", "states")}
        whole |= {f"{name}_{figure}": value for figure, value in more.items()}
    if not wanted and whole["crash_points_run"] != whole["crash_points"]:
        broken.append("crash points")
    print(json.dumps({**whole, "broken": broken, "seconds": round(time.monotonic() - began)}))
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
