"""Promises about invoices taken out of the product, one at a time, to see that the proof notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _new_number_on_retry() -> None:
    """What is sent once more gets a new number, as if nothing could have arrived."""
    from dataclasses import replace  # noqa: PLC0415

    from duijie.deliver import Delivering  # noqa: PLC0415
    from duijie.invoicing.attempts import successor  # noqa: PLC0415

    written = Delivering._written

    def renumbered(self: Any, parcels: Any, write: Any) -> Any:
        return written(self, [_again(one) for one in parcels], write)

    def _again(parcel: Any) -> Any:
        order = parcel.payload.get("order")
        if order is None or not parcel.delivery.attempts:
            return parcel
        return replace(parcel, payload={**parcel.payload, "order": {**order, "orderNo": successor(order["orderNo"])}})

    Delivering._must_ask = lambda *_: False  # type: ignore[method-assign]
    Delivering._written = renumbered  # type: ignore[method-assign]


def _adopts_whatever_is_there() -> None:
    """A number that is taken is taken for ours."""
    from duijie import deliver  # noqa: PLC0415

    deliver.unlike = lambda *_: []  # type: ignore[assignment]


def _failed_when_unknown() -> None:
    """A 5xx, or no answer, is taken for a refusal."""
    from duijie.connect import retry  # noqa: PLC0415
    from duijie.connect.errors import OutcomeUnknown  # noqa: PLC0415
    from duijie.connect.protocol import Refused  # noqa: PLC0415

    told = retry.outcome_of

    def refused(error: Any) -> Any:
        return Refused(error.code, error.zh, error.en) if isinstance(error, OutcomeUnknown) else told(error)

    retry.outcome_of = refused


def _callback_believed() -> None:
    """What a callback says is what is so."""
    from dataclasses import replace  # noqa: PLC0415

    from connectors.nuonuo.hook import Callback  # noqa: PLC0415
    from duijie.connect.hooks import Push  # noqa: PLC0415

    verify = Callback.verify

    def believed(self: Any, call: Any) -> Any:
        said = verify(self, call)
        return Push(tuple(replace(one, record=_issued(one.key)) for one in said.items))

    Callback.verify = believed  # type: ignore[method-assign]


def _issued(number: str) -> dict[str, Any]:
    amounts = {"exTaxAmount": "1.00", "taxAmount": "0.13", "orderAmount": "1.13"}
    told = {"orderNo": number, "status": "2", "invoiceTime": 1795143600000, "invoiceNo": "26992000000000999999"}
    return {**told, **amounts, "payerName": "甲", "invoiceKind": "电子发票(普通发票)"}


def _red_without_what_is_left() -> None:
    """A refund is reversed as if it were the first of its line."""
    from duijie.derive import reds  # noqa: PLC0415

    left = reds.left
    reds.left = lambda request, index, _: left(request, index, ())
    reds._must_be_left = lambda *_: None


MUTANTS: dict[str, Callable[[], None]] = {
    "einvoice: a new number on retry": _new_number_on_retry,
    "einvoice: adopts whatever is there": _adopts_whatever_is_there,
    "einvoice: a 5xx is a refusal": _failed_when_unknown,
    "einvoice: a callback is believed": _callback_believed,
    "einvoice: a red without what is left": _red_without_what_is_left,
}
