"""Access and refresh tokens of the 抖店 sandbox: token.create, token.refresh, and whose an access token is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sandbox.doudian_methods import Refusal
from sandbox.store import Store

HOUR = 3600
REFRESH_SECONDS = 14 * 86400


class Tokens:
    """The tokens of one app at one moment (`now` in seconds); an access token lives `seconds`."""

    def __init__(self, store: Store, app: Mapping[str, Any], now: int, seconds: int) -> None:
        self._store, self._app, self._now, self._seconds = store, app, now, seconds

    def answer(self, path: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The data of token.create or token.refresh."""
        if path == "token.refresh" and given.get("grant_type") == "refresh_token":
            return self._refreshed(str(given.get("refresh_token") or ""))
        kinds = {"self": "authorization_self", "tool": "authorization_code"}
        if path != "token.create" or given.get("grant_type") != kinds[self._app["kind"]]:
            raise _failed("grant-type-invalid", "grant_type参数取值不正确")
        return self._by_shop(given) if self._app["kind"] == "self" else self._by_code(str(given.get("code") or ""))

    def shop_of(self, token: str) -> str:
        """The shop that an access token opens."""
        if not token:
            raise Refusal(40001, "缺少必选参数", "isv.access-token-missing", "认证失败，access_token不能为空")
        kept = self._store.get("access", token)
        if kept is None:
            raise Refusal(40003, "非法的参数", "isv.access-token-no-existed", "access_token不存在")
        if kept["until"] <= self._now:
            raise Refusal(40003, "非法的参数", "isv.access-token-expired", "access_token已过期")
        return str(kept["shop"])

    def _by_shop(self, given: Mapping[str, Any]) -> dict[str, Any]:
        shop = str(given.get("shop_id") or "")
        if self._store.get("shop", shop) is None:
            raise _failed("no-authorization", "店铺授权已失效，请重新引导商家完成店铺授权")
        return self._issued(shop)

    def _by_code(self, code: str) -> dict[str, Any]:
        kept = self._store.get("code", code)
        if kept is None:
            raise _failed("code-invalid", "code参数不正确，请引导商家重新授权获取code")
        self._store.drop("code", code)
        return self._issued(kept["shop"])

    def _refreshed(self, refresh_token: str) -> dict[str, Any]:
        kept = self._store.get("refresh", refresh_token)
        if kept is None:
            raise _failed("token-invalid", "token不存在")
        if kept["refresh_ends"] <= self._now:
            raise _failed("token-expired", "token已过期")
        access = self._store.get("access", kept["access"]) or {"until": 0}
        left = access["until"] - self._now
        if left > HOUR:
            return self._told(kept["shop"], kept["access"], refresh_token, left)
        if left <= 0:
            self._store.drop("access", kept["access"])
            self._store.drop("refresh", refresh_token)
        return self._issued(kept["shop"])

    def _issued(self, shop: str) -> dict[str, Any]:
        number = self._store.next("token")
        access, refresh = (hashlib.sha256(f"{kind}:{shop}:{number}".encode()).hexdigest()[:36] for kind in "ar")
        self._store.put("access", access, {"shop": shop, "until": self._now + self._seconds})
        kept = {"shop": shop, "access": access, "refresh_ends": self._now + REFRESH_SECONDS}
        self._store.put("refresh", refresh, kept)
        return self._told(shop, access, refresh, self._seconds)

    def _told(self, shop: str, access: str, refresh: str, seconds: int) -> dict[str, Any]:
        name = (self._store.get("shop", shop) or {}).get("name", "")
        return {
            "access_token": access,
            "expires_in": seconds,
            "refresh_token": refresh,
            "scope": "SCOPE",
            "shop_id": int(shop),
            "shop_name": name,
            "authority_id": "",
            "auth_subject_type": "",
        }


def _failed(sub: str, words: str) -> Refusal:
    return Refusal(50001, "平台处理失败", f"dop.token-generate-failed:{sub}", f"生成token失败，{words}")
