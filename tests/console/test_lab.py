"""映射实验室: for engineers only, bounded in size and time, hiding people, never writing."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import func, select
from starlette.testclient import TestClient

from duijie import codec
from duijie.console.lab_run import Job, compute, depth
from duijie.console.lab_words import HELP
from duijie.console.people import hide, private_values
from duijie.console.workbench import Worker
from duijie.journal import Journal, codes
from duijie.journal.tables import metadata
from duijie.mapping import forms, mapping_files
from duijie.mapping import mapping as mapping_module
from duijie.mapping.signatures import FUNCTIONS
from tests.console.conftest import form_token, log_in
from tests.console.trades import ADDRESS, FILE, MAPPING, PERSON, PHONE, ROOT, record

TEXT = FILE.read_text(encoding="utf-8")
DEARER = TEXT.replace("  freight: freight\n", "  freight: freight + 1\n")
SHIPPED = mapping_files([ROOT / "mappings"])
ROUTES = ("/lab", "/lab/words", f"/lab/file?mapping={MAPPING}")


@pytest.fixture
def message(kept: Journal) -> int:
    """A recorded trade."""
    return record(kept)


class Lab:
    """The page of one person."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.token = form_token(client.get("/lab").text)

    def post(self, **fields: Any) -> Response:
        form = {"csrf": self.token, "mapping": MAPPING, "text": TEXT, "sample": "test:0", **fields}
        return self.client.post("/lab/run", data=form)

    def run(self, **fields: Any) -> dict[str, Any]:
        answer = self.post(**fields)
        assert answer.status_code == 200, answer.text
        return dict(codec.decode(answer.content))


@pytest.fixture
def lab(engineer: TestClient) -> Lab:
    return Lab(engineer)


class TestTheDoor:
    @pytest.mark.parametrize("name", ["ops", "look"])
    def test_only_an_engineer_gets_in_and_sees_the_way(self, anybody: TestClient, name: str) -> None:
        log_in(anybody, name)
        assert 'href="/lab"' not in anybody.get("/").text
        for path in ROUTES:
            assert anybody.get(path).status_code == 403
        token = form_token(anybody.get("/").text)
        assert anybody.post("/lab/run", data={"csrf": token, "mapping": MAPPING, "text": TEXT}).status_code == 403

    def test_an_engineer_gets_in(self, engineer: TestClient) -> None:
        assert 'href="/lab"' in engineer.get("/").text
        assert [engineer.get(path).status_code for path in ROUTES] == [200, 200, 200]

    def test_a_run_without_the_sessions_token_is_refused(self, lab: Lab) -> None:
        assert lab.post(csrf="forged").status_code == 403

    def test_styles_are_let_in_by_a_nonce_of_this_page_only(self, engineer: TestClient) -> None:
        policies = [engineer.get("/lab").headers["content-security-policy"] for _ in range(2)]
        assert policies[0] != policies[1]
        assert all("style-src 'self' 'nonce-" in each and "unsafe" not in each for each in policies)
        assert "nonce" not in engineer.get("/").headers["content-security-policy"]

    @pytest.mark.parametrize("name", ["../../etc/passwd", "rules/voucher", "taobao/none.in", ""])
    def test_only_mappings_can_be_read(self, lab: Lab, name: str) -> None:
        assert lab.client.get("/lab/file", params={"mapping": name}).status_code == 404
        assert lab.post(mapping=name or "x").status_code == 404


