"""旧系统数据库: tables are read exactly, whole and never written; on a real PostgreSQL, MariaDB and SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, oracle

from connectors.sqldb import tables as paging
from connectors.sqldb.connector import SqlDb
from connectors.sqldb.database import Database
from connectors.sqldb.tables import Read, Table
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, CredentialError, VendorRejected
from duijie.connect.protocol import Window
from duijie.connect.registry import open_connection
from duijie.connect.services import Services, file_tokens
from duijie.engine import Engine
from duijie.flow import load_flow
from duijie.journal import Journal, documents
from tests.servers import MariaDb, Missing

EVER = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
LOCAL = datetime(2026, 11, 1)  # noqa: DTZ001  as a database without zones keeps it
PRODUCTS = {"entity": "product", "table": "ptype", "key": "typeid"}


class Old:
    """A database that a test fills, and the connection that reads it."""

    def __init__(self, url: str, **extra: Any) -> None:
        self._engine = sa.create_engine(url, poolclass=sa.NullPool)
        self.extra = extra
        at = self._engine.url
        self.connection = Connection(
            "old", "sqldb", host=at.host or "", login=at.username or "", port=at.port, extra=extra
        )

    def run(self, *statements: str, rows: Sequence[dict[str, Any]] = ()) -> None:
        with self._engine.begin() as line:
            for statement in statements:
                line.execute(sa.text(statement), rows or None)

    def opened(self, clock: Callable[[], float] | None = None, **streams: Any) -> SqlDb:
        connection = Connection(
            **{**vars(self.connection), "extra": {**self.extra, "streams": streams or {"products": PRODUCTS}}}
        )
        services = Services(file_tokens(), clock=clock) if clock else Services(file_tokens())
        opened = open_connection(connection, services)
        assert isinstance(opened, SqlDb)
        return opened

    def read(self, window: Window = EVER, **stream: Any) -> list[dict[str, Any]]:
        held = self.opened(products={**PRODUCTS, **stream}).streams["products"]
        return [record for page in held.read(window) for record in page.records]


@pytest.fixture
def lite(tmp_path: Path) -> Old:
    path = tmp_path / "旧 账套.db"
    return Old(f"sqlite:///{path}", system="sqlite", database=str(path))


@pytest.fixture
def real(postgres_database: str) -> Old:
    url = postgres_database.replace("postgresql://", "postgresql+psycopg://")
    return Old(url, system="postgresql", database=postgres_database.rsplit("/", 1)[1])


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MariaDb]:
    try:
        with MariaDb() as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def maria(mariadb: MariaDb) -> Old:
    """A database whose texts are GBK, as those of old Chinese programs are."""
    name, url = f"t{uuid4().hex[:12]}", f"mysql+pymysql://root@127.0.0.1:{mariadb.port}"
    Old(url, system="mysql").run(f"CREATE DATABASE {name} CHARACTER SET gbk")
    return Old(f"{url}/{name}?charset=gbk", system="mysql", database=name, options={"charset": "gbk"})


@pytest.fixture(params=["lite", "real", pytest.param("maria", marks=pytest.mark.slow)])
def old(request: pytest.FixtureRequest) -> Old:
    found: Old = request.getfixturevalue(request.param)
    return found


def filled(old: Old, number: int) -> None:
    old.run("CREATE TABLE ptype (typeid VARCHAR(30), fullname VARCHAR(60))")
    rows = [{"id": f"{at:05d}", "name": f"商品{at}"} for at in range(number)]
    old.run("INSERT INTO ptype VALUES (:id, :name)", rows=rows)


def unread(records: Sequence[dict[str, Any]]) -> list[str]:
    return [str(one["_unread"]) for one in records if "_unread" in one]


class TestValues:
    @pytest.mark.postgres
    def test_every_kind_of_a_real_database_is_kept_exactly(self, real: Old) -> None:
        real.run(
            "CREATE TABLE ptype (typeid char(8), price numeric(20,10), amount money, cost double precision, r real, "
            "born date, at timestamp, tz timestamptz, hour time, long bigint, ok boolean, raw bytea, id uuid, doc json)"
        )
        real.run(
            "INSERT INTO ptype VALUES ('A1', 0.1000000000, 1, 0.1, 0.1, '2026-11-01', '2026-11-01 08:00:01.5', "
            "'2026-11-01 08:00:00+08', '08:05', 9007199254740993, true, '\\x01ff', "
            "'12345678-1234-1234-1234-123456789abc', '{\"a\": 0.1}')"
        )
        [row] = real.read()
        assert row["typeid"] == "A1      "  # as the database says it: a char(8)
        assert str(row["price"]) == "0.1000000000"
        assert row["cost"] == row["r"] == Decimal("0.1")
        assert (row["born"], row["at"], row["hour"]) == ("2026-11-01", "2026-11-01T08:00:01.500000", "08:05:00")
        assert datetime.fromisoformat(row["tz"]) == datetime(2026, 11, 1, tzinfo=UTC)
        assert (row["long"], row["ok"], row["raw"]) == (9007199254740993, True, "0x01ff")
        assert row["id"] == "12345678-1234-1234-1234-123456789abc"
        assert row["doc"] == {"a": Decimal("0.1")}
        assert not any(isinstance(value, float) for value in row.values())

    def test_a_binary_fraction_is_the_shortest_decimal_that_means_it(self, lite: Old) -> None:
        lite.run("CREATE TABLE ptype (typeid TEXT, qty REAL, price NUMERIC)")
        lite.run("INSERT INTO ptype VALUES ('A', 5.0, 19.99)")
        assert lite.read() == [{"typeid": "A", "qty": 5, "price": Decimal("19.99")}]

    def test_gbk_that_a_program_wrote_into_sqlite_is_read(self, lite: Old, tmp_path: Path) -> None:
        lite.run("CREATE TABLE ptype (typeid TEXT, fullname TEXT)")
        with sqlite3.connect(lite.extra["database"]) as raw:
            raw.execute("INSERT INTO ptype VALUES ('A', CAST(? AS TEXT))", ("朱镕基".encode("gb18030"),))
            raw.execute("INSERT INTO ptype VALUES ('B', CAST(? AS TEXT))", (b"\xff\xfe",))
        good, bad = lite.read()
        assert good == {"typeid": "A", "fullname": "朱镕基"}
        assert "列 fullname: 有无法识别的字符" in bad["_unread"]
        assert bad["typeid"] == "B"

    @pytest.mark.postgres
    def test_what_is_no_number_is_told_with_its_column_and_stops_nothing(self, real: Old) -> None:
        real.run("CREATE TABLE ptype (typeid text, price numeric)")
        real.run("INSERT INTO ptype VALUES ('A', 'NaN'), ('B', 1.5)")
        bad, good = real.read()
        assert bad["_unread"] == "列 price: NaN 不是数字"
        assert bad["_file"] == "ptype"
        assert good == {"typeid": "B", "price": Decimal("1.5")}


class TestPaging:
    def test_pages_follow_the_keys_and_bring_every_row_once(self, old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(paging, "PAGE", 7)
        filled(old, 100)
        assert [row["typeid"] for row in old.read()] == [f"{at:05d}" for at in range(100)]

    def test_many_changes_of_one_moment_are_all_there(self, old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(paging, "PAGE", 5)
        old.run("CREATE TABLE ptype (typeid INTEGER, at TIMESTAMP)")
        same = [{"id": at, "at": LOCAL} for at in range(40)]
        old.run("INSERT INTO ptype VALUES (:id, :at)", rows=same)
        assert {row["typeid"] for row in old.read(modified="at")} == set(range(40))

    def test_a_row_that_goes_while_pages_are_read_takes_no_other_with_it(
        self, old: Old, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(paging, "PAGE", 5)
        filled(old, 20)
        table = Table(Database(old.connection, Services(file_tokens())), Read(**PRODUCTS), paging.ZoneInfo("UTC"))
        pages = table.all()
        seen = [row[0] for row in next(pages)]
        old.run("DELETE FROM ptype WHERE typeid = '00000'")
        seen += [row[0] for page in pages for row in page]
        assert seen == [f"{at:05d}" for at in range(20)]

    def test_lines_that_are_quite_alike_are_all_kept_at_the_edge_of_a_page(
        self, old: Old, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(paging, "PAGE", 5)
        old.run("CREATE TABLE line (bill INTEGER, sku VARCHAR(5))")
        lines = [{"bill": 1, "sku": f"A{at}"} for at in range(3)] + [{"bill": 2, "sku": "B"}] * 7
        old.run("INSERT INTO line VALUES (:bill, :sku)", rows=lines)
        first, second = old.read(table="line", key="bill", lines="rows")
        assert (len(first["rows"]), len(second["rows"])) == (3, 7)

    def test_keys_that_only_the_database_calls_alike_come_once_each(
        self, lite: Old, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(paging, "PAGE", 2)
        lite.run("CREATE TABLE ptype (typeid TEXT COLLATE NOCASE)", "INSERT INTO ptype VALUES ('a1'), ('A1'), ('b')")
        assert [row.get("typeid") for row in lite.read()] == ["a1", "A1", "b"]

    def test_rows_without_a_key_and_keys_of_two_rows_are_told(self, old: Old) -> None:
        filled(old, 2)
        old.run("INSERT INTO ptype VALUES (NULL, '无号'), ('00001', '重号')")
        found = old.read()
        assert [row["typeid"] for row in found if "_unread" not in row] == ["00000", "00001"]
        first, second = unread(found)
        assert "键列 typeid 为空" in first
        assert "键 00001 已在前面出现过" in second
        assert "内部编号" in second

    @pytest.mark.parametrize("dialect", [mssql.dialect(), mysql.dialect(), oracle.dialect()])
    def test_other_databases_are_asked_in_their_own_words(self, dialect: Any, lite: Old) -> None:
        lite.run('CREATE TABLE "select] x" ("typeid" TEXT, "a`b" TEXT)')
        held = Read(entity="product", table="select] x", key=["typeid", "a`b"])
        table = Table(Database(lite.connection, Services(file_tokens())), held, paging.ZoneInfo("UTC"))
        said = str(table.statement(["typeid", "a`b"], ["A", "B"], 10).compile(dialect=dialect))
        quoted = {"mssql": "[select]] x]", "mysql": "`select] x`", "oracle": '"select] x"'}[dialect.name]
        limit = {"mssql": "TOP", "mysql": "LIMIT", "oracle": "FETCH FIRST"}[dialect.name]
        assert quoted in said
        assert limit in said
        assert "'A'" not in said  # bound, never written into the text
        assert "(typeid, " not in said  # no row values, which SQL Server lacks


class TestWindows:
    @pytest.fixture
    def dated(self, old: Old) -> Old:
        old.run("CREATE TABLE ptype (typeid INTEGER, at TIMESTAMP, day DATE, said VARCHAR(20))")
        for number, hour in enumerate((7, 8, 9)):
            at = LOCAL + timedelta(hours=hour)
            values = {"id": number, "at": at, "day": at.date(), "said": f"{at:%Y%m%d%H%M%S}"}
            old.run("INSERT INTO ptype VALUES (:id, :at, :day, :said)", rows=[values])
        old.run("INSERT INTO ptype VALUES (9, NULL, NULL, NULL)")
        return old

    WINDOW = Window(datetime(2026, 11, 1, 0, tzinfo=UTC), datetime(2026, 11, 1, 1, tzinfo=UTC))  # 08:00 to 09:00 here

    @pytest.mark.parametrize("more", [{"modified": "at"}, {"modified": "said", "modified_format": "%Y%m%d%H%M%S"}])
    def test_a_window_holds_what_changed_in_it_in_the_zone_of_the_database(self, dated: Old, more: Any) -> None:
        assert [row["typeid"] for row in dated.read(self.WINDOW, **more)] == [9, 1]  # 9: nobody knows when it changed

    def test_a_column_of_days_is_asked_for_whole_days(self, dated: Old) -> None:
        assert [row["typeid"] for row in dated.read(self.WINDOW, modified="day")] == [9, 0, 1, 2]

    @pytest.mark.postgres
    def test_a_column_with_a_zone_is_asked_in_it(self, real: Old) -> None:
        real.run("CREATE TABLE ptype (typeid INTEGER, at TIMESTAMPTZ)")
        real.run("INSERT INTO ptype VALUES (1, '2026-11-01 08:30+08'), (2, '2026-11-01 08:30+00')")
        assert [row["typeid"] for row in real.read(self.WINDOW, modified="at")] == [1]

    def test_a_column_that_is_no_time_is_refused_with_the_way_out(self, dated: Old) -> None:
        with pytest.raises(ConfigError) as told:
            dated.read(modified="said")
        assert "modified_format" in told.value.zh

    def test_without_a_column_of_changes_all_is_read_once_for_all_windows_that_have_passed(self, old: Old) -> None:
        filled(old, 3)
        now = datetime(2026, 11, 28, tzinfo=UTC)
        stream = old.opened(clock=now.timestamp).streams["products"]
        for days, expected in ((3, 3), (2, 0), (1, 0)):
            window = Window(now - timedelta(days=days), now - timedelta(days=days - 1))
            assert sum(len(page.records) for page in stream.read(window)) == expected
        later = Window(now, now + timedelta(minutes=5))
        assert sum(len(page.records) for page in stream.read(later)) == 3

    def test_a_reading_that_broke_off_counts_for_nothing(self, old: Old) -> None:
        filled(old, 3)
        now = datetime(2026, 11, 28, tzinfo=UTC)
        stream = old.opened(clock=now.timestamp).streams["products"]
        window = Window(now - timedelta(days=2), now - timedelta(days=1))
        begun = stream.read(window)
        next(iter(begun))
        assert len(next(iter(stream.read(window))).records) == 3

    def test_exactly_these_keys_of_one_column_or_several(self, old: Old) -> None:
        filled(old, 5)
        assert [one["typeid"] for one in old.read(Window(EVER.since, EVER.until, keys=("00003", "x")))] == ["00003"]
        old.run("CREATE TABLE dly (vchcode INTEGER, line VARCHAR(5))", "INSERT INTO dly VALUES (1, 'a|b'), (1, 'c')")
        both = {"table": "dly", "key": ["vchcode", "line"]}
        keys = [one["_key"] for one in old.read(**both)]
        assert keys == ["1|a\\|b", "1|c"]
        asked = Window(EVER.since, EVER.until, keys=("1|a\\|b", "no|such", "broken"))
        assert [one["line"] for one in old.read(asked, **both)] == ["a|b"]


class TestQueries:
    JOINED = (
        "SELECT h.vchcode, h.billnumber, l.ptypeid, l.qty FROM dlyndx h JOIN dlysale l ON l.vchcode = h.vchcode"
        " WHERE h.savedate >= :since AND h.savedate < :until ORDER BY h.vchcode, l.dlyorder"
    )

    @pytest.fixture
    def bills(self, old: Old) -> Old:
        old.run(
            "CREATE TABLE dlyndx (vchcode INTEGER, billnumber VARCHAR(30), savedate TIMESTAMP)",
            "CREATE TABLE dlysale (vchcode INTEGER, dlyorder INTEGER, ptypeid VARCHAR(20), qty NUMERIC(18,4))",
            "INSERT INTO dlyndx VALUES (1, 'XS-1', '2026-11-01 08:30:00'), (2, 'XS-2', '2026-11-02 08:30:00')",
            "INSERT INTO dlysale VALUES (1, 2, 'B', 2.5), (1, 1, 'A', 1.5), (2, 1, 'A', 3.5)",
        )
        return old

    def test_a_query_gives_documents_with_their_lines(self, bills: Old) -> None:
        held = {"entity": "goods_issue", "query": self.JOINED, "key": "vchcode", "lines": "rows"}
        stream = bills.opened(sales=held).streams["sales"]
        [page] = stream.read(TestWindows.WINDOW)
        [bill] = page.records
        assert (bill["vchcode"], bill["billnumber"]) == (1, "XS-1")
        assert "qty" not in bill
        assert [(row["ptypeid"], row["qty"]) for row in bill["rows"]] == [("A", Decimal("1.5")), ("B", Decimal("2.5"))]
        [page] = stream.read(Window(EVER.since, EVER.since, keys=("2",)))
        assert [one["billnumber"] for one in page.records] == ["XS-2"]

    def test_a_document_whose_rows_lie_apart_is_told_and_not_halved_in_silence(self, bills: Old) -> None:
        apart = "SELECT vchcode, ptypeid FROM dlysale ORDER BY ptypeid, vchcode DESC"
        bills.run("INSERT INTO dlysale VALUES (1, 3, 'C', 1)")
        held = {"entity": "goods_issue", "query": apart, "key": "vchcode", "lines": "rows"}
        [page] = bills.opened(sales=held).streams["sales"].read(EVER)
        assert "0 行" not in str(page)
        bills.run("INSERT INTO dlysale VALUES (2, 3, 'D', 1)")
        [page] = bills.opened(sales=held).streams["sales"].read(EVER)
        assert any("同一单据的行须相连" in text for text in unread(page.records))

    def test_a_document_of_which_one_line_changed_comes_whole(self, bills: Old) -> None:
        bills.run("ALTER TABLE dlysale ADD COLUMN at TIMESTAMP", "UPDATE dlysale SET at = '2026-01-01 00:00:00'")
        bills.run("UPDATE dlysale SET at = '2026-11-01 08:30:00' WHERE ptypeid = 'B'")
        more = {"table": "dlysale", "key": "vchcode", "line_key": "dlyorder", "modified": "at", "lines": "rows"}
        [bill] = bills.read(TestWindows.WINDOW, **more)
        assert [row["ptypeid"] for row in bill["rows"]] == ["A", "B"]

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"query": "DELETE FROM dlysale", "key": "x"}, "SELECT"),
            ({"query": "SELECT 1; DELETE FROM dlysale", "key": "x"}, "SELECT"),
            ({"query": "SELECT * FROM dlysale WHERE qty > :qty", "key": "x"}, ":since"),
            ({"query": "SELECT 1", "table": "x", "key": "x"}, "只能填一个"),
            ({"table": "x", "key": []}, "key"),
            ({"tabel": "x", "key": "x"}, "tabel"),
        ],
    )
    def test_settings_that_cannot_be_meant_are_refused(self, bills: Old, settings: Any, said: str) -> None:
        with pytest.raises(ConfigError) as told:
            bills.opened(sales={"entity": "goods_issue", **settings})
        assert said in told.value.zh

    def test_the_text_of_a_setting_is_a_value_and_never_sql(self, bills: Old) -> None:
        for name in ('dlysale"; DROP TABLE dlyndx; --', "dlysale; DROP TABLE dlyndx"):
            with pytest.raises(ConfigError, match="there is no table"):
                bills.read(table=name)
        asked = Window(EVER.since, EVER.until, keys=("' OR 1=1 --",))
        assert bills.read(asked, table="dlyndx", key="billnumber") == []
        assert len(bills.read(table="dlyndx", key="billnumber")) == 2


class TestSafety:
    WRITES: Sequence[str] = ("DELETE FROM ptype", "CREATE TABLE mine (a INTEGER)", "UPDATE ptype SET fullname = ''")

    @pytest.mark.parametrize("statement", WRITES)
    def test_the_database_itself_refuses_whatever_would_write(self, old: Old, statement: str) -> None:
        filled(old, 2)
        database = Database(old.connection, Services(file_tokens()))
        with pytest.raises(VendorRejected) as told:
            database.ask(lambda line: line.execute(sa.text(statement)))
        assert "只读" in told.value.zh
        assert len(old.read()) == 2

    @pytest.mark.postgres
    def test_a_query_that_hides_a_write_is_refused(self, real: Old) -> None:
        filled(real, 2)
        hidden = "WITH gone AS (DELETE FROM ptype RETURNING typeid) SELECT typeid FROM gone"
        with pytest.raises(VendorRejected):
            real.read(table="", query=hidden)
        assert len(real.read()) == 2

    def test_it_has_no_sinks(self, old: Old) -> None:
        assert old.opened().sinks == {}

    def test_a_missing_file_is_told_and_not_made(self, tmp_path: Path) -> None:
        path = tmp_path / "none.db"
        with pytest.raises(VendorRejected) as told:
            Old("sqlite://", system="sqlite", database=str(path)).read()
        assert "打不开数据库文件" in told.value.zh
        assert not path.exists()

    def test_secrets_show_nowhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("duijie.connect.retry.ATTEMPTS", 1)
        extra = {"system": "postgresql", "database": "db", "streams": {"products": PRODUCTS}}
        connection = Connection("old", "sqldb", "127.0.0.1", "sa", "S3cret-Pass", port=1, extra=extra)
        database = Database(connection, Services(file_tokens()))
        assert "S3cret-Pass" not in database.address
        assert "***" in database.address
        with pytest.raises(Exception) as told:
            database.rows(sa.text("SELECT 1"))
        assert "S3cret-Pass" not in f"{told.value!r} {told.value} {told.value.zh}"  # type: ignore[attr-defined]
        assert "连不上数据库" in told.value.zh  # type: ignore[attr-defined]

    def test_a_password_among_the_options_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError) as told:
            Old("sqlite://", system="sqlite", database="x", options={"password": "hush"}).opened()
        assert "password" in told.value.zh
        assert "hush" not in str(told.value)

    def test_an_unknown_system_names_those_there_are(self) -> None:
        with pytest.raises(ConfigError) as told:
            Old("sqlite://", system="dbase", database="x").opened()
        assert "sqlserver, mysql, oracle, postgresql, sqlite" in told.value.zh

    @pytest.mark.postgres
    def test_an_unknown_account_is_a_matter_of_credentials(self, real: Old) -> None:
        wrong = Connection(**{**vars(real.connection), "login": "nobody"})
        with pytest.raises(CredentialError):
            Database(wrong, Services(file_tokens())).rows(sa.text("SELECT 1"))


class TestSeeing:
    def test_the_test_of_a_connection_lists_tables_rows_and_columns(self, old: Old) -> None:
        filled(old, 3)
        old.run("CREATE TABLE btype (typeid INTEGER, fullname VARCHAR(60))", "INSERT INTO btype VALUES (1, '甲')")
        told = dict(old.opened().check())
        assert told["products"].startswith("3 行; 列: typeid VARCHAR(30), fullname")
        assert told["表 btype"].startswith("1 行; 列: typeid INTEGER")
        assert "表 ptype" not in told

    @pytest.mark.postgres
    def test_a_table_that_may_not_be_read_hides_no_other(self, real: Old) -> None:
        filled(real, 1)
        role = f"reader_{uuid4().hex[:8]}"
        real.run("CREATE TABLE a (x INTEGER)", "CREATE TABLE b (x INTEGER)", f"CREATE ROLE {role} LOGIN")
        real.run(f"GRANT SELECT ON ptype, b TO {role}")
        real.connection = Connection(**{**vars(real.connection), "login": role})
        told = dict(real.opened().check())
        assert "没有读取权限" in told["表 a"]
        assert told["表 b"] == "0 行; 列: x INTEGER"
        real.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")

    def test_a_key_that_does_not_tell_rows_apart_is_said(self, old: Old) -> None:
        filled(old, 3)
        old.run("INSERT INTO ptype VALUES ('00001', '重号')")
        assert "键只有 3 个不同的值" in dict(old.opened().check())["products"]

    @pytest.mark.parametrize(("more", "said"), [({"table": "ptpye"}, "ptype"), ({"key": "id"}, "typeid, fullname")])
    def test_a_wrong_name_is_answered_with_what_there_is(self, old: Old, more: Any, said: str) -> None:
        filled(old, 1)
        with pytest.raises(ConfigError) as told:
            old.read(**more)
        assert said in told.value.zh


FLOW = """
flow: products
title: 商品
steps:
  - {verb: pull, name: pull, connection: old, stream: products, mapping: demo/party.in,
     since: 2026-11-01T00:00:00+08:00}
"""
IN = """\
mapping: demo/party.in
from: {system: demo, stream: products}
to: {entity: party}
fields: {key: 'join(":", "demo", typeid)', name: fullname, kind: '"company"', role: '"customer"'}
"""


def test_a_flow_reads_an_old_database_as_it_changes(old: Old, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    (tmp_path / "mappings/demo").mkdir(parents=True)
    (tmp_path / "mappings/demo/party.in.yaml").write_text(IN, encoding="utf-8")
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    filled(old, 3)
    connection = Connection(**{**vars(old.connection), "extra": {**old.extra, "streams": {"products": PRODUCTS}}})
    flow = load_flow(tmp_path / "flow.yaml")
    journal = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    engine = Engine(journal, lambda conn_id: connection, tmp_path)
    engine.run(flow, flow.steps[0])
    old.run("UPDATE ptype SET fullname = '改名' WHERE typeid = '00001'", "INSERT INTO ptype VALUES ('9', '新品')")
    engine.run(flow, flow.steps[0])
    named = {one.key: one.body["name"] for one in documents.current(journal, "party")}
    assert named == {"demo:00000": "商品0", "demo:00001": "改名", "demo:00002": "商品2", "demo:9": "新品"}
