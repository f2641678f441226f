"""What is run while everything breaks: one small flow per kind of sink, with a refused, an unmapped and a lost one.

`natural_key`, `lookup` and `absolute` go through shipped connectors, shipped mappings and the vendors' sandboxes; all
four kinds go through the strict target of these tests as well, there with a second round in which a bill changes, one
is cancelled and one is new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import yaml

from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.engine import ROOT
from duijie.flow import Flow
from duijie.journal import Journal
from duijie.journal.codes import CHINA, Code
from sandbox.k3cloud_chart import CONFIG as LEDGER
from sandbox.kit import Sandbox
from tests.replay_world import IN, OUT

Truth = list[tuple[str, str]]  # (key, figures) of every document that the target holds, doubles as often as they are
Urls = Mapping[str, str]
CHANGE = "!change"
SECRET = "0123456789abcdef0123456789abcdef"
DAY = datetime(2026, 11, 11, 9, tzinfo=CHINA)
FIRST_TID = 3_204_086_667_211_110_000
LOST = {"kind": "lose_answer", "count": 1, "writes": True}


@dataclass(frozen=True)
class Scene:
    """A flow, the systems around it, and how to read the target's own truth."""

    name: str
    flow: Flow
    seeds: Mapping[str, Any]
    faults: Mapping[str, Sequence[Record]]
    truth: Callable[[Mapping[str, Sandbox]], Truth]
    sink: str
    holds: int
    codes: Sequence[Code] = ()
    changes: str = ""
    size: int = 3
    files: Mapping[str, str] = field(default_factory=dict)
    acts: Mapping[str, Callable[[Journal], None]] = field(default_factory=dict)
    lines: Sequence[str] = ()
    prepare: Callable[[Mapping[str, Sandbox]], None] = lambda _: None

    @property
    def script(self) -> list[str]:
        """The steps of one run in order; where the world changes, twice with the change between.

        `lines` say otherwise, with `acts` between the steps; `prepare` is done to the systems before the first run.
        """
        if self.lines:
            return list(self.lines)
        steps = [step.name for step in self.flow.steps]
        return [*steps, CHANGE, *steps] if self.changes else steps

    def root(self, folder: Path) -> Path:
        """Where the mappings are: the project's own, or files of this scene below `folder`."""
        for name, text in self.files.items():
            path = folder / "mappings" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.lstrip(), encoding="utf-8")
        return folder if self.files else ROOT


def connections(urls: Urls, size: int = 3) -> dict[str, Connection]:
    """Every connection a scene may use."""
    shops = {shop: {"session": f"sess-{shop}", "refresh_token": f"refresh-{shop}"} for shop in SHOPS}
    ledger = {name: LEDGER[name] for name in ("acct_id", "app_id", "account_book")}
    token = f"{urls.get('nuonuo', '')}/accessToken"
    seller = {"tax_no": "339902999999789113", "clerk": "张三", "token_url": token} | FAST
    made = [
        Connection("taobao", "taobao", urls.get("taobao", ""), "12345678", "helloworld", extra={"shops": shops} | FAST),
        Connection(
            "xingchen",
            "xingchen",
            urls.get("xingchen", ""),
            "205022",
            SECRET,
            extra={"outer_instance_id": "demo-instance", "token_rate": "1000/minute"} | FAST,
        ),
        Connection(
            "k3cloud", "k3cloud", urls.get("k3cloud", ""), LEDGER["user"], LEDGER["app_secret"], extra=ledger | FAST
        ),
        Connection("strict", "strict", urls.get("strict", ""), extra={"size": size}),
        Connection("nuonuo", "nuonuo", urls.get("nuonuo", ""), "AK-demo-0001", "AS-demo-secret-0001", extra=seller),
    ]
    return {one.conn_id: one for one in made}


FAST = {"rate": "100000/second"}
SHOPS = {"S01": "C001", "S02": None, "S03": "C009"}  # mapped, unmapped, mapped to a customer that is not there


def _flow(text: str) -> Flow:
    return msgspec.convert(yaml.safe_load(text), Flow)


def _codes(connection: str) -> list[Code]:
    return [Code("customer", connection, shop, code) for shop, code in SHOPS.items() if code]


def _trade(number: int, shop: str = "S01", days: int = 1, **changes: Any) -> Record:
    moment = f"{DAY + timedelta(days=number % days, minutes=number):%Y-%m-%d %H:%M:%S}"
    tid = FIRST_TID + number
    line = {"oid": tid, "outer_sku_id": "A1", "title": "面条", "num": 1, "total_fee": "113.00", "discount_fee": "0.00",
            "divide_order_fee": "113.00"}  # fmt: skip
    made = {"shop": shop, "tid": tid, "status": "TRADE_FINISHED", "created": moment, "modified": moment,
            "payment": "113.00", "post_fee": "0.00", "buyer_open_uid": f"u{number}"}  # fmt: skip
    return {**made, "orders": {"order": [line]}, **changes}


