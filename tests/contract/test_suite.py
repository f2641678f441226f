"""The contract itself: a connector that keeps it passes every check, and each check catches the one that breaks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from duijie.contract import CHECKS, run
from duijie.contract.suite import outcome
from sandbox.serve import Running
from sandbox.store import Store
from tests.contract.model import Parts, site
from tests.contract.mutants import MUTANTS
from tests.contract.vendor import ModelSandbox


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with Running(ModelSandbox(Store())) as address:
        yield address


def test_there_are_twenty_checks_at_least_and_a_mutant_for_each() -> None:
    assert len(CHECKS) >= 20
    assert set(MUTANTS) == set(CHECKS)


def test_a_connector_that_keeps_its_promises_passes_every_check(url: str) -> None:
    found = {one.check: (one.verdict, one.reason) for one in run(site(url, Parts()))}
    assert found == dict.fromkeys(CHECKS, ("kept", ""))


@pytest.mark.parametrize("check", CHECKS)
def test_a_broken_promise_is_caught(url: str, check: str) -> None:
    found = outcome(site(url, MUTANTS[check]), check)
    assert found.verdict == "broken", found
