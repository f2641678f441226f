"""Tryton, the real server: vouchers entered once, posted, read back and equal, on SQLite and on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.tryton import CONNECTOR
from connectors.tryton.connector import Tryton
from connectors.tryton.values import pack, unpack
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, CredentialError, VendorRejected
from duijie.connect.protocol import Done, Found, Later, Outcome, Refused, Unknown, Window
from duijie.connect.retry import Retrier
from duijie.connect.services import Services
from duijie.connect.tokens import Token, TokenStore
from duijie.derive.vouchers import load_rules
from duijie.derive.vouchers import voucher as day_voucher
from duijie.mapping import StaticLookup, load_mapping
from sandbox.serve import free_ports
from sandbox.tryton import TrytonServer
from sandbox.tryton_plan import accounts
from tests.connectors.tryton_site import Site, Wire, by_key

ROOT = Path(__file__).parents[2]
MAPPING = load_mapping(ROOT / "mappings/tryton/voucher.out.yaml")
VENV = ROOT / ".venv-tryton"
ROLES = ("receivable", "revenue", "output_vat", "freight_income", "inventory", "cogs", "platform_wallet", "payable")
CREATE, POST = b"account.move.create", b"account.move.post"


REAL = pytest.mark.real_system("tryton 8.2")
SYSTEMS = [pytest.param("sqlite", marks=REAL), pytest.param("postgresql", marks=[REAL, pytest.mark.postgres])]


@pytest.fixture(scope="session", params=SYSTEMS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrytonServer]:
    if not (VENV / "bin/trytond").exists():
        pytest.skip("Tryton is not installed: make .venv-tryton/.ready")
    uri = ""
    if request.param == "postgresql":
        uri = request.getfixturevalue("postgres_server").uri("ledger")
    one = TrytonServer(tmp_path_factory.mktemp("tryton"), VENV, postgres=uri)
    with one:
        yield one


@pytest.fixture
def site(server: TrytonServer, tmp_path: Path) -> Iterator[Site]:
    wire = Wire(server.url)
    yield Site(server, wire, tmp_path)
    wire.close()


def voucher(lines: list[tuple[str, str, str]] | None = None, **changes: Any) -> Record:
    """A payload: lines are (account, debit, credit); a receivable line is the shop's."""
    given = lines or [("1122", "113.00", "0.00"), ("6001", "0.00", "100.00"), ("2221.01.05", "0.00", "13.00")]
    made: list[Record] = [
        {"account": account, "debit": Decimal(debit), "credit": Decimal(credit), "description": "销售 11-11 2单"}
        for account, debit, credit in given
    ]
    for line in made:
        if line["account"] == "1122":
            line["party"] = {"code": "S01", "name": "天猫旗舰店"}
    head = {"key": f"sale:S01:{uuid4().hex[:12]}", "date": "2026-11-11", "description": "销售 11-11 2单"}
    return {**head, "lines": made, **changes}


def entries(record: Record) -> list[tuple[str, Decimal, Decimal]]:
    return [(line["account"], line["debit"], line["credit"]) for line in record["lines"]]


def write(tryton: Tryton, *payloads: Record) -> list[Outcome]:
    return list(tryton.sinks["voucher"].write(payloads))


def find(tryton: Tryton, payload: Record) -> Found | None:
    return tryton.sinks["voucher"].find([payload["key"]]).get(payload["key"])