def _shops(**more: Any) -> Record:
    shops = {
        shop: {"nick": shop, "user_id": 1, "session": f"sess-{shop}", "refresh_token": f"refresh-{shop}"}
        for shop in SHOPS
    }
    limits = {"calls": 10_000, "seconds": 1, "ban_seconds": 1}
    return {"apps": {"12345678": "helloworld"}, "shops": shops, "limits": limits, **more}


def _trades(days: int) -> list[Record]:
    """Four good ones, one of an unmapped shop, one for a missing customer, two that no order can be made of."""
    unheard = {"order": [{**_trade(7)["orders"]["order"][0], "outer_sku_id": "NEW"}]}
    good = [_trade(number, days=days) for number in range(4)]
    return [*good, _trade(4, "S02"), _trade(5, "S03"), _trade(6, payment="12.3.4"), _trade(7, orders=unheard)]


MATERIALS = [
    {"number": f"A{n}", "name": f"商品{n}", "unit": "件", "tax_rate": 13, "tax_class_code": "1" * 19} for n in range(7)
]
STOCK = [{"material_number": f"A{n}", "stock_number": "CK01", "qty": 100 + n} for n in range(7)]
PSI: Record = {
    "materials": MATERIALS,
    "stock": STOCK,
    "customers": [{"number": "C001", "name": "旗舰店"}],
    "limits": {"per_minute": 1_000_000, "tokens_per_minute": 1_000_000},
}
PULL_ORDERS = """
  - {verb: pull, name: pull_products, connection: xingchen, stream: material, mapping: xingchen/product.in,
     since: 2026-01-01T00:00:00+08:00, window_minutes: 1051200}
  - {verb: pull, name: pull_orders, connection: taobao, stream: trade, mapping: taobao/sales_order.in,
     since: 2026-11-11T00:00:00+08:00, until: 2026-11-UNTILT00:00:00+08:00}
"""
PULL_STOCK = """
  - {verb: pull, name: pull_listings, connection: taobao, stream: stock, mapping: taobao/listing.in,
     since: 2026-11-11T00:00:00+08:00, window_minutes: 1051200}
  - {verb: pull, name: pull_levels, connection: xingchen, stream: inventory, mapping: xingchen/stock_level.in,
     since: 2026-01-01T00:00:00+08:00, window_minutes: 1051200}
"""


def _deliver(connection: str, sink: str, entity: str, mapping: str, batch: int = 4, more: str = "") -> str:
    return (
        f"  - {{verb: deliver, name: deliver, connection: {connection}, sink: {sink}, entity: {entity},"
        f" mapping: {mapping}, batch: {batch}{more}}}\n"
    )


def _into_psi() -> Scene:
    return Scene(
        name="natural_key/xingchen",
        flow=_flow(
            "flow: orders\ntitle: 订单\nsteps:"
            + PULL_ORDERS.replace("UNTIL", "12")
            + _deliver("xingchen", "sales_order", "sales_order", "xingchen/sales_order.out")
        ),
        seeds={"taobao": _shops(trades=_trades(1)), "xingchen": PSI},
        faults={"xingchen": [{**LOST, "match": f"TB{FIRST_TID + 2}"}]},
        truth=lambda held: sorted(
            (row["bill_no"], str(row["total_amount"])) for row in held["xingchen"].store.all("sal_order")
        ),
        sink="xingchen/sales_order",
        holds=4,
        codes=_codes("xingchen"),
    )


def _into_ledger() -> Scene:
    derive = "  - {verb: derive, name: derive, make: vouchers, rule: sale}\n"
    return Scene(
        name="lookup/k3cloud",
        flow=_flow(
            "flow: vouchers\ntitle: 凭证\nsteps:"
            + PULL_ORDERS.replace("UNTIL", "15")
            + derive
            + _deliver("k3cloud", "voucher", "voucher", "k3cloud/voucher.out")
        ),
        seeds={"taobao": _shops(trades=_trades(4)), "xingchen": PSI, "k3cloud": {}},
        faults={"k3cloud": [{**LOST, "match": "sale:S01:2026-11-13"}]},
        truth=lambda held: sorted(
            (row["f_dj_sourcekey"], str(row["fdebittotal"])) for row in held["k3cloud"].store.all("GL_VOUCHER")
        ),
        sink="k3cloud/voucher",
        holds=4,
        codes=_codes("k3cloud"),
    )


