"""Singer SDK stream maps: one expression per header field, on whole fen; their lists know no index and no sum."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from singer_sdk.mapper import CustomStreamMap

from benchmarks.mapping.contender import Contender
from benchmarks.mapping.hand import CARRIERS, INVOICE_KINDS, STATUS
from benchmarks.mapping.orders import CUSTOMERS, STORES
from benchmarks.mapping.peers.fen import given, in_fen, in_yuan
from benchmarks.mapping.timing import each
from duijie.codec import Record

LEFT_OUT = ("discount", "lines")
TABLES = {
    "customer": CUSTOMERS,
    "warehouse": STORES,
    "status": STATUS,
    "carrier": CARRIERS,
    "invoice": INVOICE_KINDS,
}
PAID = "record.get('pay_time') or created"
MAP = {
    "key": "platform + ':' + shop + ':' + tid",
    "order_no": "tid",
    "platform": "platform",
    "shop": "shop",
    "customer": "config['customer'][shop]",
    "status": "config['status'][status]",
    "business_date": f"({PAID})[:10]",
    "ordered_at": "created.replace(' ', 'T') + '+08:00'",
    "paid_at": "pay_time.replace(' ', 'T') + '+08:00' if record.get('pay_time') else None",
    "shipped_at": "consign_time.replace(' ', 'T') + '+08:00' if record.get('consign_time') else None",
    "finished_at": "end_time.replace(' ', 'T') + '+08:00' if record.get('end_time') else None",
    "warehouse": "config['warehouse'][warehouse]",
    "carrier": "config['carrier'][carrier]",
    "waybill": "record.get('waybill')",
    "buyer_key": "platform + ':' + buyer['uid']",
    "buyer": "buyer['nick']",
    "receiver": "receiver['name']",
    "phone": "receiver.get('mobile') or receiver.get('phone') or ''",
    "address": "' '.join([receiver['state'], receiver['city'], receiver['district'], "
    "receiver['town'] + receiver['address']])",
    "zip": "receiver.get('zip') or '000000'",
    "urgent": "flag == 1 or points >= 500",
    "currency": "'CNY'",
    "goods": "payment - post_fee",
    "subsidy": "subsidy_fee",
    "freight": "post_fee",
    "gross": "payment",
    "net": "payment - post_fee - ((payment - post_fee) * 26 + 113) // 226",
    "tax": "((payment - post_fee) * 26 + 113) // 226",
    "remark": "'; '.join([note for note in [record.get('buyer_message'), record.get('seller_memo')] if note])",
    "invoice": "{'kind': config['invoice'][invoice['kind']], 'title': invoice['title'], "
    "'tax_no': invoice.get('tax_no'), 'amount': payment - post_fee} if invoice['need'] else None",
    "__else__": None,
}


def build() -> Contender:
    """A stream map as taps and mappers run it, without Singer's JSON messages around it."""
    mapper = CustomStreamMap(
        stream_alias="order",
        map_config=TABLES,
        faker_config={},
        raw_schema={"type": "object", "properties": {}},
        key_properties=None,
        map_transform=MAP,
        flattening_options=None,
    )

    def one(order: Record) -> Any:
        return mapper.transform(order)

    note = "29 header fields only: no lines, no sum over them; whole fen; null instead of a left-out field"
    return Contender("singer_sdk", version("singer-sdk"), each(one), one, in_fen, _restored, LEFT_OUT, note)


def _restored(result: Any) -> Record:
    return in_yuan(given(result))
