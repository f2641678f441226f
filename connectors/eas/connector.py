"""Stream and sink of 金蝶 EAS: vouchers of one company that carry our key.

EAS takes a second voucher where it numbers them itself, so the sink is safe by look-up: our key stands in a text field
of the voucher, with its period before it, and is read back by getVoucher. One voucher a call: the roll-back of several
is not reliable. Vouchers are handed in as they are and never audited (制单 ≠ 审核).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from connectors.eas.client import CHINA, ERRORS, IMPORT, Client
from connectors.eas.settings import Settings
from connectors.eas.vouchers import ZERO, Ledger, periods
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import AnswerLost, ConfigError, TokenExpired, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Sink, Stream, Window
from duijie.connect.readback import ReadBack
from duijie.connect.services import Services

OK = "0000"
CELLS = 7  # of a row of importVoucher: company, type, year, period, code, message, number
DEBIT = 1
SAID = (("已存在", "exists"), ("重复", "exists"))
REMEDY = (
    "请核对设置 key_field 与 voucher_columns 后重试",
    "check the settings key_field and voucher_columns",
)


class VoucherStream:
    """Vouchers that carry our key, by period: getVoucher knows no time of change, so whole periods are read.

    A window reads the periods that it touches, calendar months in China; `key` begins with the period.
    """

    name, entity, key = "voucher", "voucher", "key"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def partitions(self) -> Iterable[str]:
        """One company a connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """A page a period. Raises errors of the tree."""
        for period in self._periods(window):
            found = self._ledger.vouchers(period)
            if wanted := [one for one in found if not window.keys or one["key"] in window.keys]:
                yield Page(wanted)

    @staticmethod
    def _periods(window: Window) -> Iterable[str]:
        if window.keys:
            return sorted({period for key in window.keys if (period := period_of(key))})
        last = (window.until - timedelta(microseconds=1)).astimezone(CHINA)
        return periods(f"{window.since.astimezone(CHINA):%Y%m}", f"{last:%Y%m}")


class VoucherSink:
    """importVoucher. A payload is what mappings/eas/voucher.out.yaml made: key, period, voucher, entries."""

    name, entity = "voucher", "voucher"
    safety = Safety.LOOKUP
    batch = 20

    def __init__(self, ledger: Ledger, proof: ReadBack) -> None:
        self._ledger = ledger
        self._settings = ledger.settings
        self._client = ledger.client
        self._proof = proof

    def key_of(self, payload: Record) -> str:
        """Our key as the field keeps it: period:key, shortened to the field's length."""
        return self._settings.native_key(str(payload["period"]), str(payload["key"]))

    def figures_of(self, payload: Record) -> Figures:
        """Sum of debits and of credits, in yuan."""
        sides = (("debit", "debitAmount"), ("credit", "creditAmount"))
        return {name: sum((Decimal(one[side]) for one in payload["entries"]), ZERO) for name, side in sides}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By period; of several with one key the first counts, `raw.copies` says how many there are."""
        self._proof.must_hold()
        return self._look_up(keys)

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One import each, one after the other: EAS numbers vouchers in the order they come."""
        return [self._client.retrier.outcome(partial(self._save, payload)) for payload in payloads]

    def _look_up(self, keys: Sequence[str]) -> dict[str, Found]:
        self._settings.must_read()
        held: dict[str, list[Record]] = {}
        for period in sorted({period for key in keys if (period := period_of(key))}):
            for voucher in self._ledger.vouchers(period):
                held.setdefault(voucher["key"], []).append(voucher)
        return {key: self._found(held[key]) for key in keys if key in held}

    def _save(self, payload: Record) -> Done:
        """Raises errors of the tree. After a fault nobody knows what was done: it is looked up first."""
        self._settings.must_read()
        key = self.key_of(payload)
        self._proof.may_write(key)
        try:
            rows = self._client.write(self._lines(payload, key), self._settings.verify)
        except AnswerLost:
            self._proof.lost(key, lambda: key in self._look_up([key]))
            raise
        except (TokenExpired, VendorRejected) as fault:
            there = self._look_up([key]).get(key)
            if there is None:
                raise fault
            return Done(there.native_id, there.native_no, there.raw)
        done = self._done(rows, key)
        self._proof.after(key, lambda: key in self._look_up([key]))
        return done

    def _lines(self, payload: Record, key: str) -> list[dict[str, Any]]:
        """One WSWSVoucher an entry; a voucherNumber left out would make several entries one."""
        head = {
            "companyNumber": self._settings.company,
            "creator": self._settings.creator,
            "voucherNumber": "",
            **payload["voucher"],
            self._settings.key_field: key,
        }
        return [self._line(head, at, entry) for at, entry in enumerate(payload["entries"], 1)]

    def _line(self, head: Record, at: int, entry: Record) -> dict[str, Any]:
        is_debit = Decimal(entry["debitAmount"]) != 0
        side = DEBIT if is_debit else self._settings.credit_dc
        made = {**head, **entry, "entrySeq": at, "entryDC": side}
        return {name: format(value, "f") if isinstance(value, Decimal) else value for name, value in made.items()}

    def _done(self, rows: Sequence[Sequence[str]], key: str) -> Done:
        """What the rows say. Raises what becomes of the voucher otherwise."""
        if not rows or any(len(row) < CELLS for row in rows) or len({row[4] for row in rows}) > 1:
            raise ERRORS.error("unreadable", f"{list(rows)}"[:300], where=key)
        company, word, _, _, code, text, number = rows[0][:CELLS]
        if code != OK:
            said = next((kind for words, kind in SAID if words in text), code)
            raise ERRORS.error(said, text or code, where=key)
        return Done(f"{company}:{key.partition(':')[0]}:{word}:{number}", number, {"rows": [list(row) for row in rows]})

    def _found(self, vouchers: Sequence[Record]) -> Found:
        first = vouchers[0]
        native = f"{self._settings.company}:{first['period']}:{first['word']}:{first['number']}"
        figures = {"debit": first["debit"], "credit": first["credit"]}
        return Found(native, first["number"], figures, {**first, "copies": len(vouchers)})


