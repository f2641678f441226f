"""A flow file that cannot be read says everything that is wrong with it, by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from duijie.connect.errors import ConfigError, MappingError
from duijie.flow import load_flow
from duijie.mapping import load_mapping

HEAD = "flow: a\ntitle: 订单\nsteps:\n"
PULL = "verb: pull, name: p, connection: c, stream: s, mapping: x/o.in"
MOMENT = "2026-01-01T00:00:00+08:00"
SINCE = f'since: "{MOMENT}"'
VERBS = "pull, poll, derive, deliver, fetch, receive, reconcile, alert, watch, drift"


def told(folder: Path, text: str) -> list[str]:
    """What the error says after the name of the file."""
    path = folder / "a.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load_flow(path)
    return raised.value.zh.partition(" 有误: ")[2].split("; ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flow: a\nsteps: []", ["第 1 行 缺少必填字段 title"]),
        (f"{HEAD}  - {{name: p}}", [f"第 4 行 steps[0] 缺少 verb (动作), 可选: {VERBS}"]),
        (f"{HEAD}  - {{verb: pul, name: p}}", ["第 4 行 steps[0].verb 没有动作 pul, 是否指 pull?"]),
        (f"{HEAD}  - {{{PULL}}}", ["第 4 行 steps[0] 缺少必填字段 since"]),
        (f"{HEAD}  - {{{PULL}, {SINCE},\n     sinc: 1}}", ["第 5 行 steps[0].sinc 没有字段 sinc, 是否指 since?"]),
        (f"{HEAD}  - {{{PULL}, {SINCE},\n     sweep_days: -1}}", ["第 5 行 steps[0].sweep_days 须 ≥ 0"]),
        (f"{HEAD}  - {{{PULL}, {SINCE},\n     sweep_days: two}}", ["第 5 行 steps[0].sweep_days 须是整数"]),
        (f"{HEAD}  - {{{PULL},\n     since: 2026-01-01}}", [f"第 5 行 steps[0].since 须是带时区的时刻, 例如 {MOMENT}"]),
        (f"{HEAD}  []\nexpect: {{at_least: 1,\n  per: week}}", ["第 6 行 expect.per 没有取值 week, 可选: day, hour"]),
        ("flow: a\n  title: b", ["第 2 行不是有效的 YAML: mapping values are not allowed here"]),
        (f"{HEAD}  []\non: push", ["第 5 行 on 没有字段 on, 可选: flow, title, steps, schedule, owner, expect"]),
        (f"{HEAD}  - {{verb: [pull]}}", ["第 4 行 steps[0].verb 没有动作 ['pull'], 是否指 pull?"]),
        (f"{HEAD}  - &a [*a]", [f"第 4 行 steps[0] 缺少 verb (动作), 可选: {VERBS}"]),
        (f"{HEAD}  - {{{PULL.replace('name: p', 'name: {2: 3}')}, {SINCE}}}", ["第 4 行 steps[0].name 须是文本"]),
        ("", ["第 1 行 应为 flow:, title:, steps: 等字段"]),
        ("- a", ["第 1 行 应为 flow:, title:, steps: 等字段"]),
    ],
)  # fmt: skip
def test_a_fault_is_told_by_its_line(tmp_path: Path, text: str, said: list[str]) -> None:
    assert told(tmp_path, text) == said


def test_all_faults_are_told_at_once_in_their_order(tmp_path: Path) -> None:
    said = told(tmp_path, f"flow: 1\n{HEAD[8:]}  - {{verb: pul}}\n  - {{{PULL}, {SINCE}, nme: x}}")
    assert [one.split()[1] for one in said] == ["1", "4", "5"]


def test_a_character_that_no_yaml_may_hold_is_told(tmp_path: Path) -> None:
    assert "不是有效的 YAML: unacceptable character" in told(tmp_path, f"{HEAD}  []\n# \x00")[0]


def test_a_file_that_is_not_utf_8_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("title: 订单".encode("gbk"))
    with pytest.raises(ConfigError) as raised:
        load_flow(tmp_path / "a.yaml")
    assert "不是 UTF-8 编码, 请另存为 UTF-8" in raised.value.zh


def test_a_mapping_that_is_not_there_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "sales_order.in.yaml").touch()
    with pytest.raises(MappingError) as raised:
        load_mapping(tmp_path / "sales_ordr.in.yaml")
    assert raised.value.zh.endswith("sales_ordr.in.yaml, 是否指 sales_order.in?")
