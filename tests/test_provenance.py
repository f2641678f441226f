"""explain from the journal: rule, place, person, inputs, each back to the raw message it came in."""

from __future__ import annotations

import json
from copy import deepcopy
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from duijie import codec
from duijie.cli.main import app
from duijie.codec import Record
from duijie.connect.errors import ConfigError, DuijieError, JournalBusy, MappingError
from duijie.derive import invoices, origins, parties, reds, vouchers
from duijie.derive.origins import Red
from duijie.difference import changes
from duijie.engine import ROOT
from duijie.journal import Journal, chain, codes, documents
from duijie.journal.codes import Code
from duijie.journal.inbox import ARCHIVED
from duijie.journal.tables import delivery, message
from duijie.keep.retention import note
from duijie.mapping import StaticLookup, load_mapping
from duijie.mapping.located import located, ref_path
from duijie.provenance import Explainer, Source, Why
from duijie.provenance.history import last_change
from duijie.provenance.trail import leaves
from tests.shipped_world import ORDER, SECRET, TID, Shipped, order, product, refund

RULES = ROOT / "mappings" / "rules"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setenv("DUIJIE_HOME", str(tmp_path))
    monkeypatch.setenv("DUIJIE_JOURNAL", f"sqlite:///{tmp_path / 'journal.db'}")
    return Journal.open()


@pytest.fixture
def world(tmp_path: Path, kept: Journal) -> Shipped:
    made = Shipped(tmp_path / "project", kept)
    made.day()
    return made


def explainer(world: Shipped, most: int = 5) -> Explainer:
    return Explainer(Journal.open_to_read(), world.root, world.flows, most)


def one(world: Shipped, entity: str, key: str, field: str) -> Why:
    [why] = explainer(world).document(entity, key, field).whys
    return why


def source(why: Why, path: str) -> Source:
    [found] = [each for each in why.sources if each.path == path]
    return found


class TestAMappedDocument:
    def test_a_field_has_its_rule_its_place_and_who_changed_that_line_last(self, world: Shipped) -> None:
        world.correct("taobao/sales_order.in", "gross: gross\n", "gross: money(payment)\n")
        world.commit("gross straight from payment", "Han Meimei")
        world.orders(order(TID + 1000))
        why = one(world, "sales_order", f"taobao:S01:{TID + 1000}", "gross")
        assert (why.value, why.rule) == (Decimal("131.90"), "money(payment)")
        assert why.place is not None
        text = (world.root / "mappings/taobao/sales_order.in.yaml").read_text(encoding="utf-8")
        assert "gross: money(payment)" in text.splitlines()[why.place.line - 1]
        assert (why.place.change.who, why.place.change.summary) == ("Han Meimei", "gross straight from payment")
        assert one(world, "sales_order", f"taobao:S01:{TID + 1000}", "order_no").place.change.who == "Li Lei"

    def test_its_inputs_stand_in_the_message_and_in_master_data_which_goes_back_to_its_own(
        self, world: Shipped
    ) -> None:
        why = one(world, "sales_order", ORDER, "lines[1].net")
        assert why.value == Decimal("10.00")
        paid = source(why, "orders.order[1].divide_order_fee")
        assert (paid.value, paid.origin.kind, paid.origin.name, paid.origin.key) == (
            "10.90", "message", "taobao/trade", str(TID),
        )  # fmt: skip
        rate = source(why, "tax_rate")
        assert (rate.value, rate.origin.name, rate.origin.key, rate.origin.version) == (
            Decimal("0.09"),
            "product",
            "B2",
            1,
        )
        assert rate.why is not None
        assert source(rate.why, "tax_rate").value == "9"
        assert source(rate.why, "tax_rate").origin.name == "xingchen/material"

    def test_lets_conditions_and_the_row_of_a_table_are_told(self, world: Shipped) -> None:
        why = one(world, "sales_order", ORDER, "lines[0].net")
        names = [step.name for step in why.steps]
        assert names[-4:] == ["sku", "product", "amount", "taxed"]
        assert names[:-4] == ["count_of_lines"]
        [row] = one(world, "sales_order", ORDER, "status").rows
        assert (row.kind, row.name, row.code, row.answer) == ("table", "status", "TRADE_FINISHED", "finished")
        assert row.place is not None and "TRADE_FINISHED" in self._line(world, row.place.line)
        [wished] = [
            step for step in one(world, "sales_order", ORDER, "invoice_wish.title").steps if step.role == "when"
        ]
        assert (wished.rule, wished.value) == ("has(invoice_name)", True)

    @staticmethod
    def _line(world: Shipped, number: int) -> str:
        return (world.root / "mappings/taobao/sales_order.in.yaml").read_text(encoding="utf-8").splitlines()[number - 1]

    def test_a_key_may_be_its_last_part_and_a_path_may_have_dots(self, world: Shipped) -> None:
        assert one(world, "sales_order", str(TID), "lines.0.net").field == "lines[0].net"

    def test_an_object_is_explained_field_by_field(self, world: Shipped) -> None:
        fields = [why.field for why in explainer(world).document("sales_order", ORDER, "buyer").whys]
        assert fields == ["buyer.key", "buyer.kind", "buyer.name", "buyer.tax_no"]

    def test_without_a_field_all_are_explained_and_running_again_gives_what_is_kept(self, world: Shipped) -> None:
        found = explainer(world).document("sales_order", ORDER)
        assert [why.field for why in found.whys] == [path for path, _ in leaves(found.body)]
        assert found.notes == ("重算结果与存档一致",)
        assert all(why.notes == () for why in found.whys)

    def test_what_is_not_there_is_named_with_what_is(self, world: Shipped) -> None:
        with pytest.raises(ConfigError, match="has no field grss") as caught:
            one(world, "sales_order", ORDER, "grss")
        assert "gross" in caught.value.zh
        with pytest.raises(ConfigError, match="sales_order 99"):
            one(world, "sales_order", "99", "gross")


