"""Work items 待处理 and alerts: what people must do, written in the transaction of what it reports.

One open work item per subject gathers every record it holds up, so that fixing one unmapped code releases all of
them. An alert is deduplicated the same way: a second occurrence raises the count of the open one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import Row, exists, select, update

from duijie.connect.errors import (
    ConfigError,
    ConnectorFault,
    CredentialError,
    DataError,
    DuijieError,
    MalformedMessage,
    MappingError,
    UnmappedCode,
    VendorRejected,
)
from duijie.journal import alarms, bulk
from duijie.journal.journal import Journal
from duijie.journal.tables import alert, delivery, unmapped, work_item, work_item_record

raise_alert = alarms.raise_alert
recovered = alarms.recovered
replaced = alarms.replaced
OWNERS = {
    "unmapped": "运营",
    "malformed": "工程师",
    "invalid": "运营",
    "rejected": "会计",
    "conflict": "会计",
    "credential": "运维",
    "config": "工程师",
    "invoice": "开票员",
    "billing": "开票员",
    "file": "开票员",
    "match": "会计",
    "red_answer": "开票员",
    "red_form": "开票员",
    "red_void": "开票员",
    "vanished": "运维",
    "approval": "会计",
}
NEXT_STEPS = {
    "unmapped": "在商品档案或对照表中补上该编码, 然后点“重放”: 所有等待的单据一次放行",
    "malformed": "查看原始报文, 请对方更正后重新推送; 原文已保留",
    "invalid": "按原因更正源单据或映射, 然后重放",
    "rejected": "按对方给出的原因更正, 然后重放",
    "conflict": "目标系统中已有同号单据但金额不同, 请人工核对, 系统不会覆盖",
    "credential": "更新该连接的密钥或重新授权, 检查后点“恢复使用” (或执行 duijie connection enable)",
    "config": "按提示的文件与行号更正映射或配置",
    "invoice": "按原因更正抬头、税号或商品编码后重新申请",
    "billing": "在开票工作台的票单勾稽表中逐条核对",
    "file": "按原因核对: 修复后执行 duijie invoice fetch 号码, 或在平台网页下载原件后加 --file 文件 补入",
    "match": "按行核对采购订单、入库单与供应商发票: 更正单据, 或请供应商换开发票, 然后重新匹配",
    "red_answer": "核对后执行 duijie invoice answer 确认单编号 --agree, 或 --refuse --why 原因, 也可在开票工作台答复",
    "red_form": "请联系购方在电子税务局确认; 确认后红字发票自动开具, 本待处理自动关闭",
    "red_void": "与购方沟通后执行 duijie invoice red-again 申请号 重新发起 (新单号), 或关闭本待处理表示不再红冲",
    "vanished": "检查该连接的账号、店铺授权与查询权限是否变更, 恢复后自动继续; 若确实成批删除, 请在目标系统逐张作废",
    "approval": "在开票工作台 (或 duijie invoice approve / refuse) 批准或拒绝; 批准后自动发出",
}
MOVED = "已由其他待处理接管"
PASSED = "重放后全部通过"
TITLES = {
    "unmapped": "对照缺失, 单据等待",
    "malformed": "报文损坏",
    "invalid": "数据有误, 单据等待",
    "rejected": "对方拒绝",
    "conflict": "数值与目标系统冲突",
    "credential": "授权失效",
    "config": "配置有误, 流程停下",
    "invoice": "开票校验不通过",
    "billing": "票单勾稽有差异",
    "file": "发票文件未取得或与开票不符",
    "match": "三单匹配有差异",
    "red_answer": "购方发起红字确认单, 等待答复",
    "red_form": "红字确认单等待购方确认",
    "red_void": "红字确认单已作废, 尚未红冲",
    "vanished": "来源记录成批消失, 未作废",
    "approval": "等待审批",
}
LEVELS = {"credential": "紧急"}
ADD_A_ROW = "在“对照”页 (或 duijie code set) 补上该编码: 所有等待的单据一次放行, 该流程下次运行时处理"
MISSING_STEPS = {
    "code": ADD_A_ROW,
    "counterpart": ADD_A_ROW,
    "document": "在来源系统补建该档案 (或更正单据上的编码): 档案拉取到后, 等待的单据自动放行; 对照表补不了它",
}


@dataclass(frozen=True)
class Missing:
    """What an unmapped item lacks, `what` as in UnmappedCode; for "counterpart", `code` is the counterpart."""

    what: str
    kind: str
    connection: str
    code: str


@dataclass(frozen=True)
class Finding:
    """What to open a work item for; `owner` and `next_step` where they are not those of the kind."""

    kind: str
    subject: str
    reason: str
    missing: Missing | None = None
    owner: str = ""
    next_step: str = ""


def finding_of(error: DuijieError, place: str, key: str, mapping: str, connection: str) -> Finding:
    """The work item that a record's error asks for, at a place (an entity, a sink): its own, or that of its cause.

    What many records have wrong in the same rule of a mapping is one item, and so is a connector's fault, whatever the
    record.
    """
    if isinstance(error, ConnectorFault):
        return finding_for(error, f"{place}:{error.code or error.where}", connection)
    cause = error.cause if isinstance(error, DataError) else ""
    return finding_for(error, f"{place}:{mapping} {cause}" if cause else f"{place}:{key}", connection)


def finding_for(error: DuijieError, subject: str, connection: str = "") -> Finding:
    """The work item that an error asks for; `subject` is used where the error itself names none.

    `connection` is the one whose mapping asked: a code is missing there and nowhere else, a master document
    everywhere.
    """
    if isinstance(error, UnmappedCode):
        missing = Missing(error.what, error.kind, "" if error.what == "document" else connection, error.key)
        return Finding("unmapped", _named(missing), error.zh, missing)
    if isinstance(error, CredentialError):
        return Finding("credential", subject, error.zh)
    kinds: tuple[tuple[type[DuijieError], str], ...] = (
        (MappingError, "config"),
        (ConfigError, "config"),
        (MalformedMessage, "malformed"),
        (VendorRejected, "rejected"),
    )
    kind = next((kind for cls, kind in kinds if isinstance(error, cls)), "invalid")
    place = f" ({error.where})" if error.where and kind == "config" else ""
    return Finding(kind, subject, f"{error.zh}{place}")


def _named(missing: Missing) -> str:
    sign = "←" if missing.what == "counterpart" else ""
    at = f"@{missing.connection}" if missing.connection else ""
    return f"{missing.kind}:{sign}{missing.code}{at}"


def open_item(
    tx: Transaction, journal: Journal, flow: str, finding: Finding, records: Iterable[tuple[str, str, int]] = ()
) -> int:
    """Open or find the item for a subject and add the (entity, key, amount in fen) that it holds up."""
    subject = finding.subject[:300]
    open_subject = f"{finding.kind}|{subject}"
    steps = finding.next_step or NEXT_STEPS.get(finding.kind, NEXT_STEPS["invalid"])
    row = {
        "kind": finding.kind,
        "subject": subject,
        "open_subject": open_subject,
        "flow": flow,
        "reason": finding.reason,
        "next_step": MISSING_STEPS[finding.missing.what] if finding.missing else steps,
        "owner": finding.owner or OWNERS.get(finding.kind, "运维"),
        "created_at": journal.now(),
    }
    is_new = tx.execute(journal.insert_new(work_item).values(**row).returning(work_item.c.id)).scalar_one_or_none()
    item_id = is_new or tx.execute(select(work_item.c.id).where(work_item.c.open_subject == open_subject)).scalar_one()
    held = [{"work_item_id": item_id, "entity": e, "key": k[:200], "flow": flow, "amount": a} for e, k, a in records]
    if held:
        tx.execute(journal.insert_new(work_item_record), held)
    if is_new and finding.missing:
        named = {name: getattr(finding.missing, name) for name in ("what", "kind", "connection")}
        tx.execute(unmapped.insert().values(work_item_id=item_id, **named, code=finding.missing.code[:200]))
    if is_new:
        _tell(tx, journal, int(item_id), row)
    return int(item_id)


def open_instead(
    tx: Transaction, journal: Journal, flow: str, finding: Finding, place: str, record: tuple[str, str, int]
) -> None:
    """The same for one record, which leaves the other items of that place: it waits for this reason now."""
    item = open_item(tx, journal, flow, finding, [record])
    entity, key, _ = record
    release_records(tx, journal, flow, entity, [key], MOVED, about=f"{place}:", but=item)


def _tell(tx: Transaction, journal: Journal, item_id: int, row: Mapping[str, Any]) -> None:
    place = f"流程 {row['flow']}" if row["flow"] else f"连接 {row['subject']}"
    title = f"{TITLES.get(row['kind'], row['kind'])} · {place}"
    level = LEVELS.get(row["kind"], "重要")
    said = {"cause": row["reason"], "item_id": item_id}
    raise_alert(tx, journal, f"work|{row['open_subject']}", level, title, row["next_step"], **said)


def must_be_open(journal: Journal, item_id: int) -> None:
    """Raises ConfigError that says what is the matter: there is no such item, or who has closed it."""
    with journal.reading() as tx:
        _open_one(tx, item_id)


def claim(journal: Journal, item_id: int, who: str) -> None:
    """Put one's name on an open item, whose alert then escalates no further.

    Raises ConfigError that says who holds it or has closed it.
    """
    with journal.writing() as tx:
        mine = update(work_item).where(work_item.c.id == item_id, work_item.c.state == "open")
        if tx.execute(mine.values(state="claimed", owner=who)).rowcount:
            alarms.claim_where(tx, journal, alert.c.work_item_id == item_id, who)
            return
        held = _open_one(tx, item_id)
    raise ConfigError(
        f"待处理 {item_id} 已由 {held.owner} 认领" + (", 不用再认领" if held.owner == who else ", 如需接手请与其联系"),
        en=f"work item {item_id} is held by {held.owner}",
        where=str(item_id),
    )


def claim_alert(journal: Journal, alert_id: int, who: str) -> None:
    """Put one's name on an alert, and on the work item that it stands for. Raises ConfigError saying why not."""
    with journal.reading() as tx:
        item_id = tx.execute(select(alert.c.work_item_id).where(alert.c.id == alert_id)).scalar_one_or_none()
    if item_id:
        claim(journal, item_id, who)
    else:
        alarms.claim(journal, alert_id, who)