class TestWithoutAServer:
    """Nobody listens: whatever has an outcome here never left."""

    @pytest.fixture
    def tryton(self, tmp_path: Path) -> Tryton:
        host = f"http://127.0.0.1:{free_ports(1)[0]}"
        connection = Connection("tr", "tryton", host=host, schema="none", login="x", password="xxxx")
        return CONNECTOR.open(connection, Services(TokenStore(tmp_path)))  # type: ignore[return-value]

    def test_a_voucher_that_does_not_balance_never_leaves(self, tryton: Tryton) -> None:
        [outcome] = write(tryton, voucher([("1002", "113.01", "0.00"), ("6001", "0.00", "113.00")]))
        assert isinstance(outcome, Refused)
        assert outcome.code == "tryton:unbalanced"
        assert "借方 113.01 ≠ 贷方 113.00" in outcome.zh

    @pytest.mark.parametrize(
        ("lines", "fault"),
        [
            ([("1002", "0.00", "0.00"), ("6001", "0.00", "0.00")], "第 1 行"),
            ([("1002", "1.00", "1.00"), ("6001", "1.00", "1.00")], "第 1 行"),
            ([("1002", "1.00", "0.00"), ("1012", "0.005", "0.00"), ("6001", "0.00", "1.005")], "第 2 行"),
            ([("1002", "0.00", "0.00")], "分录少于两行"),
        ],
    )
    def test_nor_does_one_with_an_empty_two_sided_or_fractional_line(
        self, tryton: Tryton, lines: list[tuple[str, str, str]], fault: str
    ) -> None:
        [outcome] = write(tryton, voucher(lines))
        assert isinstance(outcome, Refused)
        assert fault in outcome.zh

    def test_a_balanced_one_tries_to_leave_and_may_go_later(self, tmp_path: Path, tryton: Tryton) -> None:
        tryton.ledger.retrier = Retrier("tr", lambda: None, lambda _: None)
        [outcome] = write(tryton, voucher())
        assert isinstance(outcome, Later)

    def test_a_connection_without_a_database_is_refused_by_name(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"tr lacks its schema"):
            CONNECTOR.open(Connection("tr", "tryton", host="http://x"), Services(TokenStore(tmp_path)))

    def test_what_the_spec_says_it_moves_is_what_it_opens(self, tryton: Tryton) -> None:
        moves = CONNECTOR.spec.moves
        read = {move.name: move.entity for move in moves if move.safety is None}
        assert read == {name: stream.entity for name, stream in tryton.streams.items()}
        written = {move.name: (move.entity, move.safety) for move in moves if move.safety is not None}
        assert written == {name: (sink.entity, sink.safety) for name, sink in tryton.sinks.items()}

    def test_every_account_of_the_mapping_can_be_posted_to_in_the_ledger(self) -> None:
        document = {"key": "k", "date": "2026-11-11", "summary": "s"}
        usable = {row["code"] for row in accounts() if row["type"]}
        for role in ROLES:
            line = {"account": role, "debit": 1, "credit": 0, "summary": "s"}
            made = MAPPING.run({**document, "lines": [line]}, StaticLookup(), {})
            assert made["lines"][0]["account"] in usable, role

    def test_decimals_dates_and_instants_travel_tagged_and_come_back_equal(self) -> None:
        moment = datetime(2026, 11, 11, 16, 0, 0, 5, tzinfo=UTC)
        value = {"a": [Decimal("0.10"), date(2026, 11, 11), moment, None, "文", 2**60]}
        assert pack(Decimal("0.10")) == {"__class__": "Decimal", "decimal": "0.10"}
        assert unpack(pack(value)) == value
        assert str(unpack(pack(value))["a"][0]) == "0.10"


