"""The benchmark of a pull on a small shop: everybody reads every order, and goals that are missed are named."""

from __future__ import annotations

from benchmarks.connectors.__main__ import figures, missed, module, shop, told


def test_everybody_reads_every_order_and_the_ratios_come_out() -> None:
    with shop(500) as url, shop(300) as few:
        taken = {
            "one": [told(module("ours", "pull", few, 1))],
            "few": [told(module("ours", "pull", few, 16))],
            "duijie": [told(module("ours", "pull", url, 16))],
            "duijie 32": [told(module("ours", "pull", url, 32))],
            "requests": [told(module("peers.threads", "requests", url, 5))],
            "urllib3": [told(module("peers.threads", "urllib3", url, 5))],
            "handling": [told(module("ours", "handling", 3))],
        }
    assert {name: rows[0]["orders"] for name, rows in taken.items()} == {
        "one": 300, "few": 300, "duijie": 500, "duijie 32": 500, "requests": 500, "urllib3": 500, "handling": 300,
    }  # fmt: skip
    found = figures(taken)
    assert found["best_peer"] in ("requests", "urllib3")
    assert all(found[name] > 0 for name in ("times_16", "cpu_us_per_order", "handling_us_per_order", "memory_growth"))


def test_a_goal_that_is_missed_is_named() -> None:
    reached = {"times_16": 12.0, "cpu_us_per_order": 25.0, "handling_us_per_order": 50.0, "memory_growth": 1.1}
    assert missed(reached) == []
    assert missed({**reached, "times_16": 11.9, "memory_growth": 1.2}) == ["times_16", "memory_growth"]
