"""A recorded trade for 映射实验室: the raw message, the product it names, and the document a flow made of it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from duijie import codec
from duijie.journal import Journal, documents, inbox
from duijie.journal.inbox import Source
from duijie.mapping import StaticLookup, load_mapping

ROOT = Path(__file__).parents[2]
MAPPING = "taobao/sales_order.in"
FILE = ROOT / "mappings" / f"{MAPPING}.yaml"
PERSON = "欧阳海棠"
PHONE = "13912345678"
ADDRESS = "杭州市西湖区文三路 1 号"
TRADE: dict[str, Any] = {
    "shop": "S01",
    "tid": 3204086667211119999,
    "status": "TRADE_FINISHED",
    "created": "2026-11-11 09:00:00",
    "pay_time": "2026-11-11 09:02:00",
    "modified": "2026-11-11 09:02:00",
    "payment": "113.00",
    "post_fee": "0.00",
    "buyer_open_uid": "AAG7",
    "invoice_name": PERSON,
    "invoice_kind": "0",
    "receiver_name": PERSON,
    "receiver_mobile": PHONE,
    "receiver_address": ADDRESS,
    "orders": {
        "order": [
            {
                "oid": 3204086667211119991,
                "outer_sku_id": "A1",
                "title": "面条",
                "num": 2,
                "total_fee": "113.00",
                "discount_fee": "0.00",
                "divide_order_fee": "113.00",
            }
        ]
    },
}
PRODUCT = {"key": "A1", "sku": "A1", "name": "面条", "unit": "件", "unit_id": "90001", "tax_rate": Decimal("0.13")}


def record(kept: Journal) -> int:
    """Keep the trade and what a flow makes of it; returns the message's number."""
    source = Source("taobao", "trade", "S01")
    inbox.store(kept, source, "tid", [TRADE])
    [message] = [one for one in inbox.waiting(kept, source, 10) if one.key == str(TRADE["tid"])]
    made = load_mapping(FILE).run(codec.decode(message.body), StaticLookup({}, {"product": {"A1": PRODUCT}}), {})
    assert made is not None
    with kept.writing() as tx:
        documents.put(tx, kept, "product", PRODUCT, (None, ""))
        documents.put(tx, kept, "sales_order", made, (message.id, f"{MAPPING}@1"))
        inbox.settle(tx, [message.id], "mapped", f"{MAPPING}@1")
    return message.id
