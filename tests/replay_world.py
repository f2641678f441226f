"""A small world to replay in: one shop's trades, one target, flow and mapping files that a test may change."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from duijie.codec import Record
from duijie.connect.protocol import Safety
from duijie.deliver import Delivering
from duijie.flow import Deliver, Flow, load_flows
from duijie.journal import Journal, documents, inbox, views
from duijie.journal.inbox import Source
from duijie.journal.tables import message
from duijie.mapping import StaticLookup, load_mapping
from duijie.pull import Refinery
from duijie.replay import Asked, Replay, Routes, Wanted
from tests.test_deliver import Target

TRADES = Source("shop", "trade")
IN = """
mapping: shop/sales_order.in
from: {system: shop, stream: trade}
to: {entity: sales_order}
version: 1
skip: status == "draft"
let: {gross: money(payment)}
fields:
  key: join(":", "shop", id)
  platform: '"shop"'
  shop: '"S01"'
  order_no: id
  status: status
  business_date: '"2026-11-11"'
  ordered_at: modified
  modified_at: modified
  buyer: {key: '"b"', name: buyer, kind: '"person"'}
  goods_amount: gross
  seller_discount: money("0")
  platform_discount: money("0")
  freight: money("0")
  gross: gross
  lines:
    each: '[{"no": 1}]'
    as: line
    fields: {line_no: line.no, oid: '"1"', sku: '"A1"', name: '"面条"', unit: '"件"', qty: 1, price: gross, discount: 0,
             gross: gross, net: gross, tax: 0, tax_rate: 0}
"""
OUT = """
mapping: target/order.out
from: {entity: sales_order}
to: {system: target, sink: order}
version: 1
fields:
  no: order_no
  amount: gross
  customer: 'xref("customer", buyer.name)'
"""
LEVELS = """
mapping: shop/stock_level.in
from: {system: shop, stream: stock}
to: {entity: stock_level}
version: 1
fields:
  key: id
  sku: id
  warehouse: '"CK01"'
  on_hand: decimal(qty)
  available: decimal(qty)
"""
FLOW = """
flow: {name}
title: {name}
steps:
  - {{verb: pull, name: pull, connection: {connection}, stream: {stream}, mapping: {mapping},
     since: 2026-11-01T00:00:00+08:00}}
"""
DELIVER = """
  - {verb: deliver, name: send, connection: target, sink: order, entity: sales_order, mapping: target/order.out}
"""
SENT_TO_PSI = DELIVER.replace("connection: target, sink: order", "connection: psi, sink: sales_order")


class World:
    """A project folder, its journal and the one target that its orders go to."""

    def __init__(self, root: Path, kept: Journal) -> None:
        self.root = root
        self.kept = kept
        self.target = Target(Safety.NATURAL_KEY)
        self.codes = {"张三": "C1", "李四": "C2"}
        self.flow("orders", "shop", "trade", "shop/sales_order.in", DELIVER)
        self.mapping("shop/sales_order.in", IN)
        self.mapping("target/order.out", OUT)

    def flow(self, name: str, connection: str, stream: str, mapping: str, more: str = "") -> None:
        """Write a flow file."""
        text = FLOW.format(name=name, connection=connection, stream=stream, mapping=mapping) + more
        self._write(f"dags/flows/{name}.yaml", text)

    def mapping(self, name: str, text: str) -> None:
        """Write a mapping file."""
        self._write(f"mappings/{name}.yaml", text)

    def correct(self, old: str, new: str, name: str = "shop/sales_order.in") -> None:
        """Change a mapping file."""
        path = self.root / "mappings" / f"{name}.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def _write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text.lstrip(), encoding="utf-8")

    @property
    def flows(self) -> dict[str, Flow]:
        """The flow files as they stand."""
        return load_flows(self.root / "dags" / "flows")

    @property
    def routes(self) -> Routes:
        """The same with their mappings."""
        return Routes(self.flows, self.root)

    def receive(self, *trades: Record, source: Source = TRADES) -> int:
        """Messages come in."""
        return inbox.store(self.kept, source, "id", list(trades))

    def refine(self, flow: str = "orders") -> Record:
        """The pull step's second half, of a source that shows nothing any more when it is asked by key."""
        counts: Record = {}
        for route in self.routes.of(flow):
            refinery = Refinery(self.kept, flow, route.entity, route.mapping, self.lookup)
            counts |= refinery.run(route.source, route.settings)
            refinery.decide(route.source, route.settings, refinery.older, [])
        return counts

    def deliver(self) -> Record:
        """The deliver step."""
        step = self.flows["orders"].step("send")
        assert isinstance(step, Deliver)
        mapping = load_mapping(self.root / "mappings" / "target" / "order.out.yaml")
        return dict(Delivering(self.kept, "orders", step, self.target, mapping, self.lookup).run())

    def run(self) -> None:
        """One run of the whole flow."""
        self.refine()
        self.deliver()

    def replay(self, wanted: Wanted, flow: str = "orders") -> Replay:
        """A replay of the flow's stream."""
        [route] = self.routes.of(flow)
        return Replay(self.kept, Asked(route, wanted, "李四", "更正税率"), self.lookup)

    @property
    def lookup(self) -> StaticLookup:
        """The code tables as they stand."""
        return StaticLookup({"customer": dict(self.codes)}, {})

    def items(self, state: str = "open") -> list[views.Item]:
        """Work items."""
        return views.items(self.kept, state=state)

    def messages(self, source: Source = TRADES) -> list[tuple[str, str, str]]:
        """(key, state, reason) in the order received."""
        query = select(message.c.key, message.c.state, message.c.reason).order_by(message.c.id)
        query = query.where(message.c.connection == source.connection, message.c.stream == source.stream)
        with self.kept.reading() as tx:
            return [tuple(row) for row in tx.execute(query)]

    def order(self, number: object) -> documents.Document:
        """The current version of an order."""
        found = documents.get(self.kept, "sales_order", f"shop:{number}")
        assert found is not None
        return found


def trade(number: object, payment: str = "113.00", **more: object) -> Record:
    """What the shop sends."""
    given = {
        "id": str(number),
        "status": "paid",
        "payment": payment,
        "buyer": "张三",
        "modified": "2026-11-11T09:00:00",
    }
    return {**given, **more}
