"""A customer's file over a shipped mapping: what merges, what lint tells after an upgrade, what `adopt` writes."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from duijie import codec
from duijie.mapping import FieldError, MappingErrors, StaticLookup, explain, lint, load_mapping, run_tests
from duijie.mapping.adopt import adopted, overridden, recorded
from duijie.mapping.cli import app
from duijie.mapping.document import Block, plain, read
from duijie.mapping.findings import Findings
from duijie.mapping.override import Merger

ROOT = Path(__file__).parents[2]
SHIPPED = """\
mapping: shop/order.in
from: {system: shop, stream: orders}
to: {system: demo, sink: orders}
tables:
  status: {NEW: open, PAID: paid, OLD: closed}
let:
  gross: money(payment)
  note: default(memo, "")
skip: status == "VOID"
fields:
  no: text(id)
  status: table("status", status)
  gross: gross
  buyer:
    name: nick
    phone: {value: mobile, when: has(mobile)}
  lines:
    each: items
    as: line
    let: {qty: line.num}
    fields:
      sku: line.sku
      qty: qty
      gross: money(line.price) * qty
  memo: note
tests:
  - name: the shipped way
    given: {id: 1, status: PAID, payment: "9.90", nick: 甲, items: [{sku: a1, num: 1, price: "9.90"}]}
    expect: {no: "1", buyer: {name: 甲}, lines: [{sku: a1}]}
"""
RECORD = {
    "id": 7,
    "status": "PAID",
    "payment": "30.00",
    "nick": "甲",
    "mobile": "138",
    "memo": "急",
    "items": [{"sku": "a1", "num": 2, "price": "10.00"}, {"sku": "b2", "num": 1, "price": "10.00"}],
}
HEAD = "mapping: acme/order.in\nextends: shop/order.in\n"
TESTS = "tests:\n  - {name: any, given: {id: 1, status: VOID}, expect: null}\n"


class Files:
    """A folder of mappings with a shipped one and the customer's."""

    def __init__(self, folder: Path) -> None:
        self.mappings = folder / "mappings"
        self.put("shop/order.in", SHIPPED)

    def put(self, name: str, text: str) -> Path:
        path = self.mappings / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return path

    def customer(self, text: str) -> Path:
        return self.put("acme/order.in", HEAD + dedent(text) + TESTS)

    def run(self, text: str, record: object = None, name: str = "acme/order.in"):
        path = self.put(name, HEAD.replace("acme/order.in", name) + dedent(text) + TESTS)
        return load_mapping(path).run(record or RECORD, StaticLookup(), {})

    def upgrade(self, before: str, after: str) -> None:
        assert before in SHIPPED
        self.put("shop/order.in", SHIPPED.replace(before, after))


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def told(path: Path) -> list[tuple[str, str, int]]:
    return [(each.rule, each.severity, each.spot.line) for each in lint([path])]


PLAIN = {
    "no": "7",
    "status": "paid",
    "gross": Decimal("30.00"),
    "buyer": {"name": "甲", "phone": "138"},
    "lines": [
        {"sku": "a1", "qty": 2, "gross": Decimal("20.00")},
        {"sku": "b2", "qty": 1, "gross": Decimal("10.00")},
    ],
    "memo": "急",
}


