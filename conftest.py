"""`--require-parts`: a test skipped because PostgreSQL, Redis or Chromium is missing counts as a failure."""

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


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    outcome = yield
    report = outcome.get_result()
    if report.skipped and item.config.getoption("--require-parts") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped although every part is required: {report.longrepr}"
