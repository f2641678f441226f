"""Where the files of invoices are kept for good: a folder, or a store that speaks S3, through fsspec.

A file is named by its own SHA-256 in a folder of its day, written once and never changed, and verified whenever it is
read. `DUIJIE_ARCHIVE` says where: a path, or an address such as `s3://bucket/invoices`; keys and endpoints of a store
come from fsspec's own settings (`FSSPEC_S3_KEY`, `FSSPEC_S3_SECRET`, `FSSPEC_S3_ENDPOINT_URL`).
Accounting records are kept 30 years (会计档案管理办法, 财政部 国家档案局令第 79 号): nothing here deletes.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec

from duijie.connect.errors import ConfigError, InvalidDocument, NotSent
from duijie.connect.home import home

FAILURES = (OSError, ValueError, ImportError)


class Archive:
    """The files below one place."""

    def __init__(self, place: str) -> None:
        """Raises ConfigError for a place that fsspec cannot reach at all."""
        try:
            self._store, self._root = fsspec.core.url_to_fs(place)
        except FAILURES as error:
            raise ConfigError(
                f"发票归档位置 {place} 无法使用 ({error}), 请检查 DUIJIE_ARCHIVE",
                en=f"the archive {place} cannot be used: {error}",
                where=place,
            ) from error
        self._is_local = "file" in _protocols(self._store)

    @classmethod
    def open(cls) -> Archive:
        """The archive of this installation."""
        return cls(os.environ.get("DUIJIE_ARCHIVE") or str(home() / "originals"))

    def keep(self, data: bytes, kind: str, day: str) -> tuple[str, str]:
        """Keep a file; `day` as YYYY-MM-DD. Returns its place within the archive and its SHA-256.

        A file that is there already is verified, and written anew only where it is damaged. Raises NotSent.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        place = f"{day.replace('-', '/')}/{sha256}.{kind}"
        try:
            if not self._has(place, sha256):
                self._write(place, data)
        except FAILURES as error:
            raise NotSent(
                f"发票归档失败 ({type(error).__name__}: {error}), 文件未保存, 下次自动重试; 若持续请检查归档位置与磁盘",
                en=f"the archive cannot be written: {error}",
                code="E-ARCHIVE",
                where=place,
            ) from error
        return place, sha256

    def read(self, place: str, sha256: str) -> bytes:
        """A kept file. Raises InvalidDocument where it is gone or is not what was kept."""
        try:
            data = bytes(self._store.cat_file(self._path(place)))
        except FAILURES as error:
            raise InvalidDocument(
                f"归档文件 {place} 读不到 ({type(error).__name__}), 请从备份恢复或重新下载",
                en=f"the kept file {place} cannot be read: {error}",
                code="E-ARCHIVE",
                where=place,
            ) from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise InvalidDocument(
                f"归档文件 {place} 的内容与入库时的指纹不符, 已被改动或损坏: 请从备份恢复或重新下载",
                en=f"the kept file {place} is not what was kept",
                code="E-ARCHIVE",
                where=place,
            )
        return data

    def _path(self, place: str) -> str:
        return f"{self._root.rstrip('/')}/{place}"

    def _has(self, place: str, sha256: str) -> bool:
        path = self._path(place)
        return bool(self._store.exists(path)) and _hash(self._store.cat_file(path)) == sha256

    def _write(self, place: str, data: bytes) -> None:
        """Whole or not at all: a store takes an object at once, a folder a file that is renamed into place."""
        path = self._path(place)
        if not self._is_local:
            self._store.pipe_file(path, data)
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = target.with_name(f".{uuid4().hex}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _protocols(store: Any) -> tuple[str, ...]:
    named = store.protocol
    return (named,) if isinstance(named, str) else tuple(named)
