"""Orders that want invoices, through the shipped rules, mappings and the 诺诺 connector, into the bureau and back.

`steps` is a small scene in which everything goes wrong once; `storm/N` has N orders and faults at random. Both use
the sandbox of 诺诺 over the bureau, so that what was issued is read where it was issued.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec
import yaml

from connectors.nuonuo.hook import Callback, token_of
from duijie.codec import Record
from duijie.connect.hooks import Call
from duijie.derive.invoices import blue_request, load_rules, number_of
from duijie.derive.rounding import split_tax
from duijie.engine import ROOT
from duijie.flow import Flow
from duijie.journal import Journal, documents, pushes
from duijie.mapping import StaticLookup, load_mapping
from sandbox.kit import Sandbox
from tests.faults.scenes import Scene, Truth, connections

FLOW = """
flow: invoices
title: 开票
steps:
  - {verb: derive, name: derive_requests, make: invoice_requests}
  - {verb: deliver, name: request, connection: nuonuo, sink: invoice_request, entity: invoice_request,
     mapping: nuonuo/invoice_request.out, batch: BATCH}
  - {verb: poll, name: poll, connection: nuonuo, stream: invoice, mapping: nuonuo/invoice.in,
     sink: nuonuo/invoice_request, entity: invoice}
  - {verb: derive, name: derive_reds, make: red_requests}
  - {verb: deliver, name: request_reds, connection: nuonuo, sink: red_request, entity: red_request,
     mapping: nuonuo/red_request.out, batch: BATCH}
  - {verb: poll, name: poll_reds, connection: nuonuo, stream: red_invoice, mapping: nuonuo/red_invoice.in,
     sink: nuonuo/red_request, entity: invoice}
  - {verb: fetch, name: fetch, connection: nuonuo}
