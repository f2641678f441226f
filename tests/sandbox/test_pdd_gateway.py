"""The sandbox of 拼多多 is as strict as the gateway: what it refuses, and in which forms it is asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connectors.pdd.client import sign, wire
from duijie import codec
from sandbox.pdd import PddSandbox
from sandbox.serve import Running
from sandbox.store import Store
from tests.connectors.test_pdd import APP, NIGHT, SECRET, number_of, seed


@pytest.fixture
def sandbox() -> Iterator[PddSandbox]:
    made = PddSandbox(Store())
    made.seed(seed())
    with Running(made) as made.url:
        yield made


def ask(sandbox: PddSandbox, secret: str = SECRET, as_json: bool = False, **changes: Any) -> dict[str, Any]:
    """One raw call with all its parameters in the body, signed with `secret`; the body of the answer."""
    given = {
        "type": "pdd.order.number.list.increment.get",
        "client_id": APP,
        "access_token": "access-P01",
        "timestamp": str(int(time.time())),
        "data_type": "JSON",
        "start_updated_at": int(NIGHT.timestamp()),
        "end_updated_at": int(NIGHT.timestamp()) + 1800,
        "is_lucky_flag": 0,
        "order_status": 5,
        "refund_status": 5,
    }
    given = {name: value for name, value in (given | changes).items() if value is not None}
    signed = {**given, "sign": sign({name: wire(value) for name, value in given.items()}, secret)}
    body = codec.encode(signed) if as_json else {name: wire(value) for name, value in signed.items()}
    answer = requests.post(f"{sandbox.url}/api/router", data=body, timeout=5)
    return codec.decode(answer.content)


def refusal(sandbox: PddSandbox, **changes: Any) -> int:
    return ask(sandbox, **changes)["error_response"]["error_code"]


def test_the_gateway_refuses_what_is_not_signed_known_or_in_time(sandbox: PddSandbox) -> None:
    assert refusal(sandbox, secret="wrong") == 20004
    assert refusal(sandbox, timestamp=str(int(time.time()) - 660)) == 10001
    assert refusal(sandbox, timestamp="2026-11-11 00:00:00") == 10001
    assert refusal(sandbox, type=None) == 10001
    assert refusal(sandbox, client_id="nobody") == 10016
    assert refusal(sandbox, access_token="nobody") == 10019
    assert refusal(sandbox, access_token=None) == 10019
    assert refusal(sandbox, type="pdd.nothing.get") == 10017
    assert refusal(sandbox, data_type="XML") == 10001


def test_the_gateway_holds_to_windows_pages_and_mandatory_parameters(sandbox: PddSandbox) -> None:
    start, now = int(NIGHT.timestamp()), int(time.time())
    assert refusal(sandbox, end_updated_at=start + 1801) == 10000
    assert refusal(sandbox, end_updated_at=start - 1) == 10000
    assert refusal(sandbox, start_updated_at=now - 600, end_updated_at=now - 100) == 10000
    assert refusal(sandbox, page_size=101) == 10000
    for name in ("start_updated_at", "is_lucky_flag", "order_status", "refund_status"):
        assert refusal(sandbox, **{name: None}) == 10000


def test_the_gateway_takes_a_form_or_json_and_counts_only_when_asked(sandbox: PddSandbox) -> None:
    key = "order_sn_increment_get_response"
    assert ask(sandbox, as_json=True)[key] == {
        **ask(sandbox)[key],
        "request_id": ask(sandbox, as_json=True)[key]["request_id"],
    }
    page = ask(sandbox, use_has_next=True, page_size=2)[key]
    assert [row["order_sn"] for row in page["order_sn_list"]] == [number_of(2), number_of(1)]
    assert page["has_next"] is True
    assert "total_count" not in page
