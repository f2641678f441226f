"""Streams and sinks of 用友 U8 EAI.

A voucher carries our key as its 外部凭证业务号 (reserve2). EAI is reported to answer "数据重复上传" to a document that
came before; by what it tells them is not published. So the sink is safe by look-up, and that is a second guard.
Vouchers are made and never audited or posted (制单 ≠ 审核 ≠ 记账).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from connectors.u8eai.archives import ARCHIVES, ArchiveSink, ArchiveStream, Books
from connectors.u8eai.client import ERRORS, Client
from connectors.u8eai.settings import Settings, docid_of, native_key
from connectors.u8eai.vouchers import element_of, figures_of, native_id, record_of
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost, ConfigError
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety, Sink, Stream
from duijie.connect.readback import ReadBack
from duijie.connect.retry import side_by_side
from duijie.connect.services import Services

RENEW = "true"  # renewproofno: U8 gives the number
ABSENT = "duijie-connection-test"
REMEDY = ("请核对设置 voucher_query 后重试", "check the setting voucher_query")


class VoucherSink:
    """Adds vouchers. A payload is what mappings/u8eai/voucher.out.yaml made: key, voucher, entries."""

    name, entity = "voucher", "voucher"
    safety = Safety.LOOKUP
    batch = 20

    def __init__(self, client: Client, settings: Settings, proof: ReadBack) -> None:
        self._client = client
        self._settings = settings
        self._proof = proof

    def key_of(self, payload: Record) -> str:
        """Our key as reserve2 keeps it: 50 characters at most."""
        return native_key(str(payload["key"]))

    def figures_of(self, payload: Record) -> Figures:
        """Sum of debits and of credits, in yuan."""
        return figures_of(payload["entries"])

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By reserve2, each asked for; of several the first counts, `raw.copies` says how many there are."""
        self._proof.must_hold()
        return self._look_up(keys)

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One import each, one after the other: U8 numbers vouchers in the order they come."""
        return [self._client.retrier.outcome(partial(self._save, payload)) for payload in payloads]

    def _look_up(self, keys: Sequence[str]) -> dict[str, Found]:
        asked = list(dict.fromkeys(keys))
        held = side_by_side(self._vouchers, asked, 4)
        return {key: _found(vouchers) for key, vouchers in zip(asked, held, strict=True) if vouchers}

    def _vouchers(self, key: str) -> list[Record]:
        """Those with this key. Raises ConfigError when others come: the query asks for something else."""
        field = self._settings.voucher_query
        found = [record_of(one) for one in self._client.query("voucher", {field: key})]
        others = [one["key"] for one in found if one["key"] != key]
        if others:
            raise ConfigError(
                f"按 {field} 查询 {key}, U8 返回了别的凭证 ({others[0] or '无业务号'}); 请更正设置 voucher_query",
                en=f"asked for {key} by {field}, U8 answers other vouchers ({others[0]!r}); correct voucher_query",
                code="u8eai:voucher_query",
                where="voucher_query",
            )
        return found

    def _save(self, payload: Record) -> Done:
        key = self.key_of(payload)
        self._proof.may_write(key)
        voucher = element_of(payload, key, self._settings)
        try:
            item = self._client.add(voucher, docid_of(f"voucher:{key}"), billtype="gl", renewproofno=RENEW)
        except AnswerLost:
            self._proof.lost(key, lambda: key in self._look_up([key]))
            raise
        number = item.get("u8voucher_id", "").strip()
        if not number:
            return self._confirmed(key)
        self._proof.after(key, lambda: key in self._look_up([key]))
        head = payload["voucher"]
        place = (head["fiscal_year"], item.get("u8accounting_period") or head["accounting_period"])
        return Done("-".join((*map(str, place), str(head["voucher_type"]), number)), number, dict(item))

    def _confirmed(self, key: str) -> Done:
        """U8 says done and gives no number: what it holds decides."""
        there = self._look_up([key]).get(key)
        self._proof.after(key, lambda: there is not None)
        if there is None:
            raise ERRORS.error("unwritten", "凭证号", where=key)
        return Done(there.native_id, there.native_no, there.raw)


def _found(vouchers: Sequence[Record]) -> Found:
    first = vouchers[0]
    figures = {"debit": first["debit"], "credit": first["credit"]}
    return Found(native_id(first), first["head"].get("voucher_id", ""), figures, {**first, "copies": len(vouchers)})


@dataclass(frozen=True)
class U8:
    """A connection to one 账套."""

    client: Client
    settings: Settings
    proof: ReadBack

    @property
    def streams(self) -> Mapping[str, Stream]:
        """customer, vendor, inventory, warehouse."""
        books = Books(self.client)
        return {one.name: ArchiveStream(one, books) for one in ARCHIVES}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """voucher, customer, vendor, inventory, warehouse."""
        books = Books(self.client)
        archives: list[Sink] = [ArchiveSink(one, books) for one in ARCHIVES]
        return {one.name: one for one in (VoucherSink(self.client, self.settings, self.proof), *archives)}

    def check(self) -> list[tuple[str, str]]:
        """Reads the 凭证类别 and asks for a voucher that is not there. Raises errors of the tree."""
        words = [one.findtext("type", "") for one in self.client.query("dsign", {})]
        self.sinks["voucher"].find([ABSENT])
        return [
            ("外部系统编码", "已登记"),
            ("凭证类别", ", ".join(words) or "没有, 请先在 U8 中设置"),
            ("凭证查询", f"按 {self.settings.voucher_query} 可以查询"),
        ]


def open_u8(connection: Connection, services: Services) -> U8:
    """Bring a connection to life. Raises ConfigError for a missing setting."""
    settings = Settings.of(connection)
    return U8(Client(connection, services), settings, ReadBack(f"{connection.conn_id}/voucher", REMEDY))
