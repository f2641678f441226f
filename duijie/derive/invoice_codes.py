"""Every fault an invoice request can have: the rule it breaks, where that rule is published, what to do about it.

Codes beginning with E are errors, with W warnings, unless `severity` of mappings/rules/invoice.yaml says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Severity = Literal["error", "warning"]

NUONUO = "诺税通 requestBillingNew 字段说明"
TAX_TABLE = "商品和服务税收分类编码表 (国家税务总局公告 2016 年第 23 号)"
RED = "国家税务总局公告 2024 年第 11 号"
VAT = "增值税法 第十条、第十一条"
INVOICING = "发票管理办法 第二十一条"


class Code(NamedTuple):
    """What a code stands for, in Chinese: the rule, its published source, the remedy."""

    rule: str
    source: str
    remedy: str


class Finding(NamedTuple):
    """One fault. `field` is where it is, `value` what stands there, `message` the whole sentence with its remedy."""

    code: str
    severity: Severity
    field: str
    value: str
    message: str
    source: str
    rule: str = ""
    remedy: str = ""


class Fault(NamedTuple):
    """A finding before its severity is known; an empty remedy is the code's own."""

    code: str
    field: str
    value: Any
    said: str
    remedy: str = ""


CODES: Mapping[str, Code] = {
    "E-KIND": Code("票种为专票或普票; 专票不开给自然人, 不含免税行", INVOICING, "请改开普票, 或更正订单的开票要求"),
    "E-BUYER-NAME": Code("购方名称必填, 且不超过平台的长度", NUONUO, "请买家重新提供发票抬头"),
    "E-BUYER-TAXNO-MISSING": Code("专票须有购方税号, 标为自然人须有身份证号", NUONUO, "请向买家索取, 或改开普票"),
    "W-USCC-CHECK": Code(
        "税号为 15、17、20 位, 或校验位正确的 18 位统一社会信用代码或身份证号",
        "GB 32100-2015; GB 11714-1997",
        "请与买家核对后更正订单的开票信息",
    ),
    "E-TAXCODE-MISSING": Code("每行须有 19 位税收分类编码", TAX_TABLE, "请在商品资料中补上税收分类编码后重放"),
    "W-TAXCODE-UNKNOWN": Code(
        "编码须在税收分类编码表内", TAX_TABLE, "请核对编码, 或用 duijie invoice tax-codes 导入最新的编码表"
    ),
    "E-TAXCODE-NOT-LEAF": Code("只能使用最末级编码, 不能使用汇总项", TAX_TABLE, "请改用其下的末级编码"),
    "E-RATE": Code("税率须为开票日有效的法定税率或征收率, 并与优惠政策标识相符", VAT, "请更正商品资料的税率与政策标识"),
    "E-LINE-TAX": Code("每行 |金额×税率 − 税额| 不超过容差 (0.06 元)", NUONUO, "请核对该行的税率与税额"),
    "W-DOC-TAX": Code("各行税额误差累计不超过容差 (1.27 元)", "开票客户端的单据税额误差上限", "请核对税额的取整方式"),
    "E-LINE-SUM": Code("每行 金额 + 税额 = 价税合计", NUONUO, "请核对订单金额"),
    "E-HEADER-SUM": Code("单据的金额、税额、价税合计等于各行之和", NUONUO, "请核对订单明细、运费、优惠与实付金额"),
    "E-TOTAL": Code("蓝票的价税合计大于 0", NUONUO, "没有应开票的金额, 请取消申请"),
    "E-QTY-PRICE": Code("数量与单价同填或同空, |数量×单价 − 金额| 不超过 0.01 元", NUONUO, "请核对数量与单价"),
    "E-DISCOUNT-ORDER": Code(
        "折扣行紧跟被折扣行, 名称、编码、税率相同, 无数量单价, 一行只有一个折扣行",
        NUONUO,
        "请按规则 discounts 重新生成申请",
    ),
    "E-DISCOUNT-OVER": Code("折扣额不超过被折扣行的金额与税额", NUONUO, "请核对折扣, 或改按折后净价开票"),
    "E-NEGATIVE-LINE": Code("蓝票只有折扣行可为负, 其余各行的金额与数量大于 0", NUONUO, "请把折扣或退货行并入其他行"),
    "E-LIMIT-LINES": Code("明细行数不超过平台上限", NUONUO, "请在开票规则 max_lines 中设上限以自动拆分"),
    "E-LIMIT-REMARK": Code("备注不超过平台上限", NUONUO, "请在开票规则 remark 中缩短"),
    "E-LIMIT-NAME": Code("商品名称不超过平台上限", NUONUO, "请在商品资料中缩短开票名称"),
    "E-LIMIT-NUMBER": Code("数量、单价的小数位与长度不超过平台上限", NUONUO, "请减少该行数量或单价的小数位"),
    "E-LIMIT-GROSS": Code(
        "单张价税合计不超过限额", INVOICING, "请在开票规则 max_gross 中设限额以自动拆分, 或申请提高限额"
    ),
    "E-SPECIAL-LINES": Code(
        "建筑服务、不动产销售与租赁只有一行, 且无规格、单位; 建筑服务也无数量、单价",
        NUONUO,
        "请把其他商品分开申请, 并去掉这些栏",
    ),
    "E-SPECIAL-FIELDS": Code("特定业务须有其专用栏目", NUONUO, "请在订单的开票要求 special 中补齐后重放"),
    "E-RED-OVER": Code("各次红冲累计不超过蓝票各行", RED, "请核对退款与已开红票, 减少红冲金额"),
    "E-RED-FULL-ONLY": Code("开票有误只能全额红冲", RED, "请改为全额红冲后重开, 或改选销货退回、服务中止、销售折让"),
    "E-NUMBER": Code(
        "数电发票号码为 20 位数字, 前两位为开票年份, 3–4 位为税务机关地区代码",
        "数电票号码编码规则 (各省税务局推广公告)",
        "请与平台或销方核对发票号码",
    ),
}


def finding(fault: Fault, severity: Mapping[str, Severity]) -> Finding:
    """The finding of a fault: its own severity, else the one its code begins with."""
    told = CODES[fault.code]
    usual: Severity = "warning" if fault.code.startswith("W-") else "error"
    remedy = fault.remedy or told.remedy
    graded = severity.get(fault.code, usual)
    message = f"{fault.said}; {remedy}"
    return Finding(fault.code, graded, fault.field, str(fault.value), message, told.source, told.rule, remedy)


__all__ = ["CODES", "Code", "Fault", "Finding", "Severity", "finding"]
