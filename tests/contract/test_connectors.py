"""Every connector with a sandbox keeps every promise of the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duijie.contract import CHECKS, Site
from duijie.contract.suite import outcome
from tests.contract.sites import SITES


@pytest.fixture(scope="module", params=[name for name in SITES if name != "model"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with SITES[request.param]() as opened:
        yield opened


@pytest.mark.parametrize("check", CHECKS)
def test_it_keeps(site: Site, check: str) -> None:
    found = outcome(site, check)
    assert found.verdict != "broken", found.reason
