"""The vendor's own SDK cannot tell our 金蝶云星空 from the real one, nor our client from itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.k3cloud import CONNECTOR
from connectors.k3cloud.forms import SALES_ORDER
from duijie import codec
from duijie.codec import Record
from duijie.connect.protocol import Connector
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.contract import Site
from sandbox.k3cloud import K3CloudSandbox
from sandbox.store import Store
from tests.contract.sites.k3cloud import k3cloud, k3cloud_bill, k3cloud_unbalanced, k3cloud_voucher
from tests.sdk.harness import drive_python
from tests.sdk.recording import Recorded, recorded

pytestmark = [pytest.mark.slow, pytest.mark.sdk("kingdee.cdp.webapi.sdk 8.2.0")]
NOW = 1_795_870_000  # Unix seconds
SIGNED = (
    "x-api-clientid",
    "x-api-auth-version",
    "x-api-timestamp",
    "x-api-nonce",
    "x-api-signheaders",
    "x-api-signature",
    "x-kd-appkey",
    "x-kd-appdata",
    "x-kd-signature",
)


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[Recorded, Site]]:
    with recorded(K3CloudSandbox(Store(), lambda: datetime.fromtimestamp(NOW, UTC))) as there:
        yield there, k3cloud(there.url)


def ours(site: Site, folder: Path) -> Connector:
    return CONNECTOR.open(site.connection(), Services(TokenStore(folder), clock=lambda: NOW))


def saved_by_us(there: Recorded, site: Site, folder: Path, payload: Record, sink: str = "voucher") -> Record:
    """The `data` of the Save that our sink sends for a payload."""
    there.sent.clear()
    ours(site.fresh(), folder).sinks[sink].write([payload])
    [sent] = there.to("DynamicFormService.Save")
    return dict(sent.json["data"])


def driven(site: Site, voucher: Record, unbalanced: Record, **more: Record) -> Any:
    given = site.connection()
    who = {"acct_id": given.extra["acct_id"], "app_id": given.extra["app_id"]}
    account = {"url": given.host, "user": given.login, "secret": given.password, "now": NOW, **who}
    asked = {**account, "voucher": voucher, "unbalanced": unbalanced, **more}
    return drive_python("k3cloud", codec.decode(codec.encode(asked)))


def test_it_signs_in_writes_reads_and_is_refused_and_sends_what_we_send(
    world: tuple[Recorded, Site], tmp_path: Path
) -> None:
    there, site = world
    voucher = saved_by_us(there, site, tmp_path, k3cloud_voucher(1))
    [by_us] = there.to("DynamicFormService.Save")
    unbalanced = saved_by_us(there, site, tmp_path, k3cloud_unbalanced(k3cloud_voucher(2)))
    there.sent.clear()
    told = driven(site.fresh(), voucher, unbalanced)

    assert told["saved"]["Result"]["ResponseStatus"]["IsSuccess"] is True
    assert told["viewed"]["Result"]["ResponseStatus"]["IsSuccess"] is True
    assert len({row[0] for row in told["listed"]}) == 1
    refusal = told["refused"]["Result"]["ResponseStatus"]
    assert (refusal["IsSuccess"], "分录" in refusal["Errors"][0]["Message"]) == (False, True)
    assert told["stranger"]["Result"]["ResponseStatus"]["IsSuccess"] is False

    by_them = there.to("DynamicFormService.Save")[0]
    assert (by_us.method, by_us.path, by_us.json) == (by_them.method, by_them.path, by_them.json)
    assert {name: by_us.headers[name] for name in SIGNED} == {name: by_them.headers[name] for name in SIGNED}


def test_a_sales_order_of_ours_lives_the_same_life_in_its_hands(world: tuple[Recorded, Site], tmp_path: Path) -> None:
    there, site = world
    order = saved_by_us(there, site, tmp_path, k3cloud_bill(SALES_ORDER, 1), "sales_order")
    [by_us] = there.to("DynamicFormService.Save")
    voucher = saved_by_us(there, site, tmp_path, k3cloud_voucher(1))
    there.sent.clear()
    told = driven(
        site.fresh(), voucher, k3cloud_unbalanced({"key": "x", "model": voucher["Model"]})["model"], order=order
    )

    assert told["order"]["Result"]["Number"] == order["Model"]["FBillNo"]
    [error] = told["again"]["Result"]["ResponseStatus"]["Errors"]
    assert "编码唯一" in error["Message"]
    assert [(step, passed) for step, passed, _ in told["steps"]] == [
        ("Audit", False),
        ("Submit", True),
        ("Audit", True),
        ("Delete", False),
        ("UnAudit", True),
        ("Delete", True),
    ]
    states = [sorted({row[1] for row in rows}) for _, _, rows in told["steps"]]
    assert states == [["A"], ["B"], ["C"], ["C"], ["D"], []]
    batch = told["batch"]["Result"]["ResponseStatus"]
    assert (batch["IsSuccess"], [one["DIndex"] for one in batch["Errors"]]) == (False, [1])
    assert [one["Number"] for one in batch["SuccessEntitys"]] == ["SDK1", "SDK2"]
    assert {row[0] for row in told["batched"]} == {"SDK1", "SDK2"}

    by_them = next(one for one in there.to("DynamicFormService.Save") if one.json["formid"] == "SAL_SaleOrder")
    assert (by_us.method, by_us.path, by_us.json) == (by_them.method, by_them.path, by_them.json)
