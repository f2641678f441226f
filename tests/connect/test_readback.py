"""A look-up that rests on settings is proved by the first document that is written, or nothing more is."""

from __future__ import annotations

import pytest

from duijie.connect.errors import ConfigError, NotSent
from duijie.connect.readback import ReadBack

REMEDY = ("请核对设置 columns", "check the setting columns")


def test_a_document_that_is_not_read_back_stops_the_sink() -> None:
    proof = ReadBack("ledger/voucher", REMEDY)
    proof.must_hold()
    proof.after("a", lambda: False)
    with pytest.raises(ConfigError, match="cannot read back a") as caught:
        proof.must_hold()
    assert "请核对设置 columns" in caught.value.zh


def test_one_that_is_read_back_is_proof_enough() -> None:
    proof, asked = ReadBack("ledger/voucher", REMEDY), []
    for key in ("a", "b"):
        proof.after(key, lambda key=key: asked.append(key) is None)  # type: ignore[misc]
    proof.must_hold()
    assert asked == ["a"]


def test_a_ledger_that_cannot_be_asked_now_proves_nothing() -> None:
    proof = ReadBack("ledger/voucher", REMEDY)

    def away() -> bool:
        raise NotSent("连不上", en="away")

    proof.after("a", away)
    proof.must_hold()
    proof.after("b", lambda: False)
    with pytest.raises(ConfigError):
        proof.must_hold()