def _into_shop() -> Scene:
    item = {"title": "面条", "list_time": "2026-01-01 00:00:00", "modified": "2026-01-01 00:00:00"}
    skus = [{"sku_id": 100 + n, "outer_id": f"A{n}", "quantity": 5, "price": "7.00"} for n in range(1, 7)]
    odd = {"sku_id": 200, "outer_id": "B;1", "quantity": 5, "price": "7.00"}
    items = [{"shop": "S01", **item, "num_iid": 601, "skus": skus[:3]},
             {"shop": "S01", **item, "num_iid": 602, "skus": [*skus[3:], odd]}]  # fmt: skip
    derive = "  - {verb: derive, name: derive, make: shop_stock}\n"
    return Scene(
        name="absolute/taobao",
        flow=_flow(
            "flow: stock\ntitle: 库存\nsteps:"
            + PULL_STOCK
            + derive
            + _deliver("taobao", "shop_stock", "shop_stock", "taobao/shop_stock.out", 500)
        ),
        seeds={"taobao": _shops(items=items), "xingchen": PSI},
        faults={"taobao": [{**LOST, "match": "num_iid=601"}]},
        truth=_shown,
        sink="taobao/shop_stock",
        holds=6,
    )


def _shown(held: Mapping[str, Sandbox]) -> Truth:
    """What the shop shows, beside what nobody has written yet."""
    skus = [sku for item in held["taobao"].store.all("item/S01") for sku in item["skus"]]
    return sorted((f"S01:{sku['outer_id']}", str(sku["quantity"])) for sku in skus if sku["quantity"] != 5)


def bill(number: object, payment: str = "113.00", buyer: str = "张三", status: str = "paid") -> Record:
    """A record of the strict source."""
    moment = "2026-11-11T09:00:00"
    return {"id": f"b{number}", "status": status, "payment": payment, "buyer": buyer, "modified": moment}


FIRST = [*(bill(n) for n in range(1, 5)), bill(5, buyer="王五"), bill(6, buyer="李四"), bill(7, "12.3.4")]
SECOND = [bill(1, "226.00"), bill(2), bill(3, status="cancelled"), *FIRST[3:], bill(8, "56.50")]
LOST_AT_STRICT = [{**LOST, "match": '"b2"'}, {**LOST, "match": '"b8"'}, {**LOST, "match": "documents/", "count": 1}]
HOLDS = {"natural_key": 5, "lookup": 4, "token": 4, "absolute": 5}


def _figures(row: Record) -> str:
    """The amount, and every amount that it was given one after the other."""
    return f"{row['amount']} ({' → '.join(map(str, row['given']))})"


def many(kind: str, number: int) -> Scene:
    """So many bills, one round, nothing wrong with any of them."""
    few = _into_strict(kind, 200)
    return replace(
        few,
        name=f"many/{kind}/{number}",
        seeds={"strict": {"bills": [[bill(one, f"{one}.13") for one in range(1, number + 1)]]}},
        faults={},
        truth=lambda held: sorted((row["no"], str(row["amount"])) for row in held["strict"].store.all(kind)),
        holds=number,
        changes="",
        size=50,
    )


def scene(name: str) -> Scene:
    """One of SCENES, or one of `many` or of tests.einvoice by its name."""
    first, _, rest = name.partition("/")
    if first == "einvoice":
        found: Scene = import_module("tests.einvoice.scenes").scene(rest)
        return found
    if first == "many":
        kind, _, number = rest.partition("/")
        return many(kind, int(number))
    return SCENES[name]


def _into_strict(kind: str, batch: int = 4) -> Scene:
    pull = """
  - {verb: pull, name: pull, connection: strict, stream: bill, mapping: shop/sales_order.in,
     since: 2026-11-01T00:00:00+08:00, window_minutes: 1051200}
"""
    more = ", where: {status: [paid]}, reverse: {status: [cancelled]}"
    return Scene(
        name=f"{kind}/strict",
        flow=_flow(
            "flow: bills\ntitle: 单据\nsteps:"
            + pull
            + _deliver("strict", kind, "sales_order", "target/order.out", batch, more)
        ),
        seeds={"strict": {"bills": [FIRST, SECOND]}},
        faults={"strict": LOST_AT_STRICT},
        truth=lambda held: sorted(
            (row["no"], _figures(row)) for row in held["strict"].store.all(kind) if not row["void"]
        ),
        sink=f"strict/{kind}",
        holds=HOLDS[kind],
        codes=[Code("customer", "strict", "张三", "C1"), Code("customer", "strict", "李四", "C9")],
        changes="strict",
        files={
            "shop/sales_order.in": IN.replace("shop, stream: trade", "strict, stream: bill"),
            "target/order.out": OUT,
        },
    )


SCENES: dict[str, Scene] = {
    scene.name: scene for scene in (_into_psi(), _into_ledger(), _into_shop(), *(_into_strict(kind) for kind in HOLDS))
}
