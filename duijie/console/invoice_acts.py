"""What people do at the 开票工作台: decide, send again, ask again, look how a platform stands.

Every act ends in one sentence for the page. Who asked for a document never approves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from duijie.connect.errors import ConfigError
from duijie.connect.invoicing import Copy, Invoicing
from duijie.console import invoice_facts
from duijie.console.invoice_board import Overlay
from duijie.console.invoice_facts import REQUESTS, One
from duijie.console.site import Site
from duijie.console.users import User
from duijie.engine import Engine
from duijie.invoicing import approvals, asks, attempts, corrections, halts
from duijie.invoicing import rules as life
from duijie.journal import Journal, chosen
from duijie.journal.chosen import Wanted
from duijie.originals.resend import resend as send_again

AT_ONCE = timedelta(seconds=0)
MOST = 200


def overlay(journal: Journal) -> Overlay:
    """What waits for a yes or got a no, and which sinks are halted."""
    decided = {key: ("refused", said) for key, said in invoice_facts.refusals(journal).items()}
    decided |= {
        (one.entity, one.key): ("approval", f"价税合计 {one.amount:,} 元, 等待审批")
        for one in approvals.waiting(journal)
    }
    stops = halts.standing(journal)
    return Overlay(decided, {one.sink: (STOPPED[one.reason], one.said) for one in stops})


STOPPED = {"credit": "parked", "login": "login"}


def decide(journal: Journal, verdict: str, keys: Sequence[str], user: User, why: str) -> str:
    """Approve or refuse what waits. Raises ConfigError for one's own requests, and where nothing was chosen."""
    if not keys:
        raise ConfigError("没有选择申请: 请先勾选", en="nothing was chosen")
    if len(keys) > MOST:
        raise ConfigError(f"一次最多审批 {MOST} 张", en=f"at most {MOST} at once")
    own = [
        no
        for entity in REQUESTS
        for no, asked in invoice_facts.asked_by(journal, entity, keys).items()
        if asked.who == user.name
    ]
    if own:
        raise ConfigError(f"{', '.join(own)} 由本人提交, 须由其他审批人审批", en="nobody approves what they asked for")
    if verdict == "refuse":
        return f"已拒绝 {approvals.refuse(journal, keys, user.display, why)} 张: {why}"
    if verdict != "approve":
        raise ConfigError("请选择批准或拒绝", en="approve or refuse")
    return f"已批准 {approvals.approve(journal, keys, user.display, why)} 张, 由流程下次运行发出"


def resend(site: Site, found: One, copy: Copy, who: str) -> str:
    """Have the platform send an issued invoice again."""
    if found.invoice is None or found.invoice.body["status"] != "issued":
        raise ConfigError("还没有开出发票, 不能重发", en="nothing is issued")
    send_again(site.journal, found.invoice, Engine(site.journal, root=site.root).connector(_platform(found)), copy, who)
    return f"已交平台重新发送到 {'、'.join(filter(None, (copy.mail, copy.phone)))}"


def again(site: Site, found: One, who: str, why: str) -> str:
    """Ask again for what failed: under the same number where the platform never took it, else as the rules say."""
    no = found.request.key
    if any(one.state in ("rejected", "blocked") for one in found.tries):
        choice = chosen.to_retry(site.journal, Wanted(ids=tuple(one.id for one in found.tries)))
        return f"已放行 {chosen.retry(site.journal, choice.rows, who, why)} 笔, 由流程下次运行发送"
    if found.is_red:
        made = corrections.again(site.journal, no, who=who)
        return f"已重新发起红字申请 {made['request_no']}, 由流程下次运行发送"
    attempts.want(site.journal, [no], who, why)
    return "已要求重新申请, 由流程下次运行处理"


def refresh(site: Site, connection: str) -> str:
    """Ask a platform for credit line and login, as often as it lets itself be asked."""
    system = Engine(site.journal, root=site.root).connector(connection)
    if not isinstance(system, Invoicing):
        raise ConfigError(f"连接 {connection} 不是开票平台", en=f"{connection} issues no invoices", where=connection)
    rules = life.load(site.root / "mappings" / "rules")
    fresh = [asks.credit(site.journal, connection, system, AT_ONCE, rules)]
    fresh.append(asks.login(site.journal, connection, system, AT_ONCE, rules) is not None)
    if not any(fresh):
        return f"刚查询过, 或今天已查询 {rules.asks_a_day} 次, 或平台没有应答; 显示的是上次结果"
    return "已向平台查询授信额度与登录状态"


def resume(journal: Journal, connection: str, who: str) -> str:
    """Let a halted platform be tried again."""
    return f"已恢复 {len(halts.resume(journal, connection, who))} 个写入口, 先试发一张"


def _platform(found: One) -> str:
    if not found.tries:
        raise ConfigError("这张申请没有提交过平台", en="it was never sent")
    return found.tries[-1].sink.partition("/")[0]