"""
SCRIPT = (
    *("orders", "derive_requests", "callback", "request", "wait", "poll", "callback", "poll"),
    *("refunds", "derive_reds", "request_reds", "wait", "poll_reds"),
)
FILES_SCRIPT = (
    *("orders", "derive_requests", "request", "wait", "poll", "fetch"),
    *("refunds", "derive_reds", "request_reds", "wait", "poll_reds", "fetch"),
)
LOTS = {"tokens": 1_000_000, "token_days": 30, "token_seconds": 86_400}
COMPANY = {"title": "杭州恒信嘉禾科技有限公司", "tax_no": "91330106MA2DEMK14E", "kind": "special"}
UNHEARD = {"title": "查无此人有限公司", "tax_no": "91440305MA5DEMN35X", "kind": "special"}
DAY = datetime(2026, 11, 20, 9, tzinfo=UTC)
RULES = load_rules(ROOT / "mappings" / "rules" / "invoice.yaml")
LATER = ("poll", "poll_reds")


@dataclass(frozen=True)
class Story:
    """What happens to one order: who buys, and which shares of its first line come back, in turn."""

    buyer: Mapping[str, str] = field(default_factory=lambda: COMPANY)
    returns: Sequence[Decimal] = ()


STEPS = (
    Story(returns=(Decimal("0.5"), Decimal("0.5"))),
    Story(returns=(Decimal(1),)),
    Story(returns=(Decimal("0.6"), Decimal("0.6"))),
    Story(),
    Story(),
    Story(buyer=UNHEARD),
    Story(),
)
FILED = (Story(returns=(Decimal("0.5"),)), Story())
STRANGER, EARLY, TWICE, UNTAXED = 3, 0, 4, 5


def serial_of(place: int) -> str:
    """The request number of an order."""
    return number_of(RULES.blue_prefix, key_of(place), 20)


def key_of(place: int) -> str:
    """The key of an order."""
    return f"shop:S1:{place}"


def order(place: int, story: Story) -> Record:
    """A finished order of two lines whose amounts do not divide evenly."""
    lines = [_line(1, Decimal(100 + place % 7) + Decimal("0.07")), _line(2, Decimal("33.33"))]
    gross = sum((one["gross"] for one in lines), Decimal(0))
    at = "2026-11-20T09:00:00+08:00"
    head = {"key": key_of(place), "order_no": str(place), "status": "finished", "platform": "taobao", "shop": "S1"}
    head |= {"ordered_at": at, "modified_at": at, "business_date": at[:10], "buyer": {"nick": "u"}}
    zero = dict.fromkeys(("seller_discount", "platform_discount", "freight"), Decimal("0.00"))
    return {**head, **zero, "goods_amount": gross, "gross": gross, "invoice_wish": dict(story.buyer), "lines": lines}


def _line(place: int, gross: Decimal) -> Record:
    head = {"line_no": place, "oid": f"o{place}", "sku": f"A{place}", "name": f"商品 {place}", "unit": "件", "qty": 10}
    amounts = split_tax(gross, Decimal("0.13"))._asdict()
    more = {"price": gross / 10, "discount": Decimal("0.00"), "tax_rate": Decimal("0.13")}
    return {**head, **more, "tax_class_code": "1030299990000000000", **amounts}


def refund(place: int, nth: int, share: Decimal, of: Record) -> Record:
    """Money back for a share of the first line."""
    line = of["lines"][0]
    amount = (line["gross"] * share).quantize(Decimal("0.01"), ROUND_DOWN)
    number = f"R{place}-{nth}"
    head = {"key": f"shop:S1:{number}", "refund_no": number, "order_key": of["key"], "order_no": of["order_no"]}
    head |= {"platform": "taobao", "shop": "S1", "status": "success", "kind": "money_only", "qty": 0}
    when = {"business_date": "2026-11-21", "modified_at": "2026-11-21T09:00:00+08:00", "phase": "after_sale"}
    same = {name: line[name] for name in ("oid", "sku", "tax_rate")}
    return {**head, **when, **same, "amount": amount, **split_tax(amount, line["tax_rate"])._asdict()}


def _put(journal: Journal, entity: str, bodies: Sequence[Record]) -> None:
    """All of them, once."""
    if bodies and documents.get(journal, entity, bodies[-1]["key"]):
        return
    with journal.writing() as tx:
        for body in bodies:
            documents.put(tx, journal, entity, body, (None, "test"))


def _refunds(stories: Sequence[Story]) -> list[Record]:
    told = ((place, nth, share, one) for place, one in enumerate(stories) for nth, share in enumerate(one.returns))
    return [refund(place, nth, share, order(place, one)) for place, nth, share, one in told]


def _called_back(journal: Journal, places: Sequence[int]) -> None:
    """The platform calls: "issued", whether it is or not; nobody signs it."""
    seller = connections({"nuonuo": "http://127.0.0.1:9"})["nuonuo"]
    hook = Callback(seller)
    for place in places:
        form = {"operater": "callback", "orderno": serial_of(place), "content": '{"c_status":"1"}'}
        call = Call("", {}, {"t": token_of(seller)}, urlencode(form).encode(), journal.now())
        pushes.keep(journal, [pushes.arrived("nuonuo", hook.verify(call), timedelta(), journal.now())])


def _wait(_: Journal) -> None:
    time.sleep(5)


def _acts(stories: Sequence[Story], called: Sequence[int]) -> dict[str, Callable[[Journal], None]]:
    orders = partial(_lazily, "sales_order", lambda: [order(place, one) for place, one in enumerate(stories)])
    return {
        "orders": orders,
        "refunds": partial(_lazily, "sales_refund", lambda: _refunds(stories)),
        "callback": lambda journal: _called_back(journal, called),
        "wait": _wait,
    }


def _lazily(entity: str, made: Callable[[], Sequence[Record]], journal: Journal) -> None:
    _put(journal, entity, made())


def _before(held: Mapping[str, Sandbox]) -> None:
    """Somebody else has used the number of one order (same amounts, another buyer); another's is there as ours."""
    nuonuo: Any = held["nuonuo"]
    other = _payload(STRANGER, Story({**COMPANY, "title": "别家有限公司"}))
    nuonuo.billing.submit({"order": {**other, "clerk": "李四", "bField1": "somebody else"}})
    nuonuo.billing.submit({"order": {**_payload(TWICE, STEPS[TWICE]), "clerk": "张三"}})


