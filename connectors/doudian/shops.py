"""The authorised shops of a connection and their access tokens.

Sources: 抖店开放平台 token.create and token.refresh. A self-built app (自研) may ask for a token of a shop at any time
(authorization_self). A tool app (工具型) has a code, valid once, or a refresh token. Refreshing changes both tokens; up
to an hour before the access token ends it changes neither, and in that hour the old ones go on working. So the pair
that was given last is kept as one token, as long as its refresh token lives, and is renewed in its last half hour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from duijie.codec import Record
from duijie.connect.errors import CredentialError
from duijie.connect.services import Services
from duijie.connect.shops import Shops, granted
from duijie.connect.tokens import Token

RENEW_SECONDS = 1800
REFRESH_TOKEN_SECONDS = 14 * 86400
A_MOMENT = 1_000_000_000  # an `expires_in` above it is no duration but the end itself
EXAMPLE = '{"店铺ID": {}} (自研) 或 {"店铺ID": {"code": "…"}}'
Ask = Callable[[str, str, Mapping[str, Any]], Record]


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
        return granted(self._shops, shop, self._conn_id)

    def _first(self, shop: str) -> Token:
        """A token by what the connection says of the shop."""
        given = self._granted(shop)
        if given.get("refresh_token"):
            return self._refreshed(shop, given["refresh_token"])
        if given.get("code"):
            return self._made(shop, "token.create", code=given["code"], grant_type="authorization_code")
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
