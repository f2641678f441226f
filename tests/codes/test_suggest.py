"""Suggestions: how sure a person may be, and why."""

from __future__ import annotations

import pytest

from duijie.codes.suggest import Candidate, Known, Suggester, known_of

NOODLES = Candidate("A-1001", "老坛酸菜牛肉面 120g", "6901234567892")
APPLES = Candidate("0002017", "红富士苹果 5斤")
SHOP = Candidate("KH001", stands_for="S01", origin="psi")
LEDGER = Candidate("KH777", stands_for="S02", origin="ledger", is_elsewhere=True)
ALL = Suggester([NOODLES, APPLES, SHOP, LEDGER, Candidate("B9", "面")])


@pytest.mark.parametrize(
    ("known", "code", "score", "reason"),
    [
        (Known("A-1001"), "A-1001", 100, "编码一致"),
        (Known("Ａ-1001 "), "A-1001", 97, "仅全角、大小写或空格不同"),
        (Known("a\u200b-1001"), "A-1001", 97, "仅全角、大小写或空格不同"),
        (Known("a1001"), "A-1001", 92, "仅分隔符不同"),
        (Known("2017"), "0002017", 88, "仅前导零不同"),
        (Known("A-1OO1"), "A-1001", 85, "仅 O/0、I/1 等形近字符不同"),
        (Known("x", barcode="6901234567892"), "A-1001", 95, "条码一致 6901234567892"),
        (Known("6901234567892"), "A-1001", 95, "条码一致 6901234567892"),
        (Known("x", "老坛酸菜牛肉面 120g"), "A-1001", 90, "名称相似 100%"),
        (Known("ｓ01"), "KH001", 97, "psi S01 已对应它, 仅全角、大小写或空格不同"),
        (Known("S02"), "KH777", 85, "ledger S02 已对应它, 编码一致"),
    ],
)
def test_a_likeness_has_its_score_and_its_reason(known: Known, code: str, score: int, reason: str) -> None:
    best = ALL.suggest(known)[0]
    assert (best.code, best.score, best.reason) == (code, score, reason)


def test_a_shops_long_title_finds_the_product() -> None:
    best = ALL.suggest(Known("x", "【旗舰店】统一老坛酸菜牛肉面 袋装120g*5"))[0]
    assert best.code == "A-1001"
    assert 60 <= best.score < 90


@pytest.mark.parametrize(
    "known", [Known("A-1002"), Known("Z"), Known("x", "洗衣液 2kg"), Known("x", "茶"), Known("---")]
)
def test_what_is_only_near_is_not_suggested(known: Known) -> None:
    assert ALL.suggest(known) == []


def test_the_surest_come_first_and_a_counterpart_once() -> None:
    found = ALL.suggest(Known("6901234567892", "红富士苹果5斤", "6901234567892"))
    assert [one.code for one in found] == ["A-1001", "0002017"]
    assert ALL.suggest(Known("6901234567892", "红富士苹果5斤"), 1) == found[:1]


def test_the_object_that_holds_the_code_tells_its_name_and_barcode() -> None:
    order = {"name": "整单", "lines": [{"sku": "A1", "title": "苹果"}, {"sku": 77, "name": "面", "barcode": "690"}]}
    assert known_of(order, "77") == Known("77", "面", "690")
    assert known_of(order, "A1") == Known("A1", "苹果")
    assert known_of({"shop": "S01", "shop_name": "天猫旗舰店", "name": "x"}, "S01") == Known("S01", "天猫旗舰店")
    assert known_of([1], "A1") == Known("A1")


def test_the_right_one_is_found_among_thousands_of_the_same_words() -> None:
    many = Suggester(Candidate(f"P{number}", f"香辣牛肉面 商品{number} 5袋") for number in range(3000))
    assert many.suggest(Known("x", "商品1777 香辣牛肉面"), 1)[0].code == "P1777"
