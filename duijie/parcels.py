"""What travels to a sink, and what becomes of a delivery for each way a call can end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from duijie.codec import Record
from duijie.connect.errors import ConnectorFault, DuijieError
from duijie.connect.protocol import Done, Figures, Found, Halt, Later, Outcome, Refused, Safety, Unknown
from duijie.journal import documents
from duijie.journal.deliveries import Change, Delivered, Delivery

GRACE_SECONDS = {Safety.NATURAL_KEY: 0.0, Safety.TOKEN: 0.0, Safety.ABSOLUTE: 0.0, Safety.LOOKUP: 3.0}
LONGEST_PAUSE = 300.0
HALTED_UNKNOWN_SECONDS = 60.0
ATTEMPTS = 8
COUNTED = {"done": "delivered", "rejected": "waiting", "unknown": "unknown", "pending": "postponed"}

T = TypeVar("T")
Held = tuple[str, str, int]  # entity, key, amount in fen: what a work item holds up


@dataclass(frozen=True)
class Parcel:
    """A claimed delivery with the payload its mapping made."""

    delivery: Delivery
    payload: Record
    key: str
    figures: Figures
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_worn(self) -> bool:
        """It was sent so often that a person must look."""
        return self.delivery.attempts >= ATTEMPTS


def shielded(name: str, call: Callable[[], T]) -> T:
    """Run a connector's code: whatever it raises that is not of the tree is a ConnectorFault that names it."""
    try:
        return call()
    except DuijieError:
        raise
    except Exception as error:
        raise ConnectorFault(
            f"{name} 的连接器程序出错 ({type(error).__name__}: {error}); 请把这一句交给连接器的开发者, 修复后重放",
            en=f"the connector of {name} failed: {type(error).__name__}: {error}",
            code="CONNECTOR",
            where=name,
        ) from error


def change_of(parcel: Parcel, outcome: Outcome, safety: Safety) -> Change:
    """What an outcome makes of the delivery."""
    match outcome:
        case Done():
            return done(parcel, outcome.native_id, outcome.native_no, outcome.raw, "")
        case Refused():
            return Change("rejected", outcome.zh, target_key=parcel.key)
        case Unknown():
            pause = max(GRACE_SECONDS[safety], outcome.settles_after)
            return Change("unknown", outcome.zh, target_key=parcel.key, retry_in=pause)
        case Later():
            pause = max(outcome.after, min(2.0**parcel.delivery.attempts, LONGEST_PAUSE))
            return Change(_still(parcel), outcome.zh, retry_in=pause)
        case Halt():
            after = _still(parcel)
            return Change(after, outcome.zh, retry_in=HALTED_UNKNOWN_SECONDS if after == "unknown" else 0.0)


def _still(parcel: Parcel) -> str:
    """What a delivery is whose call was certainly not carried out: an earlier one of it may have been all the same."""
    return "unknown" if parcel.delivery.before == "unknown" else "pending"


def given_up(parcel: Parcel, outcome: Outcome) -> Outcome:
    """A delivery that was put off once too often is refused: a person must look."""
    if not isinstance(outcome, Later) or not parcel.is_worn:
        return outcome
    zh = f"已尝试 {parcel.delivery.attempts} 次仍未成功: {outcome.zh}; 请排除原因后重放"
    return Refused("ATTEMPTS", zh, f"given up after {parcel.delivery.attempts} attempts: {outcome.en}")


def done(parcel: Parcel, native_id: str, native_no: str, raw: Record, why: str) -> Change:
    """The target has got it."""
    return Change("done", why, native_id=native_id, native_no=native_no, target_key=parcel.key, receipt=raw)


def held(one: Delivery) -> Held:
    """What a work item about a delivery holds up."""
    return one.document.entity, one.document.key, documents.amount_of(one.document.body)


def worn_out(parcel: Parcel) -> str:
    """Why a delivery whose outcome was unknown again and again waits for a person."""
    return (
        f"已发出 {parcel.delivery.attempts} 次, 每次结果未知, 而目标系统查不到 {parcel.key}; "
        "请在目标系统确认没有该单据并排除原因后重放"
    )


def revised(before: Delivered, said: str) -> str:
    """Why a changed document waits for a person."""
    number = before.native_no or before.native_id
    return (
        f"目标系统已有第 {before.document.version} 版 (单号 {number}), 新版本内容不同: {said}。"
        "系统不会覆盖已送达的单据, 请在目标系统人工更正后关闭本待处理"
    )


def unlike(parcel: Parcel, there: Found) -> list[tuple[str, str, str]]:
    """What tells a document at the target from ours: (name, ours, theirs).

    Figures must be the same on both sides; of marks (names, numbers, lines) those that both sides bring.
    """
    names = dict.fromkeys((*parcel.figures, *there.figures))
    pairs: list[tuple[str, object, object]]
    pairs = [(name, parcel.figures.get(name), there.figures.get(name)) for name in names]
    pairs += [(name, ours, there.marks[name]) for name, ours in parcel.marks.items() if name in there.marks]
    return [(name, _said(ours), _said(theirs)) for name, ours, theirs in pairs if ours != theirs]


def _said(value: object) -> str:
    return "无" if value in (None, "") else str(value)


def conflict(parcel: Parcel, there: Found) -> str:
    """Why a document that is there, but is another than ours, waits for a person: everything that differs."""
    number = there.native_no or parcel.key
    told = "; ".join(f"{name} 我方 {ours}, 对方 {theirs}" for name, ours, theirs in unlike(parcel, there))
    return f"目标系统已有单据 {number}, 但与我方不同: {told}。请人工核对, 不会覆盖"


def withdrawn(before: Delivered) -> str:
    """Why a document that its source has withdrawn waits for a person."""
    number = before.native_no or before.native_id
    return (
        f"来源系统已取消该单据, 而目标系统仍有单号 {number} (第 {before.document.version} 版);"
        " 该目标不支持自动冲销, 请在目标系统作废或红冲后关闭本待处理"
    )
