"""tax-invoice cannot tell our 发票SDK from the real one; one form, random string and moment give one text."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.taxinvoice import CONNECTOR
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from sandbox.store import Store
from sandbox.taxinvoice import TaxInvoiceSandbox
from tests.contract.sites.taxinvoice import taxinvoice, taxinvoice_request
from tests.sdk.harness import drive_python
from tests.sdk.recording import Recorded, Sent, recorded

pytestmark = [pytest.mark.slow, pytest.mark.sdk("tax-invoice 1.0.17")]
NOW = 1_795_870_000  # Unix seconds
RANDOM = "A" * 20
SAME = ("appkey", "timestamp", "randomstring", "sign")


def parts(sent: Sent) -> bytes:
    """The body with the boundary that each client makes for itself taken out."""
    boundary = sent.headers["content-type"].partition("boundary=")[2]
    assert sent.headers["content-type"].startswith("multipart/form-data")
    return sent.body.replace(boundary.encode(), b"-")


def ours(there: Recorded, tmp_path: Path) -> tuple[Sent, dict[str, Any]]:
    """What we send for a request, and the form of it."""
    site = taxinvoice(there.url)
    connector = CONNECTOR.open(site.fresh().connection(), Services(TokenStore(tmp_path / "tokens"), clock=lambda: NOW))
    payload = taxinvoice_request(1)
    connector.sinks["invoice_request"].write([payload])
    seller = {"xhdwmc": site.extra["seller_name"], "xhdwdzdh": "", "xhdwyhzh": ""}
    [sent] = there.to("blueTicket")
    return sent, {**payload["form"], **seller, "username": site.extra["username"]}


def test_it_issues_reverses_and_is_refused_and_sends_what_we_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "choice", lambda _: "A")
    with recorded(TaxInvoiceSandbox(Store(), lambda: datetime.fromtimestamp(NOW, UTC))) as there:
        own, form = ours(there, tmp_path)
        site = taxinvoice(there.url).fresh()
        there.sent.clear()
        named = {"app_key": site.login, "secret": site.password, "random": RANDOM, "now": NOW, "form": form}
        whose = {"url": there.url, "tax_no": site.extra["tax_no"], "username": site.extra["username"]}
        told = drive_python("tax-invoice", {**named, **whose}, "taxinvoice")
        theirs = there.to("blueTicket")[0]
        lost = [one for one in there.to("blueTicket") if b"LOST1" in one.body]
        held = requests.get(f"{there.url}/_admin/data", params={"collection": "serial"}, timeout=5).json()
        file = requests.get(told["file"]["data"]["xmlUrl"], timeout=5).content

    assert told["unauthorised"]["code"] == 401
    assert told["authorised"]["code"] == 200
    assert told["stands"]["code"] == 200
    assert told["issued"]["code"] == 200
    assert told["issued"]["data"]["Fphm"].encode() in file
    assert told["may_reverse"]["code"] == 200
    assert told["red"]["data"]["Fphm"] != told["issued"]["data"]["Fphm"]
    assert [row["xxbbh"] for row in told["forms"]["data"]] == [told["form"]["data"]["xxbbh"]]
    assert told["refused"]["code"] == 400
    assert told["stranger"]["code"] == 432
    assert told["dropped"]["code"] == 500
    assert (len(lost), [row["bureau"] for row in held[-2:]]) == (1, ["DJ1", "LOST1"])
    assert told["code"]["data"]["ewmly"] == "swj"
    assert (own.path, parts(own)) == (theirs.path, parts(theirs))
    assert {name: own.headers[name] for name in SAME} == {name: theirs.headers[name] for name in SAME}


def test_a_dropped_connection_is_a_failure_to_it_and_unknown_to_us(tmp_path: Path) -> None:
    with recorded(TaxInvoiceSandbox(Store())) as there:
        site = taxinvoice(there.url).fresh()
        site.order({"kind": "lose_answer", "count": 2, "match": "blueTicket"})
        services = Services(TokenStore(tmp_path / "tokens"))
        sink = CONNECTOR.open(site.connection(), services).sinks["invoice_request"]
        [outcome] = sink.write([taxinvoice_request(1)])
        site.order()
        number = sink.find(["DJ1"])["DJ1"].native_no

    assert type(outcome).__name__ == "Unknown"
    assert len({parts(one) for one in there.to("blueTicket")}) == 1
    assert len(number) == 20
