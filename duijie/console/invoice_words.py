"""Words of the 开票工作台: states, what to do next, reasons of reds, who may do what."""

from __future__ import annotations

from decimal import Decimal

STATES = {
    "open": "待开票",
    "approval": "待审批",
    "submitted": "已提交",
    "issuing": "开票中",
    "confirming": "待购方确认",
    "login": "等待登录",
    "parked": "已暂停(授信)",
    "issued": "已开票",
    "failed": "失败",
    "reversing": "红冲中",
    "reversed": "已红冲",
    "refused": "未批准",
    "cancelled": "已取消",
}
TABS = tuple(name for name in STATES if name not in ("confirming", "refused", "cancelled"))
COLOURS = {
    "issued": "green",
    "failed": "red",
    "refused": "red",
    "login": "orange",
    "parked": "orange",
    "approval": "yellow",
    "reversing": "purple",
    "reversed": "purple",
    "cancelled": "secondary",
}
NEXT = {
    "open": "流程下次运行时自动提交",
    "approval": "审批人批准或拒绝",
    "submitted": "系统自动查询结果",
    "issuing": "系统自动查询结果",
    "confirming": "联系购方在 72 小时内确认",
    "login": "开票员登录电子税务局, 之后自动继续",
    "parked": "调整授信额度或等次月, 之后自动继续",
    "issued": "",
    "failed": "按原因更正后重新申请",
    "reversing": "系统自动查询红字确认单",
    "reversed": "",
    "refused": "核对后重新提交",
    "cancelled": "",
}
KINDS = {"blue": "蓝票", "red": "红字", "order": "订单"}
REASONS = {
    "sales_return": "销货退回",
    "allowance": "销售折让",
    "service_stopped": "服务中止",
    "wrong_invoice": "开票有误",
}
DUTIES = {"ask": "开票申请人", "approve": "开票审批人", "issue": "开票员"}
MAY = {
    "ask": "只有开票申请人可以提交红冲",
    "approve": "只有开票审批人可以审批",
    "issue": "只有开票员可以重发、重试和刷新状态",
}
DELIVERY = {"blue": "蓝字发票", "red": "红字发票"}
STATUS = {
    "issuing": "开具中",
    "waiting_login": "等待登录",
    "waiting_confirmation": "待购方确认",
    "issued": "已开具",
    "failed": "失败",
}


def rate(value: Decimal) -> str:
    """A rate as people write it: 13%."""
    return f"{(Decimal(value) * 100).normalize():f}%"


def plain(value: Decimal) -> str:
    """A number without the zeros that say nothing: 100, 0.125."""
    return f"{Decimal(value).normalize():f}"
