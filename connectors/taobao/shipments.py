"""Tells shops that goods have left: taobao.logistics.offline.send, for a whole order or for some of its lines.

A payload is {"shop", "tid", "out_sid" (waybill), "company_code", "sub_tid" (comma list, for a part)}. TOP takes no key
of ours: the waybill on the order's lines is what tells that a parcel is there, so it is looked for first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from connectors.taobao.client import ERRORS, Client
from duijie.codec import Record
from duijie.connect.errors import VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side

SEND = "taobao.logistics.offline.send"
LINES = "tid,status,orders"
NO_TRADE = "taobao:isv.trade-not-exist"


class ShipmentSink:
    """Parcels of orders."""

    name = "shipment"
    entity = "shipment"
    safety = Safety.LOOKUP
    batch = 50

    def __init__(self, client: Client) -> None:
        self._client = client

    def key_of(self, payload: Record) -> str:
        """shop:tid:waybill."""
        return f"{payload['shop']}:{payload['tid']}:{payload['out_sid']}"

    def figures_of(self, payload: Record) -> Figures:
        """A parcel has none: the order and the waybill are its key."""
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Parcels whose waybill stands on a line of their order. Raises errors of the tree."""
        rows = side_by_side(self._by_key, keys)
        return {key: found for key, found in zip(keys, rows, strict=True) if found}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One call per parcel, in order."""
        return [self._client.retrier(one["shop"]).outcome(partial(self._send, one)) for one in payloads]

    def _send(self, payload: Record) -> Done:
        part = {"sub_tid": payload["sub_tid"], "is_split": 1} if payload.get("sub_tid") else {}
        sent = {name: payload[name] for name in ("tid", "out_sid", "company_code")}
        answer = self._client.write(payload["shop"], SEND, **sent, **part)
        if str(answer.get("shipping", {}).get("is_success")).lower() != "true":
            raise ERRORS.error("outcome-unknown", "no is_success", where=self.key_of(payload))
        return Done(str(payload["tid"]), str(payload["out_sid"]), answer)

    def _by_key(self, key: str) -> Found | None:
        shop, _, rest = key.partition(":")
        tid, _, waybill = rest.partition(":")
        if not tid.isdigit():
            return None
        try:
            trade = self._client.read(shop, "taobao.trade.fullinfo.get", fields=LINES, tid=tid)["trade"]
        except VendorRejected as error:
            if error.code != NO_TRADE:
                raise
            return None
        lines = trade.get("orders", {}).get("order", [])
        there = any(line.get("invoice_no") == waybill for line in lines)
        return Found(tid, waybill, {}, trade) if there else None