class TestVersions:
    def test_a_mapping_changed_since_is_explained_by_the_version_that_was_used(self, world: Shipped) -> None:
        world.correct("taobao/sales_order.in", "taxed: split_tax(amount", "taxed: split_tax(amount * 2")
        world.commit("wrong on purpose", "Han Meimei")
        found = explainer(world).document("sales_order", ORDER, "lines[0].net")
        assert "现在是" in found.notes[0] and "当时的文件解释" in found.notes[0]
        assert found.notes[-1] == "重算结果与存档一致"
        [taxed] = [step for step in found.whys[0].steps if step.name == "taxed"]
        assert taxed.rule == "split_tax(amount, product.tax_rate)"
        assert taxed.place.change.who == "Li Lei"

    def test_a_version_that_git_does_not_have_is_said_loudly_and_so_is_another_result(self, world: Shipped) -> None:
        world.correct("taobao/sales_order.in", "gross: gross\n", "gross: gross + 1\n")
        world.orders(order(TID + 1000))
        world.correct("taobao/sales_order.in", "gross: gross + 1\n", "gross: gross + 2\n")
        found = explainer(world).document("sales_order", f"taobao:S01:{TID + 1000}", "gross")
        assert found.notes[0].startswith("注意") and "不在 git 历史中" in found.notes[0]
        assert found.notes[-1].startswith("注意: 重算结果与存档不同: gross 132.90 → 133.90")
        assert found.whys[0].value == Decimal("132.90")
        assert "与存档的值不同" in found.whys[0].notes[0]
        assert found.whys[0].place is not None and found.whys[0].place.change.unknown == "尚未提交"

    def test_without_git_it_says_so(self, tmp_path: Path) -> None:
        file = tmp_path / "x.yaml"
        file.write_text("a: 1\n")
        assert last_change(file, 1).unknown == "不在 git 中"

    def test_a_mapping_that_is_gone_is_taken_from_git(self, world: Shipped) -> None:
        (world.root / "mappings/taobao/sales_order.in.yaml").unlink()
        assert one(world, "sales_order", ORDER, "gross").value == Decimal("131.90")

    def test_a_mapping_that_is_nowhere_is_an_error(self, world: Shipped, kept: Journal) -> None:
        with kept.writing() as tx:
            made = documents.put(tx, kept, "party", {"key": "x"}, (1, "gone/party.in@123456789012"))
        with pytest.raises(MappingError):
            explainer(world).document_at(made or 0)

    def test_codes_and_master_data_are_taken_as_they_were(self, world: Shipped) -> None:
        world.pull("orders", "pull_products", "number", [product("B2", "6")], "product")
        codes.put(world.kept, [Code("customer", "xingchen", "S01", "KH999")], "赵会计")
        why = one(world, "sales_order", ORDER, "lines[1].tax_rate")
        assert (why.value, why.notes) == (Decimal("0.09"), ())
        sent = explainer(world).delivery(self._delivery(world), "customer_number").whys[0]
        assert sent.value == "KH001"
        assert sent.rows[0].kept_by == "王会计"

    @staticmethod
    def _delivery(world: Shipped) -> int:
        with world.kept.reading() as tx:
            return int(tx.execute(delivery.select()).first().id)


