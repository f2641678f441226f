"""Runs one step of one flow: the same function for the command line, an Airflow task and an always-on worker.

Whatever goes wrong is written down (run, work item, alert) before it is raised, so that nothing depends on who was
watching.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection as Transaction
from sqlalchemy import insert, update

from duijie import codec, drift, heap, watch
from duijie.alerts.sending import send_waiting
from duijie.codes import fix
from duijie.connect.connection import Connection, find_connection
from duijie.connect.errors import ConfigError, Disabled, DuijieError, JournalBusy, LineDown
from duijie.connect.invoicing import Invoicing
from duijie.connect.protocol import Connector, Incident, Sink, Stream
from duijie.connect.registry import open_connection, secret_values
from duijie.connect.secrets import mask_text
from duijie.connect.services import Services
from duijie.deliver import Delivering, must_take
from duijie.derive.making import make
from duijie.desk import OF_INVOICES, Desk
from duijie.flow import (
    Alert,
    Deliver,
    Derive,
    Drift,
    Fetch,
    Flow,
    Poll,
    Pull,
    Receive,
    Reconcile,
    Step,
    Watch,
    load_flows,
)
from duijie.given import must_be_given
from duijie.ingress.heed import heed
from duijie.invoicing import outcomes, polling
from duijie.invoicing.again import Again
from duijie.invoicing.gate import Gate
from duijie.invoicing.issuing import InvoiceGate
from duijie.invoicing.rules import LifeRules
from duijie.invoicing.rules import load as load_rules
from duijie.journal import Journal, work
from duijie.journal.inbox import Source
from duijie.journal.lookup import JournalLookup
from duijie.journal.tables import incident, run
from duijie.mapping import Mapping as FieldMapping
from duijie.mapping import load_mapping
from duijie.originals.archive import Archive
from duijie.originals.fetch import Fetching
from duijie.originals.inbox import counted, move_away, receive_mail, receive_path
from duijie.originals.received import Receiving
from duijie.pull import Refinery, pull, read_keys, refine
from duijie.reconcile import compare_pairs
from duijie.reconcile.billing import compare_billing
from duijie.replay import Routes
from duijie.sharing import shared
from duijie.shift import WHOLE, Shift, Turn

Counts = Counter[str]
TRIED_AGAIN = "下次运行自动重试, 成功即恢复; 若持续, 按原因处理"
ROOT = Path(__file__).parent.parent


class Engine:
    """The journal, the connections and the mappings, brought together for one process."""

    def __init__(
        self,
        journal: Journal,
        connections: Callable[[str], Connection] = find_connection,
        root: Path = ROOT,
        turn: Turn = WHOLE,
    ) -> None:
        self.journal = journal
        self._turn = turn
        self.root = root
        self._find_connection = connections
        self._open: dict[str, Connector] = {}
        self._secrets: dict[str, tuple[str, ...]] = {}

    @cached_property
    def services(self) -> Services:
        """Tokens, budgets and the observer that keeps incidents in the journal."""
        return shared(self.journal, self._observe)

    def run(self, flow: Flow, step: Step) -> dict[str, int]:
        """Run one step; returns its counts. Raises errors of the tree after recording them."""
        heap.settle()
        run_id = self._begin(flow, step)
        try:
            self._must_be_in_use(step)
            counts = self._dispatch(flow, step)
        except DuijieError as error:
            self._failed(flow, step, run_id, error)
            raise
        self._succeeded(flow, step, run_id, counts)
        return dict(counts)

    def _must_be_in_use(self, step: Step) -> None:
        if isinstance(step, Pull | Poll | Deliver | Fetch) and (line := self.services.line(step.connection)):
            line.check()

    def connector(self, conn_id: str) -> Connector:
        """A live connector, opened once per process."""
        if conn_id not in self._open:
            connection = self._find_connection(conn_id)
            self._secrets[conn_id] = secret_values(connection)
            self._open[conn_id] = open_connection(connection, self.services)
        return self._open[conn_id]

    def stream(self, conn_id: str, name: str) -> Stream:
        """A stream by name. Raises ConfigError naming those there are."""
        found: Stream = _named(self.connector(conn_id).streams, name, f"{conn_id} 的数据流")
        return found

    def sink(self, conn_id: str, name: str) -> Sink:
        """A sink by name. Raises ConfigError naming those there are."""
        found: Sink = _named(self.connector(conn_id).sinks, name, f"{conn_id} 的写入口")
        return found

    def mapping(self, name: str) -> FieldMapping:
        """A mapping by its name below mappings/. Raises MappingError."""
        return load_mapping(self.root / "mappings" / f"{name}.yaml")

    def _dispatch(self, flow: Flow, step: Step) -> Counts:
        match step:
            case Pull():
                return self._pull(flow, step)
            case Poll():
                return self._poll(flow, step)
            case Derive():
                return make(self.journal, flow.flow, step, self.root / "mappings")
            case Deliver():
                return self._deliver(flow, step)
            case Reconcile():
                return self._reconcile(flow, step)
            case Fetch() | Receive() | Alert() | Watch() | Drift():
                return self._look_after(flow, step)

    def _pull(self, flow: Flow, step: Pull) -> Counts:
        mapping = self.mapping(step.mapping)
        must_be_given(step, mapping)
        stream = self.stream(step.connection, step.stream)
        refinery = Refinery(self.journal, flow.flow, stream.entity, mapping, self._lookup(step.connection))
        try:
            heeding = partial(heed, self.journal, step.connection, stream)
            return pull(self.journal, step, stream, refinery, heeding)
        finally:
            if refinery.has_made:
                self._let_go(flow, stream.entity)

    def _let_go(self, flow: Flow, entity: str) -> None:
        """What waited for master documents that are there now goes round again, in every flow that can be read."""
        if items := fix.arrived(self.journal, entity):
            try:
                flows = load_flows(self.root / "dags" / "flows")
            except ConfigError:
                flows = {}
            fix.release(self.journal, items, "duijie", Routes({**flows, flow.flow: flow}, self.root))

    def _poll(self, flow: Flow, step: Poll) -> Counts:
        mapping = self.mapping(step.mapping)
        must_be_given(step, mapping)
        stream = self.stream(step.connection, step.stream)
        refinery = Refinery(self.journal, flow.flow, stream.entity, mapping, self._lookup(step.connection))
        source = Source(step.connection, step.stream)
        counts: Counts = heed(self.journal, step.connection, stream)
        if counts["new_messages"]:
            counts += refine(self.journal, source, stream, refinery, step.settings)
        polling.track(self.journal, step)
        counts += outcomes.settle(self.journal, flow.flow, step)
        if keys := polling.due(self.journal, step):
            counts += read_keys(self.journal, step, stream, keys, self.journal.now())
            counts += refine(self.journal, source, stream, refinery, step.settings)
            counts += outcomes.settle(self.journal, flow.flow, step)
            polling.postpone(self.journal, step, keys, self._life)
            outcomes.stale(self.journal, flow.flow, step)
        counts["outstanding"], counts["next_poll"] = polling.outstanding(self.journal, step)
        return counts

    @cached_property
    def _life(self) -> LifeRules:
        return load_rules(self.root / "mappings" / "rules")

    def _deliver(self, flow: Flow, step: Deliver) -> Counts:
        mapping = self.mapping(step.mapping)
        must_take(step, mapping)
        must_be_given(step, mapping)
        sink = self.sink(step.connection, step.sink)
        shift = Shift(self.services.line(step.connection), self._turn)
        gate = self._gate(flow, step)
        route = Delivering(self.journal, flow.flow, step, sink, mapping, self._lookup(step.connection), shift, gate)
        if not isinstance(gate, InvoiceGate):
            return route.run()
        again = Again(gate.desk, sink, route.payload, self._life)
        return again.run(self.connector(step.connection)) + route.run()

    def _gate(self, flow: Flow, step: Deliver) -> Gate:
        desk = Desk(self.journal, flow.flow, step)
        if step.entity not in OF_INVOICES:
            return Gate(desk)
        return InvoiceGate(desk, self._life, self.connector(step.connection))

    def _reconcile(self, flow: Flow, step: Reconcile) -> Counts:
        mappings = self.root / "mappings"
        counts = compare_pairs(self.journal, step.pairs, self.stream, mappings)
        if "billing" in step.checks:
            counts.update(compare_billing(self.journal, flow.flow, mappings))
        return counts

    def fetching(self, flow: Flow, step: Fetch) -> Fetching:
        """What fetches the files of a connection's invoices."""
        found = self.connector(step.connection)
        invoicing = found if isinstance(found, Invoicing) else None
        return Fetching(self.journal, flow.flow, step, invoicing, Archive.open())

    def _receive(self, flow: Flow, step: Receive) -> Counts:
        receiving = Receiving(self.journal, flow.flow, step, Archive.open())
        taken = receive_path(receiving, Path(step.folder), move_away) if step.folder else []
        if step.mailbox:
            taken += receive_mail(receiving, self._find_connection(step.mailbox))
        return counted(taken)

    def _look_after(self, flow: Flow, step: Fetch | Receive | Alert | Watch | Drift) -> Counts:
        match step:
            case Fetch():
                return self.fetching(flow, step).run()
            case Receive():
                return self._receive(flow, step)
            case Alert():
                return send_waiting(self.journal)
            case Watch():
                return self._watch(flow, step)
            case Drift():
                return drift.told(self.journal, self._type_of, self.root / "schemas", step.newest)

    def _watch(self, flow: Flow, step: Watch) -> Counts:
        flows = {**load_flows(self.root / "dags" / "flows"), flow.flow: flow}
        looked = watch.look(self.journal, watch.Around(flows, step, self._find_connection, self._life))
        return Counter(findings=len(looked.findings), raised=looked.raised, over=looked.over)

    def _type_of(self, conn_id: str) -> str:
        return self._find_connection(conn_id).conn_type

    def _lookup(self, conn_id: str) -> JournalLookup:
        return JournalLookup(self.journal, conn_id)

    def _observe(self, seen: Incident) -> None:
        detail = mask_text(seen.detail, self._secrets.get(seen.conn_id, ()))
        row = {"connection": seen.conn_id, "kind": seen.kind, "detail": detail, "at": self.journal.now()}
        with self.journal.writing() as tx:
            tx.execute(insert(incident).values(**row))

    def _begin(self, flow: Flow, step: Step) -> int:
        row = {"flow": flow.flow, "step": step.name, "started_at": self.journal.now()}
        with self.journal.writing() as tx:
            return int(tx.execute(insert(run).values(**row).returning(run.c.id)).scalar_one())

    def _succeeded(self, flow: Flow, step: Step, run_id: int, counts: Mapping[str, int]) -> None:
        """Note the end; what earlier failures of the step raised is over."""
        over = ("step", "airflow") if counts.get("outstanding") else ("step", "airflow", "poll")
        with self.journal.writing() as tx:
            self._end(tx, run_id, counts, "")
            work.close_of_step(tx, self.journal, f"{flow.flow}.{step.name}", "该步骤已成功运行")
            for rule in over:
                work.recovered(tx, self.journal, f"{rule}|{flow.flow}|{step.name}")

    def _end(self, tx: Transaction, run_id: int, counts: Mapping[str, int], problem: str) -> None:
        values = {"ended_at": self.journal.now(), "counts": codec.encode(counts).decode(), "problem": problem}
        tx.execute(update(run).where(run.c.id == run_id).values(**values))

    def _failed(self, flow: Flow, step: Step, run_id: int, error: DuijieError) -> None:
        """Note the end and open what a person must see; of a line that is down or disabled they know already."""
        if isinstance(error, JournalBusy):
            return
        fresh = [one for one in error.causes or (error,) if not isinstance(one, Disabled | LineDown)]
        wrong = [one for one in fresh if isinstance(one, ConfigError)]
        with self.journal.writing() as tx:
            self._end(tx, run_id, {}, error.zh)
            for one in wrong:
                subject = ":".join(filter(None, (f"{flow.flow}.{step.name}", one.part, one.code or one.where)))
                work.open_item(tx, self.journal, flow.flow, work.finding_for(one, subject))
            if len(wrong) < len(fresh):
                title = f"流程 {flow.title} 的步骤 {step.name} 失败"
                dedupe = f"step|{flow.flow}|{step.name}"
                work.raise_alert(tx, self.journal, dedupe, "重要", title, TRIED_AGAIN, cause=error.zh)


def _named(known: Mapping[str, Any], name: str, what: str) -> Any:
    if name in known:
        return known[name]
    raise ConfigError(
        f"{what}中没有 {name}, 可选: {', '.join(known)}",
        en=f"{name} is not one of {', '.join(known)}",
        where=name,
    )
