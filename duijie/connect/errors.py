"""The one tree of errors: what happened, who must act, what to do next.

::

    DuijieError
    ├── Terminal                      trying again cannot help
    │   ├── ConfigError      config   a setting or a file is wrong
    │   │   ├── CredentialError       the system refused the key or password
    │   │   │   └── Disabled          it did so three times: nothing is sent until a person says so
    │   │   ├── MappingError          a mapping file is wrong (file:line:column)
    │   │   └── ConnectorFault        a connector's own program failed
    │   ├── DataError        data     this one record is wrong
    │   │   ├── UnmappedCode          a code has no counterpart yet (对照缺失)
    │   │   ├── MalformedMessage      the record cannot be read
    │   │   └── InvalidDocument       the document breaks its schema or a rule
    │   ├── Forged           data     a push that its sender did not sign, or signed too long ago
    │   └── VendorRejected   vendor   the system said no, for a reason a person must settle
    ├── Transient                     certainly not carried out; trying again may help
    │   ├── RateLimited      vendor   wait `retry_after` seconds
    │   │   └── LineDown     network  the system has not answered for a while; it is left alone for `retry_after`
    │   ├── VendorBusy       vendor
    │   ├── TokenExpired     config   refresh, then try again
    │   ├── NotSent          network  the call never left
    │   ├── Parked           vendor   nothing of this kind goes until somebody acts
    │   │   ├── CreditExhausted       the month's credit line 授信额度 is used up
    │   │   └── LoginNeeded           the drawer must log in, or be seen, at the tax bureau
    │   └── JournalBusy      config   the journal is locked or its disk is full
    └── OutcomeUnknown                it may have been carried out: ask first, never just re-send
        ├── AnswerLost       network
        └── AlreadyThere     vendor   the system says our key exists: look it up and compare

Each error carries two voices: `zh` for the people who work with it, `en` for the log. Both end with what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

Blame = Literal["config", "data", "vendor", "network"]

__all__ = [
    "AlreadyThere",
    "AnswerLost",
    "Blame",
    "ConfigError",
    "ConnectorFault",
    "CredentialError",
    "CreditExhausted",
    "DataError",
    "Disabled",
    "DuijieError",
    "Forged",
    "InvalidDocument",
    "JournalBusy",
    "LineDown",
    "LoginNeeded",
    "MalformedMessage",
    "MappingError",
    "NotSent",
    "OutcomeUnknown",
    "Parked",
    "RateLimited",
    "Terminal",
    "TokenExpired",
    "Transient",
    "UnmappedCode",
    "VendorBusy",
    "VendorRejected",
    "in_part",
    "together",
]


class DuijieError(Exception):
    """Root. `code` is the vendor's or our own short code, `where` names the record, field or file.

    `part` names the partition that failed; `causes` are the errors that this one stands for, where several did.
    """

    blame: ClassVar[Blame] = "config"

    def __init__(self, zh: str, *, en: str = "", code: str = "", where: str = "") -> None:
        super().__init__(en or zh)
        self.zh = zh
        self.en = en or zh
        self.code = code
        self.where = where
        self.part = ""
        self.causes: tuple[DuijieError, ...] = ()

    def __str__(self) -> str:
        head = f"[{self.code}] " if self.code else ""
        tail = f" ({self.where})" if self.where else ""
        return f"{head}{self.en}{tail}"


class Terminal(DuijieError):
    """Trying again cannot help."""


class ConfigError(Terminal):
    """A setting or a file is wrong."""


class CredentialError(ConfigError):
    """The system refused our credentials."""


class Disabled(CredentialError):
    """The connection is out of use: the system refused our key three times, or a person switched it off."""

    def __init__(self, conn_id: str, why: str) -> None:
        super().__init__(
            f"连接 {conn_id} 已停用 ({why}), 未发出任何请求; 请排除原因 (如更新密钥或重新授权), "
            f"用 duijie connection test {conn_id} 检查后执行 duijie connection enable {conn_id}",
            en=f"connection {conn_id} is disabled; remove the cause, then run duijie connection enable {conn_id}",
            code="DISABLED",
            where=conn_id,
        )


class MappingError(ConfigError):
    """A mapping file is wrong; `where` is file:line:column."""


class ConnectorFault(ConfigError):
    """A connector's own program failed: its developer must look."""


class DataError(Terminal):
    """This one record is wrong.

    `cause`: what others may have wrong in the same way, such as a rule's field; they share one work item.
    """

    blame: ClassVar[Blame] = "data"
    cause: str = ""


class UnmappedCode(DataError):
    """A code has no counterpart yet; `kind` and `key` name what is missing, `what` where.

    `what` "code": the code table has no row for this code; "counterpart": none whose counterpart this is;
    "document": the master document of this entity (`kind`) has not arrived, which no row can mend.
    """

    def __init__(self, kind: str, key: str, *, system: str = "", what: str = "code") -> None:
        zh, en = _UNMAPPED[what]
        named = {"kind": kind, "key": key, "system": system or "对照表"}
        super().__init__(zh.format(**named), en=en.format(**named), code="UNMAPPED", where=f"{kind}:{key}")
        self.kind = kind
        self.key = key
        self.what = what


