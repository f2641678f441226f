"""The mapping between its neighbours: bytes in, bytes out; and the whole way of an order into the journal.

The limit is what the fastest JSON library takes to read an order and to write its result, with nothing between and
amounts as floats, which is the one thing that a real chain must not do.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import delete, insert

from benchmarks.mapping.hand import hand
from benchmarks.mapping.orders import orders
from benchmarks.mapping.ours import FILE, LOOKUP
from benchmarks.mapping.timing import Sweep, Times, interleaved
from duijie import codec, schemas
from duijie.codec import Record
from duijie.journal import documents
from duijie.journal.journal import Journal
from duijie.journal.tables import document
from duijie.mapping import load_mapping

SCHEMA = Path(__file__).with_name("order.schema.json")
ENTITY = "psi_order"
BATCH = 500


class Chain:
    """One order after the other, into one journal."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        mapping = load_mapping(FILE)
        self._run = mapping.run
        self._stamp = f"{mapping.name}@{mapping.version}"
        self._is_valid = schemas.quick(codec.decode(SCHEMA.read_bytes())).accepts

    def sweeps(self) -> dict[str, Sweep]:
        """What is timed, by name."""
        return {
            "limit": _limit,
            "codec": self.codec,
            "orjson": self.orjson,
            "chain": self.chain,
            "chain_put": self.chain_put,
        }

    def codec(self, raw: list[bytes]) -> None:
        """Decode, map, encode, exact to the last digit."""
        for body in raw:
            codec.encode_ordered(self._run(codec.decode(body), LOOKUP, {}))

    def orjson(self, raw: list[bytes]) -> None:
        """The same with orjson, which knows no Decimal: amounts go out as texts."""
        for body in raw:
            orjson.dumps(self._run(orjson.loads(body), LOOKUP, {}), default=str)

    def chain(self, raw: list[bytes]) -> None:
        """Decode, map, validate, canonical form, its hash, a row in the journal; 500 rows a transaction."""
        for start in range(0, len(raw), BATCH):
            rows = [self._row(self._made(body)) for body in raw[start : start + BATCH]]
            with self.journal.writing() as tx:
                tx.execute(insert(document), rows)

    def chain_put(self, raw: list[bytes]) -> None:
        """The same through `documents.put`, which looks for the order's last version first, order by order."""
        for start in range(0, len(raw), BATCH):
            made = [self._made(body) for body in raw[start : start + BATCH]]
            with self.journal.writing() as tx:
                for body in made:
                    documents.put(tx, self.journal, ENTITY, body, (None, self._stamp))

    def empty(self) -> None:
        """Take every document out of the journal again."""
        with self.journal.writing() as tx:
            tx.execute(delete(document))

    def _made(self, body: bytes) -> Record:
        made = self._run(codec.decode(body), LOOKUP, {})
        if made is None or not self._is_valid(made):
            raise ValueError(f"the result of {body!r} breaks {SCHEMA.name}")
        return made

    def _row(self, made: Record) -> Record:
        body = codec.encode(made)
        return {
            "entity": ENTITY,
            "key": made["key"],
            "version": 1,
            "current": True,
            "hash": hashlib.sha256(body).hexdigest(),
            "body": body,
            "amount": documents.amount_of(made),
            "mapping": self._stamp,
            "created_at": self.journal.now(),
        }


def measure(folder: Path, count: int, rounds: int) -> Times:
    """µs per order of every sweep; each round's orders have not been seen before."""
    chain = Chain(Journal.open(f"sqlite:///{folder / 'journal.db'}"))

    def given(name: str, number: int) -> list[Any]:
        chain.empty()
        made = orders(count, seed=5000 + number)
        raw = [codec.encode_ordered(order) for order in made]
        if name != "limit":
            return raw
        return [(body, _lossy(hand(order))) for body, order in zip(raw, made, strict=True)]

    return interleaved(chain.sweeps(), given, rounds)


def _limit(pairs: list[tuple[bytes, Record]]) -> None:
    for body, result in pairs:
        orjson.loads(body)
        orjson.dumps(result)


def _lossy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lossy(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_lossy(each) for each in value]
    return float(value) if isinstance(value, Decimal) else value
