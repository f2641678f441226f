"""The alert file: strict, private, and clear about what is wrong with it."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from duijie.alerts import config
from duijie.alerts.config import CHINA, Dingtalk, Feishu, Other, Wecom
from duijie.connect.errors import ConfigError

DOCS = Path(__file__).parents[2] / "docs" / "alerts.md"
GOOD = """
channels:
  ops:
    {type: dingtalk, robots: [{url: "https://oapi.dingtalk.com/robot/send?access_token=a", secret: SECb}], next: mail}
  mail: {type: mail, host: smtp.example.com, sender: duijie@example.com, to: [ops@example.com]}
people: [{name: 张三, roles: [运维], mobile: "13800000001"}]
routes: [{channels: [ops]}]
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "alerts.yaml"
    monkeypatch.setenv("DUIJIE_ALERT_FILE", str(path))
    monkeypatch.delenv("DUIJIE_ALERT_URLS", raising=False)
    path.touch(mode=0o600)
    return path


def test_a_good_file_is_read_and_json_is_as_good_as_yaml(path: Path) -> None:
    path.write_text(GOOD)
    assert config.load().chain("ops") == ["ops", "mail"]
    path.write_text('{"channels": {"a": {"type": "apprise", "url": "json://h/n"}}, "routes": [{"channels": ["a"]}]}')
    assert list(config.load().channels) == ["a"]


def test_the_example_of_the_docs_is_a_good_file_without_a_real_key(path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    assert example
    path.write_text(example.group(1))
    said = config.load()
    assert {type(one).__name__ for one in said.channels.values()} >= {"Dingtalk", "Feishu", "Wecom", "Mail"}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    path.write_text(GOOD)
    path.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        config.load()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("next: mail", "next: nowhere", "channels.ops.next 中的 nowhere 不存在, 可选: ops, mail"),
        ("next: mail", "nxt: mail", "nxt"),
        ("type: dingtalk", "type: pigeon", "pigeon"),
        ("https://oapi", "http://oapi", "须为 https"),
        ("roles: [运维]", "roles: [扫地]", "张三 的 roles 中的 扫地 不存在, 可选: 工程师, 运维"),
        ("channels: [ops]", "channels: [oops]", "routes[0].channels 中的 oops 不存在"),
        ("channels: [ops]", "channels: [ops], kinds: [weather]", "weather 不存在, 可选: run"),
        ("routes: [{channels: [ops]}]", "", "至少要有一个 channels 和一条 routes"),
        ("next: mail}", 'next: mail, quiet: "22-8"}', "quiet"),
        ("next: mail}", 'next: mail, daily: "25:00"}', "daily"),
        ("to: [ops@example.com]}", "to: [ops@example.com], next: ops}", "兜圈子"),
        ('mobile: "13800000001"', "mobile: no number", "mobile"),
        ("channels: [ops]", "channels: [mail]", None),
        ("to: [ops@example.com]", "tls: none", "tls"),
        ("{type: mail", "{type: mail", None),
        ("channels:\n", "channels: [\n", "不是 YAML"),
    ],
)
def test_a_wrong_file_says_where_and_what(path: Path, old: str, new: str, said: str | None) -> None:
    path.write_text(GOOD.replace(old, new))
    if said is None:
        assert config.load().channels
        return
    with pytest.raises(ConfigError) as caught:
        config.load()
    assert said in caught.value.zh
    assert "SECb" not in caught.value.zh


def test_the_older_list_of_urls_still_works_and_speaks_to_robots_directly(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("dingtalk://SECx@abc feishu://Token-1\n  wecombot://key-2")
    path.chmod(0o644)
    monkeypatch.setenv("DUIJIE_ALERT_URLS", "mailto://user:pass@example.com")
    said = config.load()
    kinds = [type(one) for one in said.channels.values()]
    assert kinds == [Other, Dingtalk, Feishu, Wecom]
    dingtalk, feishu = said.channels["url-2"], said.channels["url-3"]
    assert isinstance(dingtalk, Dingtalk)
    assert isinstance(feishu, Feishu)
    assert dingtalk.robots[0].url == "https://oapi.dingtalk.com/robot/send?access_token=abc"
    assert dingtalk.robots[0].secret == "SECx"
    assert feishu.robots[0].url == "https://open.feishu.cn/open-apis/bot/v2/hook/Token-1", "case counts"


def test_a_file_that_is_named_and_not_there_is_told(path: Path) -> None:
    path.unlink()
    with pytest.raises(ConfigError, match=r"alerts\.yaml is wrong"):
        config.load()


def test_nothing_set_is_no_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DUIJIE_ALERT_FILE", raising=False)
    monkeypatch.delenv("DUIJIE_ALERT_URLS", raising=False)
    assert config.load().channels == {}


@pytest.mark.parametrize(
    ("quiet", "clock", "is_quiet"),
    [
        ("22:00-08:00", "23:00", True),
        ("22:00-08:00", "07:59", True),
        ("22:00-08:00", "08:00", False),
        ("22:00-08:00", "12:00", False),
        ("12:00-13:30", "13:00", True),
        ("12:00-13:30", "13:30", False),
        ("", "03:00", False),
    ],
)
def test_quiet_hours_are_china_s_and_may_pass_midnight(quiet: str, clock: str, is_quiet: bool) -> None:
    way = Other(url="json://x", quiet=quiet)
    assert way.is_quiet(datetime.fromisoformat(f"2026-11-23T{clock}").replace(tzinfo=CHINA)) is is_quiet
