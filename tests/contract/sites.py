"""Every connector with a sandbox under contract: how it is opened, what its sandbox holds, what is written into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from connectors.fxiaoke import CONNECTOR as FXIAOKE
from connectors.k3cloud import CONNECTOR as K3CLOUD
from connectors.k3cloud.signing import client_secret
from connectors.nuonuo import CONNECTOR as NUONUO
from connectors.nuonuo.hook import token_of
from connectors.taobao import CONNECTOR as TAOBAO
from connectors.taobao.client import sign
from connectors.xingchen import CONNECTOR as XINGCHEN
from connectors.xingchen.client import hex64
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.hooks import Call
from duijie.connect.protocol import Connector, Window
from duijie.contract import HookCase, SinkCase, Site, StreamCase
from duijie.derive import invoices
from duijie.mapping import StaticLookup, load_mapping
from sandbox import fxiaoke_objects, k3cloud_chart
from sandbox.fxiaoke import FxiaokeSandbox
from sandbox.k3cloud import K3CloudSandbox
from sandbox.kit import Sandbox
from sandbox.nuonuo import NuonuoSandbox
from sandbox.serve import Running
from sandbox.store import Store
from sandbox.taobao import TaobaoSandbox
from sandbox.xingchen import XingchenSandbox
from tests.contract.model import Parts
from tests.contract.model import site as model
from tests.contract.vendor import ModelSandbox

MAPPINGS = Path(__file__).parents[2] / "mappings"
CHINA_DAY = datetime(2026, 11, 10, 16, tzinfo=UTC)  # 11 November in China
DAY = Window(CHINA_DAY, CHINA_DAY + timedelta(days=1))


def lately() -> Window:
    """What a sandbox wrote in the last hour."""
    now = datetime.now(UTC)
    return Window(now - timedelta(hours=1), now + timedelta(hours=1))


def filled(sink: str, case: SinkCase, number: int) -> Callable[[Connector], None]:
    """Write so many documents first."""
    return lambda connector: _written(connector, sink, [case.payload(at) for at in range(1, number + 1)])


def _written(connector: Connector, sink: str, payloads: list[Record]) -> None:
    connector.sinks[sink].write(payloads)


# 金蝶AI星辰 ---------------------------------------------------------------------------------------------------


def xingchen_order(number: int) -> Record:
    """An order of one line: 3 pieces for 19.90 with 13 % tax in it."""
    return xingchen_cost(
        {"bill_no": f"SO{number}", "bill_date": "2026-11-11", "customer_number": "S01", "material_entity": []},
        Decimal("19.90"),
    )


def xingchen_cost(made: Record, gross: Decimal) -> Record:
    tax = (gross * 13 / 113).quantize(Decimal("0.01"), ROUND_HALF_UP)
    line = {
        "material_number": "A1",
        "unit_id": "90001",
        "qty": 1,
        "tax_price": gross,
        "cess": Decimal("13.00"),
        "dis_amount": Decimal("0.00"),
        "tax_amount": tax,
        "amount": gross - tax,
        "all_amount": gross,
        "is_free": False,
    }
    return {**made, "total_amount": gross, "material_entity": [line]}


def xingchen(url: str) -> Site:
    """Products, stock, orders."""
    orders = SinkCase(
        xingchen_order,
        "sal_order",
        spoil=lambda made: {**made, "customer_number": "NOBODY"},
        say=lambda made, text: {**made, "remark": text},
        cost=xingchen_cost,
    )
    items = [
        {"number": f"A{n}", "name": f"商品{n}", "unit": "件", "category": "食品", "tax_rate": 13,
         "tax_class_code": "1" * 19}
        for n in range(25)
    ]  # fmt: skip
    everything = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    return Site(
        XINGCHEN,
        url,
        "205022",
        "0123456789abcdef0123456789abcdef",
        {
            "outer_instance_id": "demo-instance",
            "rate": "10000/second",
            "token_rate": "1000/minute",
            "page_size": 10,
        },
        seed={
            "materials": items,
            "stock": [{"material_number": f"A{n}", "stock_number": "CK01", "qty": 100} for n in range(25)],
            "customers": [{"number": "S01", "name": "旗舰店"}],
            "limits": {"per_minute": 100_000, "tokens_per_minute": 1000},
        },
        streams={
            "material": StreamCase(everything, 25, mapping=MAPPINGS / "xingchen/product.in.yaml"),
            "inventory": StreamCase(everything, 25, mapping=MAPPINGS / "xingchen/stock_level.in.yaml", whole=True),
            "sal_order": StreamCase(DAY, 12, fill=filled("sales_order", orders, 12)),
        },
        sinks={"sales_order": orders},
        token_path="kingdee_auth_token",
        vectors=[
            (
                "app_signature",
                lambda: hex64("abc123", "abc"),
                "ZDljMTI3NGIyNTE1MTRkYzlkNjc1MDNhYjUzMzgzNWMyY2M4YTdjMzdmNmM3YTVlNDkxMTkzNjdiOTFjNzUyZQ==",
            )
        ],
        skewed=True,
        shifts=True,
    )


# 金蝶云星空 ---------------------------------------------------------------------------------------------------


VOUCHER = load_mapping(MAPPINGS / "k3cloud/voucher.out.yaml")


def k3cloud_voucher(number: int) -> Record:
    """A voucher of two lines over 113 yuan."""
    return k3cloud_cost({"key": f"sale:S01:{number}"}, Decimal("113.00"))


def k3cloud_cost(made: Record, amount: Decimal) -> Record:
    return k3cloud_said(made, "销售 天猫旗舰店", amount)


def k3cloud_said(made: Record, text: str, amount: Decimal = Decimal("113.00")) -> Record:
    zero = Decimal("0.00")
    rows = [("receivable", amount, zero), ("revenue", zero, amount)]
    lines = [
        {"line_no": at, "summary": text, "account": account, "debit": debit, "credit": credit}
        | ({"aux": {"customer": "S01"}} if account == "receivable" else {})
        for at, (account, debit, credit) in enumerate(rows, 1)
    ]
    head = {"date": "2026-11-11", "period": "202611", "word": "记", "summary": text, "attachments": 2}
    voucher = {"key": made["key"], **head, "debit": amount, "credit": amount, "lines": lines}
    return VOUCHER.run(voucher, StaticLookup({"customer": {"S01": "C001"}}), {}) or {}


def k3cloud_unbalanced(made: Record) -> Record:
    first, *others = made["model"]["FEntity"]
    return {**made, "model": {**made["model"], "FEntity": [{**first, "FDEBIT": "1.00"}, *others]}}


def k3cloud(url: str) -> Site:
    """Vouchers."""
    config = k3cloud_chart.CONFIG
    vouchers = SinkCase(k3cloud_voucher, "GL_VOUCHER", spoil=k3cloud_unbalanced, say=k3cloud_said, cost=k3cloud_cost)
    return Site(
        K3CLOUD,
        url,
        str(config["user"]),
        str(config["app_secret"]),
        {name: config[name] for name in ("acct_id", "app_id", "account_book")} | {"rate": "10000/second"},
        streams={"voucher": StreamCase(lately(), 12, fill=filled("voucher", vouchers, 12))},
        sinks={"voucher": vouchers},
        vectors=[
            (
                "the gateway's secret",
                lambda: client_secret("0123456789abcdef0123456789abcdef"),
                "422C1/iIyuH4R+Ws526A2/yLyrX6RrOs",
            )
        ],
    )


# 淘宝 / 天猫 ---------------------------------------------------------------------------------------------------


FIRST_TID = 3_204_086_667_211_110_000
EXAMPLE = {
    "method": "taobao.item.seller.get",
    "app_key": "12345678",
    "session": "test",
    "sign_method": "md5",
    "timestamp": "2016-01-01 12:00:00",
    "format": "json",
    "v": "2.0",
    "fields": "num_iid,title,nick,price,num",
    "num_iid": "11223344",
}


def taobao_trade(number: int) -> Record:
    """An order of one line."""
    moment = f"2026-11-11 {number // 60:02}:{number % 60:02}:00"
    line = {"oid": FIRST_TID + number, "outer_sku_id": "A1", "num": 1, "divide_order_fee": "7.00"}
    head = {"shop": "S01", "tid": FIRST_TID + number, "status": "TRADE_FINISHED", "created": moment}
    return {**head, "modified": moment, "payment": "7.00", "orders": {"order": [line]}}


def taobao(url: str) -> Site:
    """Orders and stock of one shop."""
    skus = [{"sku_id": 100 + n, "outer_id": f"A{n}", "quantity": 5, "price": "7.00"} for n in range(6)]
    item = {"num_iid": 601, "title": "面条", "list_time": "2026-01-01 00:00:00", "modified": "2026-01-01 00:00:00"}
    seller = {"nick": "旗舰店", "user_id": 1, "session": "sess-S01-first", "refresh_token": "refresh-S01-first"}
    return Site(
        TAOBAO,
        url,
        "12345678",
        "helloworld-secret",
        {"shops": {"S01": {"refresh_token": "refresh-S01-first"}}, "rate": "10000/second"},
        seed={
            "apps": {"12345678": "helloworld-secret"},
            "shops": {"S01": seller},
            "items": [{"shop": "S01", **item, "skus": skus}],
            "trades": [taobao_trade(number) for number in range(250)],
            "limits": {"calls": 100_000, "seconds": 1, "ban_seconds": 1},
        },
        streams={
            "trade": StreamCase(Window(DAY.since, DAY.until, "S01"), 250),
            "stock": StreamCase(Window(DAY.since, DAY.until, "S01"), 6, whole=True),
        },
        sinks={
            "shop_stock": SinkCase(
                lambda number: {"shop": "S01", "sku": f"A{number}", "quantity": 10 + number},
                "item/S01",
                held=lambda rows: [sku for row in rows for sku in row["skus"] if sku["outer_id"] == "A1"],
                spoil=lambda made: {**made, "sku": "NOT-THERE"},
            )
        },
        token_path="/token",
        vectors=[("the vendor's", lambda: sign(EXAMPLE, "helloworld", "md5"), "66987CB115214E59E6EC978214934FB8")],
        skewed=True,
        shifts=True,
    )


# 纷享销客 ------------------------------------------------------------------------------------------------------


PARTY = load_mapping(MAPPINGS / "fxiaoke/party.out.yaml")


def fxiaoke_party(number: int) -> Record:
    """A buyer."""
    return fxiaoke_named({"key": f"taobao:{number}"}, f"买家 {number}")


def fxiaoke_named(made: Record, name: str) -> Record:
    party = {"key": made["key"], "name": name, "kind": "person", "role": "customer", "source": "taobao", "shop": "S01"}
    return PARTY.run(party, StaticLookup(), {}) or {}


def fxiaoke(url: str) -> Site:
    """Buyers."""
    config = fxiaoke_objects.CONFIG
    parties = SinkCase(
        fxiaoke_party,
        "AccountObj",
        spoil=lambda made: {**made, "object": {**made["object"], "name": ""}},
        say=fxiaoke_named,
        bare=True,
    )
    return Site(
        FXIAOKE,
        url,
        str(config["app_id"]),
        str(config["app_secret"]),
        {name: config[name] for name in ("permanent_code", "open_user_id")} | {"rate": "10000/second"},
        streams={"account": StreamCase(lately(), 12, fill=filled("party", parties, 12))},
        sinks={"party": parties},
        token_path="corpAccessToken/get",
    )


# 诺诺 ----------------------------------------------------------------------------------------------------------


REQUEST = load_mapping(MAPPINGS / "nuonuo/invoice_request.out.yaml")
RULES = invoices.load_rules(MAPPINGS / "rules/invoice.yaml")
SELLER = "339902999999789113"


def nuonuo_request(number: int) -> Record:
    """A 专票 of one line over 113 yuan."""
    return nuonuo_made(str(number), Decimal("113.00"), "杭州恒信嘉禾科技有限公司")


def nuonuo_made(number: str, gross: Decimal, title: str) -> Record:
    split = invoices.split_tax(gross, Decimal("0.13"))
    taxed = {"tax_class_code": "1030299990000000000", "qty": 1, "tax_rate": Decimal("0.13"), **split._asdict()}
    order = {
        "key": f"taobao:S01:{number}",
        "order_no": number,
        "ordered_at": "2026-11-11T09:00:00+08:00",
        "freight": Decimal("0.00"),
        "gross": gross,
        "invoice_wish": {"title": title, "tax_no": "91330106MA2DEMK14E", "kind": "special"},
        "lines": [{"line_no": 1, "oid": f"{number}1", "sku": "A1", "name": "面条", "unit": "件", **taxed}],
    }
    return REQUEST.run(invoices.blue_request(order, RULES), StaticLookup(), {}) or {}


def nuonuo_changed(made: Record, **changes: object) -> Record:
    return {**made, "order": {**made["order"], **changes}}


def nuonuo_called_back(_: datetime, body: bytes | None) -> Call:
    asked = Connection("contract", "nuonuo", password="AS-demo-secret")
    said = b"operater=callback&orderno=B1" if body is None else body
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return Call("", headers, {"t": token_of(asked)}, said, datetime.now(UTC))


def nuonuo(url: str) -> Site:
    """Invoice requests, and the callbacks that point at them."""
    requests = SinkCase(
        nuonuo_request,
        "invoice",
        spoil=lambda made: nuonuo_changed(made, buyerName=""),
        say=lambda made, text: nuonuo_changed(made, remark=text),
        cost=lambda made, amount: nuonuo_made(f"9{amount}".replace(".", ""), amount, "杭州恒信嘉禾科技有限公司"),
    )
    extra = {"tax_no": SELLER, "clerk": "张三", "token_url": f"{url}/accessToken", "rate": "10000/second"}
    return Site(
        NUONUO,
        url,
        "AK-demo",
        "AS-demo-secret",
        extra,
        seed={"app_key": "AK-demo", "app_secret": "AS-demo-secret", "tax_no": SELLER, "issue_seconds": 0},
        streams={},
        sinks={"invoice_request": requests},
        hook=HookCase(nuonuo_called_back, lambda call: replace(call, query={"t": "0" * 32}), hint=True),
        token_path="accessToken",
    )


Opened = Callable[[], AbstractContextManager[Site]]


def served(sandbox: type[Sandbox], made: Callable[[str], Site]) -> Opened:
    """A site over a sandbox that is being served."""

    @contextmanager
    def opened() -> Iterator[Site]:
        with Running(sandbox(Store())) as url:
            yield made(url)

    return opened


SITES: Mapping[str, Opened] = {
    "model": served(ModelSandbox, lambda url: model(url, Parts())),
    "xingchen": served(XingchenSandbox, xingchen),
    "k3cloud": served(K3CloudSandbox, k3cloud),
    "taobao": served(TaobaoSandbox, taobao),
    "fxiaoke": served(FxiaokeSandbox, fxiaoke),
    "nuonuo": served(NuonuoSandbox, nuonuo),
}
