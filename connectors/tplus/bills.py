"""Bills of T+ that carry our number: 销售订单, 销货单, 进货单, and 凭证.

ExternalCode 外部系统单据号 must be unique ("编码必须唯一"): T+ refuses a second bill with ours. `…/Create` answers
null, so that T+'s own number is asked for afterwards, by `…OpenApi/GetVoucherDTO`, which takes `externalCode` too.
Source: T+Cloud API "销售订单新增", "销货单新增", "进货单新增", "凭证新增", "单据详情查询".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from connectors.tplus.client import ERRORS, Client
from duijie.codec import Record
from duijie.connect.errors import AlreadyThere, DuijieError, MalformedMessage, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side

WORKERS = 4
ZERO = Decimal(0)


@dataclass(frozen=True)
class Kind:
    """A kind of bill: the sink's name and entity, where it is created and asked for, what its lines are called."""

    name: str
    entity: str
    create: str
    detail: str
    lines: str


ORDER = Kind("sales_order", "sales_order", "saleOrder/Create", "SaleOrderOpenApi/GetVoucherDTO", "SaleOrderDetails")
DELIVERY = Kind(
    "goods_issue", "goods_issue", "saleDelivery/Create", "SaleDeliveryOpenApi/GetVoucherDTO", "SaleDeliveryDetails"
)
ARRIVAL = Kind(
    "goods_receipt", "goods_receipt", "purchaseArrival/Create", "PurchaseArrivalOpenApi/GetVoucherDTO", "VoucherDetails"
)  # fmt: skip


class BillSink:
    """`…/Create` of one kind of bill. A payload is its dto."""

    safety = Safety.NATURAL_KEY
    batch = 20

    def __init__(self, client: Client, kind: Kind) -> None:
        self._client = client
        self._kind = kind
        self.name = kind.name
        self.entity = kind.entity

    def key_of(self, payload: Record) -> str:
        """The ExternalCode."""
        return str(payload["ExternalCode"])

    def figures_of(self, payload: Record) -> Figures:
        """gross: 含税金额 over all lines, in yuan; qty: pieces over all lines."""
        return _figures(payload[self._kind.lines])

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Bills by ExternalCode, each asked for alone. What T+ refuses to find is absent, what it sends is compared."""
        found = side_by_side(self._found, keys, WORKERS)
        return {key: one for key, one in zip(keys, found, strict=True) if one}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One Create per bill, side by side."""
        return side_by_side(self._write_one, payloads, WORKERS)

    def _write_one(self, payload: Record) -> Outcome:
        return self._client.retrier.outcome(partial(self._save, payload))

    def _save(self, payload: Record) -> Done:
        key = self.key_of(payload)
        answer = _taken(self._client.write(self._kind.create, {"dto": payload}), key)
        try:
            found = self._found(key)
        except DuijieError:
            found = None  # it is written; only T+'s own number is not known
        raw = {"answer": answer}
        return Done(found.native_id, found.native_no, raw) if found else Done(key, key, raw)

    def _found(self, key: str) -> Found | None:
        data = self._client.lookup(self._kind.detail, {"externalCode": key})
        if data is None:
            return None
        if str(data.get("ExternalCode") or "") != key:
            raise MalformedMessage(
                f"按外部单据号 {key} 查询, T+ 返回了另一张单据 ({data.get('Code')}); 请在 T+ 中核对该单后重放",
                en=f"asked for ExternalCode {key}, T+ sent another bill; check it in T+, then replay",
                where=key,
            )
        lines = data.get(self._kind.lines) or data.get("Details") or []
        return Found(str(data.get("ID") or key), str(data.get("Code") or key), _figures(lines), data)


class VoucherSink:
    """`doc/Create`. T+ documents no call that brings a voucher back, so nothing can be compared: a person must.

    A second one with our ExternalCode is refused, so that sending again doubles nothing. What is refused as there
    already is not taken for done: its amounts are not known.
    """

    name, entity = "voucher", "voucher"
    safety = Safety.NATURAL_KEY
    batch = 20

    def __init__(self, client: Client) -> None:
        self._client = client

    def key_of(self, payload: Record) -> str:
        """The ExternalCode."""
        return str(payload["ExternalCode"])

    def figures_of(self, payload: Record) -> Figures:
        """Sum of debits and of credits, in yuan."""
        entries = payload["Entrys"]
        return {
            "debit": sum((Decimal(entry.get("AmountDr", "0")) for entry in entries), ZERO),
            "credit": sum((Decimal(entry.get("AmountCr", "0")) for entry in entries), ZERO),
        }

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Nothing: T+ cannot be asked. What is not known to be there is sent again, and refused if it is."""
        return {}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One Create per voucher, in order."""
        return [self._client.retrier.outcome(partial(self._save, payload)) for payload in payloads]

    def _save(self, payload: Record) -> Done:
        key = self.key_of(payload)
        try:
            return Done(key, key, {"answer": _taken(self._client.write("doc/Create", {"dto": payload}), key)})
        except AlreadyThere as error:
            sums = self.figures_of(payload)
            raise VendorRejected(
                f"T+ 已有外部单据号为 {key} 的凭证 (多半是先前应答丢失的那一次写入的), 系统无法读回金额; "
                f"请在 T+ 凭证管理中核对借方 {sums['debit']}、贷方 {sums['credit']}, 一致则关闭本待处理, 不要重放",
                en=f"T+ holds a voucher {key} already and cannot be asked for its amounts; compare them there",
                code=error.code,
                where=key,
            ) from error


def _taken(answer: Any, key: str) -> Any:
    """The answer to a Create of a bill; a text says neither that it was made nor that it was not. Raises AnswerLost."""
    if isinstance(answer, str) and answer.strip():
        raise ERRORS.error("trouble", answer[:200], where=key)
    return answer


def _figures(lines: Sequence[Record]) -> Figures:
    return {"gross": _sum(lines, "OrigTaxAmount"), "qty": _sum(lines, "Quantity")}


def _sum(lines: Sequence[Record], name: str) -> Decimal:
    return sum((_number(line.get(name), name) for line in lines), ZERO)


def _number(value: Any, name: str) -> Decimal:
    """An amount or a quantity as T+ or the mapping writes it: a number, or a text."""
    try:
        return Decimal(str(value))
    except InvalidOperation as error:
        raise MalformedMessage(
            f"单据明细的 {name} 不是数字: {value!r}; 请在 T+ 中核对该单后重放",
            en=f"{name} of a line is no number: {value!r}; check the bill in T+, then replay",
            where=name,
        ) from error
