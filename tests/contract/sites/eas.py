"""金蝶 EAS under contract."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from connectors.eas import CONNECTOR as EAS
from duijie.codec import Record
from duijie.connect.protocol import Window
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup, load_mapping
from sandbox.eas import CONFIG, EasSandbox
from tests.contract.served import MAPPINGS, filled, proven, served

COMPARED = MAPPINGS / "reconcile/eas_voucher.in.yaml"
VOUCHER = load_mapping(MAPPINGS / "eas/voucher.out.yaml")
COLUMNS = {"key": 6, "word": 3, "number": 4, "date": 5, "summary": 8, "account": 9, "debit": 10, "credit": 11}
TWO_PERIODS = Window(datetime(2026, 11, 5, tzinfo=UTC), datetime(2026, 12, 5, tzinfo=UTC))


def eas_voucher(number: int) -> Record:
    """A voucher of two lines over 113 yuan; every second one is of December."""
    return eas_said({"key": f"sale:S01:{number}"}, "销售 天猫旗舰店", month=12 - number % 2)


def eas_cost(made: Record, amount: Decimal) -> Record:
    return eas_said(made, "销售 天猫旗舰店", amount)


def eas_said(made: Record, text: str, amount: Decimal = Decimal("113.00"), month: int = 11) -> Record:
    zero = Decimal("0.00")
    rows = [("receivable", amount, zero), ("revenue", zero, amount)]
    lines = [
        {"line_no": at, "summary": text, "account": account, "debit": debit, "credit": credit}
        | ({"aux": {"customer": "S01"}} if account == "receivable" else {})
        for at, (account, debit, credit) in enumerate(rows, 1)
    ]
    head = {"date": f"2026-{month}-11", "period": f"2026{month}", "word": "记", "summary": text, "attachments": 2}
    voucher = {"key": made["key"], **head, "debit": amount, "credit": amount, "lines": lines}
    return VOUCHER.run(voucher, StaticLookup({"customer": {"S01": "C001"}}), {}) or {}


def eas_unbalanced(made: Record) -> Record:
    first, *others = made["entries"]
    wrong = {**first, "debitAmount": Decimal("1.00"), "originalAmount": Decimal("1.00")}
    return {**made, "entries": [wrong, *others]}


def eas(url: str) -> Site:
    """Vouchers."""
    vouchers = SinkCase(eas_voucher, "voucher", spoil=eas_unbalanced, say=eas_said, cost=eas_cost)
    extra = {"dc_name": CONFIG["dc_name"], "company": CONFIG["company"], "creator": CONFIG["users"][0]}
    return Site(
        proven(EAS),
        url,
        str(CONFIG["user"]),
        str(CONFIG["password"]),
        {**extra, "voucher_columns": COLUMNS, "page_rows": 5, "rate": "10000/second"},
        streams={"voucher": StreamCase(TWO_PERIODS, 12, mapping=COMPARED, fill=filled("voucher", vouchers, 12))},
        sinks={"voucher": vouchers},
        token_path="ns0:login",
        shifts=True,
    )


SITE = served(EasSandbox, eas)
