"""The machines: Airflow's components, the disk, the clock, the backups."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select

from duijie.connect.errors import DuijieError
from duijie.journal import upkeep
from duijie.journal.tables import run
from duijie.runtime.rest import AirflowRest
from duijie.watch.finding import SERIOUS, URGENT, Finding, View, span

COMPONENTS = {
    "metadatabase": ("元数据库", "请检查 Airflow 的数据库服务"),
    "scheduler": ("调度器", "所有流程不再按计划运行: 请重启 scheduler 并查看其日志"),
    "triggerer": ("触发器", "门铃与轮询停止, 每分钟的清扫仍在; 请重启 triggerer 并查看其日志"),
    "dag_processor": ("DAG 解析器", "流程文件的改动不会生效: 请重启 dag-processor 并查看其日志"),
}
HEALTHY = ("healthy", None)  # None: this installation has no such component
VERY_FULL = 3


def airflow(view: View) -> Iterator[Finding]:
    """Airflow's own components, where its address is known."""
    if not view.airflow:
        return
    try:
        health = AirflowRest(view.airflow, "", "").health()
    except DuijieError as error:
        yield Finding("airflow", "api-server", URGENT, f"Airflow 接口没有应答 ({view.airflow})", error.zh)
        return
    for name, (word, advice) in COMPONENTS.items():
        if (health.get(name) or {}).get("status") not in HEALTHY:
            level = SERIOUS if name == "dag_processor" else URGENT
            yield Finding("airflow", name, level, f"Airflow 的{word} ({name}) 已停止心跳", advice)


def disk(view: View) -> Iterator[Finding]:
    """The disks of the state folder and of a journal that is a file."""
    path = view.journal.engine.url.database
    folders = [view.folder] if view.journal.is_postgres or not path else [view.folder, Path(path).absolute().parent]
    for device, folder in {one.stat().st_dev: one for one in folders}.items():
        usage = shutil.disk_usage(folder)
        free = usage.free * 100 // usage.total
        if free < view.limits.disk_percent:
            level = URGENT if free < VERY_FULL else SERIOUS
            title = f"磁盘将满: {folder} 所在磁盘剩余 {free}% ({usage.free // 2**20:,} MB)"
            body = "请清理或扩容; 日志库可用 duijie journal purge 归档旧数据。写满时各批回滚, 不丢数据, 但全部停止"
            yield Finding("disk", str(device), level, title, body)


def clock(view: View) -> Iterator[Finding]:
    """This machine against the journal's server: leases and windows hang on it."""
    if not view.journal.is_postgres:
        return
    with view.journal.reading() as tx:
        theirs: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
    skew = view.journal.now() - theirs
    if abs(skew) > timedelta(seconds=view.limits.skew_seconds):
        title = f"本机时钟与日志库服务器相差 {skew.total_seconds():+.0f} 秒"
        yield Finding("clock", "journal", SERIOUS, title, "请启用 NTP 对时: 租约、读取窗口和签名时间戳都依赖时钟")


def backups(view: View) -> Iterator[Finding]:
    """A journal that is older than the patience and was not backed up, or whose backups were not tested."""
    with view.journal.reading() as tx:
        born = tx.execute(select(func.min(run.c.started_at))).scalar_one()
    if born is None:
        return
    asked = (
        ("backup", view.limits.backup_days, "备份", "请安排 duijie journal backup 目录 (见 docs/operations.md)"),
        (
            "verify",
            view.limits.verify_days,
            "验证过备份可恢复",
            "请运行 duijie journal verify: 没验证过的备份不算备份",
        ),
    )
    for kind, days, word, advice in asked:
        done = upkeep.last(view.journal, kind)
        since = done.at if done else born
        if view.now - since > timedelta(days=days):
            said = f"最近一次在 {span(view.now - since)}前" if done else "从未做过"
            yield Finding("backup", kind, SERIOUS, f"日志库已超过 {days} 天没有{word} ({said})", advice)
