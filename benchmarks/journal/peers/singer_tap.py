"""A tap on the Singer SDK that lists the orders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import requests
from singer_sdk import Stream, Tap
from singer_sdk import typing as th

LINE = th.ObjectType(
    *(th.Property(name, th.StringType) for name in ("oid", "sku_code", "item_code", "title", "spec", "refund")),
    *(th.Property(name, th.StringType) for name in ("price", "discount", "payment")),
    th.Property("num", th.IntegerType),
    th.Property("gift", th.BooleanType),
)
TEXTS = "tid platform shop status type source seller created modified pay_time consign_time end_time payment post_fee"
MORE = "coupon_fee subsidy_fee adjust_fee warehouse carrier waybill buyer_message seller_memo"
PEOPLE = th.ObjectType(additional_properties=True)


class Orders(Stream):
    """Every page."""

    name = "orders"
    primary_keys = ("tid",)
    schema = th.PropertiesList(
        *(th.Property(name, th.StringType) for name in f"{TEXTS} {MORE}".split()),
        *(th.Property(name, th.IntegerType) for name in ("points", "flag", "parcels")),
        *(th.Property(name, th.BooleanType) for name in ("cod", "rated")),
        *(th.Property(name, PEOPLE) for name in ("buyer", "receiver", "invoice")),
        th.Property("orders", th.ArrayType(LINE)),
    ).to_dict()

    def get_records(self, context: Any) -> Iterable[dict[str, Any]]:
        """One after the other."""
        url, number = self.config["url"], self.config["number"]
        session = requests.Session()
        for page in range(number // 100):
            yield from session.get(f"{url}/orders?page={page}&total={number}").json()["orders"]


class TapOrders(Tap):
    """Its configuration: url, number."""

    name = "tap-orders"
    config_jsonschema = th.PropertiesList(
        th.Property("url", th.StringType), th.Property("number", th.IntegerType)
    ).to_dict()

    def discover_streams(self) -> list[Stream]:
        """One."""
        return [Orders(self)]


if __name__ == "__main__":
    TapOrders.cli()