@pytest.mark.slow
class TestWriting:
    def test_a_posted_voucher_is_read_back_equal(self, site: Site) -> None:
        payload = voucher()
        [outcome] = write(site.open(), payload)
        assert isinstance(outcome, Done)
        assert outcome.native_no.startswith("记-202611-")
        [held] = site.held(payload["key"])
        assert (held["state"], held["date"], held["period"], held["journal"]) == (
            "posted",
            "2026-11-11",
            "2026-11",
            "记",
        )
        assert entries(held) == entries(payload)
        assert held["debit"] == held["credit"] == Decimal("113.00")
        assert [line["party"] for line in held["lines"]] == ["S01", "", ""]
        assert {line["description"] for line in held["lines"]} == {"销售 11-11 2单"}
        assert {line["state"] for line in held["lines"]} == {"valid"}

    def test_unless_told_to_post_it_stays_a_draft_without_a_number(self, site: Site) -> None:
        payload = voucher()
        [outcome] = write(site.drafts(), payload)
        assert isinstance(outcome, Done)
        assert (outcome.native_no, outcome.raw["state"]) == ("", "draft")
        assert find(site.drafts(), payload) is not None

    def test_a_red_voucher_keeps_its_sides_and_turns_the_signs(self, site: Site) -> None:
        payload = voucher([("1122", "-22.60", "0.00"), ("6001", "0.00", "-20.00"), ("2221.01.05", "0.00", "-2.60")])
        [outcome] = write(site.open(), payload)
        assert isinstance(outcome, Done)
        [held] = site.held(payload["key"])
        assert entries(held) == entries(payload)
        assert held["debit"] == Decimal("-22.60")

    def test_numbers_are_given_without_gaps_in_the_order_written(self, site: Site) -> None:
        numbers = [int(one.native_no[-4:]) for one in write(site.open(), *(voucher() for _ in range(4)))]
        assert numbers == list(range(numbers[0], numbers[0] + 4))

    def test_three_bad_among_twenty_leave_seventeen_done(self, site: Site) -> None:
        payloads = [voucher() for _ in range(20)]
        payloads[3] = voucher([("1002", "1.00", "0.00"), ("9999", "0.00", "1.00")])
        payloads[8] = voucher([("1002", "1.00", "0.00"), ("6001", "0.00", "0.99")])
        del payloads[15]["lines"][0]["party"]
        outcomes = write(site.open(), *payloads)
        assert [i for i, one in enumerate(outcomes) if isinstance(one, Refused)] == [3, 8, 15]
        assert sum(isinstance(one, Done) for one in outcomes) == 17
        refused = [one for one in outcomes if isinstance(one, Refused)]
        assert "9999" in refused[0].zh
        assert refused[1].code == "tryton:unbalanced"
        assert refused[2].code == "tryton:UserError"
        assert len(site.held(*(payload["key"] for payload in payloads))) == 17

    def test_a_closed_period_is_refused_in_words(self, site: Site) -> None:
        administrator = site.administrator()
        [march] = administrator.call("model.account.period.search", [["name", "=", "2026-03"]], 0, None, None)
        administrator.call("model.account.period.close", [march])
        late, fine = voucher(date="2026-03-31"), voucher()
        outcomes = write(site.open(), late, fine)
        assert isinstance(outcomes[0], Refused)
        assert outcomes[0].code == "tryton:period_closed"
        assert "会计期间 2026-03 已关账" in outcomes[0].zh
        assert isinstance(outcomes[1], Done)
        assert site.held(late["key"]) == []

    def test_a_year_without_periods_is_named(self, site: Site) -> None:
        [outcome] = write(site.open(), voucher(date="2031-01-01"))
        assert isinstance(outcome, Refused)
        assert "2031-01-01" in outcome.zh

    def test_a_shop_becomes_one_party_whoever_writes_first(self, site: Site) -> None:
        code = uuid4().hex[:8]
        for _ in range(2):
            payload = voucher()
            payload["lines"][0]["party"] = {"code": code, "name": "京东店"}
            [outcome] = write(site.open(), payload)
            assert isinstance(outcome, Done)
        rows = site.drafts().ledger.search("party.party", [["code", "=", code]], ["name"])
        assert [row["name"] for row in rows] == ["京东店"]

    def test_the_days_vouchers_arrive_as_the_rule_made_them(self, site: Site) -> None:
        shop = uuid4().hex[:6]
        lines = [
            {"gross": Decimal(g), "net": Decimal(n), "tax": Decimal(t), "tax_rate": Decimal(r)}
            for g, n, t, r in (("113.00", "100.00", "13.00", "0.13"), ("10.90", "10.00", "0.90", "0.09"))
        ]
        head = {"shop": shop, "business_date": "2026-11-11", "status": "finished", "freight": Decimal("8.00")}
        orders = [{**head, "key": f"o{i}", "gross": Decimal("131.90"), "lines": lines} for i in range(3)]
        rule = load_rules(ROOT / "mappings/rules/voucher.yaml")["sale"]
        made = day_voucher(orders, rule, {}, {shop: "旗舰店"})
        payload = MAPPING.run(made.document, StaticLookup(), {})
        assert payload is not None
        [outcome] = write(site.open(), payload)
        assert isinstance(outcome, Done)
        [held] = site.held(made.document["key"])
        assert held["debit"] == held["credit"] == made.document["debit"] == Decimal("395.70")


