"""The contract of connectors kept by Vendure over a line to the real server: no simulation answers here.

The order sink is left out: it changes nothing when it writes. Refunds are told in tests of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import requests

from connectors.vendure import CONNECTOR
from duijie.codec import Record
from duijie.contract import SinkCase, Site, StreamCase
from duijie.contract.testing import contract
from duijie.mapping import StaticLookup
from sandbox.serve import Running
from sandbox.vendure import LOGIN, VendureServer
from sandbox.vendure_line import line_to
from tests.contract.served import MAPPINGS, lately

IN = MAPPINGS / "vendure"
SOLD = StaticLookup({}, {"product": {"P1": {"tax_rate": Decimal("0.13"), "unit": "件"}}})


def payloads(url: str) -> dict[str, SinkCase]:
    """What is written, by sink; a shipment needs the number of an order that the shop has taken."""

    def parcel(number: int) -> Record:
        answer = requests.get(f"{url}/_admin/data", params={"collection": "orders"}, timeout=30)
        order = answer.json()[0]
        lines = [{"oid": order["lines"][0]["id"], "qty": 1}]
        return {"order_no": order["code"], "carrier": "顺丰速运", "waybill": f"SF{number}", "lines": lines}

    def of(field: str, value: str) -> Any:
        return lambda rows: [row for row in rows if row[field] == value and row.get("state") != "Cancelled"]

    return {
        "shop_stock": SinkCase(
            lambda number: {"shop": "V01", "sku": f"P{number}", "quantity": 10 + number},
            "variants",
            held=of("sku", "P1"),
            spoil=lambda made: {**made, "sku": "NOT-THERE"},
        ),
        "shipment": SinkCase(
            parcel,
            "fulfillments",
            held=of("trackingCode", "SF1"),
            spoil=lambda made: {**made, "order_no": "NOT-THERE"},
            say=lambda made, text: {**made, "carrier": text},
            bare=True,
        ),
        "product": SinkCase(
            lambda number: {"sku": f"N{number}", "name": "新品", "tax_rate": 13, "price": 1130, "enabled": True},
            "variants",
            held=of("sku", "N1"),
            spoil=lambda made: {**made, "tax_rate": 77},
            say=lambda made, text: {**made, "name": text},
        ),
        "party": SinkCase(
            lambda number: {"email": f"new{number}@example.com", "first_name": "张三", "last_name": ""},
            "customers",
            held=of("emailAddress", "new1@example.com"),
            spoil=lambda made: {"email": made["email"]},
            say=lambda made, text: {**made, "first_name": text},
            bare=True,
        ),
    }


@contextmanager
def vendure() -> Iterator[Site]:
    """A channel of a real server, anew after every check that changes something."""
    with TemporaryDirectory() as folder:
        server = VendureServer(Path(folder))
        with server, Running(line_to(server)) as url:
            yield Site(
                CONNECTOR,
                url,
                LOGIN,
                server.password,
                {"shop": "V01", "rate": "10000/second"},
                seed={"products": 3, "orders": 2},
                streams={
                    "order": StreamCase(lately(), 2, mapping=IN / "sales_order.in.yaml", lookup=SOLD),
                    "product": StreamCase(lately(), 3, mapping=IN / "product.in.yaml", whole=True),
                    "stock": StreamCase(lately(), 3, mapping=IN / "listing.in.yaml", whole=True),
                    "stock_level": StreamCase(lately(), 3, mapping=IN / "stock_level.in.yaml", whole=True),
                    "customer": StreamCase(lately(), 2, mapping=IN / "party.in.yaml"),
                },
                sinks=payloads(url),
                token_path="mutation login",
            )


# `make contract` and `--long` run it, for it takes over a minute; test_vendure.py shows what is Vendure's own.
TestVendure = pytest.mark.long(pytest.mark.slow(pytest.mark.real_system("vendure 3.7.3")(contract(vendure))))
