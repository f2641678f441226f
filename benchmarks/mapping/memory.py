"""`python -m benchmarks.mapping.memory NAME`: how far one contender makes a fresh process grow, its engine included."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from benchmarks.mapping import contenders
from benchmarks.mapping.orders import orders


def main(name: str) -> None:
    """Print the growth of the peak resident set as JSON."""
    records = orders(500)
    before = peak()
    contender = contenders.load(name)
    contender.sweep([contender.prepare(record) for record in records])
    print(json.dumps({"mb": round((peak() - before) / 1024, 1)}))


def peak() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) if found else 0


if __name__ == "__main__":
    main(sys.argv[1])