class TestMerging:
    def test_a_file_that_changes_nothing_is_the_shipped_mapping(self, files):
        assert files.run("") == PLAIN

    @pytest.mark.parametrize(
        ("over", "changed"),
        [
            ("fields: {no: 'join(\"-\", \"A\", id)'}", {"no": "A-7"}),
            ("fields: {buyer: {name: upper(mobile)}}", {"buyer": {"name": "138", "phone": "138"}}),
            ("fields: {buyer: {phone: {remove: true}}}", {"buyer": {"name": "甲"}}),
            ("fields: {buyer: {phone: {when: 'false'}}}", {"buyer": {"name": "甲"}}),
            ("fields: {buyer: {phone: {value: nick}}}", {"buyer": {"name": "甲", "phone": "甲"}}),
            ("fields: {buyer: {phone: nick}}", {"buyer": {"name": "甲", "phone": "甲"}}),
            ("fields: {buyer: {phone: {when: {remove: true}}}}", {}),
            ("fields: {buyer: {name: {when: id == 8, else: '\"-\"'}}}", {"buyer": {"name": "-", "phone": "138"}}),
            ("fields: {buyer: {replace: true, id: id}}", {"buyer": {"id": 7}}),
            ("fields: {buyer: nick}", {"buyer": "甲"}),
            ("fields: {buyer: {fields: {name: id}, let: {x: 1}}}", {"buyer": {"name": 7, "phone": "138"}}),
            ("fields: {memo: {a: id}}", {"memo": {"a": 7}}),
            ("fields: {memo: [id, id]}", {"memo": [7, 7]}),
            ("let: {gross: money(payment) * 2}", {"gross": Decimal("60.00")}),
            ("let: {rate: '3', gross: money(payment) * rate}", {"gross": Decimal("90.00")}),
            ("let: {tag: gross + 1}\nfields: {memo: tag}", {"memo": Decimal("31.00")}),
            ("let: {note: {remove: true}}\nfields: {memo: '\"x\"'}", {"memo": "x"}),
            ("tables: {status: {PAID: done}}", {"status": "done"}),
            ("tables: {other: {PAID: x}}\nfields: {memo: 'table(\"other\", status)'}", {"memo": "x"}),
            ("skip: {remove: true}", {}),
            ("fields: {lines: {each: items[:0]}}".replace("items[:0]", "list(i for i in items if i.num > 1)"),
             {"lines": [{"sku": "a1", "qty": 2, "gross": Decimal("20.00")}]}),
            ("fields: {lines: {when: line.num == 1}}", {"lines": [{"sku": "b2", "qty": 1, "gross": Decimal("10.00")}]}),
            ("fields: {lines: {let: {qty: line.num * 10}, fields: {gross: {remove: true}, sku: upper(line.sku)}}}",
             {"lines": [{"sku": "A1", "qty": 20}, {"sku": "B2", "qty": 10}]}),
            ("fields: {lines: {value: line.sku}}", {"lines": ["a1", "b2"]}),
            ("fields: {lines: {replace: true, each: items, value: item.num}}", {"lines": [2, 1]}),
        ],
    )  # fmt: skip
    def test_single_rules_are_changed_and_the_rest_stays(self, files, over, changed):
        assert files.run(over + "\n") == {**PLAIN, **changed}

    def test_the_order_of_the_fields_stays_and_new_ones_come_before_the_next_changed_one(self, files):
        over = "fields: {first: 1, status: status, second: 2, memo: note, last: 3}\n"
        assert list(files.run(over)) == ["no", "first", "status", "gross", "buyer", "lines", "second", "memo", "last"]

    def test_the_skip_and_the_head_may_be_changed(self, files):
        path = files.customer("from: {system: acme, stream: o}\nskip: id == 7\n")
        mapping = load_mapping(path)
        assert mapping.run(RECORD, StaticLookup(), {}) is None
        assert (mapping.name, mapping.source["system"], mapping.target["sink"]) == ("acme/order.in", "acme", "orders")

    def test_chains_merge_from_the_bottom_up(self, files):
        files.put("trade/order.in", HEAD.replace("acme", "trade") + "let: {gross: money(payment) + 1}\n" + TESTS)
        path = files.put(
            "acme/order.in",
            "mapping: acme/order.in\nextends: trade/order.in\nlet: {gross: money(payment) + 2}\n" + TESTS,
        )
        assert load_mapping(path).run(RECORD, StaticLookup(), {})["gross"] == Decimal("32.00")
        (finding,) = [each for each in lint([path]) if each.rule == "DJ701"]
        assert "money(payment) + 1" in finding.en

    def test_documents_of_emit_merge_too(self):
        base = {"emit": {"party": {"fields": {"key": "id"}, "when": "a"}, "voucher": {"each": "xs", "value": "x"}}}
        over = {"emit": {"party": {"name": "nick"}, "voucher": {"remove": True}, "product": {"key": "id"}}}
        merger = Merger(Findings())
        assert plain(merger.root(_block(base), _block(over)))["emit"] == {
            "party": {"fields": {"key": "id", "name": "nick"}, "when": "a"},
            "product": {"key": "id"},
        }
        assert [(change.path, change.rule) for change in merger.changes if change.was] == [
            ("voucher", '{"each":"xs","value":"x"}')
        ]

    def test_the_shipped_tests_are_not_run_but_what_they_show_of_the_source_counts(self, files):
        path = files.customer("fields: {memo: nick}\n")
        assert [result.name for result in run_tests(load_mapping(path))] == ["any"]
        assert "DJ101" not in [rule for rule, *_ in told(path)]


