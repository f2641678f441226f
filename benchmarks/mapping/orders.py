"""Orders as a shop platform sends them, made from a seed, and the master data that the mapping asks.

An order has about 40 fields of its own and three lines, 1.6 kB of JSON. Amounts are texts: mostly with two decimals,
some "5.5", some "5". A line's payment is what it cost after its own discount and its share of the coupon, so that
Σ lines.payment + post_fee = payment to the cent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from duijie.codec import Record

PRODUCTS = 1000
SHOPS = 12
FIRST_DAY = datetime(2026, 10, 20)  # noqa: DTZ001  platforms send local time without an offset
STATUS = (
    ("WAIT_BUYER_PAY", 4),
    ("WAIT_SELLER_SEND_GOODS", 22),
    ("SELLER_CONSIGNED_PART", 3),
    ("WAIT_BUYER_CONFIRM_GOODS", 33),
    ("TRADE_FINISHED", 33),
    ("TRADE_CLOSED", 5),
)
SHIPPED = {"SELLER_CONSIGNED_PART", "WAIT_BUYER_CONFIRM_GOODS", "TRADE_FINISHED"}
CARRIERS = ("SF", "ZTO", "YTO", "STO", "YUNDA", "JD", "EMS", "DBKD")
WAREHOUSES = ("HZ01", "GZ02", "CD03", "TJ04", "WH05")
PLACES = (
    ("浙江省", "杭州市", "余杭区"),
    ("广东省", "广州市", "天河区"),
    ("四川省", "成都市", "武侯区"),
    ("上海", "上海市", "浦东新区"),
    ("湖北省", "武汉市", "洪山区"),
    ("山东省", "青岛市", "市南区"),
)
STREETS = ("文一西路", "中山路", "人民南路", "建设大道", "解放路", "学院街")
TOWNS = ("仓前街道", "五常街道", "石牌街道", "桂溪街道")
GOODS = ("保温杯", "纯棉T恤", "蓝牙耳机", "电饭煲", "护手霜", "儿童书包", "床上四件套", "登山鞋")
COLOURS = ("黑色", "白色", "藏青", "浅灰")
SIZES = ("均码", "S", "M", "XL", "500ml", "1.5米")
SOURCES = ("WAP,WAP", "TAOBAO", "WAP,HITAO")
MESSAGES = ("请尽快发货", "不要放驿站", "周末配送", "送人, 勿放小票")
MEMOS = ("已核价", "赠品一份", "改地址", "老客户")
ENDINGS = (0, 0, 90, 99, 90, 50, 80, 95, 25, 37)

CUSTOMERS = {f"TM{number:03d}": f"C{1000 + number * 7}" for number in range(1, SHOPS + 1)}
STORES = {code: f"CK-{code[2:]}{code[:2]}" for code in WAREHOUSES}
CATALOGUE: dict[str, Record] = {
    f"SKU{number:05d}": {
        "id": f"P{20_000 + number}",
        "unit": ("件", "个", "盒", "套")[number % 4],
        "tax_class": f"10{number % 37 + 1:02d}0102990000000{number % 10}00",
        "tax_rate": Decimal("0.13"),
    }
    for number in range(PRODUCTS)
}


def orders(count: int, seed: int = 1, lines: int = 3) -> list[Record]:
    """`count` distinct orders; the same seed gives the same orders."""
    random = Random(seed)  # noqa: S311  nothing secret is made
    return [_order(random, seed, number, lines) for number in range(count)]


def _order(random: Random, seed: int, number: int, line_count: int) -> Record:
    status = random.choices([name for name, _ in STATUS], [weight for _, weight in STATUS])[0]
    lines = [_line(random, number * line_count + at) for at in range(line_count)]
    freight = random.choice((0, 0, 0, 0, 600, 800, 1050, 1200))
    goods = sum(line.pop("_paid") for line in lines)
    subsidy = random.choice((0, 0, 0, 200, 555, 1000))
    return {
        "tid": str(268 * 10**16 + seed * 10**10 + number * 7919),
        "platform": random.choice(("tmall", "taobao")),
        "shop": f"TM{random.randint(1, SHOPS):03d}",
        "status": status,
        "type": "fixed",
        "source": random.choice(SOURCES),
        "seller": "测试旗舰店",
        **_times(random, status),
        "payment": amount(random, goods + freight),
        "post_fee": amount(random, freight),
        "coupon_fee": amount(random, sum(line.pop("_coupon") for line in lines)),
        "subsidy_fee": amount(random, subsidy),
        "adjust_fee": "0.00",
        "points": random.choice((0, 0, 0, 100, 500)),
        "flag": random.choice((0, 0, 0, 1, 2, 5)),
        "cod": False,
        "rated": status == "TRADE_FINISHED",
        "parcels": 1,
        "warehouse": random.choice(WAREHOUSES),
        "carrier": random.choice(CARRIERS),
        **({"waybill": f"SF{random.randint(10**11, 10**12 - 1)}"} if status in SHIPPED else {}),
        **_words(random),
        "buyer": {
            "nick": f"tb{random.randint(10**6, 10**7 - 1)}",
            "uid": f"AAH{random.getrandbits(48):012x}",
            "level": random.randint(0, 6),
            "member": random.random() < 0.4,
        },
        "receiver": _receiver(random),
        "invoice": _invoice(random),
        "orders": lines,
    }


def _times(random: Random, status: str) -> Record:
    created = FIRST_DAY + timedelta(seconds=random.randrange(30 * 86_400))
    paid = created + timedelta(seconds=random.randrange(5, 1800))
    shipped = paid + timedelta(seconds=random.randrange(3600, 200_000))
    ended = shipped + timedelta(seconds=random.randrange(86_400, 900_000))
    times = {"created": str(created), "modified": str(ended)}
    if status != "WAIT_BUYER_PAY":
        times["pay_time"] = str(paid)
    if status in SHIPPED:
        times["consign_time"] = str(shipped)
    if status == "TRADE_FINISHED":
        times["end_time"] = str(ended)
    return times


def _words(random: Random) -> Record:
    words = {}
    if random.random() < 0.15:
        words["buyer_message"] = random.choice(MESSAGES)
    if random.random() < 0.25:
        words["seller_memo"] = random.choice(MEMOS)
    return words


def _receiver(random: Random) -> Record:
    state, city, district = random.choice(PLACES)
    receiver = {
        "name": random.choice("王李张刘陈杨赵黄") + "**",
        "state": state,
        "city": city,
        "district": district,
        "town": random.choice(TOWNS),
        "address": f"{random.choice(STREETS)}{random.randint(1, 999)}号{random.randint(1, 30)}幢",
        "zip": f"{random.randint(100_000, 699_999)}" if random.random() < 0.8 else None,
    }
    if random.random() < 0.9:
        receiver["mobile"] = f"138{random.randint(10**7, 10**8 - 1)}"
    else:
        receiver["phone"] = f"0571-{random.randint(10**7, 10**8 - 1)}"
    return receiver


def _invoice(random: Random) -> Record:
    if random.random() < 0.7:
        return {"need": False, "kind": "0"}
    if random.random() < 0.5:
        return {"need": True, "kind": "0", "title": "个人"}
    company = f"{random.choice('华东南中')}{random.choice('信远达盛')}贸易有限公司"
    tax_no = f"91{random.randint(10**15, 10**16 - 1)}"
    return {"need": True, "kind": random.choice("12"), "title": company, "tax_no": tax_no}


def _line(random: Random, number: int) -> Record:
    sku = f"SKU{random.randrange(PRODUCTS):05d}"
    has_sku = random.random() < 0.85  # a product without variants has only its own code
    quantity = random.choices((1, 2, 3, 5, 10), (74, 15, 6, 3, 2))[0]
    price = _price(random)
    full = price * quantity
    discount = random.choice((0, 0, 0, full // 10, min(500, full // 2)))
    coupon = random.choice((0, 0, 0, (full - discount) // 20, 137 if full > 1000 else 0))
    return {
        "oid": str(268 * 10**16 + number * 31),
        **({"sku_code": sku, "item_code": f"IT{sku[3:]}"} if has_sku else {"sku_code": None, "item_code": sku}),
        "title": f"{random.choice(GOODS)} 新款 包邮",
        "spec": f"颜色:{random.choice(COLOURS)};尺码:{random.choice(SIZES)}",
        "num": quantity,
        "price": amount(random, price),
        "discount": amount(random, discount),
        "payment": amount(random, full - discount - coupon),
        "gift": price == 0,
        "refund": "NO_REFUND" if random.random() < 0.96 else "SUCCESS",
        "_paid": full - discount - coupon,
        "_coupon": coupon,
    }


def _price(random: Random) -> int:
    """Fen: the whole yuan log-normal about 55, the ending as shops choose it; now and then a gift."""
    if random.random() < 0.02:
        return 0
    return int(random.lognormvariate(4.0, 0.9)) * 100 + random.choice(ENDINGS)


def amount(random: Random, fen: int) -> str:
    """Fen as a platform writes it: "5.50", at times "5.5", "5" where nothing is lost."""
    yuan, rest = divmod(fen, 100)
    if rest % 10 == 0 and random.random() < 0.2:
        return f"{yuan}.{rest // 10}" if rest else str(yuan)
    return f"{yuan}.{rest:02d}"