def close(journal: Journal, item_id: int, who: str, resolution: str) -> None:
    """Close an item with a note; what the target refused or holds otherwise is then settled by hand: cancelled.

    Raises ConfigError when there is none, no note, or it is closed already.
    """
    if not resolution.strip():
        raise ConfigError("请先写明处理说明", en="say what was done", where=str(item_id))
    with journal.writing() as tx:
        _settled_by_hand(tx, journal, item_id, who, resolution.strip())
        if not close_items(tx, journal, [item_id], who, resolution.strip()):
            _open_one(tx, item_id)


def _settled_by_hand(tx: Transaction, journal: Journal, item_id: int, who: str, resolution: str) -> None:
    is_open = exists().where(work_item.c.id == item_id, work_item.c.state != "closed")
    same = (work_item_record.c[name] == delivery.c[name] for name in ("entity", "key", "flow"))
    held = exists().where(work_item_record.c.work_item_id == item_id, *same) & is_open
    change = {"state": "cancelled", "changed_at": journal.now(), "changed_by": who[:120]}
    mine = update(delivery).where(delivery.c.state == "rejected", held)
    tx.execute(mine.values(**change, reason=f"人工处理: {resolution}"))


def unknown(item_id: int) -> ConfigError:
    """There is no such item."""
    return ConfigError(f"没有编号为 {item_id} 的待处理", en=f"no work item {item_id}", where=str(item_id))


