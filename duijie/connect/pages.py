"""What the documentation says of connectors, from their specs: the tables of all, and each one's settings and moves.

Pages keep their own words; what lies between `<!-- spec -->` and `<!-- /spec -->` is written here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from duijie.connect.errors import ConfigError
from duijie.connect.protocol import Move, Plugin, Safety, Setting, Spec

BLOCK = re.compile(r"<!-- spec -->.*?<!-- /spec -->", re.DOTALL)
SAFE: Mapping[Safety, str] = {
    Safety.NATURAL_KEY: "单号唯一: 目标拒收重复单号",
    Safety.LOOKUP: "先查后写: 写入前按我方键查询",
    Safety.TOKEN: "幂等令牌: 随请求送出",
    Safety.ABSOLUTE: "绝对数值: 覆盖写入, 只写最新值",
}
QUOTE = '"'
BY_SETTINGS = "由连接设置决定"


def reads(spec: Spec) -> str:
    """What it reads, in a line."""
    return _titles(move for move in spec.moves if move.safety is None) or ("" if spec.moves else BY_SETTINGS)


def writes(spec: Spec) -> str:
    """What it writes, in a line."""
    named = any(setting.name == "sinks" for setting in spec.settings)
    return _titles(move for move in spec.moves if move.safety is not None) or (BY_SETTINGS if named else "")


def safe_because(spec: Spec) -> str:
    """Why nothing is written twice, in a line."""
    return "; ".join(dict.fromkeys(SAFE[move.safety] for move in spec.moves if move.safety is not None))


def write_pages(folder: Path, known: Mapping[str, Plugin]) -> list[Path]:
    """Write the blocks of README.md and TYPE.md; returns the files that changed. Raises ConfigError without a page."""
    pages = {folder / f"{name}.md": block(one.spec) for name, one in known.items()}
    return _changed({folder / "README.md": table(known), **pages})


def write_readmes(root: Path, known: Mapping[str, Plugin]) -> list[Path]:
    """Write the block of README.md and README.zh-CN.md in `root`; returns what changed. Raises ConfigError."""
    english = brief(known, ("system", "reads", "writes", "as set"), lambda move: f"`{move.entity}`")
    chinese = brief(known, ("系统", "读取", "写入", BY_SETTINGS), lambda move: move.title)
    return _changed({root / "README.md": english, root / "README.zh-CN.md": chinese})


def _changed(wanted: Mapping[Path, str]) -> list[Path]:
    changed = []
    for path, text in wanted.items():
        before = _read(path)
        after = BLOCK.sub(lambda _, text=text: f"<!-- spec -->\n{text}\n<!-- /spec -->", before)  # type: ignore[misc]
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
    return changed


def brief(known: Mapping[str, Plugin], words: tuple[str, str, str, str], word: Callable[[Move], str]) -> str:
    """All connectors in three columns, each move by `word`; the last of `words` stands for what settings decide."""
    rows = [f"| {' | '.join(words[:3])} |", "|---|---|---|"]
    for name, one in known.items():
        moves = one.spec.moves
        ways = ([move for move in moves if (move.safety is None) is reading] for reading in (True, False))
        told = (", ".join(dict.fromkeys(map(word, way))) if moves else words[3] for way in ways)
        rows.append(f"| [{one.spec.title}](docs/connectors/{name}.md) | {' | '.join(told)} |")
    return "\n".join(rows)


def table(known: Mapping[str, Plugin]) -> str:
    """All connectors."""
    head = ("| 系统 | conn_type | 读取 | 写入 | 不重复的保证 | 限流 | 接口版本 |", "|---|---|---|---|---|---|---|")
    return "\n".join((*head, *(_row(name, one.spec) for name, one in known.items())))


def block(spec: Spec) -> str:
    """Settings and moves of one."""
    settings = (
        "| 设置 | 名称 | 位置 | 必填 | 默认 | 说明 |",
        "|---|---|---|---|---|---|",
        *map(_setting, spec.settings),
    )
    moves = ("", "| 方向 | 名称 | 单据 | 不重复的保证 |", "|---|---|---|---|", *map(_move, spec.moves))
    facts = ("", f"限流 {spec.rate} · 接口版本 {spec.api_version} · [厂商文档]({spec.source})")
    return "\n".join((*settings, *(moves if spec.moves else ()), *facts))


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    if not BLOCK.search(text):
        raise ConfigError(
            f"{path} 缺少 <!-- spec --> 与 <!-- /spec --> 之间的位置, 请补上后重试",
            en=f"{path} has no place between <!-- spec --> and <!-- /spec -->",
            where=str(path),
        )
    return text


def _row(name: str, spec: Spec) -> str:
    told = (reads(spec), writes(spec), safe_because(spec), spec.rate, spec.api_version)
    return f"| [{spec.title}]({name}.md) | `{name}` | {' | '.join(told)} |"


def _setting(one: Setting) -> str:
    default = (
        "" if one.default in (None, "") else f"`{str(one.default).lower() if one.default is False else one.default}`"
    )
    name = f"`{one.name}`{' (密钥)' if one.secret else ''}"
    return f"| {name} | {one.label} | {one.target} | {'是' if one.required else ''} | {default} | {_cell(one.help)} |"


def _move(one: Move) -> str:
    way, safe = ("读取", "") if one.safety is None else ("写入", SAFE[one.safety])
    return f"| {way} | `{one.name}` | {one.title} (`{one.entity}`) | {safe} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _titles(moves: Iterable[Move]) -> str:
    return "、".join(_each(moves))


def _each(moves: Iterable[Move]) -> Iterator[str]:
    yield from dict.fromkeys(move.title for move in moves)
