"""Explains the journal: any field of any document or delivery, back to the raw message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Row as Found
from sqlalchemy import func, select

from duijie import codec
from duijie.codec import Record
from duijie.connect.errors import ConfigError
from duijie.difference import changes, told
from duijie.flow import Deliver, Flow, Poll, Pull
from duijie.journal import Journal, tombstones
from duijie.journal.codes import CHINA
from duijie.journal.inbox import ARCHIVED
from duijie.journal.lookup import day_of
from duijie.journal.tables import delivery, delivery_event, document, message
from duijie.mapping.located import located
from duijie.provenance.derived import Maker
from duijie.provenance.model import Explained, Origin, Source, Why
from duijie.provenance.past import Archive, Moment, PastLookup
from duijie.provenance.trail import Run, at, below, has, is_ref, leaves, plain_path, shown
from duijie.provenance.used import Used, mapping_of

FOLLOWED = 5


class Explainer:
    """Answers one question after another over a journal; `most` sources of a field are followed to their messages.

    What it has read it keeps, so that it should live no longer than one answer or one command.
    """

    def __init__(self, journal: Journal, root: Path, flows: Mapping[str, Flow], most: int = FOLLOWED) -> None:
        self.journal = journal
        self.root = root
        self.flows = flows
        self.most = most
        self.archive = Archive(journal)
        self._runs: dict[int, Run] = {}

    def document(self, entity: str, key: str, field: str = "", version: int = 0) -> Explained:
        """Why a document (its current version unless one is named) holds what it holds.

        `key` may be its last part, such as an order number. Raises ConfigError for an unknown document or field,
        MappingError where its mapping cannot be read, DataError where the mapping refuses its message by now.
        """
        return self.document_at(self._row(entity, key, version).id, field)

    def document_at(self, document_id: int, field: str = "") -> Explained:
        """The same by the journal's own number."""
        row = self._by_id(document_id)
        body: Record = codec.decode(row.body)
        wanted = self._fields(body, field, f"{row.entity} {row.key}")
        if row.message_id is None:
            maker = self._maker(row, body)
            return Explained(_of(row), body, row.mapping, tuple(map(maker.why, wanted)), maker.notes)
        run = self._run(row)
        follow = partial(self._leaf, run)
        whys = tuple(why for path in wanted if (why := run.why(path, follow)))
        return Explained(run.origin, body, row.mapping, whys, run.notes)

    def delivery(self, delivery_id: int, field: str = "") -> Explained:
        """Why what was (or will be) sent holds what it holds. Raises as `document`."""
        row = self._delivery(delivery_id)
        run = self._sending(row)
        wanted = self._fields(run.body, field, f"{row.sink} {row.key}")
        follow = partial(self._part, run)
        whys = tuple(why for path in wanted if (why := run.why(path, follow)))
        return Explained(run.origin, run.body, run.used.stamp, whys, run.notes)

    def payload(self, delivery_id: int) -> Record:
        """What a delivery's mapping makes of its document. Raises as `document`."""
        return self._sending(self._delivery(delivery_id)).body

    def users(self, message_id: int, path: str) -> list[Why]:
        """The fields, of every document made of a message, whose rules have read one of its values."""
        query = select(document).where(document.c.message_id == message_id).order_by(document.c.id)
        with self.journal.reading() as tx:
            rows = tx.execute(query).all()
        runs = [self._run(row) for row in rows]
        wanted = plain_path(path)
        return [
            why
            for run in runs
            for field in run.reading(wanted)
            if (why := run.why(field, partial(self._leaf, run))) is not None
        ]

    def why_of(self, document_id: int, path: str) -> Why | None:
        """Why one field of a document holds its value; None for an object or where no rule made it."""
        return self._why(self._by_id(document_id), path)

    def _why(self, row: Found[Any], path: str) -> Why | None:
        body = codec.decode(row.body)
        if not has(body, path) or isinstance(at(body, path), dict):
            return None
        if row.message_id is None:
            return self._maker(row, body).why(path)
        run = self._run(row)
        return run.why(path, partial(self._leaf, run))

    def _fields(self, body: Record, field: str, name: str) -> list[str]:
        wanted = plain_path(field)
        found = [path for path, _ in leaves(body) if below(path, wanted)]
        if found:
            return found
        known = ", ".join(dict.fromkeys(path for path, _ in leaves(body)))
        raise ConfigError(
            f"{name} 没有字段 {field}; 有: {known[:400]}", en=f"{name} has no field {field}", where=f"{name} {field}"
        )

    def _leaf(self, run: Run, path: str, value: Any) -> Source:
        """An input of an .in mapping: of the message, of the settings, or of master data."""
        if path.startswith("settings."):
            return Source(path, shown(path, value), Origin("settings"))
        if (asked := is_ref(path)) is not None:
            return self._master(run, asked, value)
        return Source(path, shown(path, value), run.given)

    def _part(self, run: Run, path: str, value: Any) -> Source:
        """An input of an .out mapping: a field of the document has a reason of its own."""
        found = self._leaf(run, path, value)
        if found.origin is not run.given or run.given.id is None:
            return found
        return Source(found.path, found.value, run.given, self.why_of(run.given.id, path))

    def _master(self, run: Run, asked: tuple[str, str, str], value: Any) -> Source:
        entity, key, path = asked
        kept = run.lookup.version(entity, key) if run.lookup else None
        if kept is None:
            return Source(path, shown(path, value), Origin("document", entity, key))
        row = self._by_id(kept.id)
        return Source(path, shown(path, value), _of(row), self._why(row, path))

    def _run(self, row: Found[Any]) -> Run:
        """A document's mapping, run again over its message as things were then."""
        if row.id not in self._runs:
            self._runs[row.id] = self._mapped(row)
        return self._runs[row.id]

    def _mapped(self, row: Found[Any]) -> Run:
        kept = _readable(self._message(row.message_id))
        used = mapping_of(self.root, row.mapping)
        lookup = PastLookup(self.archive, kept.connection, Moment.of(row.id, row.created_at, _day(kept.received_at)))
        settings, notes = self._settings(used.mapping.name, f"{kept.connection}/{kept.stream}")
        record = codec.decode(kept.body)
        settings = settings | {"partition": kept.part}
        given = Origin("message", f"{kept.connection}/{kept.stream}", kept.key, kept.id, at=kept.received_at)
        body: Record = codec.decode(row.body)
        made, prefix = _made(used, row, lambda: used.mapping.run(record, lookup, settings))
        doubt = _doubt(body, made)
        if made and tombstones.is_gone(record):
            doubt = [f"{record[tombstones.GONE]['says']}, 因此 approval 为 void", *_doubt(body, _voided(made))]
        trail = located(used.mapping, record, lookup, settings)
        return Run(_of(row), given, body, used, trail, lookup, prefix, (*used.notes, *notes, *doubt), made)

    def _settings(self, name: str, end: str) -> tuple[Record, list[str]]:
        """The settings of the step that uses a mapping between this connection and its stream or sink."""
        for flow in self.flows.values():
            for step in flow.steps:
                if isinstance(step, Pull | Poll | Deliver) and step.mapping == name and _end(step) == end:
                    return dict(step.settings), []
        return {}, [f"没有流程用映射 {name} 处理 {end}: 以空的 settings 解释"]

    def _sending(self, row: Found[Any]) -> Run:
        """A delivery's mapping, run again over its document as things were when it left."""
        flow = self.flows.get(row.flow)
        steps = [step for step in flow.steps if isinstance(step, Deliver) and _end(step) == row.sink] if flow else []
        if not steps:
            raise ConfigError(
                f"流程 {row.flow} 没有写入 {row.sink} 的步骤, 或其文件有误: 不知道用哪个映射解释投递 {row.id}",
                en=f"flow {row.flow} has no step into {row.sink}",
                where=str(row.id),
            )
        step = steps[0]
        source = self._by_id(row.document_id)
        used = mapping_of(self.root, row.mapping or step.mapping)
        body: Record = codec.decode(source.body)
        moment = Moment.of(self._until(row.at), row.at, day_of(body))
        lookup = PastLookup(self.archive, step.connection, moment)
        payload = used.mapping.run(body, lookup, step.settings) or {}
        trail = located(used.mapping, body, lookup, step.settings)
        origin = Origin("delivery", row.sink, row.key, row.id, at=row.at)
        notes = (*used.notes, *_sent(row, payload))
        return Run(origin, _of(source), payload, used, trail, lookup, "", notes)

    def _until(self, moment: Any) -> int:
        """One more than the last document that was there at a moment."""
        query = select(document.c.id).where(document.c.created_at <= moment).order_by(document.c.id.desc()).limit(1)
        with self.journal.reading() as tx:
            return int(tx.execute(query).scalar() or 0) + 1

    def _maker(self, row: Found[Any], body: Record) -> Maker:
        return Maker(self, row, body)

    def _row(self, entity: str, key: str, version: int) -> Found[Any]:
        query = select(document).where(document.c.entity == entity)
        query = query.where(document.c.version == version) if version else query.where(document.c.current)
        exact = query.where(document.c.key == key)
        ends = query.where(document.c.key.endswith(f":{key}", autoescape=True)).limit(2)
        with self.journal.reading() as tx:
            found = tx.execute(exact).all() or tx.execute(ends).all()
        if len(found) == 1:
            return found[0]
        what = "没有" if not found else "不止一张"
        tail = f" 第 {version} 版" if version else ""
        raise ConfigError(
            f"{what}单据 {entity} {key}{tail}; 请给完整的键 (在“联查”页可以查到)",
            en=f"no document, or several: {entity} {key}",
            where=f"{entity} {key}",
        )

    def _by_id(self, document_id: int) -> Found[Any]:
        with self.journal.reading() as tx:
            row = tx.execute(select(document).where(document.c.id == document_id)).first()
        if row is None:
            raise ConfigError(f"没有编号为 {document_id} 的单据", en=f"no document {document_id}")
        return row

    def _message(self, message_id: int) -> Found[Any]:
        with self.journal.reading() as tx:
            return tx.execute(select(message).where(message.c.id == message_id)).one()

    def _delivery(self, delivery_id: int) -> Found[Any]:
        """A delivery's row with `at`: when it last left, else when it was planned."""
        left = select(func.max(delivery_event.c.at)).where(delivery_event.c.delivery_id == delivery.c.id)
        left = left.where(delivery_event.c.after == "sent")
        at_column = func.coalesce(left.scalar_subquery(), delivery.c.created_at, type_=delivery.c.created_at.type)
        with self.journal.reading() as tx:
            row = tx.execute(select(delivery, at_column.label("at")).where(delivery.c.id == delivery_id)).first()
        if row is None:
            raise ConfigError(f"没有编号为 {delivery_id} 的投递", en=f"no delivery {delivery_id}")
        return row


