"""`make contract`: every connector against every check, every mutant against its own. Ends with one JSON line."""

from __future__ import annotations

import json
import sys
from collections import Counter

from duijie.contract import CHECKS, Outcome, run
from duijie.contract.suite import outcome
from tests.contract.model import site as model
from tests.contract.mutants import MUTANTS
from tests.contract.served import served
from tests.contract.sites import SITES
from tests.contract.vendor import ModelSandbox

SIGNS = {"kept": "✓", "broken": "✗", "inapplicable": "·"}


def connectors(names: list[str]) -> dict[str, list[Outcome]]:
    """Run the checks of each."""
    found: dict[str, list[Outcome]] = {}
    for name in names:
        with SITES[name]() as site:
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


def main() -> int:
    """Print and count. Exit 1 when a promise is broken or a mutant got by."""
    found = connectors(sys.argv[1:] or list(SITES))
    print(table(found))
    broken = [(name, one) for name, outcomes in found.items() for one in outcomes if one.verdict == "broken"]
    for name, one in broken:
        print(f"✗ {name}: {one.check}: {one.reason}")
    caught = mutants()
    for check, is_caught in caught.items():
        print(f"mutant of {check}: {'caught' if is_caught else 'NOT CAUGHT'}")
    counts = {
        "connectors": len(found),
        "checks": len(CHECKS),
        "failed": len(broken),
        "mutants": len(caught),
        "mutants_caught": sum(caught.values()),
    }
    print(json.dumps(counts))
    return int(bool(broken) or not all(caught.values()))


if __name__ == "__main__":
    sys.exit(main())