class TestADelivery:
    def test_a_field_that_was_sent_goes_through_the_document_to_the_message(self, world: Shipped) -> None:
        found = explainer(world).delivery(1, "material_entity[0].all_amount")
        assert found.mapping.startswith("xingchen/sales_order.out@")
        assert found.notes == ("重算结果与发出的内容一致 (摘要相同)",)
        gross = source(found.whys[0], "lines[0].gross")
        assert (gross.origin.name, gross.value) == ("sales_order", Decimal("113.00"))
        assert gross.why is not None
        assert source(gross.why, "orders.order[0].divide_order_fee").origin.kind == "message"

    def test_another_payload_than_was_sent_is_said_loudly(self, world: Shipped) -> None:
        world.git("checkout", "-q", "--orphan", "new")
        world.correct("xingchen/sales_order.out", "total_amount: gross", "total_amount: gross + 1")
        world.commit("rewritten history", "Han Meimei")
        notes = explainer(world).delivery(1, "total_amount").notes
        assert "不在 git 历史中" in notes[0]
        assert notes[1].startswith("注意: 重算结果与当时发出的内容不同")

    def test_a_flow_that_is_gone_is_named(self, world: Shipped) -> None:
        (world.root / "dags/flows/orders.yaml").unlink()
        with pytest.raises(ConfigError, match="flow orders"):
            explainer(world).delivery(1)


