"""A look-up that rests on settings is proved by the first document that is written, or nothing more is."""

from __future__ import annotations

import pytest

from duijie.connect.errors import ConfigError, NotSent, VendorRejected
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


class TestALostAnswer:
    """Before the look-up is proved, "not there" says nothing of what was lost."""

    def test_is_not_written_again_but_handed_to_a_person_once(self) -> None:
        proof = ReadBack("ledger/voucher", REMEDY)
        proof.lost("a", lambda: False)
        with pytest.raises(VendorRejected, match="look there, replay if it is missing"):
            proof.may_write("a")
        proof.may_write("a")  # a person has looked and replays

    def test_stops_no_other_document(self) -> None:
        proof = ReadBack("ledger/voucher", REMEDY)
        proof.lost("a", lambda: False)
        proof.may_write("b")

    def test_may_be_written_again_once_another_is_proof(self) -> None:
        proof = ReadBack("ledger/voucher", REMEDY)
        proof.lost("a", lambda: False)
        proof.after("b", lambda: True)
        proof.may_write("a")

    def test_that_is_there_is_proof_itself(self) -> None:
        proof = ReadBack("ledger/voucher", REMEDY)
        proof.lost("a", lambda: True)
        proof.after("b", lambda: False)
        proof.must_hold()
