"""文件夹: files come in whole, bad ones are kept and stop nothing, documents go out once."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from connectors.folder import CONNECTOR
from connectors.folder.connector import Folder
from connectors.folder.files import Box
from duijie import codec
from duijie.connect import records
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, MalformedMessage
from duijie.connect.protocol import Done, Safety, Unknown, Window
from duijie.connect.services import Services, file_tokens
from duijie.engine import Engine
from duijie.flow import load_flow
from duijie.journal import Journal, documents
from duijie.journal.tables import delivery, work_item

STREAMS = {"customers": {"entity": "party", "key": "id"}}
SINKS = {"customers": {"entity": "party", "key": "no", "figures": ["credit"]}}
EVER = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def connection(path: Path, **extra: Any) -> Connection:
    return Connection("files", "folder", extra={"path": str(path), "streams": STREAMS, "sinks": SINKS, **extra})


def opened(path: Path, **extra: Any) -> Folder:
    return CONNECTOR.open(connection(path, **extra), Services(file_tokens()))  # type: ignore[return-value]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    made = tmp_path / "in/customers"
    made.mkdir(parents=True)
    return made


def read(path: Path, window: Window = EVER) -> list[dict[str, Any]]:
    return [record for page in opened(path).streams["customers"].read(window) for record in page.records]


class TestReading:
    def test_one_record_a_list_and_a_line_each_are_all_taken_numbers_exact(self, tmp_path: Path, inbox: Path) -> None:
        (inbox / "a.json").write_text('{"id": 9007199254740993, "credit": 0.10}')
        (inbox / "b.json").write_text('[{"id": 2}, {"id": 3}]')
        (inbox / "c.jsonl").write_text('{"id": 4}\n\n{"id": 5}\n')
        found = read(tmp_path)
        assert sorted(one["id"] for one in found) == [2, 3, 4, 5, 9007199254740993]
        assert next(one for one in found if "credit" in one)["credit"] == Decimal("0.10")

    def test_what_cannot_be_read_is_a_record_that_says_so(self, tmp_path: Path, inbox: Path) -> None:
        (inbox / "bad.json").write_text('{"id": 1')
        (inbox / "lines.jsonl").write_text('{"id": 2}\nnonsense\n[3]\n')
        found = {one.get("_file", one.get("id")): one for one in read(tmp_path)}
        assert found[2] == {"id": 2}
        assert "内容不是有效的 JSON" in found["bad.json"]["_unread"]
        assert "第 2 行不是有效的 JSON" in next(
            one["_unread"] for one in read(tmp_path) if one.get("_text") == "nonsense"
        )
        assert found["bad.json"]["_text"] == '{"id": 1'

    def test_a_file_of_another_encoding_is_named_and_stops_no_other(self, tmp_path: Path, inbox: Path) -> None:
        (inbox / "gbk.json").write_bytes('{"id": 1, "name": "张三"}'.encode("gbk"))
        (inbox / "bom.json").write_text('{"id": 2}', encoding="utf-8-sig")
        found = {one.get("_file", one.get("id")): one for one in read(tmp_path)}
        assert found[2] == {"id": 2}
        assert "GBK" in found["gbk.json"]["_unread"]
        assert "另存为 UTF-8" in found["gbk.json"]["_unread"]

    def test_what_could_not_be_read_is_told_by_its_file_and_cause(self, tmp_path: Path, inbox: Path) -> None:
        (inbox / "bad.json").write_text('{"id": 1,}')
        [record] = read(tmp_path)
        with pytest.raises(MalformedMessage) as told:
            records.read(codec.encode(record))
        assert told.value.zh.startswith("bad.json: 内容不是有效的 JSON")

    def test_the_test_of_a_connection_tells_a_key_that_no_record_has(self, tmp_path: Path, inbox: Path) -> None:
        (inbox / "a.json").write_text('{"number": 1}')
        said = dict(opened(tmp_path).check())
        assert "没有键字段 id, 它有: number" in said["in/customers"]

    def test_records_that_stand_deeper_are_found_by_their_place(self, tmp_path: Path, inbox: Path) -> None:
        (inbox / "a.json").write_text('{"code": 0, "data": {"rows": [{"id": 1}, {"id": 2}]}}')
        (inbox / "b.json").write_text('{"code": 7}')
        deep = {"customers": {"entity": "party", "key": "id", "rows": "data.rows"}}
        stream = opened(tmp_path, streams=deep).streams["customers"]
        found = {one.get("_file", one.get("id")): one for page in stream.read(EVER) for one in page.records}
        assert {1, 2, "b.json"} == set(found)
        assert "没有 data.rows" in found["b.json"]["_unread"]

    def test_the_test_of_a_connection_says_where_records_may_stand(self, tmp_path: Path, inbox: Path) -> None:
        (inbox / "a.json").write_text('{"code": 0, "data": {"rows": []}}')
        assert "rows 指明记录所在 (如 data)" in dict(opened(tmp_path).check())["in/customers"]

    def test_of_a_key_in_several_files_the_newest_counts(self, tmp_path: Path, inbox: Path) -> None:
        for name, text in (("c", '[{"id": 1, "v": 1}, {"id": 2}]'), ("a", '[{"id": 1, "v": 2}, {"id": 1, "v": 3}]')):
            (inbox / f"{name}.json").write_text(text)
            time.sleep(0.02)
        assert sorted(read(tmp_path), key=lambda one: int(one["id"])) == [{"id": 1, "v": 3}, {"id": 2}]
        assert read(tmp_path, Window(EVER.since, EVER.until, keys=("1",))) == [{"id": 1, "v": 3}]

    def test_records_without_a_key_are_all_there(self, tmp_path: Path, inbox: Path) -> None:
        (inbox / "a.json").write_text('[{"id": null, "v": 1}, {"v": 2}, {"id": ""}]')
        assert len(read(tmp_path)) == 3

    def test_a_file_that_is_still_being_written_is_not_there_yet(self, tmp_path: Path, inbox: Path) -> None:
        (inbox / ".half.json").write_text('{"id": 1')
        (inbox / "notes.txt").write_text("hello")
        assert read(tmp_path) == []

    def test_a_copy_that_brings_an_old_time_with_it_is_new_all_the_same(self, tmp_path: Path, inbox: Path) -> None:
        (inbox / "old.json").write_text('{"id": 1}')
        os.utime(inbox / "old.json", (0, 0))
        now = datetime.now(UTC)
        assert read(tmp_path, Window(now - timedelta(minutes=1), now + timedelta(minutes=1))) == [{"id": 1}]

    def test_exactly_these_keys(self, tmp_path: Path, inbox: Path) -> None:
        (inbox / "b.json").write_text('[{"id": 2}, {"id": 3}]')
        assert read(tmp_path, Window(EVER.since, EVER.until, keys=("3",))) == [{"id": 3}]

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="in/customers"):
            read(tmp_path)


class TestWriting:
    def test_a_document_is_written_whole_in_the_order_of_its_fields(self, tmp_path: Path) -> None:
        sink = opened(tmp_path).sinks["customers"]
        assert sink.safety is Safety.NATURAL_KEY
        [done] = sink.write([{"no": "K/1 号", "b": Decimal("1.10"), "a": 1}])
        assert isinstance(done, Done)
        assert Path(done.native_id).read_text() == '{"no":"K/1 号","b":1.10,"a":1}'
        assert [each.name for each in (tmp_path / "out/customers").iterdir()] == ["K%2F1%20号.json"]

    def test_a_taken_name_is_looked_into_and_never_written_over(self, tmp_path: Path) -> None:
        sink = opened(tmp_path).sinks["customers"]
        sink.write([{"no": "1", "credit": Decimal("5.00")}])
        [again] = sink.write([{"no": "1", "credit": Decimal("6.00")}])
        assert isinstance(again, Unknown)
        assert sink.find(["1", "2"])["1"].figures == {"credit": Decimal("5.00")}
        assert "2" not in sink.find(["2"])

    def test_two_keys_never_share_a_file(self, tmp_path: Path) -> None:
        box = Box(tmp_path)
        assert len({box.path(key) for key in ("a/b", "a%2Fb", "a b", "ab", "a:b")}) == 5

    def test_a_payload_without_its_key_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no"):
            opened(tmp_path).sinks["customers"].key_of({"name": "x"})

    def test_wrong_settings_are_told(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="entty"):
            opened(tmp_path, streams={"customers": {"entty": "party", "key": "id"}})


FLOW = """
flow: customers
title: 客户
steps:
  - {verb: pull, name: pull, connection: files, stream: customers, mapping: demo/party.in,
     since: 2026-01-01T00:00:00+08:00, window_minutes: 1051200}
  - {verb: deliver, name: deliver, connection: files, sink: customers, entity: party, mapping: demo/party.out}
