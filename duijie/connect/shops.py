"""Several authorised accounts behind one application: what a connection's setting `shops` says of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from duijie import codec
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError

Shops = Mapping[str, Mapping[str, str]]


def shops_of(connection: Connection, example: str) -> dict[str, dict[str, str]]:
    """Shop id → how it is authorised, from extra.shops (object or JSON text), every value a text.

    `example` shows how it is written. Raises ConfigError with it.
    """
    given = connection.extra.get("shops")
    try:
        shops: Any = codec.decode(given) if isinstance(given, str) else given
        return {str(shop): {name: str(value) for name, value in row.items()} for shop, row in shops.items()}
    except (msgspec.DecodeError, AttributeError) as error:
        raise ConfigError(
            f"连接 {connection.conn_id} 的 shops 无效, 请填 {example}",
            en=f"connection {connection.conn_id}: extra.shops must map a shop id to its authorisation: {example}",
            where=f"{connection.conn_id}.shops",
        ) from error


def granted(shops: Shops, shop: str, conn_id: str) -> Mapping[str, str]:
    """How a shop is authorised. Raises ConfigError for one that the connection does not name."""
    if shop not in shops:
        raise ConfigError(
            f"连接 {conn_id} 没有店铺 {shop} 的授权, 请在 extra.shops 中补上",
            en=f"connection {conn_id} has no authorisation of shop {shop}; add it to extra.shops",
            where=f"{conn_id}.shops.{shop}",
        )
    return shops[shop]