def _open_one(tx: Transaction, item_id: int) -> Row[Any]:
    item = tx.execute(select(work_item).where(work_item.c.id == item_id)).first()
    if item is None:
        raise unknown(item_id)
    if item.state == "closed":
        raise ConfigError(
            f"待处理 {item_id} 已由 {item.closed_by} 关闭 ({item.resolution}), 不能再操作",
            en=f"work item {item_id} was closed by {item.closed_by}",
            where=str(item_id),
        )
    return item


def close_items(tx: Transaction, journal: Journal, ids: Sequence[int], who: str, resolution: str) -> int:
    """Close items; their alerts become recovery notices."""
    query = select(work_item.c.id, work_item.c.open_subject).where(work_item.c.id.in_(ids))
    rows = tx.execute(query.where(work_item.c.state != "closed")).all()
    for row in rows:
        recovered(tx, journal, f"work|{row.open_subject}")
        done = {"state": "closed", "open_subject": None, "closed_at": journal.now()}
        mine = update(work_item).where(work_item.c.id == row.id)
        tx.execute(mine.values(**done, closed_by=who[:80], resolution=resolution))
    return len(rows)


def close_subject(tx: Transaction, journal: Journal, kind: str, subject: str, resolution: str) -> None:
    """Close the open item of a subject, where there is one: its cause is over."""
    query = select(work_item.c.id).where(work_item.c.open_subject == f"{kind}|{subject[:300]}")
    close_items(tx, journal, list(tx.execute(query).scalars()), "duijie", resolution)


