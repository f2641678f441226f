"""Who buys: households of the data, some of them companies with made-up names and tax numbers that check out."""

from __future__ import annotations

from typing import Any

from stdnum.cn import uscc

from sandbox.dataset_read import draw

COMPANY = 800  # of 10,000 orders are a company's and want an invoice
PERSON = 400  # and these are by persons who want one
AREAS = (("330106", "杭州"), ("310115", "上海"), ("440305", "深圳"), ("110108", "北京"), ("320505", "苏州"))
WORDS = ("恒信", "嘉禾", "明远", "瑞丰", "天成", "凌云", "博雅", "华盛", "安泰", "新航", "同舟", "启明")
TRADES = ("科技", "贸易", "餐饮管理", "文化传播", "物业服务", "电子商务", "建筑设计", "广告")
SURNAMES = "赵钱孙李周吴郑王冯陈褚卫"
GIVEN = ("伟", "芳", "秀英", "敏", "静", "丽", "强", "磊", "洋", "艳", "勇", "婷")
ORGANISATION = "0123456789ABCDEFGHJKLMNPQRTUWXY"
WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def tax_number(household: int, area: str) -> str:
    """A made-up 统一社会信用代码: GB 11714 check inside, GB 32100-2015 check at the end."""
    body = f"MA{household % 10_000_000:06d}"[:8]
    values = [int(char) if char.isdigit() else ord(char) - ord("A") + 10 for char in body]
    rest = 11 - sum(value * weight for value, weight in zip(values, WEIGHTS, strict=True)) % 11
    number = f"91{area}{body}{ {10: 'X', 11: '0'}.get(rest, str(rest)) }"
    return f"{number}{uscc.calc_check_digit(number)}"


def open_uid(household: int) -> str:
    """The buyer's open id: one per household, saying nothing."""
    return f"AAG{draw('uid', household):04d}{household * 7_919:09d}"


class Buyers:
    """Hands out invoice wishes and remembers the companies among the buyers.

    The first company that asks gets a tax number with a wrong check digit, on all its orders: a person must settle it.
    """

    def __init__(self) -> None:
        self._companies: dict[int, dict[str, str]] = {}
        self.bad_tax_no = ""

    def companies(self) -> list[dict[str, str]]:
        """The companies so far: buyer_open_uid, name, tax_no."""
        return list(self._companies.values())

    def wish(self, tid: int, household: int) -> dict[str, Any]:
        """The invoice fields of a trade; none for most."""
        dice = draw("invoice", tid)
        if dice < COMPANY:
            company = self._company(household)
            kind = "2" if draw("special", household) % 2 else "0"
            return {"invoice_name": company["name"], "invoice_kind": kind, "buyer_tax_no": company["tax_no"]}
        return {"invoice_name": _person(household), "invoice_kind": "0"} if dice < COMPANY + PERSON else {}

    def _company(self, household: int) -> dict[str, str]:
        if household not in self._companies:
            area, city = AREAS[household % len(AREAS)]
            name = f"{city}{WORDS[household % 12]}{WORDS[household // 12 % 12]}{TRADES[household // 144 % 8]}有限公司"
            number = tax_number(household, area)
            if not self._companies:
                number = self.bad_tax_no = _spoiled(number)
            self._companies[household] = {"buyer_open_uid": open_uid(household), "name": name, "tax_no": number}
        return self._companies[household]


def _spoiled(number: str) -> str:
    place = ORGANISATION.index(number[-1])
    return number[:-1] + ORGANISATION[(place + 1) % len(ORGANISATION)]


def _person(household: int) -> str:
    return SURNAMES[household % 12] + GIVEN[household // 12 % 12]