class TestADerivedDocument:
    VOUCHER = "sale:S01:2026-11-11:1"

    def test_a_sum_is_taken_apart_to_the_lines_of_the_orders_and_on_to_their_messages(self, world: Shipped) -> None:
        [line] = [at for at, each in enumerate(self._voucher(world)["lines"]) if each["account"] == "revenue"][:1]
        why = one(world, "voucher", self.VOUCHER, f"lines[{line}].credit")
        assert why.place is not None and why.place.file == "mappings/rules/voucher.yaml"
        assert "account: revenue" in why.rule
        net = source(why, "lines[0].net")
        assert (net.value, net.origin.key) == (Decimal("100.00"), ORDER)
        assert net.why is not None
        assert source(net.why, "orders.order[0].divide_order_fee").origin.name == "taobao/trade"
        assert why.notes == ("1 个来源合计 100.00, 与此值一致",)

    def test_its_total_has_every_order_and_says_how_many_are_not_listed(self, world: Shipped) -> None:
        world.orders(*(order(TID + number * 1000) for number in range(1, 8)))
        world.deliver("orders", "deliver_orders")
        world.derive("vouchers", "derive_sales")
        why = next(iter(explainer(world, 2).document("voucher", "sale:S01:2026-11-11:2", "debit").whys))
        assert (len(why.sources), why.more) == (2, 5)
        assert why.notes == ("7 个来源合计 923.30, 与此值一致",)

    def test_running_the_rule_again_gives_what_is_kept_and_no_version_is_claimed(self, world: Shipped) -> None:
        notes = explainer(world).document("voucher", self.VOUCHER).notes
        assert notes == ("规则 rules/sale 没有版本戳: 以现在的文件解释", "重算结果与存档一致")

    def test_a_rule_changed_since_is_said_loudly(self, world: Shipped) -> None:
        path = world.root / "mappings/rules/voucher.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace("account: revenue", "account: other_revenue"))
        notes = explainer(world).document("voucher", self.VOUCHER, "lines[0].debit").notes
        assert "重算结果与存档不同" in notes[1] and "other_revenue" in notes[1]

    def test_an_invoice_request_and_its_red_one_go_back_to_order_and_refund(self, world: Shipped) -> None:
        request = self._invoiced(world)
        why = one(world, "invoice_request", request, "lines[0].price")
        assert [each.path for each in why.sources] == ["lines[0].net", "lines[0].qty"]
        assert why.place is not None and why.place.file == "duijie/derive/invoices.py"
        freight = one(world, "invoice_request", request, "lines[2].tax")
        assert freight.place is not None and freight.place.file == "mappings/rules/invoice.yaml"
        with world.kept.reading() as tx:
            red = tx.exec_driver_sql("SELECT key FROM document WHERE entity = 'red_request'").scalar_one()
        found = explainer(world, 20).document("red_request", red, "gross")
        assert found.notes[1] == "重算结果与存档一致"
        taken = source(found.whys[0], "amount")
        assert taken.origin.name == "sales_refund" and taken.why is not None
        assert source(taken.why, "refund_fee").value == "56.50"

    def test_a_request_lessened_by_a_refund_goes_back_to_both_and_is_made_again_the_same(self, world: Shipped) -> None:
        world.refunds()
        world.derive("invoices", "derive_requests")
        [made] = documents.current(world.kept, "invoice_request")
        found = explainer(world, 20).document("invoice_request", made.key, "lines[0].gross")
        assert found.notes[1] == "重算结果与存档一致"
        assert source(found.whys[0], "amount").origin.name == "sales_refund"
        assert source(found.whys[0], "lines[0].gross").origin.name == "sales_order"
        total = explainer(world, 20).document("invoice_request", made.key, "gross").whys[0]
        assert {one.path for one in total.sources} >= {"lines[0].gross", "lines[1].gross", "freight", "amount"}

    def test_merged_orders_and_the_parts_of_a_split_go_back_to_every_order(self, world: Shipped) -> None:
        path = world.root / "mappings/rules/invoice.yaml"
        text = path.read_text(encoding="utf-8").replace("by: none, within: month", "by: buyer, within: ever")
        path.write_text(text.replace("max_lines: 2000", "max_lines: 4"), encoding="utf-8")
        world.orders(order(TID + 1000))
        world.deliver("orders", "deliver_orders")
        world.derive("invoices", "derive_requests")
        parts = [made.key for made in documents.current(world.kept, "invoice_request")]
        assert len(parts) == 2
        for key in parts:
            found = explainer(world, 20).document("invoice_request", key, "lines[0].net")
            assert found.notes[1] == "重算结果与存档一致"
        other = f"taobao:S01:{TID + 1000}"
        keys = {
            one.origin.key for one in explainer(world, 20).document("invoice_request", parts[1], "net").whys[0].sources
        }
        assert other in keys

    def test_a_party_and_a_shop_figure_go_back_too(self, world: Shipped) -> None:
        world.derive("crm", "derive_parties")
        party = one(world, "party", "91330106MA2DEMK14E", "name")
        assert source(party, "buyer.name").origin.key == ORDER
        listing = {"key": "taobao:S01:A1", "shop": "S01", "sku": "A1", "item": "1", "quantity": 1}
        level = {"key": "A1:CK", "sku": "A1", "warehouse": "CK", "on_hand": 9, "available": 9}
        with world.kept.writing() as tx:
            documents.put(tx, world.kept, "listing", listing, (None, "x"))
            documents.put(tx, world.kept, "stock_level", level, (None, "x"))
        world.derive("stock", "derive_figures")
        figure = one(world, "shop_stock", "taobao:S01:A1", "quantity")
        assert (figure.value, source(figure, "available").value) == (9, 9)

    @staticmethod
    def _voucher(world: Shipped) -> Record:
        found = documents.get(world.kept, "voucher", TestADerivedDocument.VOUCHER)
        assert found is not None
        return found.body

    @staticmethod
    def _invoiced(world: Shipped) -> str:
        world.derive("invoices", "derive_requests")
        world.deliver("invoices", "request_invoices")
        [key] = [made.key for made in documents.current(world.kept, "invoice_request")]
        answer = {
            "serialNo": "1", "orderNo": key, "status": "2", "invoiceTime": 1794369600000,
            "invoiceNo": "26992000000000000001",
            "exTaxAmount": "117.34", "taxAmount": "14.56", "orderAmount": "131.90", "payerName": "x",
            "invoiceKind": "电子发票(增值税专用发票)",
        }  # fmt: skip
        world.invoices(answer)
        world.refunds()
        world.derive("red_invoices", "derive_reds")
        return key


