"""Every connector with a sandbox keeps every promise of the contract, as a package of one's own would test it."""

from __future__ import annotations

from duijie.connect.registry import plugins
from duijie.contract.testing import contract
from tests.contract.sites import SITES

OF_THEIR_OWN = {
    "folder",
    "webhook",
    "sqldb",
    "legacyfile",
    "tryton",
    "vendure",
}  # streams that settings name; a real server, which takes no faults to order

for _name, _opened in SITES.items():
    globals()[f"Test{_name.title()}"] = contract(_opened)


def test_no_connector_is_left_out() -> None:
    assert set(SITES) == set(plugins()) - OF_THEIR_OWN | {"model"}