class TestPlaces:
    def test_an_error_in_either_file_names_that_file(self, files):
        load = load_mapping(files.customer("fields: {memo: memo.text}\n"))
        with pytest.raises(FieldError) as mine:
            load.run(RECORD, StaticLookup(), {})
        with pytest.raises(FieldError) as theirs:
            load.run({**RECORD, "payment": "x"}, StaticLookup(), {})
        assert str(mine.value.spot) == "mappings/acme/order.in.yaml:3:16"
        assert str(theirs.value.spot) == "mappings/shop/order.in.yaml:7:10"

    def test_explain_names_the_file_of_each_rule(self, files):
        trail = explain(load_mapping(files.customer("fields: {no: nick}\n")), RECORD, StaticLookup(), {})
        places = {each.field: str(each.spot) for each in trail}
        assert places["no"] == "mappings/acme/order.in.yaml:3:10"
        assert places["buyer.name"] == "mappings/shop/order.in.yaml:15:5"

    def test_an_expression_that_is_wrong_is_told_in_its_own_file(self, files):
        files.upgrade("nick", "nik(id)")
        with pytest.raises(MappingErrors) as caught:
            load_mapping(files.customer("fields: {no: nick}\n"))
        assert caught.value.where.startswith("mappings/shop/order.in.yaml:15")
        output = CliRunner().invoke(app, ["lint", str(files.mappings / "acme"), "--format", "gcc"]).output
        assert "/mappings/shop/order.in.yaml:15:11: error" in output

    def test_warnings_of_the_shipped_file_are_told_there_and_not_here(self, files):
        files.upgrade("let:\n", "let:\n  unread: id\n")
        assert "DJ403" in [rule for rule, *_ in told(files.mappings / "shop/order.in.yaml")]
        assert told(files.customer("")) == []

    def test_the_version_changes_with_the_shipped_file(self, files):
        path = files.customer("")
        before = load_mapping(path)
        files.upgrade("text(id)", 'join("", "N", id)')
        after = load_mapping(path)
        assert before.version != after.version
        assert after.run(RECORD, StaticLookup(), {})["no"] == "N7"
        assert before.run(RECORD, StaticLookup(), {})["no"] == "7"


class TestWrong:
    @pytest.mark.parametrize(
        ("over", "line", "said"),
        [
            ("fields: {buyer: {nmae: {remove: true}}}", 3, "nmae; did you mean name?"),
            ("let: {groß: {remove: true}}", 3, "did you mean gross?"),
            ("tables: {status: {NWE: {remove: true}}}", 3, "did you mean NEW?"),
            ("fields: {lines: {skus: line.sku}}", 3, "lines is a list (each)"),
            ("fields: {extra: {a: {remove: true}}}", 3, "nothing to remove: a"),
            ("field: {}", 3, "did you mean fields?"),
            ("emit: {a: {key: id}}", 3, "either fields or emit"),
        ],
    )
    def test_what_cannot_be_merged_is_told_with_its_place(self, files, over, line, said):
        with pytest.raises(MappingErrors) as caught:
            load_mapping(files.customer(over + "\n"))
        assert said in str(caught.value)
        assert line in [each.spot.line for each in caught.value.findings] or "emit" in said

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("shop/oder.in", "did you mean shop/order.in?"),
            ("../secret", "unknown mapping to extend ../secret"),
            ("/etc/passwd", "unknown mapping to extend /etc/passwd"),
            ("acme/order.in", "round in a circle"),
            ("loop/a.in", "round in a circle"),
            ("[a]", "unknown mapping to extend"),
        ],
    )
    def test_what_is_extended_must_be_there_and_no_circle(self, files, name, said):
        files.put("loop/a.in", HEAD.replace("acme/order.in", "loop/a.in").replace("shop/order.in", "acme/order.in"))
        path = files.put("acme/order.in", HEAD.replace("shop/order.in", name))
        with pytest.raises(MappingErrors) as caught:
            load_mapping(path)
        assert said in str(caught.value)

    def test_a_shipped_file_that_is_no_yaml_is_told(self, files):
        path = files.customer("")
        files.put("shop/order.in", "a: [")
        with pytest.raises(MappingErrors) as caught:
            load_mapping(path)
        assert caught.value.where.startswith("mappings/shop/order.in.yaml")

    def test_based_on_goes_with_extends(self, files):
        path = files.put("shop/order.in", SHIPPED + "based_on: {no: text(id)}\n")
        assert ("DJ001", "error", SHIPPED.count("\n") + 1) in told(path)


