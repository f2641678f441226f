"""fxiaoke-python cannot tell our 纷享销客 from the real one, and our client asks as it asks."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from duijie import codec
from duijie.codec import Record
from duijie.contract import Site
from sandbox.fxiaoke import FxiaokeSandbox
from sandbox.store import Store
from tests.contract.sites.fxiaoke import fxiaoke, fxiaoke_opportunity, fxiaoke_party
from tests.sdk.harness import drive_python
from tests.sdk.recording import Recorded, recorded

pytestmark = [pytest.mark.slow, pytest.mark.sdk("fxiaoke-python 0.0.3")]
SESSION = ("corpAccessToken",)
OBJECTS = {"account": "AccountObj", "opportunity": "NewOpportunityObj"}


def body(there: Recorded, path: str, api_name: str = "") -> Record:
    """What the first request to a path, for an object, carried, but for the token."""
    [first, *_] = [one for one in there.to(path) if api_name in one.body.decode()]
    return {name: value for name, value in first.json.items() if name not in SESSION}


def asked_of(site: Site, ours: Mapping[str, Record]) -> Record:
    """What the driver is to do: write what we wrote, and list."""
    given = site.connection()
    written = {
        name: {field: value for field, value in sent["data"]["object_data"].items() if field != "dataObjectApiName"}
        for name, sent in ours.items()
    }
    return {
        "url": given.host,
        "app_id": given.login,
        "secret": given.password,
        **{name: given.extra[name] for name in ("permanent_code", "open_user_id", "page_size")},
        **written,
        "filters": [{"field_name": "name", "field_values": ["买家 1"], "operator": "EQ"}],
        "orders": [{"fieldName": "last_modified_time", "isAsc": True}],
    }


def test_it_signs_in_writes_reads_and_is_refused_and_sends_what_we_send() -> None:
    with recorded(FxiaokeSandbox(Store())) as there:
        site = fxiaoke(there.url).fresh()
        mine = site.open()
        mine.sinks["party"].write([fxiaoke_party(1)])
        mine.sinks["opportunity"].write([fxiaoke_opportunity(1)])
        ours = {name: body(there, "data/create", OBJECTS[name]) for name in OBJECTS}
        token = body(there, "corpAccessToken/get")
        asked = asked_of(site, ours)
        site.fresh()
        there.sent.clear()
        told = drive_python("fxiaoke", codec.decode(codec.encode(asked)))
        theirs = {name: body(there, "data/create", OBJECTS[name]) for name in OBJECTS}
        pages = [one.json["data"]["search_query_info"]["offset"] for one in there.to("data/query")]

    assert told["created"]["errorCode"] == 0
    assert told["read"]["name"] == "买家 1"
    assert [row["_id"] for row in told["listed"]] == [told["created"]["dataId"]]
    assert told["orders"] == [f"DD{number:04}" for number in range(12)]
    assert pages == [0, 0, 5, 10]
    assert told["opportunity"]["errorCode"] == 0
    assert "errorCode" in told["refused"]["raised"]
    assert "raised" in told["stranger"]
    assert body(there, "corpAccessToken/get") == token
    assert theirs == ours
