"""Writing to 乐企: invoices built and numbered here, red forms, the red invoices of forms that stand, answers to forms.

Services QDFPSC, QDHZQRDSQ, QDHZQRDQR. A number can be uploaded once: an upload whose answer was lost is sent again with
the same number and the same bytes, which the bureau answers as 重复上传.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial

from connectors.leqi.client import NOT_FOUND, error_of
from connectors.leqi.reads import FAILED, Office
from connectors.leqi.register import Begun, Numbered, Refill
from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import AlreadyThere, DuijieError, OutcomeUnknown, VendorRejected
from duijie.connect.invoicing import marks
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side

ANSWERED = {"04": "Y", "06": "N"}
CONFIRMED = ("01", "04")


class UploadSink:
    """What the two sinks that upload an invoice share. `body_of`: the invoice of a payload under a number."""

    safety = Safety.NATURAL_KEY
    batch = 50

    def __init__(self, office: Office, refill: Refill) -> None:
        self._office = office
        self._refill = refill

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """What the bureau says of the numbers that these keys were given; what it has not, or refused, is absent."""
        rows = {key: row for key in keys if (row := self._office.register.of(key))}
        results = dict(zip(rows, side_by_side(self._office.result, list(rows.values())), strict=True))
        there = {key: told for key, told in results.items() if told and str(told.get("status")) != FAILED}
        return {key: _found(rows[key], told) for key, told in there.items()}

    def _upload(self, serial: str, digest: str, build: Callable[[str], str]) -> Done:
        office = self._office
        row = office.register.give(serial, digest, build, self._refill)
        if row.digest != digest:
            row = self._anew(row, digest, build)
        told = office.result(row)
        if told and str(told.get("status")) != FAILED:
            raise AlreadyThere(f"{row.number} 已上传, 先查询核对", en=f"{row.number} was uploaded before", where=serial)
        try:
            receipt = self._send_up(row)
        except OutcomeUnknown as lost:
            receipt = self._sent_again(row, lost)
        office.register.received(serial, receipt)
        return Done(row.number, "", {"fphm": row.number, "sllsh": receipt})

    def _sent_again(self, row: Numbered, lost: OutcomeUnknown) -> str:
        """The bureau takes a number once: what arrived changes nothing, and a refusal now says nothing of it."""
        try:
            return self._send_up(row)
        except VendorRejected:
            raise lost from None

    def _send_up(self, row: Numbered) -> str:
        receipt = str(self._office.client.call("QDFPSC", [codec.decode(row.body)]).get("sllsh") or "")
        if not receipt:
            raise error_of("unreadable", "", row.serial)
        return receipt

    def _anew(self, row: Numbered, digest: str, build: Callable[[str], str]) -> Numbered:
        """Another number for a request that was changed, once the bureau has refused what it was before."""
        result = self._office.result(row)
        if result is None or str(result.get("status")) != FAILED:
            raise VendorRejected(
                f"申请 {row.serial} 已以发票号码 {row.number} 上传或可能已上传, "
                "内容却有改动; 请先核对该号码的结果, 需更正请红冲后重开",
                en=f"{row.serial} may have been uploaded as {row.number} with other contents; look its result up first",
                code="leqi:changed",
                where=row.serial,
            )
        self._office.register.take_back(row.serial)
        return self._office.register.give(row.serial, digest, build, self._refill)


class RequestSink(UploadSink):
    """QDFPSC of a blue invoice. A payload is {"serial", "invoice": its fields, as far as a mapping knows them}."""

    name, entity = "invoice_request", "invoice_request"

    def __init__(self, office: Office, refill: Refill, take_credit: Callable[[Decimal], None]) -> None:
        super().__init__(office, refill)
        self._take_credit = take_credit

    def key_of(self, payload: Record) -> str:
        """Our request number."""
        return str(payload["serial"])

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan."""
        return _figures(payload["invoice"])

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """Buyer and lines."""
        return _marks(payload["invoice"])

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One upload per payload, in order."""
        run = self._office.client.retrier.outcome
        return side_by_side(lambda payload: run(partial(self._send, payload)), payloads)

    def _send(self, payload: Record) -> Done:
        self._take_credit(Decimal(str(payload["invoice"]["hjje"])))

        def build(number: str) -> str:
            made = self._office.builder.blue(payload["invoice"], number, self._office.client.now())
            return codec.encode_ordered(made).decode()

        return self._upload(self.key_of(payload), codec.digest(payload), build)


class IssueSink(UploadSink):
    """QDFPSC of the red invoice of a form that stands. A payload is {"serial", "uuid", "blue", "net", "tax"}."""

    name, entity = "red_issue", "red_issue"

    def key_of(self, payload: Record) -> str:
        """Our serial number of the red invoice."""
        return str(payload["serial"])

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan, negative."""
        net, tax = Decimal(payload["net"]), Decimal(payload["tax"])
        return {"gross": net + tax, "tax": tax}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One upload per payload, in order."""
        run = self._office.client.retrier.outcome
        return side_by_side(lambda payload: run(partial(self._send, payload)), payloads)

    def _send(self, payload: Record) -> Done:
        office, serial, uuid = self._office, self.key_of(payload), str(payload["uuid"])
        form = office.form(uuid)
        refused = _not_to_issue(form, uuid) if office.register.of(serial) is None else None
        if refused:
            raise refused

        def build(number: str) -> str:
            return codec.encode_ordered(office.builder.red(form or {}, number, office.client.now())).decode()

        return self._upload(serial, codec.digest(payload), build)


class RedSink:
    """QDHZQRDSQ. A payload is {"application", "blue_number", "reason", "net", "tax", "lines"}; no lines: all of it."""

    name, entity = "red_request", "red_request"
    safety = Safety.LOOKUP
    batch = 50

    def __init__(self, office: Office) -> None:
        self._office = office

    def key_of(self, payload: Record) -> str:
        """Application and blue number: the bureau knows no number of ours."""
        return f"{payload['application']}@{payload['blue_number']}"

    def figures_of(self, payload: Record) -> Figures:
        """The tax-included total and the tax in yuan, negative."""
        net, tax = Decimal(payload["net"]), Decimal(payload["tax"])
        return {"gross": net + tax, "tax": tax}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Forms of applications that were begun: by what the bureau told, else by blue and amounts."""
        begun = [red for key in keys if (red := self._office.register.red(key))]
        forms = side_by_side(self._office.form_of, begun)
        return {red.key: _found_form(form) for red, form in zip(begun, forms, strict=True) if form}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One form per payload, in order."""
        run = self._office.client.retrier.outcome
        return side_by_side(lambda payload: run(partial(self._apply, payload)), payloads)

    def _apply(self, payload: Record) -> Done:
        office, key, number = self._office, self.key_of(payload), str(payload["blue_number"])
        blue = office.register.by_number(number)
        if blue is None:
            raise VendorRejected(
                f"登记簿中没有蓝票 {number}, 无法填开红字确认单; 非本连接开具的发票请在电子税务局办理",
                en=f"the register has no blue {number}; what this connection did not issue must be reversed elsewhere",
                code="leqi:blue",
                where=number,
            )
        net, tax = (f"{Decimal(payload[name]):.2f}" for name in ("net", "tax"))
        begun = office.register.begin(Begun(key, number, net, tax, ""))
        if begun.uuid:
            raise AlreadyThere(f"申请 {key} 已有红字确认单, 先查询核对", en=f"{key} has a form already", where=key)
        told = office.client.call("QDHZQRDSQ", office.builder.form(payload, codec.decode(blue.body)))
        uuid = str(told.get("uuid") or "")
        if not uuid:
            raise error_of("unreadable", "", key)
        office.register.claim(key, uuid)
        return Done(uuid, str(told.get("hzfpxxqrdbh") or ""), told)


class AnswerSink:
    """QDHZQRDQR to a form that the buyer began. A payload is {"form_no", "uuid", "answer": Y or N}."""

    name, entity = "red_answer", "red_answer"
    safety = Safety.LOOKUP
    batch = 50

    def __init__(self, office: Office) -> None:
        self._office = office

    def key_of(self, payload: Record) -> str:
        """The form's uuid."""
        return str(payload["uuid"])

    def figures_of(self, payload: Record) -> Figures:
        """None: an answer has no amounts."""
        return {}

    def marks_of(self, payload: Record) -> Mapping[str, str]:
        """What is answered."""
        return {"答复": str(payload["answer"])}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Forms that have been answered."""
        forms = zip(keys, side_by_side(self._office.form, keys), strict=True)
        told = {key: form for key, form in forms if form and str(form.get("hzqrxxztDm")) in ANSWERED}
        return {key: _found_answer(form) for key, form in told.items()}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One answer per payload, in order."""
        run = self._office.client.retrier.outcome
        return side_by_side(lambda payload: run(partial(self._answer, payload)), payloads)

    def _answer(self, payload: Record) -> Done:
        named = {"uuid": payload["uuid"], "hzqrdbh": payload["form_no"], "qrlx": payload["answer"]}
        told = self._office.client.call("QDHZQRDQR", {"xsfnsrsbh": self._office.builder.tax_no, **named})
        return Done(str(payload["uuid"]), str(payload["form_no"]), told)


