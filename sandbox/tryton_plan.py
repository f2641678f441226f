"""What the Tryton ledger of demo and tests holds: a trading company's chart in Chinese, 2026, one journal 记.

Codes follow the list of accounts of the 企业会计准则; the subs of 2221 are this company's own, as everywhere.
Source: 财政部《企业会计准则——应用指南》附录 会计科目和主要账务处理.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from duijie.codec import Record

MODULES = ("account", "party", "company", "currency")
COMPANY = "杭州对接商贸有限公司"
LOGIN = "duijie"
JOURNAL = "记"
YEAR = 2026
GROUPS = ("Accounting",)

_TYPES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("流动资产", "balance", ("assets",)),
    ("应收款项", "balance", ("assets", "receivable")),
    ("应付款项", "balance", ("payable",)),
    ("流动负债", "balance", ()),
    ("所有者权益", "balance", ()),
    ("收入", "income", ("revenue",)),
    ("费用", "income", ("expense",)),
)
# code, name, type ("" = summary account), party required; the parent is the code without its last part
_ACCOUNTS = """
1001 库存现金 流动资产
1002 银行存款 流动资产
1012 其他货币资金 流动资产
1122 应收账款 应收款项 party
1123 预付账款 流动资产
1221 其他应收款 流动资产
1402 在途物资 流动资产
1405 库存商品 流动资产
1406 发出商品 流动资产
1901 待处理财产损溢 流动资产
2202 应付账款
2202.01 应付账款 应付款项 party
2202.02 应付暂估款 流动负债
2203 预收账款 流动负债
2204 合同负债 流动负债
2221 应交税费
2221.01 应交增值税
2221.01.01 进项税额 流动负债
2221.01.02 已交税金 流动负债
2221.01.03 转出未交增值税 流动负债
2221.01.04 减免税款 流动负债
2221.01.05 销项税额 流动负债
2221.01.06 进项税额转出 流动负债
2221.02 未交增值税 流动负债
2221.03 待转销项税额 流动负债
2221.04 应交城市维护建设税 流动负债
2221.05 应交教育费附加 流动负债
2221.06 应交所得税 流动负债
2241 其他应付款 流动负债
4103 本年利润 所有者权益
4104 利润分配 所有者权益
6001 主营业务收入 收入
6051 其他业务收入 收入
6117 其他收益 收入
6301 营业外收入 收入
6401 主营业务成本 费用
6402 其他业务成本 费用
6403 税金及附加 费用
6601 销售费用
6601.01 平台佣金 费用
6601.02 技术服务费 费用
6601.03 推广费 费用
6601.04 运费 费用
6601.05 尾差 费用
6602 管理费用 费用
6603 财务费用 费用
6711 营业外支出 费用
6801 所得税费用 费用
"""


def accounts() -> list[dict[str, Any]]:
    """The chart: code, name, type, parent code, whether a party is required."""
    rows = [line.split() for line in _ACCOUNTS.strip().splitlines()]
    return [
        {
            "code": row[0],
            "name": row[1],
            "type": row[2] if len(row) > 2 else "",
            "parent": row[0].rpartition(".")[0],
            "party": row[-1] == "party",
        }
        for row in rows
    ]


def plan(database: str, postgres: str, home: Path) -> Record:
    """What `tryton_setup.py` reads. `postgres` is "" for SQLite; secrets stay in files below `home`."""
    return {
        "series": "8.2",
        "trade": {},
        "config": str(home / "trytond.conf"),
        "database": database,
        "postgres": postgres,
        "sqlite_file": "" if postgres else str(home / f"{database}.sqlite"),
        "admin_password_file": str(home / "admin-password"),
        "language": "zh_CN",
        "modules": list(MODULES),
        "company": COMPANY,
        "currency": {"name": "人民币", "code": "CNY", "symbol": "¥", "numeric_code": "156", "digits": 2},
        "year": YEAR,
        "journal": {"code": JOURNAL, "name": "记账凭证"},
        "types": [{"name": name, "statement": statement, "flags": list(flags)} for name, statement, flags in _TYPES],
        "accounts": accounts(),
        "receivable": "1122",
        "payable": "2202.01",
        "user": {
            "login": LOGIN,
            "name": "对接接口用户",
            "password_file": str(home / "api-password"),
            "groups": list(GROUPS),
        },
    }
