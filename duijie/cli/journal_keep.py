"""`duijie journal backup`, `verify`, `restore`: copies with a proof."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from duijie.cli.output import AsJson, console, errors, show, told
from duijie.journal import Journal, documents
from duijie.keep import backup as copying
from duijie.keep import restore as restoring
from duijie.keep.backup import Manifest
from duijie.keep.proof import Proof
from duijie.keep.restore import Proven

Place = Annotated[Path, typer.Argument(help="A backup: the folder with manifest.json.")]
SHORT = 16


@told
def backup(
    folder: Annotated[Path, typer.Argument(help="Below it a folder is made for each backup.")],
    as_json: AsJson = False,
) -> None:
    """Copy the journal while workers go on; prints where, and the fingerprint of what is in it."""
    place = copying.backup(Journal.open(), folder, getpass.getuser())
    manifest = copying.read_manifest(place)
    row = {"备份": str(place), "结构": manifest.revision, "大小": manifest.bytes, "指纹": manifest.proof.fingerprint}
    show([row], as_json, "备份完成")


@told
def verify(
    place: Place,
    scratch: Annotated[str, typer.Option(help="An empty PostgreSQL database to try it in.")] = "",
    as_json: AsJson = False,
) -> None:
    """Restore a backup into a scratch database and compare every row with its manifest; exit 1 when they differ."""
    proven = restoring.verify(place, Journal.open(), getpass.getuser(), scratch)
    _show(proven, as_json, f"备份 {place} 的证明")
    if proven.wrong:
        raise typer.Exit(1)


@told
def restore(
    place: Place,
    to: Annotated[str, typer.Option("--to", help="The URL of an empty database.")],
    as_json: AsJson = False,
) -> None:
    """Bring a backup back into an empty database; what was on its way is asked for before it is written."""
    tell = errors.print if errors.is_terminal else (lambda _: None)
    proven, asked = restoring.restore(place, to, getpass.getuser(), tell)
    _show(proven, as_json, f"已恢复到 {to}" if as_json else "恢复的证明")
    if not as_json:
        console.print(f"{asked} 笔未完成的投递将先查询对方再决定; 30 天内每张单据写入前都先查询", highlight=False)
        console.print("备份之后收到的报文由各流程从当时的读取进度重新拉取", highlight=False)


def _show(proven: Proven, as_json: bool, title: str) -> None:
    rows = _rows(proven.manifest, proven.found)
    if as_json:
        wrong = [{"表": one.table, "差异": one.what} for one in proven.wrong]
        told_all = {"指纹": proven.found.fingerprint, "一致": not wrong, "差异": wrong, "表": rows}
        show([told_all], True)
        return
    show(rows, False, title)
    for one in proven.wrong:
        errors.print(f"[red]✗[/red] {one.table}: {one.what}", highlight=False)
    if not proven.wrong:
        checked = ", ".join(f"{name} {number}" for name, number in proven.found.checks.items())
        console.print(f"✓ 完整性检查通过; 每张表逐行哈希与清单一致; {checked}", highlight=False)
        console.print(f"指纹 {proven.found.fingerprint}", highlight=False)


def _rows(manifest: Manifest, found: Proof) -> list[dict[str, Any]]:
    return [
        {
            "表": name,
            "行数": one.rows,
            "金额": ", ".join(f"{column} {documents.yuan(fen):,}" for column, fen in one.sums.items() if fen),
            "哈希": one.root[:SHORT],
            "一致": "是" if manifest.proof.tables.get(name) == one else "否",
        }
        for name, one in found.tables.items()
    ]