class TestTheRulesOwnAccount:
    """Each source field is changed in turn: what moves must be what `duijie.derive.origins` says comes from it."""

    def test_of_an_invoice_request(self, world: Shipped) -> None:
        rules = invoices.load_rules(RULES / "invoice.yaml")
        body = self._body(world, "sales_order", ORDER)
        made = invoices.blue_request(body, rules)
        self._hold(
            body,
            lambda source: invoices.blue_request(source, rules),
            lambda field: origins.of_request(field, made, origins.Request([body])),
        )

    def test_of_a_party(self, world: Shipped) -> None:
        body = self._body(world, "sales_order", ORDER)
        self._hold(body, parties.party, lambda field: origins.of_party(field, {}, body))

    @pytest.mark.parametrize("name", ["sale"])
    def test_of_a_voucher(self, world: Shipped, name: str) -> None:
        rule = vouchers.load_rules(RULES / "voucher.yaml")[name]
        body = self._body(world, "sales_order", ORDER)
        made = vouchers.voucher([body], rule, {}, {}).document
        lines = vouchers._lines(rule, "S01", [body], made["summary"])
        assert made["lines"] == lines

        def unbalanced(source: Record) -> Record:
            return {"lines": vouchers._lines(rule, source["shop"], [source], made["summary"])}

        self._hold(body, unbalanced, lambda field: origins.of_voucher(field, made, rule, [body]))

    def test_of_a_red_request(self, world: Shipped) -> None:
        rules = invoices.load_rules(RULES / "invoice.yaml")
        key = TestADerivedDocument._invoiced(world)
        body = self._body(world, "sales_refund", "taobao:S01:77")
        bill, paid, blue = (
            self._body(world, entity, name)
            for entity, name in (("sales_order", ORDER), ("invoice_request", key), ("invoice", key))
        )
        red = Red(body, bill, blue, paid)
        made = reds.red_request(body, bill, blue, paid, rules)
        reason = partial(origins.of_red, made=made, red=red)
        self._hold(body, lambda source: reds.red_request(source, bill, blue, paid, rules), reason)
        self._hold(blue, lambda source: reds.red_request(body, bill, source, paid, rules), reason, 1)

    @staticmethod
    def _body(world: Shipped, entity: str, key: str) -> Record:
        found = documents.get(world.kept, entity, key)
        assert found is not None
        return found.body

    @staticmethod
    def _hold(body: Record, make: Any, reason: Any, least: int = 5) -> None:
        before, moved = make(body), 0
        for path, value in leaves(body):
            other = deepcopy(body)
            if not _set(other, path, value):
                continue
            try:
                after = make(other)
            except (DuijieError, LookupError, ArithmeticError, TypeError, ValueError):
                continue
            if _rates(before) != _rates(after):
                continue  # a voucher's lines are kept apart by rate: these are others
            for change in changes(before, after):
                field = _bracketed(change.field)
                if change.before is None or change.after is None or isinstance(change.before, dict | list):
                    continue
                moved += 1
                assert path in [read.field for read in reason(field).reads], f"{field} moves with {path}"
        assert moved >= least


def _set(body: Record, path: str, value: Any) -> bool:
    """Put another value of the same kind in; False for what has no other."""
    steps = [int(part) if part.isdigit() else part for part in path.replace("]", "").replace("[", ".").split(".")]
    at: Any = body
    for step in steps[:-1]:
        at = at[step]
    if isinstance(value, bool) or value is None or isinstance(value, dict | list):
        return False
    if isinstance(value, str):
        at[steps[-1]] = f"2027{value[4:]}" if path.endswith(("date", "_at")) else f"{value}9"
    else:
        at[steps[-1]] = value + 1
    return True


def _rates(body: Record) -> list[Any]:
    return [(line.get("account"), line.get("tax_rate")) for line in body.get("lines", []) if "account" in line]


def _bracketed(path: str) -> str:
    return "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.split(".")).removeprefix(".")


class TestLocated:
    def test_elements_of_a_list_put_together_are_found_where_they_stand(self) -> None:
        mapping = load_mapping(ROOT / "mappings/xingchen/sales_order.out.yaml")
        test = mapping.tests[1]
        lookup = StaticLookup({}, test["ref"])
        trail = {each.field: each for each in located(mapping, test["given"], lookup, test["settings"])}
        assert trail["material_entity[0].all_amount"].reads == {"lines[0].gross": Decimal("11.00")}
        made = trail["material_entity[1].tax_price"].reads
        assert made["freight"] == Decimal("8.00") and made["settings.freight_material"] == "YF"
        assert trail["material_entity[0].unit_id"].reads[ref_path("product", "A1", ".unit_id")] == "90001"


