"""The sandbox's starting ledger: a chart by 企业会计准则, voucher words, open periods; and
the base data of a small trade: one organisation, two shops as customers, a supplier, a warehouse, a material.

Codes follow 企业会计准则——应用指南 附录 会计科目和主要账务处理; the sub-codes below 2221 and 6601 are this company's
own choice, as in every real ledger.
"""

from __future__ import annotations

from typing import Any

CUSTOMER = ["customer"]

_CHART = """
1001 库存现金
1002 银行存款
1012 其他货币资金
1122 应收账款 customer
1123 预付账款
1221 其他应收款
1402 在途物资
1405 库存商品
1406 发出商品
1901 待处理财产损溢
2202 应付账款 +
2202.01 应付账款-货款
2202.02 应付账款-应付暂估款
2203 预收账款 customer
2204 合同负债 customer
2241 其他应付款
2221 应交税费 +
2221.01 应交增值税 +
2221.01.01 进项税额
2221.01.02 已交税金
2221.01.03 转出未交增值税
2221.01.04 减免税款
2221.01.05 销项税额
2221.01.06 进项税额转出
2221.02 未交增值税
2221.03 待转销项税额
2221.04 应交城市维护建设税
2221.05 应交教育费附加
2221.06 应交所得税
4103 本年利润
4104 利润分配
6001 主营业务收入
6051 其他业务收入
6117 其他收益
6301 营业外收入
6401 主营业务成本
6402 其他业务成本
6403 税金及附加
6601 销售费用 +
6601.01 平台佣金
6601.02 技术服务费
6601.03 推广费
6601.04 运费
6601.05 其他销售费用
6602 管理费用
6603 财务费用
6711 营业外支出
6801 所得税费用
"""


def _account(line: str) -> dict[str, Any]:
    number, name, *marks = line.split()
    return {"number": number, "name": name, "leaf": "+" not in marks, "aux": CUSTOMER if "customer" in marks else []}


ACCOUNTS: list[dict[str, Any]] = [_account(line) for line in _CHART.strip().splitlines()]
_HEAD_OFFICE = {"FCreateOrgId": {"FNumber": "100"}, "FUseOrgId": {"FNumber": "100"}}
_BILL_TYPES = {
    "XSDD01_SYS": "标准销售订单",
    "CGDD01_SYS": "标准采购订单",
    "XSCKD01_SYS": "标准销售出库单",
    "RKD01_SYS": "标准采购入库单",
}


def _owned(number: str, name: str) -> dict[str, Any]:
    return {"FNumber": number, "FName": name, **_HEAD_OFFICE}


BASE_DATA: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "ORG_Organizations": ("organisations", [{"number": "100", "name": "总公司"}]),
    "BD_Currency": ("currencies", [{"number": "PRE001", "name": "人民币"}]),
    "BOS_BillType": ("bill_types", [{"number": number, "name": name} for number, name in _BILL_TYPES.items()]),
    "BD_TaxRate": ("tax_rates", [{"number": "SL13", "name": "13%"}]),
    "BD_MATERIALGROUP": ("material_groups", [{"number": "01", "name": "食品"}]),
    "BD_UNIT": ("units", [{"number": "Pcs", "name": "件"}]),
    "BD_Customer": ("customers", [_owned("C001", "天猫旗舰店"), _owned("C002", "淘宝企业店")]),
    "BD_Supplier": ("suppliers", [_owned("V001", "杭州食品有限公司")]),
    "BD_STOCK": ("warehouses", [_owned("CK01", "主仓")]),
    "BD_MATERIAL": (
        "materials",
        [
            {
                **_owned("A1", "面条"),
                "FMaterialGroup": {"FNumber": "01"},
                "SubHeadEntity": {
                    "FErpClsID": "1",
                    "FBaseUnitId": {"FNumber": "Pcs"},
                    "FTaxRateId": {"FNumber": "SL13"},
                },
            }
        ],
    ),
}
CONFIG: dict[str, Any] = {
    "acct_id": "5f0c1a2b3c4d5e",
    "user": "duijie",
    "app_id": "205022_0123456789abcdef0123456789abcdef",
    "app_secret": "fedcba9876543210fedcba9876543210",
    "account_book": "001",
    "key_fields": {"F_DJ_SOURCEKEY": 80},
    "groups": {"PRE001": "记", "PRE002": "收", "PRE003": "付", "PRE004": "转"},
    "periods": {"open": ["202611", "202612"]},
    "silent_reissue": True,
    "forgets_repeats": True,
    "denied": [],
    "limits": {},
}
