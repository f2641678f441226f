"""Recorded fixtures of a connector: a few masked records of each stream that together show every field and type of it.

They lie in `fixtures/STREAM.json` of the connector's package. The contract holds what a sandbox sends against them, and
whoever mends a mapping sees what a vendor's records look like.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from duijie import codec
from duijie.codec import Record
from duijie.drift.seen import seen
from duijie.masking import Masks

MOST = 5


def covering(records: Sequence[Record], most: int = MOST) -> list[Record]:
    """The fewest records that show all fields and types of the given ones, or the `most` that show most of them."""
    shown = [_shapes(record) for record in records]
    left = set().union(*shown) if shown else set()
    chosen: list[int] = []
    while left and len(chosen) < most:
        best = max(range(len(records)), key=lambda at: len(shown[at] & left))
        chosen.append(best)
        left -= shown[best]
    return [records[at] for at in sorted(chosen)]


def masked(records: Sequence[Record]) -> list[Record]:
    """The same without the people in them."""
    masks = Masks()
    return [masks.record(record) for record in records]


def write(folder: Path, stream: str, records: Sequence[Record]) -> Path:
    """Choose, mask, write `STREAM.json`; returns its path."""
    path = folder / f"{stream}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(codec.encode_ordered(masked(covering(records)))).decode()
    path.write_text(f"{text}\n", encoding="utf-8")
    return path


def read(path: Path) -> list[Record]:
    """The records of a fixture, none where there is no such file."""
    return list(codec.decode(path.read_bytes())) if path.is_file() else []


def _shapes(record: Record) -> set[tuple[str, str]]:
    return {(path, kind) for path, field in seen([("", record)]).fields.items() for kind in field.types}
