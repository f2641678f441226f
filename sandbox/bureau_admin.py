"""What the buyer and the bureau do of themselves, to order: `POST /_admin/bureau` with one of these::

    {"settings": {"login": "scan", "booked_buyers": ["…"]}}
    {"begin": {"application_no": "B1", "blue_number": "…", "initiator": "buyer", "reason": "sales_return",
               "lines": [{"blue_line": 1, "net": "-10.00", "tax": "-1.30", "qty": "-1"}]}}      no lines: all of it
    {"answer": {"form_no": "…", "by": "buyer", "agrees": true}}
    {"withdraw": {"form_no": "…", "by": "buyer"}}

The answer is the form's row (of settings: all in force), or 409 with `reason` and `text` where the bureau says no.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox.bureau import Bureau, RedForm, RedLine, Refused
from sandbox.bureau_terms import Record
from sandbox.kit import Handler, json_response


def routes(bureau: Callable[[], Bureau]) -> list[tuple[str, str, Handler]]:
    """The route, for a sandbox's `routes()`; `bureau` brings the one in use (a reset makes another)."""

    async def order(request: Request) -> Response:
        given = codec.decode(await request.body())
        try:
            return json_response(_carry_out(bureau(), given))
        except Refused as refused:
            return json_response({"reason": refused.reason, "text": refused.text}, 409)

    return [("POST", "/_admin/bureau", order)]


def _carry_out(bureau: Bureau, given: Record) -> Record:
    (what, told), *_ = given.items()
    if what == "settings":
        bureau.settings(told)
        return bureau.config
    if what == "begin":
        return bureau.begin(_form(told))
    return bureau.answer(**told) if what == "answer" else bureau.withdraw(**told)


def _form(told: Record) -> RedForm:
    lines = tuple(
        RedLine(
            line["blue_line"],
            Decimal(line["net"]),
            Decimal(line["tax"]),
            Decimal(line["qty"]) if line.get("qty") else None,
        )
        for line in told.get("lines", ())
    )
    return RedForm(**{**told, "lines": lines})


__all__ = ["routes"]