def _not_to_issue(form: Record | None, uuid: str) -> DuijieError | None:
    """Why no red invoice may be made of a form."""
    if form is None:
        return error_of(NOT_FOUND.removeprefix("leqi:"), f"红字确认单 {uuid}", uuid)
    if form.get("ykjhzfpbz") == "Y" or form.get("hzqrxxztDm") not in CONFIRMED:
        return VendorRejected(
            f"红字确认单 {form.get('hzfpxxqrdbh')} 状态为 {form.get('hzqrxxztDm')}, 不能开具红字发票 (或已开具)",
            en=f"the form {form.get('hzfpxxqrdbh')} is in state {form.get('hzqrxxztDm')}, or has its red invoice",
            code="leqi:state",
            where=uuid,
        )
    return None


def _figures(invoice: Record) -> Figures:
    return {"gross": Decimal(str(invoice["jshj"])), "tax": Decimal(str(invoice["hjse"]))}


def _marks(invoice: Record) -> dict[str, str]:
    lines = [(str(one["xmmc"]), Decimal(str(one["je"])), Decimal(str(one["se"]))) for one in invoice["fpmxList"]]
    return marks(str(invoice["gmfmc"]), str(invoice.get("gmfnsrsbh") or ""), lines)


def _found(row: Numbered, told: Record) -> Found:
    invoice = codec.decode(row.body)
    number = row.number if told.get("status") in ("00", "03") else ""
    return Found(row.number, number, _figures(invoice), told, _marks(invoice))


def _found_form(form: Record) -> Found:
    net, tax = Decimal(str(form["hzcxje"])), Decimal(str(form["hzcxse"]))
    return Found(str(form["uuid"]), str(form.get("hzfpxxqrdbh") or ""), {"gross": net + tax, "tax": tax}, form)


def _found_answer(form: Record) -> Found:
    told = {"答复": ANSWERED[str(form["hzqrxxztDm"])]}
    return Found(str(form["uuid"]), str(form.get("hzfpxxqrdbh") or ""), {}, form, told)
