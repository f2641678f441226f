"""联查: any number leads to its chain; documents, raw messages and deliveries open in place."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from duijie.connect.secrets import mask_record
from duijie.console.facts import facts
from duijie.console.site import Site
from duijie.journal import chain


def router(site: Site) -> APIRouter:
    """/trace and the pieces that its buttons load."""
    routes = APIRouter()
    _chains(routes, site)
    _pieces(routes, site)
    return routes


def _chains(routes: APIRouter, site: Site) -> None:
    @routes.get("/trace")
    def trace(request: Request, q: str = "", page: int = 1) -> Response:
        page = max(page, 1)
        hits = chain.search(site.journal, q, (page - 1) * chain.PER_PAGE)
        chains = [chain.chain(site.journal, one) for one in chain.roots(site.journal, hits.documents)]
        last = max(1, -(-hits.count // chain.PER_PAGE))
        found = {"count": hits.count, "hits": {hit.id for hit in hits.documents}, "held": chain.held(site.journal, q)}
        return site.page(request, "trace.html", q=q, chains=chains, facts=facts, page=page, last=last, **found)


def _pieces(routes: APIRouter, site: Site) -> None:
    @routes.get("/document/{document_id}")
    def document(request: Request, document_id: int) -> Response:
        if (detail := chain.detail(site.journal, document_id)) is None:
            raise HTTPException(404, "没有这张单据")
        found, raw, mapping = detail
        shown = _shown(mask_record(found.body)), _shown(mask_record(raw)) if raw else ""
        return site.page(request, "document.html", id=document_id, body=shown[0], raw=shown[1], mapping=mapping)

    @routes.get("/delivery/{delivery_id}")
    def delivery(request: Request, delivery_id: int) -> Response:
        if (story := chain.history(site.journal, delivery_id)) is None:
            raise HTTPException(404, "没有这次投递")
        row, events = story
        receipt = _shown(mask_record(codec.decode(row.receipt))) if row.receipt else ""
        return site.page(request, "delivery.html", row=row, events=events, receipt=receipt)

    @routes.get("/message/{message_id}")
    def message(request: Request, message_id: int) -> Response:
        if (raw := chain.raw(site.journal, message_id)) is None:
            raise HTTPException(404, "没有这条报文")
        return site.page(request, "message.html", raw=_shown(mask_record(raw)))


def _shown(value: Any) -> str:
    from msgspec import json  # noqa: PLC0415

    return json.format(codec.encode_ordered(value), indent=2).decode()
