"""ofdkit, which others wrote, reads the OFD files of the bureau's sandbox as we do."""

from __future__ import annotations

from pathlib import Path

import pytest

from duijie.originals import ofd
from sandbox.bureau_files import face_ofd
from tests.einvoice.tampered import faces
from tests.sdk.harness import drive_python

pytestmark = [pytest.mark.slow, pytest.mark.sdk("ofdkit 0.2.0")]


def test_it_reads_number_day_parties_amounts_and_says_no_warning(tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.ofd" for name in faces()}
    for name, face in faces().items():
        files[name].write_bytes(face_ofd(face))
    (tmp_path / "broken.ofd").write_bytes(face_ofd(faces()["plain"])[:300])
    told = drive_python(
        "ofdkit", {**{name: str(path) for name, path in files.items()}, "broken": str(tmp_path / "broken.ofd")}
    )
    assert told.pop("broken") == {"error": "OFDFormatError"}
    for name, theirs in told.items():
        ours = ofd.read(files[name].read_bytes())
        assert theirs["invoice_number"] == ours.number == faces()[name].number
        assert theirs["issue_date"] == ours.issued_at == "2026-11-23"
        assert (theirs["seller"]["name"], theirs["seller"]["tax_id"]) == (ours.seller.name, ours.seller.tax_no)
        assert (theirs["buyer"]["name"], theirs["buyer"]["tax_id"] or "") == (ours.buyer.name, ours.buyer.tax_no)
        amounts = (theirs["amount_without_tax"], theirs["tax_amount"], theirs["total_amount"])
        assert amounts == (str(ours.net), str(ours.tax), str(ours.gross))
        assert theirs["warnings"] == []
        assert {"custom_tags", "custom_data"} <= set(theirs["sources"])