def _payload(place: int, story: Story) -> Record:
    request = blue_request(order(place, story), RULES)
    payload = load_mapping(ROOT / "mappings" / "nuonuo" / "invoice_request.out.yaml").run(request, StaticLookup(), {})
    assert payload is not None
    return dict(payload["order"])


def truth(held: Mapping[str, Sandbox]) -> Truth:
    """What was issued, blue and red, by our numbers."""
    bureau: Any = held["nuonuo"].bureau  # type: ignore[attr-defined]
    blues = [(row["serial"], f"{bureau.status(row)} {row['net']}+{row['tax']} {row['buyer']['name']}")
             for row in bureau.blues()]  # fmt: skip
    reds = [(row["application_no"], f"red {row['net']}+{row['tax']}") for row in bureau.forms()]
    return sorted(blues + reds)


def _faults() -> list[Record]:
    here = {"writes": True, "count": 1}
    return [
        {"kind": "lose_answer", **here, "match": serial_of(1)},
        {"kind": "late_status", "status": 502, **here, "match": serial_of(2)},
        {"kind": "malformed", **here, "match": serial_of(6)},
        {"kind": "lose_answer", "count": 1, "writes": True, "match": '"billId"'},
    ]


def _flow(batch: int) -> Flow:
    return msgspec.convert(yaml.safe_load(FLOW.replace("BATCH", str(batch))), Flow)


def steps() -> Scene:
    """Seven orders, and everything that can go wrong once."""
    seed = {"issue_seconds": "0", "unknown_buyers": [UNHEARD["tax_no"]], "limits": LOTS}
    return Scene("einvoice/steps", _flow(4), {"nuonuo": seed}, {"nuonuo": _faults()}, truth, "nuonuo/invoice_request",
                 holds=11, acts=_acts(STEPS, (EARLY, UNTAXED)), lines=SCRIPT, prepare=_before)  # fmt: skip


def files() -> Scene:
    """Two orders, one of them with a refund; one file of each kind cannot be had when it is first asked for."""
    seed = {"issue_seconds": "0", "limits": LOTS}
    faults: list[Record] = [
        {"kind": "lose_answer", "match": ".xml?", "count": 1},
        {"kind": "status", "status": 503, "match": ".ofd?", "count": 1},
        {"kind": "malformed", "match": ".pdf?", "count": 1},
    ]
    return Scene("einvoice/files", _flow(4), {"nuonuo": seed}, {"nuonuo": faults}, truth, "nuonuo/invoice_request",
                 holds=3, acts=_acts(FILED, ()), lines=FILES_SCRIPT)  # fmt: skip


def stories(size: int) -> list[Story]:
    """A third of the orders come back, in one piece or two."""
    some = ((Decimal("0.5"), Decimal("0.5")), (Decimal(1),), (Decimal("0.3"),))
    return [Story(returns=some[place // 3 % 3] if place % 3 == 0 else ()) for place in range(size)]


def storm(size: int) -> Scene:
    """So many orders, and faults at random; the credit line holds about two thirds of them until it is raised."""
    told = stories(size)
    net = sum((order(place, one)["gross"] for place, one in enumerate(told)), Decimal(0)) / Decimal("1.13")
    seed = {"issue_seconds": "0", "credit_line": f"{net * 2 / 3:.2f}", "limits": LOTS}
    rates = {"lose_answer": 0.02, "late_status": 0.02, "malformed": 0.01, "status": 0.01}
    faults = [
        {"kind": kind, "rate": rate, "writes": True, "seed": nth, "status": 503 if kind == "status" else 502}
        for nth, (kind, rate) in enumerate(rates.items())
    ]
    called = range(0, size, max(size // 50, 1))
    return Scene(f"einvoice/storm/{size}", _flow(200), {"nuonuo": seed}, {"nuonuo": faults}, truth,
                 "nuonuo/invoice_request", holds=0, acts=_acts(told, called), lines=SCRIPT)  # fmt: skip


def scene(name: str) -> Scene:
    """`steps`, `files` or `storm/N`."""
    kind, _, number = name.partition("/")
    return storm(int(number)) if kind == "storm" else {"steps": steps, "files": files}[kind]()


__all__ = ["FILED", "STEPS", "files", "key_of", "scene", "serial_of", "steps", "stories", "storm"]