OVER = """\
# what 恒信 wants otherwise
let:
  gross: money(payment) * 2   # doubled
fields:
  buyer: {name: mobile}
  lines: {fields: {sku: upper(line.sku), note: '"x"'}}
"""


class TestUpgrade:
    """The life of an override: written, adopted, upgraded under, checked, adopted again."""

    def test_an_override_is_recorded_by_adopt_and_then_lint_is_silent(self, files):
        path = files.customer(OVER)
        assert told(path) == [("DJ701", "warning", 5), ("DJ701", "warning", 7), ("DJ701", "warning", 8)]
        before = path.read_text(encoding="utf-8")
        result = CliRunner().invoke(app, ["adopt", str(path)])
        assert result.exit_code == 0 and "recorded: 3, 变化 changed: 3" in result.output
        block = "based_on:\n  let gross: money(payment)\n  buyer.name: nick\n  lines[].sku: line.sku\n"
        assert path.read_text(encoding="utf-8") == before.replace("tests:", block + "tests:")
        assert told(path) == []
        assert "changed: 0" in CliRunner().invoke(app, ["adopt", str(path)]).output

    @pytest.fixture
    def path(self, files):
        path = files.customer(OVER)
        path.write_text(adopted(path.read_text(encoding="utf-8"), path), encoding="utf-8")
        return path

    def test_a_changed_shipped_rule_is_shown_old_and_new(self, files, path):
        files.upgrade("name: nick", "name: nfkc(nick)")
        (finding,) = lint([path])
        assert (finding.rule, finding.severity, finding.spot.line) == ("DJ702", "warning", 7)
        assert "(mappings/shop/order.in.yaml:15:5): nick → nfkc(nick)" in finding.en
        assert "duijie mapping adopt" in finding.en and "duijie mapping adopt" in finding.zh
        assert load_mapping(path).run(RECORD, StaticLookup(), {})["buyer"]["name"] == "138"
        data = json.loads(CliRunner().invoke(app, ["adopt", str(path), "--json"]).output)
        assert data["changed"] == ["buyer.name"] and data["rules"]["buyer.name"] == "nfkc(nick)"
        assert told(path) == []

    def test_what_an_upgrade_changes_elsewhere_just_arrives(self, files, path):
        files.upgrade("no: text(id)", 'no: join("", "N", id)')
        assert told(path) == []
        assert load_mapping(path).run(RECORD, StaticLookup(), {})["no"] == "N7"

    def test_a_rule_written_differently_only_in_white_space_is_the_same(self, files, path):
        files.upgrade("gross: money(payment)\n", "gross: >-\n    money(payment)\n")
        assert told(path) == []

    def test_a_condition_that_the_upgrade_brings_is_a_change(self, files, path):
        files.upgrade("name: nick", "name: {value: nick, when: has(nick)}")
        (finding,) = lint([path])
        assert finding.rule == "DJ702" and 'nick → {"value":"nick","when":"has(nick)"}' in finding.en

    def test_a_shipped_rule_that_is_gone_keeps_the_mapping_from_loading(self, files, path):
        files.upgrade("sku: line.sku", "code: line.sku")
        with pytest.raises(MappingErrors) as caught:
            load_mapping(path)
        (finding,) = caught.value.findings
        assert (finding.rule, finding.spot.line) == ("DJ703", 8)
        assert "lines[].sku no longer exists (it was line.sku)" in finding.en
        assert CliRunner().invoke(app, ["adopt", str(path)]).exit_code == 0
        assert told(path) == []  # it was meant as an addition

    def test_a_field_that_the_upgrade_brings_too_is_told(self, files, path):
        files.upgrade("      qty: qty\n", "      qty: qty\n      note: line.remark\n")
        assert [(rule, line) for rule, _, line in told(path)] == [("DJ701", 8)]

    def test_a_removal_of_what_is_gone_already_is_told(self, files):
        path = files.customer("fields: {memo: {remove: true}}\nbased_on: {memo: note}\n")
        files.upgrade("  memo: note\n", "")
        assert ("DJ002", "error", 3) in told(path)

    def test_an_override_that_was_deleted_leaves_a_stale_record(self, path):
        text = path.read_text(encoding="utf-8").replace("  buyer: {name: mobile}\n", "")
        path.write_text(text, encoding="utf-8")
        assert [rule for rule, *_ in told(path)] == ["DJ704"]

    def test_a_comment_may_silence_it_for_now(self, files, path):
        text = path.read_text(encoding="utf-8")
        files.upgrade("name: nick", "name: nfkc(nick)")
        path.write_text(
            text.replace("{name: mobile}", "{name: mobile}  # lint: ok DJ702 settled with 恒信 next month"),
            encoding="utf-8",
        )
        assert told(path) == []