class TestTheCommand:
    def test_it_prints_the_chain(self, world: Shipped) -> None:
        told = self._run(world, "sales_order", str(TID), "lines[0].net")
        for words in (
            "lines[0].net = 100.00",
            "split_tax(amount, product.tax_rate)",
            "Li Lei",
            "报文 #",
            "taobao/trade",
        ):
            assert words in told
        assert "重算结果与存档一致" in told

    def test_it_takes_the_chinese_name_and_prints_all_fields(self, world: Shipped) -> None:
        assert "buyer.name" in self._run(world, "销售订单", str(TID))

    def test_json_has_the_whole_chain_with_exact_numbers(self, world: Shipped) -> None:
        told = self._run(world, "delivery", "1", "total_amount", "--json")
        whole = codec.decode(told)
        [field] = whole["fields"]
        gross = field["sources"][0]
        assert (field["value"], gross["from"]["name"], gross["path"]) == (Decimal("131.90"), "sales_order", "gross")
        assert gross["why"]["sources"][0]["from"]["kind"] == "message"
        assert json.loads(told)["fields"][0]["place"]["changed"]["who"] == "Li Lei"

    def test_secrets_of_the_message_do_not_show(self, world: Shipped) -> None:
        world.correct("taobao/sales_order.in", "order_no: text(tid)", "order_no: left(session_token, 1)")
        world.orders(order(TID + 1000))
        told = self._run(world, "sales_order", str(TID + 1000), "order_no", "--json")
        assert SECRET not in told and "******" in told

    def test_a_wrong_name_is_one_sentence(self, world: Shipped) -> None:
        done = CliRunner().invoke(app, ["explain", "delivery", "x", "--flows", str(world.root / "dags/flows")])
        assert done.exit_code == 1 and "投递须给编号" in done.output

    @staticmethod
    def _run(world: Shipped, *words: str) -> str:
        done = CliRunner().invoke(
            app, ["explain", *words, "--flows", str(world.root / "dags/flows")], env={"COLUMNS": "200"}
        )
        assert done.exit_code == 0, done.output
        return done.stdout


def test_a_journal_opened_to_read_refuses_every_write(world: Shipped, tmp_path: Path) -> None:
    with pytest.raises(JournalBusy, match="read-only"), Journal.open_to_read().writing() as tx:
        tx.execute(delivery.delete())
    assert chain.search(Journal.open_to_read(), str(TID)).count
    with pytest.raises(ConfigError, match="there is no journal"):
        Journal.open_to_read(f"sqlite:///{tmp_path / 'other.db'}")
    assert not (tmp_path / "other.db").exists()


def test_refunds_use_the_same_chain(world: Shipped) -> None:
    world.refunds(refund(78))
    assert source(one(world, "sales_refund", "78", "net"), "tax_rate").origin.name == "product"


def test_where_the_message_was_archived_is_said_instead_of_a_guess(world: Shipped, kept: Journal) -> None:
    place = "/archive/message-00001.parquet"
    with kept.writing() as tx:
        tx.execute(message.update().values(body=note(place), reason=f"{ARCHIVED}: {place}"))
    with pytest.raises(ConfigError, match="was archived") as caught:
        explainer(world).document("sales_order", ORDER, "gross")
    assert "追溯到归档为止" in caught.value.zh


def test_a_reversal_and_the_voucher_it_reverses_are_both_explained(world: Shipped, kept: Journal) -> None:
    world.deliver("vouchers", "deliver_k3cloud")
    [posted], [sold] = (list(documents.current(kept, entity)) for entity in ("voucher", "sales_order"))
    with kept.writing() as tx:
        documents.put(tx, kept, "sales_order", sold.body | {"approval": "void"}, (None, "test"))
    assert world.derive("vouchers", "derive_reversals")["new_documents"] == 1
    for key in (posted.key, vouchers.reversal_key(posted.key, 1)):
        assert "重算结果与存档一致" in explainer(world).document("voucher", key).notes
