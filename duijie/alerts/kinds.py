"""Who gets what: each kind of alert with the roles that must act on it and those that get a copy, as data.

An alert's kind follows from its dedupe text, "rule|object": `RULES` names the kind of a rule; for a work item
("work|unmapped|…") it is the item's, for the watchdog ("watch|expiry|…") that of its rule.
"""

from __future__ import annotations

from dataclasses import dataclass

ENGINEER, OPS, SHOP, STORE, BOOKS, INVOICER, BOSS = ROLES = (
    "工程师",
    "运维",
    "运营",
    "仓库",
    "会计",
    "开票员",
    "老板",
)


@dataclass(frozen=True)
class Kind:
    """A kind of alert: its name in routes, its title, who must act (the first owns it), who gets a copy."""

    name: str
    title: str
    act: tuple[str, ...]
    copy: tuple[str, ...] = ()

    @property
    def roles(self) -> tuple[str, ...]:
        """Everybody who gets it."""
        return (*self.act, *self.copy)


KINDS = {
    one.name: one
    for one in (
        Kind("run", "流程失败", (OPS, ENGINEER)),
        Kind("token", "授权失效或将到期", (OPS,), (ENGINEER,)),
        Kind("unmapped", "对照缺失, 漏单", (SHOP,), (ENGINEER, STORE)),
        Kind("stock", "超卖, 负库存", (SHOP, STORE), (BOSS,)),
        Kind("voucher", "凭证被拒, 断号", (BOOKS,), (ENGINEER,)),
        Kind("reconcile", "对账差异", (BOOKS,), (SHOP, STORE)),
        Kind("invoice", "开票失败, 重复开票风险", (INVOICER,), (ENGINEER, BOOKS)),
        Kind("credit", "授信额度不足", (BOOKS, INVOICER), (BOSS,)),
        Kind("drawer", "开票员须登录或扫码", (INVOICER,), (BOOKS,)),
        Kind("approval", "等待审批", (BOOKS,), (BOSS,)),
        Kind("month_end", "月结步骤逾期", (BOOKS, BOSS)),
        Kind("upgrade", "迁移轮次结果", (OPS, ENGINEER, STORE, BOOKS, BOSS)),
        Kind("data", "单据数据有误", (SHOP,), (ENGINEER,)),
        Kind("config", "报文或配置有误", (ENGINEER,), (OPS,)),
        Kind("push", "推送异常", (OPS, ENGINEER)),
        Kind("silence", "没有动静, 积压", (OPS,), (ENGINEER,)),
        Kind("security", "登录异常", (OPS,)),
        Kind("channel", "告警渠道故障", (OPS,)),
    )
}
OTHER = Kind("other", "其他", (OPS,))
RULES = {
    "step": "run",
    "airflow": "run",
    "poll": "run",
    "run": "run",
    "token": "token",
    "stock": "stock",
    "reconcile": "reconcile",
    "month_end": "month_end",
    "upgrade": "upgrade",
    "push": "push",
    "mailbox": "push",
    "login": "security",
    "halt_credit": "credit",
    "halt_login": "drawer",
    "channel": "channel",
}
ITEMS = {
    "unmapped": "unmapped",
    "malformed": "config",
    "config": "config",
    "invalid": "data",
    "rejected": "voucher",
    "conflict": "voucher",
    "credential": "token",
    "invoice": "invoice",
    "red_answer": "invoice",
    "red_form": "invoice",
    "red_void": "invoice",
    "vanished": "token",
    "approval": "approval",
}
WATCHED = {
    "airflow": "run",
    "unended": "run",
    "expiry": "token",
    "unmapped": "unmapped",
    "drift": "config",
    "invoicing": "invoice",
}


def kind_of(dedupe: str) -> Kind:
    """The kind of an alert by its dedupe text; one of a rule nobody listed belongs to ops."""
    rule, _, rest = dedupe.partition("|")
    narrower = rest.partition("|")[0]
    if rule == "work":
        return KINDS.get(ITEMS.get(narrower, ""), OTHER)
    return KINDS.get(WATCHED.get(narrower, "silence") if rule == "watch" else RULES.get(rule, ""), OTHER)
