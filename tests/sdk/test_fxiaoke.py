"""fxiaoke-python cannot tell our 纷享销客 from the real one, and our client asks as it asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from duijie import codec
from duijie.codec import Record
from sandbox.fxiaoke import FxiaokeSandbox
from sandbox.store import Store
from tests.contract.sites.fxiaoke import fxiaoke, fxiaoke_party
from tests.sdk.harness import drive_python
from tests.sdk.recording import Recorded, recorded

pytestmark = [pytest.mark.slow, pytest.mark.sdk("fxiaoke-python 0.0.3")]
SESSION = ("corpAccessToken",)


def body(there: Recorded, path: str) -> Record:
    """What the first request to a path carried, but for the token."""
    [first, *_] = there.to(path)
    return {name: value for name, value in first.json.items() if name not in SESSION}


def test_it_signs_in_writes_reads_and_is_refused_and_sends_what_we_send(tmp_path: Path) -> None:
    with recorded(FxiaokeSandbox(Store())) as there:
        site = fxiaoke(there.url)
        mine = site.fresh().open()
        mine.sinks["party"].write([fxiaoke_party(1)])
        ours = body(there, "data/create")
        token = body(there, "corpAccessToken/get")
        given = site.connection()
        account = {name: value for name, value in ours["data"]["object_data"].items() if name != "dataObjectApiName"}
        asked: dict[str, Any] = {
            "url": given.host,
            "app_id": given.login,
            "secret": given.password,
            **{name: given.extra[name] for name in ("permanent_code", "open_user_id")},
            "account": account,
            "filters": [{"field_name": "name", "field_values": ["买家 1"], "operator": "EQ"}],
            "orders": [{"fieldName": "last_modified_time", "isAsc": True}],
        }
        site.fresh()
        there.sent.clear()
        told = drive_python("fxiaoke", codec.decode(codec.encode(asked)))
        theirs = body(there, "data/create")

    assert told["created"]["errorCode"] == 0
    assert told["read"]["name"] == "买家 1"
    assert [row["_id"] for row in told["listed"]] == [told["created"]["dataId"]]
    assert "errorCode" in told["refused"]["raised"]
    assert "raised" in told["stranger"]
    assert body(there, "corpAccessToken/get") == token
    assert theirs["data"]["object_data"] == ours["data"]["object_data"]
    assert theirs["corpId"] == ours["corpId"]
    assert theirs["currentOpenUserId"] == ours["currentOpenUserId"]
