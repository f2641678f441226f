"""The general ledger's stream and sink: vouchers (account.move).

A voucher is entered as a draft, which is Tryton's 未审核 (制单 ≠ 审核); `post` posts it as well and reads it back. We
check the balance ourselves before anything leaves: on SQLite the server posts a move that does not balance. A move
has no unique key of ours, so the sink is safe by look-up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from connectors.tryton.client import ERRORS
from connectors.tryton.ledger import ZERO, Ledger
from connectors.tryton.sink import outcome
from duijie.codec import Record
from duijie.connect.errors import AnswerLost, DataError, DuijieError, InvalidDocument, VendorRejected
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Refused, Safety, Window
from duijie.connect.retry import outcome_of

CENT = Decimal("0.01")
FIND_KEYS = 100


class VoucherStream:
    """All vouchers of the company, ours and others', by when they or one of their lines were last changed.

    Raw record: key (ours, else "#id"), id, number ("" while draft), date, state, period, journal, modified, debit,
    credit, lines [{account, party, debit, credit, description, state}]; amounts in yuan.
    """

    name = "voucher"
    entity = "voucher"
    key = "key"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def partitions(self) -> Iterable[str]:
        """One company per connection."""
        return [""]

    def read(self, window: Window) -> Iterator[Page]:
        """Vouchers changed in the window, or those with the window's keys."""
        for condition in self._conditions(window):
            for vouchers in self._ledger.vouchers(condition):
                yield Page(vouchers)

    def _conditions(self, window: Window) -> Iterator[list[Any]]:
        if not window.keys:
            written = [["write_date", ">=", window.since], ["write_date", "<", window.until]]
            created = [["create_date", ">=", window.since], ["create_date", "<", window.until]]
            yield ["OR", written, [["write_date", "=", None], created], ["lines", "where", written]]
        yield from _keys_in(self._ledger.key_field, window.keys)


class VoucherSink:
    """account.move, created many at a time. A payload is what mappings/tryton/voucher.out.yaml made.

    {"key", "date", "description", "lines": [{"account": code, "party": {"code", "name"} or absent, "debit", "credit",
    "description"}]}. `posts`: post what is entered; what counts as there is then only what is posted, and a draft that
    an interrupted write left behind is taken up, not entered again.
    """

    name = "voucher"
    entity = "voucher"
    safety = Safety.LOOKUP
    batch = 20

    def __init__(self, ledger: Ledger, posts: bool) -> None:
        self._ledger = ledger
        self._posts = posts

    def key_of(self, payload: Record) -> str:
        """Our key, as the key field will hold it."""
        return str(payload["key"])

    def figures_of(self, payload: Record) -> Figures:
        """Sum of debits and of credits, in yuan."""
        lines = payload["lines"]
        return {side: sum((Decimal(line[side]) for line in lines), ZERO) for side in ("debit", "credit")}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By the key field. Of several copies the oldest posted one counts; `raw.copies` says how many there are."""
        return {key: _found(held) for key, held in self._held(keys).items() if not self._posts or _posted(held[0])}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One outcome per payload. What does not balance never leaves; the rest goes in one call or several."""
        refusals = [_refusal(payload, self.figures_of(payload)) for payload in payloads]
        ready = [payload for payload, refusal in zip(payloads, refusals, strict=True) if refusal is None]
        written = iter(self._write(ready))
        return [refusal or next(written) for refusal in refusals]

    def reverse(self, payloads: Sequence[Record], native_ids: Sequence[str]) -> Sequence[Outcome]:
        """Delete each draft; one that is gone is done. A posted one is for a person: Tryton's Cancel reverses it."""
        return [outcome(partial(self._take_back, int(native))) for native in native_ids]

    def _take_back(self, move: int) -> Done:
        held = next((one for page in self._ledger.vouchers([["id", "=", move]]) for one in page), None)
        if held is None:
            return Done(str(move), "")
        if _posted(held):
            raise ERRORS.error("posted", f"{held['number']} ({held['key']})", where=held["key"])
        self._ledger.delete(move)
        return Done(held["id"], held["number"], held)

    def _write(self, payloads: Sequence[Record]) -> list[Outcome]:
        """Together; when the ledger refuses the transaction for the sake of one, in halves, so that the others go."""
        if not payloads:
            return []
        try:
            return self._enter(payloads)
        except (VendorRejected, DataError) as error:
            if len(payloads) == 1:
                return [outcome_of(error)]
            half = len(payloads) // 2
            return self._write(payloads[:half]) + self._write(payloads[half:])
        except DuijieError as error:
            return [outcome_of(error)] * len(payloads)

    def _enter(self, payloads: Sequence[Record]) -> list[Outcome]:
        ids = self._drafts(payloads) if self._posts else {}
        fresh = [payload for payload in payloads if payload["key"] not in ids]
        if fresh:
            made = self._ledger.enter(fresh)
            ids |= {payload["key"]: move for payload, move in zip(fresh, made, strict=True)}
        if self._posts:
            self._ledger.post(list(ids.values()))
        held = self._read_back(list(ids.values()))
        return [_receipt(payload, held[ids[payload["key"]]], self._posts) for payload in payloads]

    def _drafts(self, payloads: Sequence[Record]) -> dict[str, int]:
        """Drafts of ours that an interrupted write left. Raises VendorRejected when a person has changed one."""
        wanted = {payload["key"]: payload for payload in payloads}
        drafts = {key: held[0] for key, held in self._held(list(wanted)).items() if not _posted(held[0])}
        for key, draft in drafts.items():
            if _entries(draft["lines"]) != _entries(wanted[key]["lines"]) or draft["date"] != wanted[key]["date"]:
                raise ERRORS.error("draft_differs", f"{key} (id {draft['id']})", where=key)
        return {key: int(draft["id"]) for key, draft in drafts.items()}

    def _held(self, keys: Sequence[str]) -> dict[str, list[Record]]:
        held: dict[str, list[Record]] = {}
        for condition in _keys_in(self._ledger.key_field, keys):
            for page in self._ledger.vouchers(condition):
                for voucher in page:
                    held.setdefault(voucher["key"], []).append(voucher)
        return {key: sorted(found, key=lambda one: not _posted(one)) for key, found in held.items()}

    def _read_back(self, moves: Sequence[int]) -> dict[int, Record]:
        """What the ledger now holds. Whatever goes wrong here, the vouchers are in: the outcome is to be looked up."""
        try:
            pages = list(self._ledger.vouchers([["id", "in", list(moves)]]))
        except DuijieError as error:
            raise AnswerLost(error.zh, en=error.en, code=error.code, where=error.where) from error
        held = {int(voucher["id"]): voucher for page in pages for voucher in page}
        if len(held) != len(moves):
            raise AnswerLost("写入后读回缺少凭证, 将先查询", en="vouchers are missing on reading back; looking them up")
        return held