BLOCK = "based_on:\n  let gross: money(payment)\n  buyer.name: nick\n  lines[].sku: line.sku\n"
OLD = "based_on:\n  old: rule\n\n  # why\n  older: {a: 1}\n"


class TestAdopt:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (HEAD + OVER + TESTS, HEAD + OVER + BLOCK + TESTS),
            (HEAD + OVER + "\n# of the\n# tests\n" + TESTS, HEAD + OVER + "\n" + BLOCK + "# of the\n# tests\n" + TESTS),
            ((HEAD + OVER + TESTS).replace("\n", "\r\n"), (HEAD + OVER + BLOCK + TESTS).replace("\n", "\r\n")),
            (HEAD + OVER.rstrip("\n"), HEAD + OVER + BLOCK),
            (HEAD + OLD + "\n# next\n" + OVER + TESTS, HEAD + BLOCK + "\n# next\n" + OVER + TESTS),
            (HEAD + 'based_on: {old: "rule",\n  older: x}\n' + OVER, HEAD + BLOCK + OVER),
            (HEAD + "based_on:\n" + OVER, HEAD + BLOCK + OVER),
            (HEAD + OVER + OLD, HEAD + OVER + BLOCK),
        ],
    )
    def test_nothing_but_the_block_changes(self, files, before, after):
        path = files.put("acme/order.in", before)
        assert adopted(before, path) == after
        assert adopted(after, path) == after

    def test_a_file_without_overrides_keeps_no_record(self, files):
        text = HEAD + "based_on:\n  old: rule\n" + TESTS
        assert adopted(text, files.put("acme/order.in", text)) == HEAD + TESTS

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (SHIPPED, "extends no other"),
            ("a", "extends no other"),
            (HEAD + "fields: {nothing: {remove: true}}\n", "nothing to remove"),
            (HEAD.replace("shop/", "shoo/"), "did you mean shop/order.in?"),
            ("{mapping: acme/order.in, extends: shop/order.in, fields: {no: id}}\n", "lines of its own"),
        ],
    )
    def test_what_cannot_be_adopted_is_left_alone(self, files, text, said):
        path = files.put("acme/order.in", text)
        result = CliRunner().invoke(app, ["adopt", str(path)])
        assert result.exit_code == 1 and said in result.output
        assert path.read_bytes() == text.encode()

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20), max_size=4))
    def test_every_rule_can_be_recorded(self, tmp_path_factory, rules):
        files = Files(tmp_path_factory.mktemp("it"))
        named = {f"f{at}": codec.encode(rule).decode() for at, rule in enumerate(rules)}
        fields = "".join(f"  {name}: {codec.encode(rule).decode()}\n" for name, rule in named.items())
        files.put("shop/order.in", SHIPPED.replace("  memo: note\n", "  memo: note\n" + fields))
        text = HEAD + "fields:\n  memo: id\n" + "".join(f"  {name}: id\n" for name in named)
        path = files.put("acme/order.in", text)
        path.write_bytes(adopted(text, path).encode())
        assert [rule for rule, *_ in told(path) if rule.startswith("DJ7")] == []


