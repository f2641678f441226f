"""联查 in the journal, on SQLite and PostgreSQL: any number names its documents, by an index, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from duijie.journal import Journal, chain, deliveries, documents, inbox, planning, work
from duijie.journal.deliveries import Change
from duijie.journal.inbox import Source

SINK = "psi/sales_order"
ORDER = "shop:S1:1001"
REFUND = "shop:S1:R7"
INVOICE_NO = "26992000000000000017"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])])
def kept(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    if request.param == "sqlite":
        opened = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    else:
        opened = Journal.open(request.getfixturevalue("postgres_database"))
    yield opened
    opened.engine.dispose()


def put(kept: Journal, entity: str, **body: Any) -> None:
    with kept.writing() as tx:
        documents.put(tx, kept, entity, {"gross": Decimal("113.00"), **body}, (None, "test"))


def delivered(kept: Journal, number: str) -> None:
    planning.plan(kept, "orders", SINK, [(one, 11300) for one in planning.unplanned(kept, "sales_order", SINK)])
    for row in deliveries.claim(kept, SINK, ("pending",), 10):
        deliveries.settle(kept, "claimed", {row.claim: Change("sent", target_key=f"TB-{number}")})
        deliveries.settle(kept, "sent", {row.claim: Change("done", native_no=f"XS-{number}", native_id=f"9{number}")})


def made_into(kept: Journal, rule: str, source: tuple[str, str], target: tuple[str, str]) -> None:
    found = documents.get(kept, *source)
    assert found is not None
    with kept.writing() as tx:
        documents.connect(tx, kept, rule, found, (*target, 11300))


def story(kept: Journal) -> None:
    """An order with a blue invoice, and a refund of it with a red one."""
    put(kept, "sales_order", key=ORDER)
    delivered(kept, "77")
    put(kept, "invoice_request", key="DJ1", request_no="DJ1", order_key=ORDER)
    made_into(kept, "invoice", ("sales_order", ORDER), ("invoice_request", "DJ1"))
    put(kept, "invoice", key="B-1", request_no="DJ1", number=INVOICE_NO)
    put(kept, "sales_refund", key=REFUND, order_key=ORDER)
    put(kept, "red_request", key="DR1", request_no="DR1", refund_key=REFUND)
    made_into(kept, "red_invoice", ("sales_refund", REFUND), ("red_request", "DR1"))
    put(kept, "invoice", key="R-1", request_no="DR1", number="26992000000000000018")


def named(kept: Journal, text: str) -> list[str]:
    return [one.key for one in chain.search(kept, text).documents]


class TestSearching:
    @pytest.mark.parametrize("number", [ORDER, "1001", "TB-77", "XS-77", "977", " 1001 ", "tb-77", "xs-77"])
    def test_a_document_is_found_by_its_key_its_number_and_each_number_at_a_target(
        self, kept: Journal, number: str
    ) -> None:
        story(kept)
        assert named(kept, number) == [ORDER]

    def test_an_invoice_is_found_by_the_platforms_number(self, kept: Journal) -> None:
        story(kept)
        assert named(kept, INVOICE_NO) == ["B-1"]

    def test_the_number_at_a_target_still_finds_a_document_that_has_changed_since(self, kept: Journal) -> None:
        put(kept, "sales_order", key=ORDER)
        delivered(kept, "77")
        put(kept, "sales_order", key=ORDER, status="shipped")
        assert [one.version for one in chain.search(kept, "XS-77").documents] == [2]

    @pytest.mark.parametrize("beginning", ["shop:S1:10", "10", "TB-7", "XS-", "97"])
    def test_where_no_number_is_meant_whole_its_beginning_is_enough(self, kept: Journal, beginning: str) -> None:
        story(kept)
        assert named(kept, beginning) == [ORDER]

    def test_a_whole_number_hides_what_merely_begins_with_it(self, kept: Journal) -> None:
        put(kept, "sales_order", key="shop:S1:1001")
        put(kept, "sales_order", key="shop:S1:10012")
        assert named(kept, "1001") == ["shop:S1:1001"]
        assert named(kept, "100") == ["shop:S1:1001", "shop:S1:10012"]

    @pytest.mark.parametrize("text", ["%", "_", "shop:S_:1001", "", "  ", "' OR 1=1 --"])
    def test_no_text_is_a_pattern_or_a_command(self, kept: Journal, text: str) -> None:
        story(kept)
        assert chain.search(kept, text) == chain.Hits([], 0)

    def test_many_come_in_pages_and_are_counted(self, kept: Journal) -> None:
        for number in range(23):
            put(kept, "sales_order", key=f"shop:S1:50{number:02}")
        pages = [chain.search(kept, "50", start) for start in (0, 10, 20)]
        assert [len(page.documents) for page in pages] == [10, 10, 3]
        assert {page.count for page in pages} == {23}
        assert len({one.key for page in pages for one in page.documents}) == 23


class TestTheChain:
    def test_every_document_of_the_story_goes_back_to_the_order(self, kept: Journal) -> None:
        story(kept)
        for number in (ORDER, "DJ1", INVOICE_NO, "R7", "DR1", "26992000000000000018"):
            hits = chain.search(kept, number).documents
            assert [one.key for one in chain.roots(kept, hits)] == [ORDER], number

    def test_the_order_shows_all_of_it_in_the_order_of_events(self, kept: Journal) -> None:
        story(kept)
        [order] = chain.search(kept, ORDER).documents
        root, others, more = chain.chain(kept, order)
        assert [one.document.key for one in others] == ["DJ1", "B-1", REFUND, "DR1", "R-1"]
        assert {one.relation for one in others} == {"下查"}
        assert [row.native_no for row in root.deliveries] == ["XS-77"]
        assert (root.amount, more) == (11300, 0)

    def test_a_refund_whose_order_never_came_stands_alone(self, kept: Journal) -> None:
        put(kept, "sales_refund", key=REFUND, order_key=ORDER)
        hits = chain.search(kept, "R7").documents
        assert [one.key for one in chain.roots(kept, hits)] == [REFUND]

    def test_an_order_that_comes_after_its_refund_is_its_root_then(self, kept: Journal) -> None:
        put(kept, "sales_refund", key=REFUND, order_key=ORDER)
        put(kept, "sales_order", key=ORDER)
        assert [one.key for one in chain.roots(kept, chain.search(kept, "R7").documents)] == [ORDER]

    def test_a_voucher_of_many_orders_shows_some_and_counts_the_rest(self, kept: Journal) -> None:
        put(kept, "voucher", key="sale:1", debit=Decimal("1.00"))
        for number in range(chain.LINKS_SHOWN + 3):
            put(kept, "sales_order", key=f"shop:S1:{number}")
            made_into(kept, "sale", ("sales_order", f"shop:S1:{number}"), ("voucher", "sale:1"))
        [voucher] = chain.search(kept, "sale:1").documents
        _, others, more = chain.chain(kept, voucher)
        assert (len(others), more) == (chain.LINKS_SHOWN, 3)
        assert {one.relation for one in others} == {"上查"}

    def test_a_new_version_of_a_refund_makes_no_second_link(self, kept: Journal) -> None:
        story(kept)
        put(kept, "sales_refund", key=REFUND, order_key=ORDER, status="success")
        [order] = chain.search(kept, ORDER).documents
        assert [one.document.key for one in chain.chain(kept, order)[1]].count(REFUND) == 1


def test_a_held_message_is_found_by_its_number_alone(kept: Journal) -> None:
    source = Source("taobao", "trade", "S01")
    inbox.store(kept, source, "tid", [{"tid": 3209117001511110000}, {"tid": 3209117001511110001}])
    first, _ = inbox.waiting(kept, source, 5)
    with kept.writing() as tx:
        inbox.settle(tx, [first.id], "invalid", "m@1", "数量为 0")
        work.open_item(tx, kept, "orders", work.Finding("invalid", first.key, "x"), [("sales_order", first.key, 1)])
    for number in (first.key, "3209117", f"TB{first.key}"):
        assert [(one.key, one.item_id) for one in chain.held(kept, number)] == [(first.key, 1)]
    assert chain.held(kept, "3209117001511110001") == []


class TestPlans:
    """What SQLite says about how it would answer: no table is read from end to end."""

    @pytest.fixture
    def kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
        monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
        opened = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
        story(opened)
        yield opened
        opened.engine.dispose()

    @pytest.mark.parametrize("text", ["1001", "10", "nothing"])
    def test_searching_and_following_use_indexes(self, kept: Journal, text: str) -> None:
        def look() -> None:
            for one in chain.roots(kept, chain.search(kept, text).documents):
                chain.chain(kept, one)
            chain.held(kept, text)

        plans = _plans(kept, look)
        assert len(plans) > 2
        tables = ("SCAN document", "SCAN delivery", "SCAN message", "SCAN link", "SCAN work_item")
        scans = [line for line in plans if line.startswith(tables) and "USING INDEX message_held" not in line]
        assert scans == []

    def test_storing_a_version_looks_its_key_up(self, kept: Journal) -> None:
        plans = _plans(kept, lambda: put(kept, "sales_order", key=ORDER, status="shipped"))
        assert "SEARCH document USING INDEX document_by_key (entity=? AND key=? AND current=?)" in plans
        assert not any("document_current" in line for line in plans)


def _plans(kept: Journal, act: Any) -> list[str]:
    seen: list[tuple[str, Any]] = []
    event.listen(kept.engine, "after_cursor_execute", lambda c, cur, text, given, ctx, many: seen.append((text, given)))
    act()
    asked = [(text, given) for text, given in seen if text.startswith(("SELECT", "UPDATE"))]
    with kept.reading() as tx:
        return [row[3] for text, given in asked for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given)]
