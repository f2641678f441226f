"""Whatever refunds come, in whatever order: the bureau takes every red the rules make, and no more than the blue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from duijie.codec import Record
from duijie.connect.errors import InvalidDocument
from duijie.derive import reds
from duijie.derive.invoices import blue_request
from sandbox.bureau import Blue, Bureau, Line, Party, RedForm, RedLine
from sandbox.store import Store
from tests.derive.test_invoices import RATES, RULES, line, order, refund

SELLER, BUYER = Party("示例销售有限公司", "339902999999789113"), Party("杭州恒信嘉禾科技有限公司", "91330106MA2DEMK14E")
FEN = st.integers(100, 500_000)
LINES = st.lists(st.tuples(FEN, RATES, st.integers(1, 9), st.booleans()), min_size=1, max_size=4)


def yuan(fen: int) -> Decimal:
    return Decimal(fen).scaleb(-2)


def asked(rows: list[tuple[int, Decimal, int, bool]]) -> Record:
    """A request of these lines; one that is discounted has a discount line of a tenth behind it."""
    made = blue_request(
        order(*(line(at, yuan(fen), rate, qty) for at, (fen, rate, qty, _) in enumerate(rows, 1))), RULES
    )
    lines: list[Record] = []
    for at, (one, (*_, is_less)) in enumerate(zip(made["lines"], rows, strict=True), 1):
        named = {**one, "oid": f"o{at}"}
        lines.append({**named, "nature": "discounted"} if is_less else named)
        if is_less:
            off = {name: -(one[name] / 10).quantize(Decimal("0.01")) for name in ("net", "tax")}
            lines.append({**named, "nature": "discount", **off, "gross": sum(off.values())})
            del lines[-1]["qty"], lines[-1]["price"]
    numbered = [{**one, "line_no": at} for at, one in enumerate(lines, 1)]
    totals = {name: sum((one[name] for one in lines), Decimal(0)) for name in ("net", "tax", "gross")}
    return {**made, "lines": numbered, **totals}


def issued(bureau: Bureau, request: Record) -> Record:
    names = ("name", "tax_class_code", "net", "tax", "qty", "price", "nature")
    lines = tuple(
        Line(rate=one["tax_rate"], **{name: one[name] for name in names if name in one}) for one in request["lines"]
    )
    row = bureau.submit(Blue(request["request_no"], request["kind"], SELLER, BUYER, lines))
    shown = bureau.blue(row["serial"]) or {}
    return {"number": shown["number"], "issued_at": "2026-11-20T10:00:00+08:00", "key": request["key"]}


def begun(bureau: Bureau, red: Record) -> Record:
    lines = tuple(RedLine(one["blue_line"], one["net"], one["tax"], one["qty"] or None) for one in red["lines"])
    return bureau.begin(RedForm(red["request_no"], red["blue_number"], "seller", red["reason"], lines))


@settings(max_examples=150, deadline=None)
@given(LINES, st.data())
def test_every_red_is_taken_and_all_together_are_the_blue(
    rows: list[tuple[int, Decimal, int, bool]], data: st.DataObject
) -> None:
    now = [datetime(2026, 11, 20, 2, tzinfo=UTC)]
    bureau = Bureau(Store(), lambda: now[0])
    bureau.settings({"issue_seconds": 0})
    request = asked(rows)
    blue = issued(bureau, request)
    made: list[Record] = []
    for number in range(40):
        places = [at for at in range(1, len(rows) + 1) if left(request, at, made) > 0]
        if not places:
            break
        at = data.draw(st.sampled_from(places))
        rest = left(request, at, made)
        least = min(rest, Decimal("0.50"))  # a bureau takes no red whose amount without tax is nothing
        amount = rest if number > 12 else yuan(data.draw(st.integers(int(least * 100), int(rest * 100))))
        amount = rest if rest - amount < Decimal("0.50") else amount
        kind = data.draw(st.sampled_from(["goods_and_money", "money_only"]))
        back = refund(
            amount, at, key=f"taobao:S01:R{number}", kind=kind, qty=data.draw(st.integers(1, rows[at - 1][2]))
        )
        red = reds.red_request(back, None, blue, request, RULES, made)
        begun(bureau, red)
        made.append(red)
        now[0] += timedelta(seconds=1)
    forms = bureau.forms()
    assert [sum(Decimal(form[name]) for form in forms) for name in ("net", "tax")] == [-request["net"], -request["tax"]]
    assert bureau.credit()[1] == 0
    assert_nothing_is_left(request, blue, made)


def left(request: Record, at: int, made: list[Record]) -> Decimal:
    index = next(place for place, one in enumerate(request["lines"]) if one["oid"] == f"o{at}")
    return reds.left(request, index, made).split.gross


def assert_nothing_is_left(request: Record, blue: Record, made: list[Record]) -> None:
    back: Any = refund("0.01", key="taobao:S01:LAST")
    try:
        reds.red_request(back, None, blue, request, RULES, made)
    except InvalidDocument as error:
        assert "E-RED-OVER" in error.zh
    else:
        raise AssertionError("a cent too much was made")
