"""映射实验室: a sample, a mapping and what comes out, side by side, while one types. Nothing is written.

Every edit is computed in a process of its own (`workbench.py`); look-ups of recorded records are answered by the
journal. The file stays in git: the page gives the edited text back as a download and as a difference.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Form, HTTPException
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from duijie import codec
from duijie.codec import Record
from duijie.console import lab_samples, people, words
from duijie.console.lab_run import Job, Trial
from duijie.console.lab_words import vocabulary
from duijie.console.site import Site
from duijie.console.workbench import Workbench
from duijie.journal.samples import Sample
from duijie.places import Place

LARGEST_TEXT = 64 * 1024
LARGEST_RECORD = 512 * 1024
Text = Annotated[str, Form()]
Answer = Callable[[str, str, str], Any]


class Asked(msgspec.Struct, frozen=True):
    """What the page sends: `sample` is test:N, record:ID or empty; `record` and `answers` only once edited."""

    mapping: str
    text: str
    sample: str = ""
    record: str = ""
    answers: str = ""

    @property
    def number(self) -> int | None:
        """The number in `sample`."""
        told = self.sample.partition(":")[2]
        return int(told) if told.isdecimal() and len(told) < 19 else None

    @property
    def is_test(self) -> bool:
        """Whether a test of the file is the sample."""
        return self.sample.startswith("test:")


def router(site: Site) -> APIRouter:
    """/lab and what its page asks for while one types, for engineers only."""
    routes = APIRouter(dependencies=[Depends(_engineers_only)])
    bench = Workbench()
    _reading(routes, site, bench)
    _trying(routes, site, bench)
    return routes


def _engineers_only(request: Request) -> None:
    if not request.state.user.may_map:
        raise HTTPException(403, "映射实验室只对工程师开放")


def _reading(routes: APIRouter, site: Site, bench: Workbench) -> None:
    @routes.get("/lab")
    def lab(request: Request, mapping: str = "") -> Response:
        bench.warm()
        request.state.style_nonce = secrets.token_urlsafe(16)
        shown = {"files": lab_samples.listed(site.root), "chosen": mapping, "nonce": request.state.style_nonce}
        return site.page(request, "lab.html", **shown)

    @routes.get("/lab/words")
    def known() -> Response:
        return JSONResponse(vocabulary(site.root))

    @routes.get("/lab/file")
    def file(mapping: str = "") -> Response:
        return JSONResponse(_file(site, _found(site, mapping), mapping))


def _found(site: Site, mapping: str) -> Path:
    """The file of a mapping. Raises HTTPException unless it is one of those listed."""
    if (path := lab_samples.find(site.root, mapping)) is None:
        raise HTTPException(404, "没有这个映射文件, 请刷新页面")
    return path


def _file(site: Site, path: Path, name: str) -> Record:
    place = lab_samples.place_of(site.root, name)
    return {
        "text": path.read_text(encoding="utf-8"),
        "flow": place.flow,
        "where": f"{words.SYSTEMS.get(place.connection, place.connection)} · {place.stream}" if place.flow else "",
        "recorded": [
            {
                "id": one.id,
                "words": f"{words.moment(one.at)} {one.key} {words.MESSAGE_STATES.get(one.note, '')}".strip(),
            }
            for one in lab_samples.recorded(site.journal, place)
        ],
    }


def _trying(routes: APIRouter, site: Site, bench: Workbench) -> None:
    @routes.post("/lab/run")
    async def run(mapping: Text, text: Text = "", sample: Text = "", record: Text = "", answers: Text = "") -> Response:
        if len(text) > LARGEST_TEXT or max(len(record), len(answers)) > LARGEST_RECORD:
            largest = f"映射至多 {LARGEST_TEXT // 1024} KB, 样例至多 {LARGEST_RECORD // 1024} KB"
            raise HTTPException(413, f"内容过大: {largest}")
        asked = Asked(mapping, text, sample, record, answers)
        job, answer, hidden = await run_in_threadpool(_prepared, site, asked)
        if (trial := await bench.run(job, answer)) is None:
            raise HTTPException(503, "正在试算的人太多, 请稍候再改")
        return Response(await run_in_threadpool(_shown, trial, hidden), media_type="application/json")


def _prepared(site: Site, asked: Asked) -> tuple[Job, Answer, list[Any]]:
    """The job, who answers its look-ups, and the recorded values whose private texts the answer must not show."""
    path = _found(site, asked.mapping)
    place = lab_samples.place_of(site.root, asked.mapping)
    taken = None if asked.is_test else _taken(site, place, asked.number)
    hidden: list[Any] = []
    job = _job(site, asked, path, place, taken, hidden)
    return job, _answering(site, place, taken, hidden), hidden


def _taken(site: Site, place: Place, number: int | None) -> Sample | None:
    """The recorded sample that was asked for. Raises HTTPException where there is none or it is too large."""
    if number is None:
        return None
    if (taken := lab_samples.sample(site.journal, place, number)) is None:
        raise HTTPException(404, "日志库中没有这条记录, 请另选样例")
    if len(taken.body) > LARGEST_RECORD:
        raise HTTPException(413, f"这条记录超过 {LARGEST_RECORD // 1024} KB, 不能试算")
    return taken


def _job(site: Site, asked: Asked, path: Path, place: Place, taken: Sample | None, hidden: list[Any]) -> Job:
    job = lab_samples.job_of(path, asked.text, place, taken)
    if taken is not None and not asked.record:
        kept = lab_samples.kept(site.journal, place, asked.number or 0)
        hidden += [lab_samples.record_of(taken), *(document for _, document in kept)]
        job = msgspec.structs.replace(job, kept=kept)
    record = asked.record or job.record or (None if asked.is_test else "{}")
    return msgspec.structs.replace(
        job,
        test=asked.number if asked.is_test else None,
        record=record,
        answers=asked.answers or None,
        may_ask=job.may_ask and not asked.is_test,
    )


def _answering(site: Site, place: Place, taken: Sample | None, hidden: list[Any]) -> Answer:
    answer = lab_samples.answering(site.journal, place, taken)

    def remembered(kind: str, first: str, second: str) -> Any:
        found = answer(kind, first, second)
        if kind == "ref" and found:
            hidden.append(found)
        return found

    return remembered


def _shown(trial: Trial, hidden: list[Any]) -> bytes:
    """The answer with private texts covered: those of the recorded values, and those the rules made of them."""
    if not hidden:
        return codec.encode_ordered(trial)
    made = codec.decode(trial.result) if trial.result else None
    private = people.private_values([*hidden, made])
    return codec.encode_ordered(people.hide(msgspec.to_builtins(trial), private))
