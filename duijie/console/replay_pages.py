"""重放 from the console: what mapping one document's message again would change, the change itself, and who did it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from duijie.connect.errors import ConfigError
from duijie.connect.secrets import mask_record
from duijie.console.site import Site, tell
from duijie.console.work_pages import known
from duijie.difference import Changed
from duijie.engine import Engine
from duijie.journal import chain, trace
from duijie.journal.documents import Document
from duijie.journal.lookup import JournalLookup
from duijie.replay import Asked, Replay, Summary, Wanted, is_figure, origin


@dataclass(frozen=True)
class Again:
    """The replay of one document, as it is carried out and as it is tried."""

    replay: Replay
    is_figure: bool

    def trial(self) -> Summary:
        """What would change."""
        return self.replay.trial_of_figures() if self.is_figure else self.replay.trial()

    def carry_out(self) -> Summary:
        """Change it."""
        return self.replay.read_again() if self.is_figure else self.replay.carry_out()


def router(site: Site) -> APIRouter:
    """/document/{id}/replay and /replays."""
    routes = APIRouter()

    @routes.get("/replays")
    def replays(request: Request) -> Response:
        return site.page(request, "replays.html", replays=trace.replays(site.journal))

    @routes.get("/document/{document_id}/replay")
    def ask(request: Request, document_id: int) -> Response:
        if (found := chain.detail(site.journal, document_id)) is None:
            raise HTTPException(404, "没有这张单据")
        shown = _tried(site, request, found[0])
        return site.page(request, "replay.html", document=found[0], **shown)

    @routes.post("/document/{document_id}/replay")
    def act(request: Request, document_id: int) -> Response:
        if (found := chain.detail(site.journal, document_id)) is None:
            raise HTTPException(404, "没有这张单据")
        try:
            tell(request, _said(_again(site, request, found[0]).carry_out()))
        except ConfigError as error:
            tell(request, error.zh, problem=True)
        return RedirectResponse(request.url_for("trace").include_query_params(q=found[0].key), 303)

    return routes


def _tried(site: Site, request: Request, one: Document) -> dict[str, Any]:
    try:
        summary = _again(site, request, one).trial()
    except ConfigError as error:
        return {"problem": error.zh, "summary": None, "changes": []}
    changes = [_masked(change) for sample in summary.samples for change in sample.changes]
    return {"problem": "", "summary": summary, "changes": changes}


def _again(site: Site, request: Request, one: Document) -> Again:
    """Raises ConfigError where the document has no message, no flow reads its stream, or a connection is missing."""
    came_by = origin(site.journal, one.id)
    if came_by is None:
        raise ConfigError("由其他单据生成, 没有原始报文; 请重放其来源单据", en="made of other documents", where=one.key)
    routes = known(site)
    route = routes.reading(came_by)
    engine = Engine(site.journal, root=site.root)
    asked = Asked(route, Wanted(keys=(one.key,)), request.state.user.display, "控制台单据页")
    replay = Replay(site.journal, asked, JournalLookup(site.journal, came_by.connection))
    return Again(replay, is_figure(route.entities, routes.flows.values(), engine.sink))


def _said(summary: Summary) -> str:
    if summary.counts["reread"]:
        return "即时数不从旧报文重放: 将在下次拉取时重新读取"
    counted = ", ".join(f"{word} {number}" for word, number in summary.words.items() if number)
    sent = ", 变化由流程下次运行重新发送" if summary.counts["changed"] else ""
    return f"已重放: {counted or '没有可重放的报文'}{sent}"


def _masked(change: Changed) -> Changed:
    name = change.field.rpartition(".")[2]
    before, after = (mask_record({name: value})[name] for value in (change.before, change.after))
    return Changed(change.field, before, after)
