"""联查: every number leads to the order it belongs to, and what is held up can be seen too."""

from __future__ import annotations

from decimal import Decimal

import pytest
from starlette.testclient import TestClient

from duijie.journal import Journal, documents, inbox, work
from duijie.journal.inbox import Source
from tests.console.conftest import HOSTILE, ORDER, TOKEN, VOUCHER

HELD = "3209117001511110000"
REFUND = "taobao:S01:3213734176811160000"
INVOICE = "26992000000000000017"
RED_INVOICE = "26992000000000000099"


@pytest.fixture
def invoiced(kept: Journal) -> Journal:
    """The order has an invoice and a refund with a red one."""
    gross = {"gross": Decimal("1121.00")}
    order = {"order_key": ORDER}
    bodies = {
        "invoice_request": {"key": "DJ1", "request_no": "DJ1", **order, **gross},
        "invoice": {"key": "DJ1", "request_no": "DJ1", "status": "issued", "number": INVOICE, **gross},
        "sales_refund": {"key": REFUND, "amount": Decimal("1.00"), "status": "success", **order},
        "red_request": {"key": "DR1", "request_no": "DR1", "refund_key": REFUND, "gross": Decimal("-1.00")},
    }
    red = {"key": "DR1", "request_no": "DR1", "status": "issuing", "number": RED_INVOICE, "gross": Decimal("-1.00")}
    with kept.writing() as tx:
        for entity, body in bodies.items():
            documents.put(tx, kept, entity, body, (None, f"rules/{entity}"))
        documents.put(tx, kept, "invoice", red, (None, "nuonuo/red_invoice.in"))
    for source, entity, key in (("sales_order", "invoice_request", "DJ1"), ("sales_refund", "red_request", "DR1")):
        start = documents.get(kept, source, ORDER if source == "sales_order" else REFUND)
        assert start is not None
        with kept.writing() as tx:
            documents.connect(tx, kept, "invoice", start, (entity, key, 0))
    return kept


@pytest.fixture
def held(kept: Journal) -> Journal:
    """One more order was received, but no document could be made of it."""
    source = Source("taobao", "trade", "S01")
    inbox.store(kept, source, "tid", [{"tid": HELD, "memo": HOSTILE, "session": TOKEN}])
    [message] = inbox.waiting(kept, source, 5)
    with kept.writing() as tx:
        inbox.settle(tx, [message.id], "invalid", "taobao/sales_order.in@1", "数量为 0")
        work.open_item(tx, kept, "orders", work.Finding("invalid", HELD, "数量为 0"), [("sales_order", HELD, 4650)])
    return kept


@pytest.mark.parametrize(
    "number", [ORDER, INVOICE, "DJ1", REFUND, "DR1", RED_INVOICE, "记-12", "TB3204086667211110000"]
)
def test_whatever_number_is_asked_for_its_order_and_voucher_are_shown(
    ops: TestClient, invoiced: Journal, number: str
) -> None:
    page = ops.get("/trace", params={"q": number}).text
    assert ORDER in page
    assert VOUCHER in page
    assert "查询命中" in page


def test_a_chain_that_several_hits_share_is_shown_once(ops: TestClient, invoiced: Journal) -> None:
    page = ops.get("/trace?q=DJ1").text
    assert page.count(f"<strong>{ORDER}</strong>") == 1
    assert page.count("查询命中") == 2  # the request and its invoice


def test_an_order_shows_its_whole_chain_in_chinese(ops: TestClient, invoiced: Journal) -> None:
    page = ops.get("/trace", params={"q": ORDER}).text
    for words in (INVOICE, RED_INVOICE, REFUND, VOUCHER, "已完成", "已开具", "开具中", "已成功"):
        assert words in page


def test_the_beginning_of_a_number_is_enough_where_nothing_has_it_whole(ops: TestClient) -> None:
    assert ORDER in ops.get("/trace?q=32040866").text
    assert VOUCHER in ops.get("/trace?q=sale:S01").text


def test_a_whole_number_does_not_bring_what_merely_begins_with_it(ops: TestClient, kept: Journal) -> None:
    with kept.writing() as tx:
        longer = {"key": f"{ORDER}99", "gross": Decimal("5.00"), "status": "paid"}
        documents.put(tx, kept, "sales_order", longer, (None, "x@1"))
    page = ops.get("/trace", params={"q": "3204086667211110000"}).text
    assert f"{ORDER}99" not in page


@pytest.mark.parametrize("number", [HELD, HELD[:8], f"TB{HELD}"])
def test_an_order_that_is_held_up_is_found_with_its_work_item(ops: TestClient, held: Journal, number: str) -> None:
    page = ops.get("/trace", params={"q": number}).text
    for words in (HELD, "数据有误", "数量为 0", "尚未成单", 'href="/work/2"', 'hx-get="/message/2"'):
        assert words in page


def test_its_raw_message_opens_with_secrets_masked_and_nothing_that_acts(ops: TestClient, held: Journal) -> None:
    page = ops.get("/message/2").text
    assert HELD in page
    assert "******" in page
    assert TOKEN not in page
    assert HOSTILE not in page


def test_a_record_of_a_work_item_leads_somewhere(ops: TestClient, held: Journal) -> None:
    assert f'href="/trace?q={HELD}"' in ops.get("/work/2").text
    assert "没有找到" not in ops.get(f"/trace?q={HELD}").text


@pytest.mark.parametrize("path", ["/document/999", "/delivery/999", "/message/999"])
def test_what_is_not_there_is_a_plain_404(ops: TestClient, path: str) -> None:
    assert ops.get(path).status_code == 404
