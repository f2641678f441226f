"""Hostile messages through the shipped flows: each becomes a document or a work item, and no step ever gives up.

The flows, mappings, schemas, rules and the connectors' own keys and figures are the shipped ones; only the calls are
not made: streams give what `tests.faults.hostile` makes, sinks take whatever can be written as JSON. Run with
`python -m tests.faults.storm [--messages N] [--seed S]`; ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import yaml
from sqlalchemy import func, select

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.protocol import Done, Figures, Found, Outcome, Page, Safety, Sink, Stream, Window
from duijie.connect.registry import open_connection
from duijie.connect.services import Services
from duijie.connect.tokens import TokenStore
from duijie.engine import ROOT, Engine
from duijie.flow import Alert, Flow, Reconcile, load_flows
from duijie.journal import Journal, codes, inbox
from duijie.journal.codes import Code
from duijie.journal.tables import delivery, message, work_item, work_item_record
from tests.faults.hostile import Kind, good, messages
from tests.faults.scenes import LEDGER, SECRET
from tests.servers import Postgres

FLOWS = ("orders", "stock", "crm", "invoices", "pulled", "red_invoices", "vouchers")
PULLED = """
flow: pulled
title: what is polled, whether or not anybody asked for it
steps:
  - {verb: pull, name: blue, connection: nuonuo, stream: invoice, mapping: nuonuo/invoice.in,
     since: 2026-11-01T00:00:00+08:00, window_minutes: 1051200}
  - {verb: pull, name: red, connection: nuonuo, stream: red_invoice, mapping: nuonuo/red_invoice.in,
     since: 2026-11-01T00:00:00+08:00, window_minutes: 1051200}
"""
ROUND = 10_000
PAGE = 500
SHOWN = 5


@dataclass
class Told:
    """What came of it."""

    inputs: int = 0
    good: int = 0
    good_lost: int = 0
    crashes: int = 0
    unsettled: int = 0
    unowned: int = 0
    states: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)

    def add(self, other: Told) -> None:
        """What came of another."""
        for name in ("inputs", "good", "good_lost", "crashes", "unsettled", "unowned"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.states += other.states

    @property
    def is_kept(self) -> bool:
        """Whether every promise was."""
        return not (self.good_lost or self.crashes or self.unsettled or self.unowned)


class Given:
    """A stream that gives what it has been given, whatever is asked."""

    def __init__(self, real: Stream) -> None:
        self.name, self.entity, self.key = real.name, real.entity, real.key
        self.records: list[Any] = []

    def partitions(self) -> Iterable[str]:
        """One."""
        return [""]

    def read(self, _: Window) -> Iterator[Page]:
        """In pages."""
        for start in range(0, len(self.records), PAGE):
            yield Page(self.records[start : start + PAGE])


class Accepting:
    """A sink that takes whatever can be written as JSON, under the real sink's keys and figures."""

    def __init__(self, real: Sink) -> None:
        self.name, self.entity, self.batch = real.name, real.entity, real.batch
        self.safety = Safety.NATURAL_KEY
        self._real = real

    def key_of(self, payload: Record) -> str:
        """The real one's."""
        return self._real.key_of(payload)

    def figures_of(self, payload: Record) -> Figures:
        """The real one's."""
        return self._real.figures_of(payload)

    def find(self, keys: Sequence[str]) -> Mapping[str, Found]:
        """Nothing is there."""
        return {}

    def write(self, payloads: Sequence[Record]) -> Sequence[Outcome]:
        """Everything is taken."""
        return [Done(f"id-{len(codec.encode_ordered(one))}", "", {}) for one in payloads]


class Nowhere:
    """A shipped connector whose calls are not made."""

    def __init__(self, real: Any) -> None:
        self.streams: Mapping[str, Given] = {name: Given(stream) for name, stream in real.streams.items()}
        self.sinks: Mapping[str, Accepting] = {name: Accepting(sink) for name, sink in real.sinks.items()}

    def check(self) -> list[tuple[str, str]]:
        """Nothing to check."""
        return []


def _connections() -> list[Connection]:
    ledger = {name: LEDGER[name] for name in ("acct_id", "app_id", "account_book")}
    invoices = {"tax_no": "339902999999789113", "clerk": "张三", "token_url": "http://127.0.0.1:9/"}
    crm = {"permanent_code": "x", "open_user_id": "FSUID_x"}
    given: dict[str, Record] = {"taobao": {"shops": {"S01": {"refresh_token": "x"}}}, "k3cloud": ledger,
                                "xingchen": {"outer_instance_id": "x"}, "nuonuo": invoices, "fxiaoke": crm}  # fmt: skip
    here = "http://127.0.0.1:9"
    made = [Connection(name, name, here, "login", SECRET, extra=extra) for name, extra in given.items()]
    return [*made, Connection("tryton", "tryton", here, "user", SECRET, schema="db", extra={"company": "1"})]


