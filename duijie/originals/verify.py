"""Holds every kept file against its fingerprint again, and what it says against what the journal says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from duijie.connect.errors import DuijieError
from duijie.journal import Journal, documents
from duijie.originals import kept
from duijie.originals.archive import Archive
from duijie.originals.checks import faults
from duijie.originals.compare import differences, read
from duijie.originals.fetch import wanted
from duijie.originals.find import ENTITY
from duijie.originals.kept import Kept


@dataclass(frozen=True)
class Verdict:
    """One kept file and what is wrong with it; nothing is good."""

    file: Kept
    wrong: tuple[str, ...]


def verify(
    journal: Journal, archive: Archive, number: str = "", names: Mapping[str, str] | None = None
) -> Iterator[Verdict]:
    """Every kept file, or those of one invoice; a file that cannot be read is a finding, never an exception."""
    for one in kept.every(journal, number):
        try:
            data = archive.read(one.place, one.sha256)
            wrong = () if one.kind == "pdf" else _compared(journal, one, data, names or {})
        except DuijieError as error:
            wrong = (error.zh,)
        yield Verdict(one, wrong)


def _compared(journal: Journal, one: Kept, data: bytes, names: Mapping[str, str]) -> tuple[str, ...]:
    original = read(data)
    invoice = documents.get(journal, one.entity, one.key) if one.entity == ENTITY else None
    found = faults(original)
    if invoice:
        found += differences(original, wanted(journal, invoice, names))
    return tuple(map(str, found))
