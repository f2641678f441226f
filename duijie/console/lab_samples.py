"""What 映射实验室 can be tried on: the files there are, the flow each of them serves, what the journal has recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from duijie import codec
from duijie.codec import Record
from duijie.console.flows import readable
from duijie.console.lab_run import Job
from duijie.journal import Journal, samples
from duijie.journal.samples import PointLookup, Recorded, Sample
from duijie.mapping import mapping_files
from duijie.places import Place, places

NEWEST = 50


def listed(root: Path) -> dict[str, list[str]]:
    """Mapping names by the folder (the system) they stand in."""
    found: dict[str, list[str]] = {}
    folder = root / "mappings"
    for path in mapping_files([folder]):
        name = path.relative_to(folder).as_posix().removesuffix(".yaml")
        found.setdefault(name.partition("/")[0], []).append(name)
    return found


def find(root: Path, name: str) -> Path | None:
    """The file of a mapping; None unless it is one of those listed."""
    known = {each for names in listed(root).values() for each in names}
    return root / "mappings" / f"{name}.yaml" if name in known else None


def place_of(root: Path, name: str) -> Place:
    """The first flow step that uses a mapping; an empty place where none does."""
    flows, _ = readable(root)
    return next((place for flow in flows.values() for place in places(flow, name)), Place())


def recorded(journal: Journal, place: Place) -> list[Recorded]:
    """The newest records of a place."""
    if not place.connection:
        return []
    if place.entity:
        return samples.documents(journal, place.entity, NEWEST)
    return samples.messages(journal, place.source, NEWEST)


def sample(journal: Journal, place: Place, number: int) -> Sample | None:
    """One of them."""
    if not place.connection:
        return None
    if place.entity:
        return samples.document_sample(journal, place.entity, number)
    return samples.message_sample(journal, place.source, number)


def kept(journal: Journal, place: Place, number: int) -> list[tuple[str, Record]]:
    """What a flow made of a recorded message; nothing for a document, whose payload is not kept."""
    return [] if place.entity else samples.made_of(journal, number)


def answering(journal: Journal, place: Place, taken: Sample | None) -> Callable[[str, str, str], Any]:
    """Answers a worker's questions from the journal, as of the sample's day, and remembers documents it gave away."""
    lookup = PointLookup(journal, place.connection)
    asked = lookup.on(taken.day) if taken and taken.day else lookup
    known: dict[str, Callable[[str, str], Any]] = {"xref": asked.xref, "codes": asked.codes, "ref": asked.ref}
    return lambda kind, first, second: known[kind](first, second)


def job_of(path: Path, text: str, place: Place, taken: Sample | None) -> Job:
    """The job for a text and a recorded sample, before what was typed is put in."""
    settings = (place.settings or {}) | ({"partition": taken.part} if taken and not place.entity else {})
    record = taken.body.decode(errors="replace") if taken else None
    shipped = path.read_text(encoding="utf-8")
    return Job(str(path), text, shipped, record=record, settings=settings, may_ask=bool(place.connection))


def record_of(taken: Sample) -> Any:
    """What a recorded sample says; a text where it is no JSON."""
    try:
        return codec.decode(taken.body)
    except msgspec.DecodeError:
        return taken.body.decode(errors="replace")