class TestRunning:
    def test_a_test_of_the_file_is_run_and_explained(self, lab: Lab) -> None:
        trial = lab.run()
        assert list(codec.decode(trial["result"]))[:3] == ["key", "platform", "shop"]
        assert codec.decode(trial["record"])["tid"] == 3204086667211110000
        assert codec.decode(trial["answers"])["ref"]["product"]["A1"]["unit"] == "件"
        assert all(each["passed"] for each in trial["tests"])
        [net] = [each for each in trial["trail"] if each["field"] == "lines[0].net"]
        assert net["value"] == "100.00"
        assert TEXT.splitlines()[net["line"] - 1].strip() == "net: taxed.net"
        assert ["orders.order[0].divide_order_fee", '"113.00"'] in net["inputs"]
        assert 'ref(product, "A1")' in [row["words"] for row in net["rows"]]

    def test_a_mistake_is_found_at_its_place(self, lab: Lab) -> None:
        trial = lab.run(text=TEXT.replace("freight: money(post_fee)", "freight: mony(post_fee)"))
        [finding] = trial["findings"]
        line = TEXT.splitlines().index("  freight: money(post_fee)") + 1
        assert (finding["line"], finding["column"], finding["severity"]) == (line, 12, "error")
        assert "是否指 money?" in finding["words"]
        assert not trial["compiled"]
        assert not trial["result"]

    def test_a_rule_that_refuses_the_sample_says_where(self, lab: Lab) -> None:
        trial = lab.run(record='{"shop": "S01", "tid": 1}')
        assert trial["error"]["field"] == "let ordered"
        assert "created" in trial["error"]["words"]
        assert trial["error"]["line"] == TEXT.splitlines().index("let:") + 2

    def test_a_rule_of_the_mapping_that_is_extended_is_named_by_its_own_file(self, lab: Lab) -> None:
        text = f"mapping: taobao/listing.in\nextends: {MAPPING}\nfields: {{shop: lower(shop)}}\n"
        sample = lab.run()
        trial = lab.run(mapping="taobao/listing.in", text=text, record=sample["record"], answers=sample["answers"])
        places = {each["field"]: (each["line"], each["file"]) for each in trial["trail"]}
        assert places["shop"] == (3, "")
        line = TEXT.splitlines().index("  gross: gross") + 1
        assert places["gross"] == (0, f"mappings/{MAPPING}.yaml:{line}")

    def test_a_test_that_is_gone_leaves_its_edited_record_or_says_so(self, lab: Lab) -> None:
        record = lab.run()["record"]
        assert "没有这个测试" in lab.run(sample="test:99")["problem"]
        assert "A1" in lab.run(sample="test:99", record=record)["error"]["words"]

    def test_a_missing_code_says_where(self, lab: Lab) -> None:
        trial = lab.run(answers="{}")
        assert "product “A1”" in trial["error"]["words"]
        assert "ref(" in TEXT.splitlines()[trial["error"]["line"] - 1]

    def test_a_document_that_breaks_its_schema_is_a_finding(self, lab: Lab) -> None:
        trial = lab.run(text=TEXT.replace("  shop: shop\n", "  shop: left(shop, 0)\n"))
        assert any("不符合 sales_order 的结构" in each["words"] for each in trial["findings"])

    def test_a_changed_file_is_compared_with_the_one_in_the_repository(self, lab: Lab) -> None:
        trial = lab.run(text=DEARER)
        assert trial["against"] == "shipped"
        assert trial["changes"] == [{"field": "freight", "before": "8.00", "after": "9.00"}]
        assert not trial["tests"][0]["passed"]
        assert lab.run()["against"] == ""

    def test_a_recorded_message_is_compared_with_its_document(self, lab: Lab, message: int) -> None:
        listed = lab.client.get("/lab/file", params={"mapping": MAPPING}).json()
        assert listed["recorded"][0]["id"] == message
        same = lab.run(sample=f"record:{message}")
        assert (same["against"], same["changes"], same["error"]) == ("journal", [], None)
        other = lab.run(sample=f"record:{message}", text=DEARER)
        assert [each["field"] for each in other["changes"]] == ["freight"]

    def test_a_recorded_document_feeds_an_outgoing_mapping_whose_codes_the_journal_answers(
        self, lab: Lab, kept: Journal, message: int
    ) -> None:
        name = "xingchen/sales_order.out"
        listed = lab.client.get("/lab/file", params={"mapping": name}).json()
        asked = {"mapping": name, "text": listed["text"], "sample": f"record:{listed['recorded'][0]['id']}"}
        refused = lab.run(**asked)["error"]
        assert "customer “S01”" in refused["words"]
        assert "xref(" in listed["text"].splitlines()[refused["line"] - 1]
        codes.put(kept, [codes.Code("customer", "xingchen", "S01", "C001")], "somebody")
        trial = lab.run(**asked)
        assert codec.decode(trial["result"])["customer_number"] == "C001"
        [told] = [each for each in trial["trail"] if each["field"] == "customer_number"]
        assert told["rows"] == [
            {"words": 'xref(customer, "S01")', "answer": '"C001"', "line": 0, "column": 0, "file": ""}
        ]

    def test_a_message_of_another_stream_is_not_given_away(self, lab: Lab, message: int) -> None:
        assert lab.post(mapping="taobao/sales_refund.in", sample=f"record:{message}").status_code == 404

    @pytest.mark.parametrize("field", ["record", "answers"])
    @pytest.mark.parametrize("text", ["{", "[1]", '{"a": ' * 100 + "1" + "}" * 100, "1e99999999999"])
    def test_a_sample_that_cannot_be_read_says_why(self, lab: Lab, field: str, text: str) -> None:
        told = lab.run(**{field: text})["problem"]
        assert told.startswith(("记录", "对照与设置"))

    def test_answers_of_the_wrong_shape_are_refused(self, lab: Lab) -> None:
        assert "xref、ref、settings" in lab.run(answers='{"xrefs": {}}')["problem"]
        assert "类别" in lab.run(answers='{"xref": {"sku": 1}}')["problem"]

    def test_nothing_is_written(self, lab: Lab, kept: Journal, message: int) -> None:
        def counted() -> dict[str, int]:
            with kept.reading() as tx:
                return {
                    name: tx.execute(select(func.count()).select_from(table)).scalar_one()
                    for name, table in metadata.tables.items()
                }

        before, shipped = counted(), TEXT
        lab.run(sample=f"record:{message}", text=DEARER)
        assert counted() == before
        assert FILE.read_text(encoding="utf-8") == shipped