class Storm:
    """The shipped flows over one journal."""

    def __init__(self, url: str, home: Path) -> None:
        os.environ["DUIJIE_HOME"] = str(home)
        self.journal = Journal.open(url)
        self.engine = Engine(self.journal)
        services = Services(TokenStore(home))
        self.systems = {one.conn_id: Nowhere(open_connection(one, services)) for one in _connections()}
        self.engine._open.update(self.systems)  # type: ignore[arg-type]
        self.flows = {**load_flows(ROOT / "dags" / "flows"), "pulled": msgspec.convert(yaml.safe_load(PULLED), Flow)}
        rows = [Code("customer", name, "S01", "C001") for name in ("xingchen", "k3cloud", "tryton")]
        codes.put(self.journal, rows, "test")
        self.told = Told()
        self._good: dict[Kind, set[str]] = defaultdict(set)

    def go(self, seed: int, number: int) -> Told:
        """Everything in rounds, then the account."""
        coming = messages(seed, number)
        while some := list(islice(coming, ROUND)):
            self._take(some)
            for name in FLOWS:
                self._run(name)
        self._account()
        return self.told

    def _take(self, some: Sequence[tuple[Kind, str, bool]]) -> None:
        for system in self.systems.values():
            for stream in system.streams.values():
                stream.records = []
        material = self.systems["xingchen"].streams["material"].records
        material.append({**good(some[0][0], 0), "number": "GOOD"} if some[0][0].stream == "material" else {})
        for kind, text, is_good in some:
            self.told.inputs += 1
            try:
                record = codec.decode(text)
            except msgspec.DecodeError:
                self.told.states["not JSON"] += 1
                continue
            self.systems[kind.connection].streams[kind.stream].records.append(record)
            if is_good:
                self.told.good += 1
                self._good[kind].add(str(record[kind.key]))

    def _run(self, name: str) -> None:
        """One flow; a step that gives up over what it was given is a crash."""
        flow = self.flows[name]
        for step in flow.steps:
            if isinstance(step, Reconcile | Alert):
                continue
            try:
                self.engine.run(flow, step)
            except Exception:  # noqa: BLE001  that is what is being looked for
                self.told.crashes += 1
                self.told.broken.append(f"{name}.{step.name}: {_told()}")

    def _account(self) -> None:
        with self.journal.reading() as tx:
            states = select(message.c.state, func.count()).group_by(message.c.state)
            self.told.states.update({f"message {state}": number for state, number in tx.execute(states)})
            ends = select(delivery.c.sink, delivery.c.state, func.count()).group_by(delivery.c.sink, delivery.c.state)
            self.told.states.update({f"{sink} {state}": number for sink, state, number in tx.execute(ends)})
            self.told.unsettled = self.told.states["message new"] + sum(
                number for name, number in self.told.states.items() if name.endswith((" claimed", " sent", " unknown"))
            )
            held = select(work_item_record.c.key).join(work_item, work_item.c.id == work_item_record.c.work_item_id)
            owned = set(tx.execute(held.where(work_item.c.state != "closed")).scalars())
            waits = select(message.c.key).where(message.c.state.in_(inbox.HELD), inbox.is_last())
            self.told.unowned = len(set(tx.execute(waits).scalars()) - owned)
            mapped = select(message.c.key).where(message.c.state == "mapped")
            through = set(tx.execute(mapped).scalars())
            sent = select(delivery.c.key).where(delivery.c.sink == "xingchen/sales_order", delivery.c.state == "done")
            ordered = {key.rpartition(":")[2] for key in tx.execute(sent).scalars()}
        for kind, keys in self._good.items():
            missing = keys - (ordered & through if kind.stream == "trade" else through)
            self.told.good_lost += len(missing)
            self.told.broken += [f"good {kind.stream} {key} did not go through" for key in sorted(missing)[:SHOWN]]


def _told() -> str:
    """The last lines of what was raised."""
    lines = traceback.format_exc().strip().splitlines()
    said = f"{sys.exc_info()[0]}: {sys.exc_info()[1]}"[:400]
    places = [line.strip() for line in lines if "/duijie/" in line or "/connectors/" in line]
    return " | ".join([*places[-4:], said])


def run(url: str, folder: str, seed: int, number: int) -> Told:
    """One storm in a process of its own."""
    return Storm(url, Path(folder)).go(seed, number)


def prove(number: int, seed: int) -> Told:
    """Half of them on SQLite and half on PostgreSQL, side by side."""
    whole, began = Told(), time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        Postgres() as server,
        ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool,
    ):
        urls = {"PostgreSQL": server.create("storm"), "SQLite": f"sqlite:///{folder}/journal.db"}
        running = {
            pool.submit(run, url, folder, seed + one, number // 2): name for one, (name, url) in enumerate(urls.items())
        }
        for ended in as_completed(running):
            one = ended.result()
            account = f"{one.inputs} hostile messages, {one.good} good ones among them, {one.crashes} crashes"
            place = f"{time.monotonic() - began:6.0f} s  {running[ended]}"
            print(f"{place}: {account}, {one.good_lost} good ones lost", flush=True)
            print(*one.broken[:SHOWN], sep="\n", end="\n" if one.broken else "", flush=True)
            whole.add(one)
    return whole


def main(arguments: Sequence[str]) -> int:
    """Prove; 1 when a promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.storm", description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 1_000_000)
    given = parser.parse_args(arguments)
    print(f"seed {given.seed}: repeat with --seed {given.seed} --messages {given.messages}", flush=True)
    told = prove(given.messages, given.seed)
    numbers = {name: getattr(told, name) for name in ("good", "good_lost", "unsettled", "unowned")}
    states = dict(sorted(told.states.items()))
    print(json.dumps({"hostile_inputs": told.inputs, "flow_crashes": told.crashes, **numbers, "states": states}))
    return int(not told.is_kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
