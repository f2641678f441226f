"""Every connector with a sandbox keeps every promise of the contract, as a package of one's own would test it."""

from __future__ import annotations

from duijie.contract.testing import contract
from tests.contract.sites import SITES

TestXingchen = contract(SITES["xingchen"])
TestK3Cloud = contract(SITES["k3cloud"])
TestTaobao = contract(SITES["taobao"])
TestFxiaoke = contract(SITES["fxiaoke"])
TestNuonuo = contract(SITES["nuonuo"])


def test_no_site_is_left_out() -> None:
    assert set(SITES) == {"model", "xingchen", "k3cloud", "taobao", "fxiaoke", "nuonuo"}