"""
IN = """\
mapping: demo/party.in
from: {system: demo, stream: customers}
to: {entity: party}
fields: {key: 'join(":", "demo", id)', name: name, kind: '"company"', role: '"customer"'}
"""
OUT = """\
mapping: demo/party.out
from: {entity: party}
to: {system: demo, sink: customers}
fields: {no: key, name: name}
"""


def test_a_flow_of_files_takes_the_good_and_keeps_the_bad_waiting(
    tmp_path: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    (tmp_path / "mappings/demo").mkdir(parents=True)
    (tmp_path / "mappings/demo/party.in.yaml").write_text(IN, encoding="utf-8")
    (tmp_path / "mappings/demo/party.out.yaml").write_text(OUT, encoding="utf-8")
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    (inbox / "good.json").write_text('[{"id": "1", "name": "甲"}, {"id": "2", "name": "乙"}]')
    (inbox / "bad.json").write_text("{")
    flow = load_flow(tmp_path / "flow.yaml")
    journal = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    engine = Engine(journal, lambda conn_id: connection(tmp_path), tmp_path)
    for _ in range(2):
        for step in flow.steps:
            engine.run(flow, step)
    written = sorted(path.read_text() for path in (tmp_path / "out/customers").iterdir())
    assert [codec.decode(text)["name"] for text in written] == ["甲", "乙"]
    assert {one.key for one in documents.current(journal, "party")} == {"demo:1", "demo:2"}
    with journal.reading() as tx:
        assert list(tx.execute(select(delivery.c.state))) == [("done",), ("done",)]
        [item] = tx.execute(select(work_item.c.reason)).all()
    assert "bad.json" in item.reason
