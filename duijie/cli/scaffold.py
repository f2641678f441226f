"""`duijie connector new`: a whole connector over an invented vendor, to be changed into the one you need."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from duijie.cli.output import told
from duijie.scaffold import as_package, in_tree, write

NEXT_IN_TREE = """下一步:
  make setup                                        # 登记新的连接器
  .venv/bin/python -m pytest tests/connectors/test_{name}.py tests/contract -k "{title}"
  .venv/bin/duijie connector docs                   # 把设置写进 docs/connectors/{name}.md
  .venv/bin/duijie mapping lint                     # 检查映射
然后逐块改成您的系统: errors.yaml → client.py → connector.py → 映射; 每改一块, 契约测试保持通过。"""
NEXT_ALONE = """下一步:
  cd {folder} && pip install -e . && pytest         # 契约测试在沙箱上全部通过
  duijie connector list                             # 新连接器已在列
然后逐块改成您的系统: errors.yaml → client.py → connector.py → 映射; 每改一块, 契约测试保持通过。"""


@told
def new(
    name: Annotated[str, typer.Argument(help="Its conn_type: lower-case letters and digits, like acme.")],
    title: Annotated[str, typer.Option("--title", help="The system's name for people, like 某某进销存.")] = "",
    package: Annotated[
        Path | None, typer.Option("--package", help="Make a package of its own in this folder, outside Duijie's tree.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show which files would be written.")] = False,
) -> None:
    """Scaffold a connector with its mappings, sandbox, tests and page; it passes the contract as it is written."""
    files = in_tree(name, title, Path()) if package is None else as_package(name, title, package)
    if not dry_run:
        write(files)
    for one in files:
        typer.echo(f"{'将' if dry_run else '已'}{'修改' if one.changes else '新建'} {one.path}")
    words = {"name": name, "title": name.title(), "folder": package}
    if not dry_run:
        typer.echo((NEXT_IN_TREE if package is None else NEXT_ALONE).format(**words))
