"""The checks as pytest tests: `test_contract = contract(site)`, one test a check, in any package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from duijie.contract.site import Site
from duijie.contract.suite import CHECKS, outcome


def contract(opened: Callable[[], AbstractContextManager[Site]]) -> type:
    """A class of tests over a site that is opened once for all of them."""

    class TestContract:
        @pytest.fixture(scope="class")
        @classmethod
        def site(cls) -> Iterator[Site]:
            with opened() as site:
                yield site

        @pytest.mark.parametrize("check", CHECKS)
        def test_promise(self, site: Site, check: str) -> None:
            found = outcome(site, check)
            assert found.verdict != "broken", found.reason

    return TestContract