def period_of(key: str) -> str:
    """The yyyyMM that a key begins with, "" where it begins with none."""
    period = key.partition(":")[0]
    return period if len(period) == 6 and period.isdigit() else ""


@dataclass(frozen=True)
class Eas:
    """A connection to one company of one data centre."""

    ledger: Ledger
    proof: ReadBack

    @property
    def streams(self) -> Mapping[str, Stream]:
        """voucher."""
        return {"voucher": VoucherStream(self.ledger)}

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """voucher."""
        return {"voucher": VoucherSink(self.ledger, self.proof)}

    def check(self) -> list[tuple[str, str]]:
        """Logs in, reads the descriptions, shows the columns of getVoucher. Raises errors of the tree."""
        settings, client = self.ledger.settings, self.ledger.client
        client.log_in()
        fields = client.service(IMPORT).fields("WSWSVoucher")
        if settings.key_field not in fields:
            raise ConfigError(
                f"WSWSVoucher 没有字段 {settings.key_field}; 请把 key_field 改为其中一个文本字段: {', '.join(fields)}",
                en=f"WSWSVoucher has no field {settings.key_field}; name one of {', '.join(fields)}",
                code="eas:key_field",
                where="key_field",
            )
        sample = self.ledger.sample()
        cells = ", ".join(f"{at}={cell}" for at, cell in enumerate(sample)) or "本月没有凭证"
        lacking = "" if settings.columns else " (尚未设置 voucher_columns, 不能写入)"
        return [
            ("登录", "会话有效"),
            ("凭证引入", f"WSWSVoucher 有 {len(fields)} 个字段, 来源键写入 {settings.key_field}"),
            ("凭证读取", f"getVoucher 第一行各列: {cells}{lacking}"),
        ]


def open_eas(connection: Connection, services: Services) -> Eas:
    """Bring a connection to life. Raises ConfigError for a setting that is missing or wrong."""
    settings = Settings.of(connection)
    connection.require("dc_name")
    return Eas(Ledger(Client(connection, services), settings), ReadBack(f"{connection.conn_id}/voucher", REMEDY))