@pytest.mark.slow
class TestOnce:
    def test_what_the_ledger_does_not_hold_is_not_found(self, site: Site) -> None:
        assert find(site.open(), voucher()) is None

    def test_a_lost_answer_is_unknown_and_the_draft_is_found_exactly_once(self, site: Site) -> None:
        payload, tryton = voucher(), site.drafts()
        site.wire.cut_at = CREATE
        [outcome] = write(tryton, payload)
        assert isinstance(outcome, Unknown)
        found = find(tryton, payload)
        assert found is not None
        assert dict(found.figures) == dict(tryton.sinks["voucher"].figures_of(payload))
        assert len(site.held(payload["key"])) == 1

    def test_a_draft_left_by_a_lost_answer_is_posted_by_the_next_write_not_doubled(self, site: Site) -> None:
        payload, tryton = voucher(), site.open()
        site.wire.cut_at = CREATE
        [first] = write(tryton, payload)
        assert isinstance(first, Unknown)
        assert find(tryton, payload) is None  # not posted yet: not what was asked for
        [second] = write(tryton, payload)
        assert isinstance(second, Done)
        assert [held["state"] for held in site.held(payload["key"])] == ["posted"]

    def test_when_the_answer_to_posting_is_lost_it_is_found_posted(self, site: Site) -> None:
        payload, tryton = voucher(), site.open()
        site.wire.cut_at = POST
        [outcome] = write(tryton, payload)
        assert isinstance(outcome, Unknown)
        found = find(tryton, payload)
        assert found is not None
        assert found.native_no.startswith("记-202611-")
        assert len(site.held(payload["key"])) == 1

    def test_a_draft_that_a_person_has_changed_is_not_posted(self, site: Site) -> None:
        payload = voucher()
        write(site.drafts(), payload)
        wanted = {**payload, "lines": voucher([("1002", "113.00", "0.00"), ("6001", "0.00", "113.00")])["lines"]}
        [outcome] = write(site.open(), wanted)
        assert isinstance(outcome, Refused)
        assert outcome.code == "tryton:draft_differs"
        assert [held["state"] for held in site.held(payload["key"])] == ["draft"]

    def test_a_second_copy_is_seen(self, site: Site) -> None:
        payload = voucher()
        write(site.drafts(), payload)
        write(site.drafts(), payload)
        found = find(site.drafts(), payload)
        assert found is not None
        assert found.raw["copies"] == 2


@pytest.mark.slow
class TestReading:
    def test_the_window_holds_what_was_changed_in_it_and_nothing_else(self, site: Site) -> None:
        since, payload = datetime.now(UTC), voucher()
        time.sleep(0.01)
        write(site.open(), payload)
        until = datetime.now(UTC) + timedelta(seconds=1)
        stream = site.open().streams["voucher"]
        held = [record["key"] for page in stream.read(Window(since, until)) for record in page.records]
        assert held == [payload["key"]]
        before = Window(since - timedelta(days=1), since - timedelta(hours=1))
        assert [record for page in stream.read(before) for record in page.records] == []

    def test_a_change_by_hand_brings_a_draft_into_the_window_again(self, site: Site) -> None:
        payload = voucher()
        [outcome] = write(site.drafts(), payload)
        assert isinstance(outcome, Done)
        time.sleep(0.01)
        since = datetime.now(UTC)
        administrator = site.administrator()
        [line, *_] = administrator.call(
            "model.account.move.line.search", [["move", "=", int(outcome.native_id)]], 0, None, None
        )
        administrator.call("model.account.move.line.write", [line], {"description": "改过"})
        stream = site.open().streams["voucher"]
        window = Window(since, datetime.now(UTC) + timedelta(seconds=1))
        assert payload["key"] in [record["key"] for page in stream.read(window) for record in page.records]

    def test_pages_are_whole_whatever_their_size(self, site: Site) -> None:
        payloads = [voucher() for _ in range(5)]
        tryton = site.drafts()
        write(tryton, *payloads)
        tryton.ledger.page = 2
        pages = list(tryton.streams["voucher"].read(by_key(*(payload["key"] for payload in payloads))))
        assert [len(page.records) for page in pages] == [2, 2, 1]
        assert {record["key"] for page in pages for record in page.records} == {one["key"] for one in payloads}

    def test_a_voucher_typed_by_hand_has_its_own_number_for_a_key(self, site: Site) -> None:
        administrator, since = site.administrator(), datetime.now(UTC)
        time.sleep(0.01)
        tryton = site.drafts()
        [template] = tryton.ledger._values([voucher([("1002", "1.00", "0.00"), ("6001", "0.00", "1.00")])])
        [made] = administrator.call("model.account.move.create", [{**template, "description": None}])
        window = Window(since, datetime.now(UTC) + timedelta(seconds=1))
        keys = [record["key"] for page in tryton.streams["voucher"].read(window) for record in page.records]
        assert keys == [f"#{made}"]


