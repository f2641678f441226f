"""What the Tryton of the trade tests holds on top of the ledger: goods bought, kept and sold, series 8.2 and 6.0.

Two warehouses, 13 % value added tax for sales and for purchases, one accounting category, payment at once, a seller.
"""

from __future__ import annotations

from pathlib import Path

from duijie.codec import Record
from sandbox.tryton_plan import MODULES, plan

TRADE_MODULES = (
    *MODULES,
    "product",
    "stock",
    "account_product",
    "account_invoice",
    "account_invoice_stock",
    "sale",
    "purchase",
    "sale_opportunity",
)
GROUPS = (
    *("Accounting", "Account", "Sales", "Purchase", "Stock", "Product Administration", "Sale Opportunity"),
    "Account Product Administration",
)  # the names of both series
WAREHOUSES = (("WH", "杭州主仓"), ("W02", "杭州二仓"))
CATEGORY = "商品"
_TRADE: Record = {
    "taxes": [
        {"kind": "sale", "name": "销项税 13%", "rate": "0.13", "account": "2221.01.05"},
        {"kind": "purchase", "name": "进项税 13%", "rate": "0.13", "account": "2221.01.01"},
    ],
    "category": {"name": CATEGORY, "revenue": "6001", "expense": "6401"},
    "unit": "件",
    "payment_term": "立即付款",
    "warehouses": [{"code": code, "name": name} for code, name in WAREHOUSES],
    "employee": "王销售",
}


def trade_plan(database: str, postgres: str, home: Path) -> Record:
    """The plan of series 8.2; see `sandbox.tryton_plan.plan`."""
    made = plan(database, postgres, home)
    return {**made, "modules": list(TRADE_MODULES), "trade": _TRADE, "user": {**made["user"], "groups": list(GROUPS)}}


def trade_plan_60(database: str, postgres: str, home: Path) -> Record:
    """The same company on series 6.0, where only accounting administrators may delete a draft voucher."""
    made = trade_plan(database, postgres, home)
    user = {**made["user"], "groups": [*made["user"]["groups"], "Account Administration"]}
    return {**made, "series": "6.0", "user": user}