class TestPeople:
    def test_names_numbers_and_addresses_of_recorded_messages_do_not_show(self, lab: Lab, message: int) -> None:
        text = TEXT.replace("  shop: shop\n", '  shop: join(" ", shop, receiver_mobile, receiver_address)\n')
        answer = lab.post(sample=f"record:{message}", text=text)
        assert answer.status_code == 200
        for private in (PERSON, PHONE, ADDRESS):
            assert private not in answer.text
        assert "1***" in answer.text

    def test_what_people_typed_themselves_is_shown(self, lab: Lab) -> None:
        assert "杭州恒信嘉禾科技有限公司" in lab.run()["result"]

    def test_secrets_do_not_show(self, lab: Lab) -> None:
        answer = lab.post(sample="record:1")
        assert "geheimer" not in answer.text
        assert "******" in answer.text

    def test_private_texts_are_found_by_the_names_of_fields_and_hidden_by_value(self) -> None:
        told = {
            "buyer": {"name": "张三丰", "kind": "person"},
            "tel": 13912345678,
            "line": {"title": "面条"},
            "memo": '张三丰 "x"',
        }
        private = private_values(told)
        assert hide(["张三丰买", "面条", "打 13912345678"], private) == ["张***买", "面条", "打 1***"]

    def test_a_quoted_text_is_hidden_inside_json_too(self) -> None:
        private = private_values({"address": '1 "A"\n座'})
        assert "座" not in hide(codec.encode({"a": '1 "A"\n座'}).decode(), private)


