"""金蝶云星空 under contract."""

from __future__ import annotations

from decimal import Decimal

from connectors.k3cloud import CONNECTOR as K3CLOUD
from connectors.k3cloud.signing import client_secret
from duijie.codec import Record
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup, load_mapping
from sandbox import k3cloud_chart
from sandbox.k3cloud import K3CloudSandbox
from tests.contract.served import MAPPINGS, filled, lately, served

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


SITE = served(K3CloudSandbox, k3cloud)
