"""`python -m tests.contract.fixtures [NAME…]`: record every connector's fixtures anew from its sandbox, masked."""

from __future__ import annotations

import sys

from duijie import fixtures
from duijie.contract.recorded import fixture_of
from duijie.contract.streams import cases, read
from tests.contract.__main__ import ALL


def record(name: str) -> None:
    """The fixtures of one connector."""
    with ALL[name]() as site:
        if not site.streams:
            return
        for _, stream, case in cases(site):
            path = fixture_of(site, stream.name)
            print(fixtures.write(path.parent, stream.name, read(stream, case.window)))


if __name__ == "__main__":
    for each in sys.argv[1:] or ALL:
        record(each)
