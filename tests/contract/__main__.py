"""`make contract`: every connector against every check, every mutant against its own, every client and system of
others. Ends with one JSON line. With names of connectors: only the checks of these, and no others' clients.
"""

from __future__ import annotations

import json
import sys
from collections import Counter

import pytest

from duijie.contract import CHECKS, Outcome, run
from duijie.contract.suite import outcome
from tests.connectors.test_vendure_contract import vendure
from tests.contract.model import site as model
from tests.contract.mutants import MUTANTS
from tests.contract.served import served
from tests.contract.sites import SITES
from tests.contract.vendor import ModelSandbox

ALL = {**SITES, "vendure": vendure}  # over a line to the real server
SIGNS = {"kept": "✓", "broken": "✗", "inapplicable": "·"}


def connectors(names: list[str]) -> dict[str, list[Outcome]]:
    """Run the checks of each."""
    found: dict[str, list[Outcome]] = {}
    for name in names:
        with ALL[name]() as site:
            found[name] = list(run(site))
        told = Counter(one.verdict for one in found[name])
        print(f"{name}: {dict(told)}", flush=True)
    return found


def table(found: dict[str, list[Outcome]]) -> str:
    """Connector × check."""
    width = max(map(len, CHECKS))
    head = f"{'':{width}} {' '.join(found)}"
    verdicts = {name: {one.check: SIGNS[one.verdict] for one in outcomes} for name, outcomes in found.items()}
    rows = [
        f"{check:{width}} {' '.join(f'{verdicts[name][check]:^{len(name)}}' for name in found)}" for check in CHECKS
    ]
    return "\n".join((head, *rows))


def mutants() -> dict[str, bool]:
    """Whether each was caught by its check."""
    caught = {}
    for check, parts in MUTANTS.items():
        with served(ModelSandbox, lambda url, parts=parts: model(url, parts))() as site:  # type: ignore[misc]
            caught[check] = outcome(site, check).verdict == "broken"
    return caught


class Others:
    """Counts the tests that are marked as driven by a client of others' (`sdk`), or against a system of theirs."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Counter[str]] = {}
        self._of: dict[str, list[tuple[str, str]]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Who each test is marked with."""
        for item in items:
            marks = [mark for name in ("sdk", "real_system") for mark in item.iter_markers(name)]
            self._of[item.nodeid] = [(mark.name, str(named)) for mark in marks for named in mark.args]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """How each went; an error while setting up counts too, and so does a test that was skipped."""
        if report.when == "call" or not report.passed:
            for named in self._of.get(report.nodeid, []):
                self.found.setdefault(named, Counter())[report.outcome] += 1

    def working(self, kind: str) -> list[str]:
        """Those of a kind whose tests all passed."""
        return [name for (of, name), told in self.found.items() if of == kind and set(told) == {"passed"}]

    @property
    def failed(self) -> int:
        """Tests that did not pass."""
        return sum(told.total() - told["passed"] for told in self.found.values())


def others() -> Others:
    """Run the tests of others' clients and systems, and print who they are."""
    counting = Others()
    told = "--ignore=tests/connectors/test_vendure_contract.py"  # in the table already
    chosen = ["-q", "--no-header", "--long", "-p", "no:randomly", "-m", "sdk or real_system", told, "tests"]
    pytest.main(chosen, plugins=[counting])
    for (kind, name), told in sorted(counting.found.items()):
        print(f"{'client' if kind == 'sdk' else 'system'} {name}: {dict(told)}")
    return counting


def main() -> int:
    """Print and count. Exit 1 when a promise is broken, a mutant got by, or a client or system of others' failed."""
    names = sys.argv[1:]
    found = connectors(names or list(ALL))
    print(table(found))
    broken = [(name, one) for name, outcomes in found.items() for one in outcomes if one.verdict == "broken"]
    for name, one in broken:
        print(f"✗ {name}: {one.check}: {one.reason}")
    caught = mutants()
    for check, is_caught in caught.items():
        print(f"mutant of {check}: {'caught' if is_caught else 'NOT CAUGHT'}")
    counting = Others() if names else others()
    counts = {
        "connectors": len(found.keys() - {"model"}),
        "checks": len(CHECKS),
        "failed": len(broken) + counting.failed,
        "mutants": len(caught),
        "mutants_caught": sum(caught.values()),
        "sdk_clients": len(counting.working("sdk")),
        "real_systems": len(counting.working("real_system")),
    }
    print(json.dumps(counts))
    return int(bool(broken) or not all(caught.values()) or bool(counting.failed))


if __name__ == "__main__":
    sys.exit(main())
