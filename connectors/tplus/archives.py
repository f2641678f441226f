"""Creating base data in T+: 存货 and 往来单位, by their Code.

Whether T+ refuses a second one with the same Code is not documented: it is looked up before anything is sent.
Source: T+Cloud API "存货新增" (answers null), "往来单位新增" (answers null or a text).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from connectors.tplus.client import Client
from connectors.tplus.lists import Archive
from duijie.codec import Record
from duijie.connect.protocol import Done, Figures, Found, Outcome, Safety
from duijie.connect.retry import side_by_side

WORKERS = 4


class ArchiveSink:
    """`…/Create` of one kind of base data. A payload is its dto."""

    safety = Safety.LOOKUP
    batch = 20

    def __init__(self, client: Client, archive: Archive, name: str, service: str) -> None:
        self._client = client
        self._archive = archive
        self._service = service
        self.name = name
        self.entity = archive.entity

    def key_of(self, payload: Record) -> str:
        """The code."""
        return str(payload["Code"])

    def figures_of(self, payload: Record) -> Figures:
        """None: base data carries no amount."""
        return {}

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """By code, each asked for alone."""
        rows = side_by_side(self._archive.by_code, keys, WORKERS)
        return {key: Found(str(row.get("ID") or key), key, {}, row) for key, row in zip(keys, rows, strict=True) if row}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """One Create each, side by side."""
        return side_by_side(self._write_one, payloads, WORKERS)

    def _write_one(self, payload: Record) -> Outcome:
        return self._client.retrier.outcome(partial(self._create, payload))

    def _create(self, payload: Record) -> Done:
        code = self.key_of(payload)
        return Done(code, code, {"answer": self._client.write(self._service, {"dto": payload})})