def _of(row: Found[Any]) -> Origin:
    return Origin("document", row.entity, row.key, row.id, row.version, row.created_at)


def _end(step: Pull | Poll | Deliver) -> str:
    return f"{step.connection}/{step.sink if isinstance(step, Deliver) else step.stream}"


def _day(moment: datetime) -> date:
    return moment.astimezone(CHINA).date()


def _made(used: Used, row: Found[Any], run: Callable[[], Record | None]) -> tuple[Record | None, str]:
    """The document among those that the mapping makes now, and where it stands in the result."""
    result = run()
    if result is None or not used.mapping.parts.emits:
        return result, ""
    found = result.get(row.entity)
    if isinstance(found, dict):
        return found, f"{row.entity}."
    places = [(one, f"{row.entity}[{index}].") for index, one in enumerate(found or []) if str(one["key"]) == row.key]
    return places[0] if places else (None, "")


def _doubt(body: Record, made: Record | None) -> list[str]:
    """Whether running the mapping again gives what is kept."""
    if made is None:
        return ["注意: 这条报文现在不再生成此单据 (被 skip 或 when 去掉)"]
    found = list(changes(body, _as_kept(made)))
    return [f"注意: 重算结果与存档不同: {told(found)}"] if found else ["重算结果与存档一致"]


def _voided(made: Record) -> Record:
    return made | {"approval": tombstones.VOID}


def _as_kept(value: Record) -> Record:
    return dict(codec.decode(codec.encode(value)))


def _sent(row: Found[Any], payload: Record) -> list[str]:
    kept = row.payload_hash
    if not kept:
        return ["发出的内容没有存摘要, 以下为重算结果"]
    same = kept == codec.digest(payload)
    return ["重算结果与发出的内容一致 (摘要相同)" if same else "注意: 重算结果与当时发出的内容不同 (摘要不同)"]


def _readable(kept: Any) -> Any:
    """A message whose body is still here. Raises ConfigError that says where it went."""
    if kept.reason.startswith(ARCHIVED):
        raise ConfigError(
            f"原始报文 {kept.key} (编号 {kept.id}) {kept.reason}; 追溯到归档为止",
            en=f"the message {kept.id} was archived: {codec.decode(kept.body)[ARCHIVED]}",
            where=kept.key,
        )
    return kept
