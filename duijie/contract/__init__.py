"""What every connector promises, as checks that anyone runs against their connector and its sandbox.

A `Site` says how to reach both and what the sandbox holds; `contract(SITE)` is a pytest test of all checks, `run(site)`
their outcomes for a table. docs/connectors/contract.md shows a whole test file.
"""

from duijie.contract.site import HookCase, SinkCase, Site, StreamCase
from duijie.contract.suite import CHECKS, Outcome, run

__all__ = ["CHECKS", "HookCase", "Outcome", "SinkCase", "Site", "StreamCase", "run"]