def _keys_in(key_field: str, keys: Sequence[str]) -> Iterator[list[Any]]:
    for start in range(0, len(keys), FIND_KEYS):
        yield [[key_field, "in", list(keys[start : start + FIND_KEYS])]]


def _refusal(payload: Record, figures: Figures) -> Refused | None:
    """Why a voucher may not leave: fewer than two lines, a line without one amount, sides that do not balance."""
    faults = [
        f"第 {number} 行必须且只能有借方或贷方金额, 且精确到分"
        for number, line in enumerate(payload["lines"], 1)
        if not _is_sound(line)
    ]
    if len(payload["lines"]) < 2:
        faults.append("分录少于两行")
    if figures["debit"] != figures["credit"]:
        faults.append(f"借方 {figures['debit']} ≠ 贷方 {figures['credit']}")
    if not faults:
        return None
    text = "; ".join(faults)
    error = InvalidDocument(
        f"凭证 {payload['key']} 未发出: {text}; 请检查凭证规则",
        en=f"voucher {payload['key']} was not sent: {text}; check the posting rule",
        code="tryton:unbalanced" if figures["debit"] != figures["credit"] else "tryton:lines",
        where=str(payload["key"]),
    )
    return Refused(error.code, error.zh, error.en)


def _is_sound(line: Record) -> bool:
    sides = [Decimal(line["debit"]), Decimal(line["credit"])]
    return sum(side != 0 for side in sides) == 1 and all(side == side.quantize(CENT) for side in sides)


def _posted(voucher: Record) -> bool:
    return bool(voucher["state"] == "posted")


def _entries(lines: Iterable[Record]) -> list[tuple[str, str, Decimal, Decimal]]:
    """What a set of lines says to the books, in an order of its own."""
    return sorted((line["account"], _party(line), Decimal(line["debit"]), Decimal(line["credit"])) for line in lines)


def _party(line: Record) -> str:
    party = line.get("party") or ""
    return str(party["code"]) if isinstance(party, Mapping) else str(party)


def _receipt(payload: Record, held: Record, posts: bool) -> Outcome:
    """Done when the ledger holds exactly what was sent, every line balanced, posted if it was to be."""
    is_whole = _entries(held["lines"]) == _entries(payload["lines"])
    is_valid = all(line["state"] == "valid" for line in held["lines"])
    if is_whole and is_valid and held["key"] == payload["key"] and _posted(held) == posts:
        return Done(held["id"], held["number"], held)
    text = f"{payload['key']} (id {held['id']}, {held['state']}, 借 {held['debit']} 贷 {held['credit']})"
    return outcome_of(ERRORS.error("not_as_sent", text, where=str(payload["key"])))


def _found(vouchers: list[Record]) -> Found:
    first = vouchers[0]
    figures = {"debit": first["debit"], "credit": first["credit"]}
    return Found(first["id"], first["number"], figures, {**first, "copies": len(vouchers)})