_UNMAPPED = {
    "code": (
        "对照缺失: {kind} “{key}” 在 {system} 中没有对应, 请在对照表中补一行后重放",
        "no {kind} is mapped for {key!r}; add a row to the code table, then replay",
    ),
    "counterpart": (
        "对照缺失: 没有 {kind} 的编码对应 “{key}”, 请在对照表中补一行后重放",
        "no {kind} code stands for {key!r}; add a row to the code table, then replay",
    ),
    "document": (
        "档案缺失: {kind} “{key}” 还没有从来源系统拉取到, 请在来源系统补建该档案或更正单据上的编码",
        "the {kind} {key!r} has not arrived; make it in its system, or correct the code on the record",
    ),
}


class MalformedMessage(DataError):
    """The record cannot be read as its stream promises."""

    cause = "报文"


class InvalidDocument(DataError):
    """The document breaks its schema or a business rule."""


class Forged(Terminal):
    """A push whose signature does not hold; `code` says which part: missing, signature, late."""

    blame: ClassVar[Blame] = "data"


class VendorRejected(Terminal):
    """The system said no, for a reason a person must settle."""

    blame: ClassVar[Blame] = "vendor"


class Transient(DuijieError):
    """Certainly not carried out; trying again may help."""

    blame: ClassVar[Blame] = "vendor"


class RateLimited(Transient):
    """The system asks us to wait `retry_after` seconds."""

    def __init__(self, zh: str, *, retry_after: float = 1.0, en: str = "", code: str = "", where: str = "") -> None:
        super().__init__(zh, en=en, code=code, where=where)
        self.retry_after = retry_after


class LineDown(RateLimited):
    """The connection rests: nobody calls it for so many seconds, then one call tries it."""

    blame: ClassVar[Blame] = "network"

    def __init__(self, conn_id: str, seconds: float, *, is_dead: bool) -> None:
        zh = "多次没有应答, 已暂停" if is_dead else "要求稍候, 已暂停"
        en = "has not answered and is left alone" if is_dead else "asked us to wait"
        super().__init__(
            f"连接 {conn_id} {zh}, {seconds:.0f} 秒后自动重试; 若持续请检查网络与对方系统",
            en=f"connection {conn_id} {en} for {seconds:.0f} s",
            code="LINE",
            where=conn_id,
            retry_after=max(seconds, 0.1),
        )


class VendorBusy(Transient):
    """The system did nothing now: it is overloaded, or something else must end first; try in `retry_after` seconds."""

    retry_after: float = 5.0


class TokenExpired(Transient):
    """The access token is no longer valid."""

    blame: ClassVar[Blame] = "config"


class NotSent(Transient):
    """No connection could be made: nothing left this machine."""

    blame: ClassVar[Blame] = "network"


class Parked(Transient):
    """Certainly not carried out, and nothing of its kind will be until somebody acts: trying again only annoys."""


class CreditExhausted(Parked):
    """The seller's credit line (授信额度) does not cover it: it must be raised, or the month must turn."""


class LoginNeeded(Parked):
    """The drawer must log in at the tax bureau, by password, text message or a scan. `qr`: what must be scanned."""

    qr: str = ""


class JournalBusy(Transient):
    """The journal cannot be written now: locked, or its disk is full."""

    blame: ClassVar[Blame] = "config"


class OutcomeUnknown(DuijieError):
    """It may have been carried out: ask the system before writing again."""

    blame: ClassVar[Blame] = "network"


class AnswerLost(OutcomeUnknown):
    """The call left and no readable answer came back; what it does at the target is done `settles_after` seconds on."""

    def __init__(self, zh: str, *, settles_after: float = 0.0, en: str = "", code: str = "", where: str = "") -> None:
        super().__init__(zh, en=en, code=code, where=where)
        self.settles_after = settles_after


class AlreadyThere(OutcomeUnknown):
    """The system says a document with our key exists: look it up and compare."""

    blame: ClassVar[Blame] = "vendor"


def in_part(error: DuijieError, part: str) -> DuijieError:
    """The same error, saying which partition it is of."""
    named = type(error).__new__(type(error), *error.args)
    named.__dict__.update(error.__dict__)
    named.part = part
    if part:
        named.zh, named.en = f"分区 {part}: {error.zh}", f"partition {part}: {error.en}"
    named.__cause__ = error
    return named


def together(errors: Sequence[DuijieError]) -> DuijieError:
    """One error for all that failed side by side: worth another try where one of them is."""
    if len(errors) == 1:
        return errors[0]
    kind = Terminal if all(isinstance(one, Terminal) for one in errors) else Transient
    head = f"{len(errors)} 个分区失败: ", f"{len(errors)} partitions failed: "
    zh, en = head[0] + "; ".join(one.zh for one in errors), head[1] + "; ".join(one.en for one in errors)
    found = kind(zh, en=en, code="PARTS", where=", ".join(one.part for one in errors))
    found.causes = tuple(errors)
    return found