@pytest.mark.slow
class TestServer:
    def test_the_check_names_company_chart_and_journal(self, site: Site) -> None:
        assert site.open().check() == [
            ("登录", "公司 杭州对接商贸有限公司"),
            ("科目表", f"{sum(bool(row['type']) for row in accounts())} 个可记账科目"),
            ("凭证簿", "记 已存在; 写入后过账"),
        ]

    def test_an_ended_session_is_renewed_and_seen(self, site: Site) -> None:
        stale = Token("1:0000", time.time() + 3600)
        site.services().tokens.get("tr", lambda: stale)
        payload = voucher()
        [outcome] = write(site.open(), payload)
        assert isinstance(outcome, Done)
        assert [incident.kind for incident in site.incidents] == ["TokenExpired"]

    def test_a_wrong_password_says_what_to_check(self, site: Site) -> None:
        with pytest.raises(CredentialError, match="check database, user and password"):
            site.open(password="wrong-password").check()

    def test_a_wrong_database_says_what_to_check(self, site: Site) -> None:
        if site.server.postgres:
            return  # the same answer, but PostgreSQL's connection pool tries for 30 seconds before the server gives it
        with pytest.raises(CredentialError, match="check schema"):
            site.open(schema="no_such_database").check()

    def test_a_missing_journal_is_named(self, site: Site) -> None:
        with pytest.raises(ConfigError, match="no journal has the code 收"):
            site.open(extra={"journal": "收"}).check()

    def test_a_module_that_is_not_there_is_named(self, site: Site) -> None:
        with pytest.raises(CredentialError) as told:
            list(site.open().streams["warehouse"].read(by_key("WH")))
        assert "服务器未安装模块: stock" in told.value.zh
        [outcome] = site.open().sinks["opportunity"].write([{"key": "x", "name": "x", "state": "lead"}])
        assert isinstance(outcome, Later)
        assert "sale_opportunity" in outcome.zh

    def test_setting_up_again_does_nothing(self, server: TrytonServer) -> None:
        assert server.setup() is False

    def test_the_server_stays_small(self, server: TrytonServer) -> None:
        assert 0 < server.memory() < 160 * 2**20

    def test_why_the_balance_is_checked_here_sqlite_posts_what_does_not_balance(self, site: Site) -> None:
        client = site.administrator()
        lines = [("1002", "1.00", "0.00"), ("6001", "0.00", "0.50")]
        values = site.drafts().ledger._values([voucher(lines)])
        made = client.call("model.account.move.create", values)
        if site.server.postgres:
            with pytest.raises(VendorRejected):
                client.call("model.account.move.post", made)
        else:
            client.call("model.account.move.post", made)
        [held] = site.held(values[0]["description"])
        assert held["state"] == ("draft" if site.server.postgres else "posted")
        assert {line["state"] for line in held["lines"]} == {"draft"}
