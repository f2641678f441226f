"""Nobody's telephone number or full address leaves inside a reason."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duijie.alerts.config import Alerting, Other, Route
from duijie.alerts.outbox import Due
from duijie.alerts.private import cover
from duijie.alerts.text import message_of
from tests.alerts.conftest import NOON

ALERTING = Alerting(channels={"a": Other(url="json://x")}, routes=(Route(channels=("a",)),))
PLACES = [
    ("浙江省", "杭州市", "余杭区"),
    ("北京市", "", "朝阳区"),
    ("广东", "深圳市", "南山区"),
    ("内蒙古自治区", "赤峰市", "宁城县"),
]
PLACES += [("", "苏州市", "工业园区"), ("新疆维吾尔自治区", "伊犁哈萨克自治州", "伊宁市"), ("重庆市", "", "渝北区")]
ROADS = ["文一西路", "中山大道", "人民街", "解放巷", "星湖街", "天目山路", "龙溪街道人民路"]
ESTATES = ["西溪花园", "幸福小区", "东方广场", "阳光公寓", ""]
AROUND = st.sampled_from(["", " ", ": ", "，", "“", "（", "收件人", "订单 TB123 的 ", "address=", "\n"])


@st.composite
def mobiles(draw: st.DrawFn) -> str:
    number = draw(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
    number = draw(
        st.sampled_from(
            [number, f"{number[:3]}-{number[3:7]}-{number[7:]}", " ".join((number[:3], number[3:7], number[7:]))]
        )
    )
    number = draw(st.sampled_from(["", "+86", "86", "+86 ", "0086-"])) + number
    return number.translate(str.maketrans("0123456789", "０１２３４５６７８９")) if draw(st.booleans()) else number


@st.composite
def landlines(draw: st.DrawFn) -> str:
    area = draw(st.sampled_from(["010", "021", "0571", "0755", "0991"]))
    local = draw(st.from_regex(r"[2-8][0-9]{6,7}", fullmatch=True))
    joined = draw(st.sampled_from([f"{area}-{local}", f"({area}){local}", f"{area} {local}", f"{area}{local}"]))
    return joined + draw(st.sampled_from(["", "-801", "转 12"]))


@st.composite
def addresses(draw: st.DrawFn) -> str:
    province, city, district = draw(st.sampled_from(PLACES))
    gap = draw(st.sampled_from(["", " "]))
    road = f"{draw(st.sampled_from(ROADS))}{draw(st.integers(1, 2999))}号"
    home = draw(
        st.sampled_from(
            ["", f"{draw(st.integers(1, 30))}幢{draw(st.integers(1, 4))}单元{draw(st.integers(101, 3301))}室"]
        )
    )
    return gap.join(filter(None, (province, city, district, road + draw(st.sampled_from(ESTATES)) + home)))


def told(reason: str) -> str:
    """Everything that leaves of an alert with this reason, alone and in a digest."""
    due = Due(
        1, "w", 1, "first", True, 1, 0, "step|a", "重要", f"失败 {reason}", reason, reason, 1, NOON, None, "", 0, 0
    )
    messages = [message_of(ALERTING, "a", [due]), message_of(ALERTING, "a", [due, due])]
    return "\n".join(f"{one.title}\n{one.text}" for one in messages)


def digits(text: str) -> str:
    return re.sub(r"\D", "", text.translate(str.maketrans("０１２３４５６７８９", "0123456789")))


@given(mobiles(), AROUND, AROUND)
def test_no_mobile_number_leaves(number: str, before: str, after: str) -> None:
    assert digits(number)[-8:] not in digits(told(f"收件人电话{before}{number}{after}无效"))


@given(landlines(), AROUND, AROUND)
def test_no_landline_leaves(number: str, before: str, after: str) -> None:
    assert digits(number)[3:10] not in digits(told(f"电话{before}{number}{after}不通"))


@given(addresses(), AROUND, st.sampled_from(["", " 张三", ", 请核对", "。"]))
def test_no_full_address_leaves(address: str, before: str, after: str) -> None:
    left = told(f"地址{before}{address}{after}")
    assert "号" not in left.replace("编号", "")
    assert not re.search(r"\d室", left)


@pytest.mark.parametrize(
    "reason",
    [
        "金蝶拒绝: 科目 1122 需要客户辅助核算, 订单 TB123 没有对应客户 → 去匹配",
        "订单 3204086667211110000 金额 1,234.56 元, 凭证 记-12, 2026年11期",
        "对账“淘宝订单 ↔ 金蝶AI星辰”有 3 处未解释的差异",
        "授权过期 (isv.session-expired), 店铺 北京旗舰店",
        "mappings/k3cloud/voucher.out.yaml:12:34 字段 FAmount 有误",
        "发票号 26992000000000000017 重复",
    ],
)
def test_what_names_nobody_is_left_as_it_is(reason: str) -> None:
    assert cover(reason) == reason


def test_what_a_vendor_wrote_is_neither_link_nor_call() -> None:
    left = told('<at user_id="all">所有人</at> [点此](http://evil.example) <@all> @all')
    assert not set("<>[]") & set(left)
    assert "@all" not in left


def test_a_number_at_the_edge_of_a_cut_line_is_not_half_shown() -> None:
    for length in range(285, 300):
        assert "1381234" not in told("长" * length + " 13812345678")