class TestLimits:
    def test_a_mapping_or_sample_that_is_too_large_is_refused(self, lab: Lab) -> None:
        assert lab.post(text="#" * 70_000).status_code == 413
        assert lab.post(record='{"a": "' + "x" * 600_000 + '"}').status_code == 413

    def test_a_result_that_is_too_large_is_not_shown(self, lab: Lab) -> None:
        trial = lab.run(
            text=_many("xs").replace("x/x.in", MAPPING), record=codec.encode({"xs": [1] * 1000}).decode(), sample=""
        )
        assert "不显示" in trial["problem"]
        assert trial["result"] == ""

    @pytest.mark.parametrize(
        ("rule", "seconds", "why"),
        [("sum(x * x * x / 7 for x in xs)", 0.5, "超过 0.5 秒"), ("xs", 60, "内存过多")],
    )
    def test_a_run_that_takes_too_much_is_ended_and_the_next_one_works(
        self, rule: str, seconds: float, why: str
    ) -> None:
        record = codec.encode({"xs": [1] * 60_000}).decode()
        job = Job(str(ROOT / "mappings/x/x.in.yaml"), _many(rule), "", record=record)
        worker = Worker(120 * 2**20)
        try:
            begun = time.monotonic()
            assert why in worker.run(job, _unasked, seconds).problem
            assert time.monotonic() - begun < 30
            assert worker.run(Job(str(FILE), TEXT, TEXT, test=0), _unasked, 30).result
        finally:
            worker.end()

    def test_every_shipped_mapping_is_computed_within_200_ms(self) -> None:
        slowest = {path.stem: min(_milliseconds(path, turn) for turn in range(3)) for path in SHIPPED}
        assert max(slowest.values()) < 200, slowest

    def test_depth_is_counted_without_recursion(self) -> None:
        deep: Any = 1
        for _ in range(100_000):
            deep = [deep]
        assert depth(deep) == 100_000


class TestWords:
    def test_every_function_says_in_chinese_what_it_does(self) -> None:
        assert set(FUNCTIONS) - set(HELP) == set()

    def test_the_editors_schema_describes_every_key_names_every_function_and_has_every_form(self) -> None:
        schema = codec.decode((ROOT / "schemas/mapping.json").read_bytes())
        assert set(re.findall(r"\w+", schema["$defs"]["expression"]["description"])) >= set(FUNCTIONS)
        assert undescribed(schema, schema["$defs"]) == []
        assert set(schema["properties"]) == set(mapping_module._KEYS)
        named = {"value": "value", "each": "each", "fields": "object"}
        for kind, keys in forms.KEYS.items():
            assert set(schema["$defs"][named[kind]]["properties"]) == set(keys)

    def test_the_editor_is_told_keys_functions_and_target_fields(self, engineer: TestClient) -> None:
        told = engineer.get("/lab/words").json()
        assert told["entities"]["sales_order"]["fields"]["lines"]["fields"]["net"]["required"]
        assert {"money", "xref"} <= {each["name"] for each in told["functions"]}
        assert told["schema"]["properties"]["fields"]


def undescribed(node: Any, shared: dict[str, Any]) -> list[str]:
    """The properties without a description of their own or of what they refer to."""
    found = []
    for name, below in node.get("properties", {}).items() if isinstance(node, dict) else ():
        meant = shared[below["$ref"].rpartition("/")[2]] if "$ref" in below else {}
        found += [] if below.get("description") or meant.get("description") else [name]
    below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return found + [name for each in below for name in undescribed(each, shared)]


def _unasked(*_: str) -> Any:
    raise AssertionError("nothing is asked")


def _milliseconds(path: Path, turn: int) -> float:
    """Processor time for a text that was not seen before: what an idle machine would make one wait."""
    text = path.read_text(encoding="utf-8")
    begun = time.process_time()
    trial = compute(Job(str(path), f"{text}\n# {turn}", text, test=0), _unasked)
    assert trial.compiled, trial.findings
    return (time.process_time() - begun) * 1000


def _many(rule: str) -> str:
    """A mapping with a thousand fields of one rule."""
    head = "mapping: x/x.in\nfrom: {system: x, stream: x}\nto: {system: x, sink: x}\nversion: 1\nfields:\n"
    return head + "\n".join(f"  f{number}: {rule}" for number in range(1000))