def test_show_merged_names_the_place_of_every_rule(files):
    path = files.customer(OVER)
    lines = CliRunner().invoke(app, ["show", str(path), "--merged"]).output.splitlines()
    assert lines[0].split("#")[0].strip() == "mapping: acme/order.in"
    assert any(
        line.startswith("    name: mobile") and line.endswith("# mappings/acme/order.in.yaml:7") for line in lines
    )
    assert any(
        line.startswith("  no: text(id)") and line.endswith("# mappings/shop/order.in.yaml:11") for line in lines
    )
    again = read("\n".join(lines), "", Findings())
    assert isinstance(again, Block) and plain(again)["fields"]["lines"]["fields"]["sku"] == "upper(line.sku)"


def _block(data: object) -> Block:
    found = read(codec.encode_ordered(data).decode(), "f.yaml", Findings())
    assert isinstance(found, Block)
    return found


TREES = st.recursive(
    st.sampled_from(["a", "b.c", "text(x)"]),
    lambda inner: st.dictionaries(st.sampled_from(["p", "q", "each", "fields", "let", "when"]), inner, min_size=1),
    max_leaves=8,
)
ROOTS = st.fixed_dictionaries(
    {},
    optional={name: st.dictionaries(st.sampled_from(["p", "q", "r"]), TREES) for name in ("let", "fields", "tables")},
)


@given(ROOTS, ROOTS)
def test_merging_keeps_what_is_not_overridden_and_takes_what_is(base, over):
    merger = Merger(Findings())
    merged = plain(merger.root(_block(base), _block(over)))
    assert plain(Merger(Findings()).root(_block(base), _block({}))) == base
    assert plain(Merger(Findings()).root(_block({}), _block(over))) == over
    for section, fields in base.items():
        for name, rule in fields.items():
            assert name in over.get(section, {}) or merged[section][name] == rule
    for section, fields in over.items():
        for name, rule in fields.items():
            assert isinstance(rule, dict) or merged[section][name] == rule


def _example(page: str, start: str) -> str:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return text[text.index(start) :].split("```", 1)[0]


@pytest.fixture
def shipped(tmp_path):
    """The shipped mappings and schemas, and room for a customer's."""
    shutil.copytree(ROOT / "mappings/taobao", tmp_path / "mappings/taobao")
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    (tmp_path / "mappings/acme").mkdir()
    return tmp_path / "mappings/acme/sales_order.in.yaml"


def test_the_how_to_works_over_the_shipped_mapping(shipped):
    text = _example("overrides.md", "mapping: acme")
    shipped.write_text(text, encoding="utf-8")
    assert [(result.name, result.differences) for result in run_tests(load_mapping(shipped))] == [("行名称带规格", ())]
    shipped.write_text(adopted(text, shipped), encoding="utf-8")
    assert "based_on:\n  lines[].name: line.title\n" in shipped.read_text(encoding="utf-8")
    assert lint([shipped]) == []


def test_the_example_of_the_specification_is_as_adopt_writes_it(shipped):
    text = _example("specs/mapping.md", "# mappings/acme")
    shipped.write_text(text, encoding="utf-8")
    load_mapping(shipped)
    assert recorded(text) == overridden(text, shipped)
