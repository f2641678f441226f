"""The settings of an EAS connection, read once and checked: where the key lies, how rows are laid out, how we write."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError

RATE = "5/second"
KEY_FIELD = "description"
KEY_LENGTH = 80
PAGE_ROWS = 500
NEEDED = ("key", "number", "debit", "credit")
KNOWN = (*NEEDED, "word", "date", "summary", "account")
DIGEST = 16


@dataclass(frozen=True)
class Settings:
    """How one connection writes and reads. `columns` is empty until somebody has said how rows are laid out."""

    company: str
    creator: str
    key_field: str = KEY_FIELD
    key_length: int = KEY_LENGTH
    credit_dc: int = 0
    verify: int = 1
    page_rows: int = PAGE_ROWS
    columns: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, connection: Connection) -> Settings:
        """From a connection. Raises ConfigError for what is missing or wrong."""
        extra = connection.extra
        return cls(
            connection.require("company"),
            connection.require("creator"),
            str(extra.get("key_field") or KEY_FIELD),
            _whole(connection, "key_length", KEY_LENGTH, range(DIGEST + 9, 256)),
            _whole(connection, "credit_dc", 0, (0, -1)),
            _whole(connection, "verify", 1, range(10)),
            _whole(connection, "page_rows", PAGE_ROWS, range(2, 1001)),
            _columns(connection),
        )

    def native_key(self, period: str, key: str) -> str:
        """Our key as the ledger keeps it: the period first, by which it is read back; shortened where it is too long.

        What is cut off is stood for by a digest, so that keys which begin alike stay apart.
        """
        whole = f"{period}:{key}"
        if len(whole) <= self.key_length:
            return whole
        return f"{whole[: self.key_length - DIGEST - 1]}~{sha256(key.encode()).hexdigest()[:DIGEST]}"

    def must_read(self) -> Mapping[str, int]:
        """The columns. Raises ConfigError while nobody has named them: what cannot be read back is not written."""
        if missing := [name for name in NEEDED if name not in self.columns]:
            raise ConfigError(
                f"缺少设置 voucher_columns 中的 {', '.join(missing)}: 读不回凭证, 因此不写入; "
                "请执行 duijie connection test 查看 getVoucher 的各列, 在连接的 extra 中填写后重试",
                en=f"voucher_columns lacks {', '.join(missing)}; run duijie connection test to see the columns",
                code="eas:voucher_columns",
                where="voucher_columns",
            )
        return self.columns


def _whole(connection: Connection, name: str, usual: int, allowed: Any) -> int:
    given = connection.extra.get(name)
    try:
        value = usual if given in (None, "") else int(str(given))
    except ValueError:
        value = None
    if value is None or value not in allowed:
        raise _wrong(connection, name, f"{given!r} 不在允许的范围内")
    return value


def _columns(connection: Connection) -> dict[str, int]:
    """An object, or its JSON text where a form holds it."""
    given = connection.extra.get("voucher_columns") or {}
    try:
        columns = msgspec.convert(codec.decode(given) if isinstance(given, str) else given, dict[str, int])
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise _wrong(connection, "voucher_columns", str(error)) from None
    if unknown := set(columns) - set(KNOWN):
        raise _wrong(connection, "voucher_columns", f"没有名为 {', '.join(sorted(unknown))} 的列")
    if min(columns.values(), default=0) < 0:
        raise _wrong(connection, "voucher_columns", "序号从 0 起")
    return columns


def _wrong(connection: Connection, name: str, why: str) -> ConfigError:
    return ConfigError(
        f"连接 {connection.conn_id} 的设置 {name} 有误: {why}; 请更正后重试",
        en=f"setting {name} of connection {connection.conn_id} is wrong: {why}",
        where=f"{connection.conn_id}.{name}",
    )