def close_of_step(tx: Transaction, journal: Journal, step: str, how: str) -> None:
    """A step of a flow went through: what stopped it before stops it no more, so its items of that kind are closed."""
    its_own = (work_item.c.subject == step) | work_item.c.subject.startswith(f"{step}:", autoescape=True)
    stopping = work_item.c.kind.in_(("config", "credential")) & (work_item.c.state != "closed")
    close_items(tx, journal, tx.execute(select(work_item.c.id).where(its_own, stopping)).scalars().all(), "duijie", how)


def held_up(tx: Transaction, flow: str, entity: str, keys: Collection[str]) -> set[str]:
    """Those of the keys that an item of a flow holds up, or held up."""
    named = bulk.among(tx, work_item_record.c.key, keys)
    query = select(work_item_record.c.key).where(work_item_record.c.entity == entity, named)
    return set(tx.execute(query.where(work_item_record.c.flow == flow)).scalars())


def release_records(
    tx: Transaction,
    journal: Journal,
    flow: str,
    entity: str,
    keys: Collection[str],
    how: str = PASSED,
    about: str = "",
    missed_by: str | None = None,
    but: int = 0,
) -> None:
    """Records that went through a flow after all: take them off its items, close items that hold nothing any more.

    `how` is what the last one leaves as the resolution; `about`: only off the items whose subject begins so;
    `missed_by`: only off those of a code that is missing at this connection ("": of a document that is missing);
    `but`: not off this item.
    """
    if not keys:
        return
    still_open = exists().where(work_item.c.id == work_item_record.c.work_item_id)
    still_open = still_open.where(work_item.c.state != "closed", work_item.c.id != but)
    if about:
        still_open = still_open.where(work_item.c.subject.startswith(about, autoescape=True))
    if missed_by is not None:
        still_open = still_open.where(work_item.c.id == unmapped.c.work_item_id, unmapped.c.connection == missed_by)
    held = select(work_item_record.c.work_item_id).where(
        work_item_record.c.entity == entity,
        work_item_record.c.flow == flow,
        bulk.among(tx, work_item_record.c.key, keys),
        still_open,
    )
    touched = list(tx.execute(held.distinct()).scalars())
    for item_id in touched:
        mine = (
            work_item_record.c.work_item_id == item_id,
            work_item_record.c.entity == entity,
            work_item_record.c.flow == flow,
        )
        tx.execute(work_item_record.delete().where(*mine, bulk.among(tx, work_item_record.c.key, keys)))
        left = tx.execute(
            select(work_item_record.c.key).where(work_item_record.c.work_item_id == item_id).limit(1)
        ).first()
        if left is None:
            noted = tx.execute(select(work_item.c.resolution).where(work_item.c.id == item_id)).scalar_one()
            close_items(tx, journal, [item_id], "duijie", "; ".join(filter(None, (noted, how))))
