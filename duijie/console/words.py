"""Every word and format that pages share, in one place, so that they can be translated."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from duijie.journal.documents import yuan

CHINA = timezone(timedelta(hours=8), "CST")
NAVIGATION = (
    ("/", "今日总览"),
    ("/trace", "联查"),
    ("/work", "待处理"),
    ("/deliveries", "投递"),
    ("/codes", "对照"),
    ("/reconcile", "对账"),
    ("/report", "日报"),
    ("/alerts", "告警"),
    ("/pushes", "推送"),
    ("/lab", "映射实验室"),
)
FOR_ENGINEERS = ("/lab",)
ENTITIES = {
    "sales_order": "销售订单",
    "sales_refund": "退款",
    "voucher": "凭证",
    "invoice_request": "开票申请",
    "red_request": "红字申请",
    "invoice": "发票",
    "red_form": "红字信息确认单",
    "red_issue": "红字开票",
    "red_answer": "确认单答复",
    "invoice_correction": "抬头更正",
    "party": "往来单位",
    "product": "商品",
    "stock_level": "即时库存",
    "shop_stock": "店铺可售数",
    "listing": "店铺商品",
    "shipment": "发货",
    "unit": "计量单位",
    "warehouse": "仓库",
    "purchase_order": "采购订单",
    "goods_receipt": "入库单",
    "goods_issue": "出库单",
    "opportunity": "商机",
}
STATES = {
    "pending": "待发",
    "claimed": "处理中",
    "sent": "已发出",
    "done": "已送达",
    "unknown": "结果未知",
    "blocked": "缺对照",
    "rejected": "被拒",
    "superseded": "已被取代",
    "cancelled": "不发送",
}
DOCUMENT_STATES = {
    "unpaid": "未付款",
    "paid": "已付款",
    "shipped": "已发货",
    "finished": "已完成",
    "closed": "已关闭",
    "open": "处理中",
    "success": "已成功",
    "issuing": "开具中",
    "waiting_confirmation": "等待确认",
    "issued": "已开具",
    "failed": "失败",
}
MESSAGE_STATES = {"blocked": "缺对照", "malformed": "报文损坏", "invalid": "数据有误"}
ROLES = {"engineer": "工程师", "ops": "运维", "finance": "财务", "viewer": "只读"}
COLOURS = {"done": "green", "rejected": "red", "blocked": "orange", "unknown": "yellow", "cancelled": "secondary"}
STAGES = {"pending": "待发", "unknown": "结果未知", "blocked": "阻塞"}
ALERT_STATES = {"pending": "待发", "sent": "已发", "recovered": "已恢复", "failed": "失败"}
SEND_STATES = {
    "waiting": "等待",
    "claimed": "发送中",
    "sending": "发送中",
    "sent": "已发",
    "cancelled": "已取消",
}
KINDS = {
    "unmapped": "对照缺失",
    "malformed": "报文损坏",
    "invalid": "数据有误",
    "rejected": "对方拒绝",
    "conflict": "数值冲突",
    "credential": "授权失效",
    "config": "配置有误",
    "invoice": "开票校验",
    "red_answer": "购方红字确认单",
    "red_form": "等待购方确认",
    "red_void": "红字确认单作废",
    "vanished": "成批消失",
    "approval": "等待审批",
}
SYSTEMS = {
    "taobao": "淘宝",
    "xingchen": "金蝶AI星辰",
    "k3cloud": "金蝶云星空",
    "tryton": "Tryton",
    "fxiaoke": "纷享销客",
    "nuonuo": "诺诺",
    "pdd": "拼多多",
    "doudian": "抖店",
    "woocommerce": "WooCommerce",
    "vendure": "Vendure",
    "tplus": "畅捷通 T+",
    "eas": "金蝶 EAS",
    "u8eai": "用友 U8 EAI",
}
CODE_KINDS = {
    "customer": "客户",
    "supplier": "供应商",
    "sku": "店铺SKU",
    "warehouse": "仓库",
    "account": "科目",
    "tax_rate": "税率",
    "unit": "单位",
    "logistics": "物流公司",
}
LOOKUPS = {"table": "码表", "xref": "对照", "ref": "主数据", "codes": "对照反查", "xref_back": "对照反查"}
INCIDENTS = {
    "AnswerLost": "应答丢失, 重读",
    "RateLimited": "限流, 等待",
    "TokenExpired": "令牌过期, 刷新",
    "NotSent": "连接失败, 重试",
    "VendorBusy": "对方繁忙, 重试",
    "AlreadyThere": "对方报已存在, 查询",
    "PushRefused": "推送被拒, 未入库",
    "HintUnfindable": "推送的单号查不到, 已放弃",
}


def light(colour: str, meaning: str) -> Markup:
    """A coloured dot that also says what it means to who cannot see colours."""
    text = '<span class="light {}" role="img" title="{}" aria-label="{}"></span>'
    return Markup(text).format(colour, meaning, meaning)  # noqa: S704  a constant; format escapes what goes in


def money(fen: int | None) -> Markup:
    """Fen as yuan: thousands separated, two decimals, negatives red; nothing for nothing."""
    return Markup("") if fen is None else amount(yuan(fen))


def amount(value: Any) -> Markup:
    """Yuan with thousands separators and two decimals; nothing for nothing."""
    if value is None:
        return Markup("")
    given = Decimal(value)
    sign = "negative" if given < 0 else ""
    return Markup('<span class="{}">{}</span>').format(sign, f"{given:,.2f}")


def count(value: Decimal | int | None) -> str:
    """A number with thousands separators; a dash for one that is not known."""
    return "—" if value is None else f"{value:,}"


def moment(value: datetime | None) -> str:
    """A time in China."""
    return value.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S") if value else "—"


def span(length: timedelta) -> str:
    """A length of time in the largest fitting unit; nothing below a minute."""
    seconds = int(length.total_seconds())
    units = ((86400, "天"), (3600, "小时"), (60, "分钟"))
    return next((f"{seconds // size} {unit}" for size, unit in units if seconds >= size), "")


def age(value: datetime, now: datetime) -> str:
    """How long something has lasted."""
    return span(now - value) or "不到 1 分钟"


def ago(value: datetime | None, now: datetime) -> str:
    """How long ago something happened; a dash for what never did."""
    if value is None:
        return "—"
    return f"{passed}前" if (passed := span(now - value)) else "刚刚"


def code_kind(kind: str) -> str:
    """What a code table or a master document is of."""
    return CODE_KINDS.get(kind) or ENTITIES.get(kind, kind)


def place(connection: str) -> str:
    """Where a code holds."""
    return "全部连接" if connection == "*" else SYSTEMS.get(connection, connection)


def sink(name: str) -> str:
    """A sink's name in words: 金蝶AI星辰 · sales_order."""
    system, _, entity = name.partition("/")
    return f"{SYSTEMS.get(system, system)} · {ENTITIES.get(entity, entity)}"
