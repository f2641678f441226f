"""Documents, deliveries and raw messages opened in place; a click on a field says where its value came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from duijie.connect.errors import DuijieError
from duijie.connect.secrets import mask_record
from duijie.console.flows import readable
from duijie.console.site import Site
from duijie.journal import chain
from duijie.provenance import Explained, Explainer

INDENT = "  "
SOURCES = 3


class Piece(NamedTuple):
    """A part of a record's JSON; with a path it can be clicked."""

    text: str
    path: str = ""


def router(site: Site) -> APIRouter:
    """/document, /delivery, /message and what a click on one of their fields asks for."""
    routes = APIRouter()
    _records(routes, site)
    _reasons(routes, site)
    return routes


def explainer(site: Site) -> Explainer:
    """Fresh for each answer: it keeps what it has read."""
    return Explainer(site.journal, site.root, readable(site.root)[0], SOURCES)


def _records(routes: APIRouter, site: Site) -> None:
    @routes.get("/document/{document_id}")
    def document(request: Request, document_id: int) -> Response:
        if (detail := chain.detail(site.journal, document_id)) is None:
            raise HTTPException(404, "没有这张单据")
        found, raw, mapping = detail
        message = chain.message_of(site.journal, document_id)
        shown = {"body": list(pieces(found.body)), "raw": list(pieces(raw)) if raw else []}
        return site.page(request, "document.html", id=document_id, mapping=mapping, message=message, **shown)

    @routes.get("/delivery/{delivery_id}")
    def delivery(request: Request, delivery_id: int) -> Response:
        if (story := chain.history(site.journal, delivery_id)) is None:
            raise HTTPException(404, "没有这次投递")
        row, events = story
        receipt = list(pieces(codec.decode(row.receipt))) if row.receipt else []
        payload, problem = _payload(site, delivery_id)
        shown = {"receipt": receipt, "payload": payload, "problem": problem}
        return site.page(request, "delivery.html", row=row, events=events, **shown)

    @routes.get("/message/{message_id}")
    def message(request: Request, message_id: int) -> Response:
        if (raw := chain.raw(site.journal, message_id)) is None:
            raise HTTPException(404, "没有这条报文")
        return site.page(request, "message.html", raw=list(pieces(raw)))


def _payload(site: Site, delivery_id: int) -> tuple[list[Piece], str]:
    """What was sent, as its mapping makes it, or why that cannot be told."""
    try:
        return list(pieces(explainer(site).payload(delivery_id))), ""
    except DuijieError as error:
        return [], error.zh


def _reasons(routes: APIRouter, site: Site) -> None:
    @routes.get("/explain/document/{document_id}")
    def of_document(request: Request, document_id: int, field: str) -> Response:
        return _told(request, lambda: explainer(site).document_at(document_id, field))

    @routes.get("/explain/delivery/{delivery_id}")
    def of_delivery(request: Request, delivery_id: int, field: str) -> Response:
        return _told(request, lambda: explainer(site).delivery(delivery_id, field))

    @routes.get("/explain/message/{message_id}")
    def of_message(request: Request, message_id: int, field: str) -> Response:
        users = explainer(site).users(message_id, field)
        return site.page(request, "users.html", users=users, field=field)

    def _told(request: Request, explain: Callable[[], Explained]) -> Response:
        try:
            return site.page(request, "why.html", told=None, explained=explain(), problem="")
        except DuijieError as error:
            return site.page(request, "why.html", told=None, explained=None, problem=error.zh)


def pieces(value: Any) -> Iterator[Piece]:
    """A record as indented JSON, its secrets masked, each value a piece of its own with its path."""
    yield from _written(mask_record(value), "", "")


def _written(value: Any, path: str, indent: str) -> Iterator[Piece]:
    inner = indent + INDENT
    if isinstance(value, dict) and value:
        for number, (name, each) in enumerate(value.items()):
            yield Piece(("," if number else "{") + f"\n{inner}{_json(name)}: ")
            yield from _written(each, f"{path}.{name}" if path else str(name), inner)
        yield Piece(f"\n{indent}}}")
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            yield Piece(("," if number else "[") + f"\n{inner}")
            yield from _written(each, f"{path}[{number}]", inner)
        yield Piece(f"\n{indent}]")
    else:
        yield Piece(_json(value), path)


def _json(value: Any) -> str:
    return codec.encode_ordered(value).decode()
