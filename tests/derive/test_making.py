"""Feeding the rules from the journal: a source is used once, what cannot be made waits, the others go on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from duijie.connect.errors import ConfigError
from duijie.derive.making import make
from duijie.flow import Derive
from duijie.journal import Journal, deliveries, documents, planning
from duijie.journal.deliveries import Change
from duijie.journal.tables import link, work_item

MAPPINGS = Path("mappings")
SALE = Derive(name="d", make="vouchers", rule="sale", delivered_to="psi/sales_order")
REFUND = Derive(name="d", make="vouchers", rule="refund", after="sale")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    return Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")


def order(number: str, shop: str = "S01", gross: str = "113.00", **more: object) -> dict[str, object]:
    amounts = {"gross": Decimal("113.00"), "net": Decimal("100.00"), "tax": Decimal("13.00")}
    line = {"line_no": 1, "sku": "A1", "tax_rate": Decimal("0.13"), **amounts}
    buyer = {"key": "taobao:AAG1", "name": "淘宝买家AAG1", "kind": "person"}
    head = {"key": f"taobao:{shop}:{number}", "platform": "taobao", "shop": shop, "order_no": number, "buyer": buyer}
    day = {"business_date": "2026-11-11", "status": "finished", "freight": Decimal("0.00")}
    return {**head, **day, "gross": Decimal(gross), "lines": [line], **more}


def refund(number: str, order_no: str) -> dict[str, object]:
    amounts = {
        "amount": Decimal("113.00"),
        "net": Decimal("100.00"),
        "tax": Decimal("13.00"),
        "tax_rate": Decimal("0.13"),
    }
    head = {"key": f"taobao:S01:{number}", "shop": "S01", "order_key": f"taobao:S01:{order_no}", "status": "success"}
    return {**head, "business_date": "2026-11-11", **amounts}


def put(kept: Journal, entity: str, *bodies: dict[str, object]) -> None:
    with kept.writing() as tx:
        for body in bodies:
            documents.put(tx, kept, entity, body, (None, "test"))


def deliver(kept: Journal) -> None:
    sink = "psi/sales_order"
    planning.plan(kept, "orders", sink, [(one, 0) for one in planning.unplanned(kept, "sales_order", sink)])
    for row in deliveries.claim(kept, sink, ("pending",), 50):
        deliveries.settle(kept, "claimed", {row.claim: Change("done")})


def run(kept: Journal, step: Derive) -> dict[str, int]:
    return dict(make(kept, "vouchers", step, MAPPINGS))


def keys(kept: Journal, entity: str) -> list[str]:
    return [one.key for one in documents.current(kept, entity)]


def test_only_what_the_psi_system_has_is_posted_and_only_once(kept: Journal) -> None:
    put(kept, "sales_order", order("1"), order("2"))
    assert run(kept, SALE)["sources"] == 0
    deliver(kept)
    assert run(kept, SALE)["new_documents"] == 1
    assert run(kept, SALE)["sources"] == 0
    assert keys(kept, "voucher") == ["sale:S01:2026-11-11:1"]


def test_every_order_is_linked_to_its_voucher_with_its_amount(kept: Journal) -> None:
    put(kept, "sales_order", order("1"), order("2"))
    deliver(kept)
    run(kept, SALE)
    with kept.reading() as tx:
        found = tx.execute(select(link.c.from_key, link.c.to_key, link.c.amount).order_by(link.c.from_key)).all()
    assert [tuple(row) for row in found] == [
        ("taobao:S01:1", "sale:S01:2026-11-11:1", 11300),
        ("taobao:S01:2", "sale:S01:2026-11-11:1", 11300),
    ]


def test_a_late_order_makes_a_supplement(kept: Journal) -> None:
    put(kept, "sales_order", order("1"))
    deliver(kept)
    run(kept, SALE)
    put(kept, "sales_order", order("2"))
    deliver(kept)
    run(kept, SALE)
    assert keys(kept, "voucher") == ["sale:S01:2026-11-11:1", "sale:S01:2026-11-11:2"]


def test_a_group_that_does_not_balance_waits_and_stops_no_other(kept: Journal) -> None:
    put(kept, "sales_order", order("1", gross="113.01"), order("2", shop="S02"))
    deliver(kept)
    assert run(kept, SALE) == {"sources": 2, "waiting": 1, "new_documents": 1}
    assert keys(kept, "voucher") == ["sale:S02:2026-11-11:1"]
    with kept.reading() as tx:
        [item] = tx.execute(select(work_item)).all()
    assert "不平" in item.reason


def test_a_refund_is_posted_only_where_its_sale_was(kept: Journal) -> None:
    put(kept, "sales_order", order("1"), order("2", status="closed"))
    put(kept, "sales_refund", refund("8", "1"), refund("9", "2"))
    deliver(kept)
    run(kept, SALE)
    assert run(kept, REFUND)["sources"] == 1
    assert keys(kept, "voucher") == ["sale:S01:2026-11-11:1", "refund:S01:2026-11-11:1"]


def test_a_buyer_of_many_orders_is_one_party(kept: Journal) -> None:
    put(kept, "sales_order", order("1"), order("2"), order("3", shop="S02"))
    step = Derive(name="d", make="parties")
    assert run(kept, step)["new_documents"] == 1
    put(kept, "sales_order", order("4"))
    assert run(kept, step).get("new_documents", 0) == 0
    assert keys(kept, "party") == ["taobao:AAG1"]


def test_an_unknown_maker_names_those_there_are(kept: Journal) -> None:
    with pytest.raises(ConfigError, match="vouchers, voucher_reversals, parties, shop_stock"):
        run(kept, Derive(name="d", make="voucher"))
