"""The authorised shops of a connection and their access tokens.

Sources: 抖店开放平台 token.create and token.refresh. A self-built app (自研) may ask for a token of a shop at any time
(authorization_self). A tool app (工具型) has a code, valid once, or a refresh token. Refreshing changes both tokens; up
to an hour before the access token ends it changes neither, and in that hour the old ones go on working. So the pair
that was given last is kept as one token, as long as its refresh token lives, and is renewed in its last half hour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from duijie import codec
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.errors import ConfigError, CredentialError
from duijie.connect.services import Services
from duijie.connect.tokens import Token

RENEW_SECONDS = 1800
REFRESH_TOKEN_SECONDS = 14 * 86400
A_MOMENT = 1_000_000_000  # an `expires_in` above it is no duration but the end itself
Shops = Mapping[str, Mapping[str, str]]
Ask = Callable[[str, str, Mapping[str, Any]], Record]


def shops_of(connection: Connection) -> Shops:
    """Shop id → how it is authorised, from extra.shops (object or JSON text). Raises ConfigError."""
    given = connection.extra.get("shops")
    try:
        shops: Any = codec.decode(given) if isinstance(given, str) else given
        return {str(shop): {name: str(value) for name, value in row.items()} for shop, row in shops.items()}
    except (msgspec.DecodeError, AttributeError) as error:
        raise ConfigError(
            f'连接 {connection.conn_id} 的 shops 无效, 请填 {{"店铺ID": {{}}}} (自研) 或 {{"店铺ID": {{"code": "…"}}}}',
            en=f"connection {connection.conn_id}: extra.shops must map a shop id to its authorisation",
            where=f"{connection.conn_id}.shops",
        ) from error


class Grants:
    """Gives each shop's access token. `ask` calls token.create or token.refresh for a shop and returns its data."""

    def __init__(self, conn_id: str, shops: Shops, services: Services, ask: Ask) -> None:
        self._conn_id, self._shops, self._services, self._ask = conn_id, shops, services, ask

    def token(self, shop: str) -> Token:
        """The token to call with; a new one in the last half hour of the kept one. Raises CredentialError."""
        kept = self._services.tokens.get(self._name(shop), lambda: self._first(shop))
        ends = float(kept.extra.get("access_ends", kept.expires_at))
        if ends - RENEW_SECONDS > self._services.clock():
            return kept
        return self._services.tokens.replace(self._name(shop), kept.value, lambda: self._next(shop, kept))

    def renew(self, shop: str, stale: str) -> None:
        """Replace a token that the platform no longer takes, unless another worker has done so."""
        name = self._name(shop)
        kept = self._services.tokens.get(name, lambda: self._first(shop))
        self._services.tokens.replace(name, stale, lambda: self._next(shop, kept))

    def _name(self, shop: str) -> str:
        return f"{self._conn_id}.{shop}"

    def _granted(self, shop: str) -> Mapping[str, str]:
        if shop not in self._shops:
            raise ConfigError(
                f"连接 {self._conn_id} 没有店铺 {shop} 的授权, 请在 extra.shops 中补上",
                en=f"connection {self._conn_id} has no authorisation of shop {shop}; add it to extra.shops",
                where=f"{self._conn_id}.shops.{shop}",
            )
        return self._shops[shop]

    def _first(self, shop: str) -> Token:
        """A token by what the connection says of the shop."""
        granted = self._granted(shop)
        if granted.get("refresh_token"):
            return self._refreshed(shop, granted["refresh_token"])
        if granted.get("code"):
            return self._made(shop, "token.create", code=granted["code"], grant_type="authorization_code")
        number: int | str = int(shop) if shop.isdecimal() else shop
        return self._made(shop, "token.create", code="", grant_type="authorization_self", shop_id=number)

    def _next(self, shop: str, kept: Token) -> Token:
        """A token by the kept refresh token; where that has ended, by what the connection says now."""
        refresh_token = kept.extra.get("refresh_token")
        if not refresh_token:
            return self._first(shop)
        try:
            return self._refreshed(shop, refresh_token)
        except CredentialError:
            if self._granted(shop).get("refresh_token") == refresh_token:
                raise
            return self._first(shop)

    def _refreshed(self, shop: str, refresh_token: str) -> Token:
        return self._made(shop, "token.refresh", grant_type="refresh_token", refresh_token=refresh_token)

    def _made(self, shop: str, method: str, **parameters: Any) -> Token:
        try:
            data = self._ask(shop, method, parameters)
        except CredentialError as error:
            raise self._not_authorised(shop, error) from error
        seconds, now = int(data["expires_in"]), int(self._services.clock())
        ends = seconds if seconds > A_MOMENT else now + seconds
        extra = {"shop_name": str(data.get("shop_name") or ""), "access_ends": str(ends)}
        if "shop_id" in parameters:  # a self-built app needs no refresh token: it asks anew
            return Token(data["access_token"], ends, extra)
        extra["refresh_token"] = str(data["refresh_token"])
        return Token(data["access_token"], now + REFRESH_TOKEN_SECONDS, extra)

    def _not_authorised(self, shop: str, error: CredentialError) -> CredentialError:
        return CredentialError(
            f"店铺 {shop} 取 access_token 被拒: {error.zh}",
            en=f"no access token for shop {shop}: {error.en}",
            code=error.code,
            where=f"{self._conn_id}.shops.{shop}",
        )
