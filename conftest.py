"""`--require-parts`: a test skipped because PostgreSQL, Redis or Chromium is missing counts as a failure.

`--long`: run everything, also what repeats at length, or on a second series of a system, what a shorter test shows.
`make contract` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says what else the machine does, not whether it is right. A change is judged by the same
# examples as the one before it; `--hypothesis-profile=explore` looks for new ones.
settings.register_profile("duijie", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("duijie")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-parts", action="store_true", help="fail where a missing part would skip a test")
    parser.addoption("--long", action="store_true", help="also run what is marked long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked long unless asked for; begin with the files that take long, or one worker ends late."""
    if not config.getoption("--long"):
        left_out = [one for one in items if one.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [one for one in items if one not in set(left_out)]
    slow = {one.path for one in items if one.get_closest_marker("slow")}
    items.sort(key=lambda one: one.path not in slow)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.config.getoption("--require-parts") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although every part is required: {report.longrepr}"
