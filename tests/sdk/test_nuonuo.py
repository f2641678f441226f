"""nuonuo-sdk cannot tell our 诺诺 from the real one; the same order, number and moment give the same bytes."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.nuonuo import CONNECTOR
from duijie import codec
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from sandbox.nuonuo import NuonuoSandbox
from sandbox.store import Store
from tests.connectors.certificate import made
from tests.contract.sites.nuonuo import nuonuo, nuonuo_request
from tests.sdk.harness import drive_python
from tests.sdk.recording import recorded

pytestmark = [pytest.mark.slow, pytest.mark.sdk("nuonuo-sdk 0.2.0")]
NOW = 1_795_870_000  # Unix seconds
SENID, NONCE = "0123456789abcdef0123456789abcdef", 23_456_789
ISSUE = "nuonuo.OpeMplatform.requestBillingNew"
SAME = ("x-nuonuo-sign", "usertax", "method")


def test_it_issues_looks_up_and_is_refused_and_sends_what_we_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, own = made(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(own))
    monkeypatch.setattr(secrets, "token_hex", lambda _: SENID)
    monkeypatch.setattr(secrets, "randbelow", lambda _: NONCE - 10**7)
    with recorded(NuonuoSandbox(Store(), lambda: datetime.fromtimestamp(NOW, UTC)), (own, key)) as there:
        site = nuonuo(there.url)
        services = Services(TokenStore(tmp_path / "tokens"), clock=lambda: NOW)
        payload = nuonuo_request(1)
        CONNECTOR.open(site.fresh().connection(), services).sinks["invoice_request"].write([payload])
        [ours] = [one for one in there.sent if one.headers.get("method") == ISSUE]
        there.sent.clear()
        site.fresh()
        asked = {
            "url": there.url,
            "app_key": site.login,
            "secret": site.password,
            "tax_no": site.extra["tax_no"],
            "now": NOW,
            "senid": SENID,
            "nonce": NONCE,
            "order": ours.json["order"],
        }
        told = drive_python("nuonuo", codec.decode(codec.encode_ordered(asked)))
        theirs = next(one for one in there.sent if one.headers.get("method") == ISSUE)

    assert told["issued"]["code"] == "E0000"
    assert told["again"]["code"] != "E0000"
    assert told["refused"]["code"] != "E0000"
    assert [row["orderNo"] for row in told["found"]["result"]] == [payload["order"]["orderNo"]]
    assert told["stranger"]["code"] != "E0000"
    assert (ours.path, ours.query, ours.body) == (theirs.path, theirs.query, theirs.body)
    assert {name: ours.headers[name] for name in SAME} == {name: theirs.headers[name] for name in SAME}
