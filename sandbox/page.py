"""The page of a sandbox: what it holds, which faults are ordered, and a form to order one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment

from duijie import codec

SHOWN = 50
KINDS = {
    "lose_answer": "应答丢失 (已执行)",
    "malformed": "应答损坏 (已执行)",
    "status": "返回状态码 (未执行)",
    "delay": "延迟",
    "expire_tokens": "令牌全部失效",
    "shift_pages": "翻页时记录移位",
    "duplicate_webhook": "重复推送",
    "drop_push": "推送丢失",
}
_page = Environment(autoescape=True).from_string(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))


def page(
    name: str, counts: Mapping[str, int], wanted: str, rows: Sequence[Mapping[str, Any]], faults: Sequence[Any]
) -> str:
    """HTML. `rows` are those of the collection `wanted`, the oldest first; nested values are shown as JSON."""
    newest = [{key: _shown(value) for key, value in row.items()} for row in reversed(rows[-SHOWN:])]
    columns = list(dict.fromkeys(key for row in newest for key in row))
    return _page.render(
        name=name, counts=counts, wanted=wanted, rows=newest, columns=columns, faults=faults, kinds=KINDS
    )


def _shown(value: Any) -> Any:
    return codec.encode_ordered(value).decode() if isinstance(value, dict | list) else value
