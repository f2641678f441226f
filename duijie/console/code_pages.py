"""The pages of 对照: what is unmapped with suggestions, what is mapped, and both as Excel with a preview."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from fastapi import APIRouter, Form, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from duijie import codec
from duijie.codes import fix, sheet
from duijie.codes.advice import Advice
from duijie.codes.worklist import Wanted, filters, waiting
from duijie.connect.errors import ConfigError
from duijie.console.site import Site, tell
from duijie.console.work_pages import known
from duijie.journal import codes, work
from duijie.journal.codes import Code

PER_PAGE = 50
ROWS_SHOWN = 200
PATHS = {"mapped": "/codes/mapped"}
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Plain = tuple[str, str, str, str, str]
Field = Annotated[str, Form()]


def router(site: Site) -> APIRouter:
    """/codes and everything below it."""
    routes = APIRouter()
    _lists(routes, site)
    _saving(routes, site)
    _files(routes, site)
    return routes


def _lists(routes: APIRouter, site: Site) -> None:
    @routes.get("/codes")
    def unmapped(
        request: Request, kind: str = "", connection: str = "", q: str = "", item: int = 0, page: int = 1
    ) -> Response:
        asked = {"kind": kind, "connection": connection, "q": q}
        found = waiting(site.journal, Wanted(kind, connection, q, [item] if item else ()))
        last = max(1, -(-len(found) // PER_PAGE))
        page = min(max(page, 1), last)
        shown = found[(page - 1) * PER_PAGE : page * PER_PAGE]
        advice = Advice(site.journal)
        said = advice.known(shown)
        lines = [(one, said[one.item_id], advice.for_item(one, said[one.item_id])) for one in shown]
        sums = {"codes": len(found), "records": sum(x.records for x in found), "money": sum(x.money for x in found)}
        paging = {"page": page, "last": last, "filters": filters(site.journal)}
        return site.page(request, "codes.html", asked=asked, lines=lines, sums=sums, **paging)

    @routes.get("/codes/mapped")
    def mapped(request: Request, kind: str = "", q: str = "") -> Response:
        found = codes.rows(site.journal, kind, q.strip(), ROWS_SHOWN + 1)
        shown = {"rows": found[:ROWS_SHOWN], "more": len(found) > ROWS_SHOWN, "kinds": codes.kinds(site.journal)}
        return site.page(request, "codes_mapped.html", asked={"kind": kind, "q": q}, **shown)

    @routes.get("/codes/history")
    def history(request: Request, kind: str, connection: str, code: str) -> Response:
        rows = codes.history(site.journal, (kind, connection, code))
        return site.page(request, "codes_history.html", rows=rows)


def _saving(routes: APIRouter, site: Site) -> None:
    @routes.post("/codes")
    def save(
        request: Request,
        kind: Field = "",
        connection: Field = "",
        code: Field = "",
        counterpart: Field = "",
        valid_from: Field = "",
        tab: Field = "",
        back: Field = "",
    ) -> Response:
        def act() -> str:
            row = Code(kind, connection, code, counterpart.strip(), _day(valid_from))
            done = fix.save(site.journal, [row], request.state.user.display, known(site))
            return f"{kind} {code} → {counterpart.strip()}: {done.said}"

        return _done(request, act, f"{PATHS.get(tab, '/codes')}?{urlencode(parse_qsl(back))}")

    @routes.post("/codes/release/{item_id}")
    def release(request: Request, item_id: int) -> Response:
        def act() -> str:
            work.must_be_open(site.journal, item_id)
            items = waiting(site.journal, Wanted(items=[item_id]))
            done = fix.release(site.journal, items, request.state.user.display, known(site))
            return "; ".join((f"放行 {fix.counted(done.released)}, 由流程下次运行处理", *done.problems))

        return _done(request, act, "/codes")


def _done(request: Request, act: Callable[[], str], path: str) -> Response:
    """Act, then show the list with what happened, or with why nothing did."""
    try:
        tell(request, act())
    except ConfigError as error:
        tell(request, error.zh, problem=True)
    return RedirectResponse(path, 303)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise ConfigError(f"生效日期“{text[:20]}”不是日期, 应如 2026-12-01", en=f"{text[:20]!r} is no date") from error


def _files(routes: APIRouter, site: Site) -> None:
    @routes.get("/codes/export")
    def export() -> Response:
        name = f"duijie-codes-{codes.today(site.journal):%Y%m%d}.xlsx"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(sheet.write(site.journal), media_type=EXCEL, headers=headers)

    @routes.post("/codes/preview")
    def preview(request: Request, file: UploadFile) -> Response:
        try:
            given = sheet.read(file.file.read(sheet.LARGEST + 1), file.filename or "")
            shown = _effect(site, given, request.state.user.display)
        except ConfigError as error:
            tell(request, error.zh, problem=True)
            return RedirectResponse("/codes", 303)
        return site.page(request, "codes_preview.html", file=file.filename, **shown)

    @routes.post("/codes/import")
    def keep(request: Request, rows: Field = "") -> Response:
        def act() -> str:
            return fix.save(site.journal, _codes(rows), request.state.user.display, known(site)).said

        return _done(request, act, "/codes")


def _effect(site: Site, given: sheet.Sheet, who: str) -> dict[str, Any]:
    """What a file would do, or what is wrong with it; nothing is written."""
    if given.faults:
        return {"faults": given.faults[:ROWS_SHOWN], "fault_count": len(given.faults)}
    changed = codes.changes(site.journal, given.rows, who)
    items, released = fix.preview(site.journal, given.rows, known(site))
    return {
        "fault_count": 0,
        "changes": changed[:ROWS_SHOWN],
        "change_count": len(changed),
        "new": sum(one.before is None for one in changed),
        "unfilled": given.unfilled,
        "items": items,
        "released": fix.counted(released),
        "money": sum(one.money for one in items),
        "payload": codec.encode([_plain(one) for one in given.rows]).decode(),
    }


def _plain(one: Code) -> Sequence[str]:
    return [one.kind, one.connection, one.code, one.counterpart, one.valid_from.isoformat() if one.valid_from else ""]


def _codes(payload: str) -> list[Code]:
    """The rows that the preview page carries along; they are checked again when they are kept."""
    try:
        plain = msgspec.json.decode(payload, type=list[Plain])
    except msgspec.DecodeError as error:
        raise ConfigError("预览已失效, 请重新上传", en="the preview is void; upload again") from error
    return [Code(kind, connection, code, counterpart, _day(day)) for kind, connection, code, counterpart, day in plain]
