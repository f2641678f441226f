"""Access tokens: one per connection, fetched by one worker while the others wait for it.

Kept in files of this machine, readable by their owner only, or by `duijie.sharing.seals` for workers on several.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
from filelock import FileLock

from duijie import codec
from duijie.connect.errors import CredentialError, TokenExpired, VendorRejected
from duijie.connect.home import write_private

SECONDS_BEFORE_EXPIRY = 30


@dataclass(frozen=True)
class Token:
    """An access token and when it ends (Unix seconds)."""

    value: str
    expires_at: float
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def lasts(self) -> bool:
        """It can be used for a while yet."""
        return self.expires_at - SECONDS_BEFORE_EXPIRY > time.time()

    def encoded(self) -> bytes:
        """As JSON."""
        return codec.encode({"value": self.value, "expires_at": int(self.expires_at), "extra": self.extra})


def decoded(body: bytes) -> Token | None:
    """The token in a JSON text; None for a text that is none, or for a token that has ended."""
    try:
        token = msgspec.json.decode(body, type=Token)
    except msgspec.DecodeError:
        return None
    return token if token.lasts else None


def granted(ask: Callable[[], Token], conn_id: str, check: str) -> Token:
    """What `ask` got. Raises CredentialError where it was refused, whatever the code: the document is not at fault.

    `check`: the settings to look at, in Chinese.
    """
    try:
        return ask()
    except (VendorRejected, TokenExpired) as error:
        raise CredentialError(
            f"取 token 被拒绝 ({error.zh}); 请核对连接 {conn_id} 的{check}",
            en=f"the token was refused ({error.en}); check the credentials of {conn_id}",
            code=error.code,
            where=conn_id,
        ) from None


class Tokens(Protocol):
    """Where a connector gets the token of an account."""

    def get(self, name: str, fetch: Callable[[], Token]) -> Token:
        """The kept token while it lasts, else a fresh one."""

    def replace(self, name: str, stale: str, fetch: Callable[[], Token]) -> Token:
        """A token other than `stale`: another worker's fresh one, else our own."""


class TokenStore:
    """Tokens in files of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def get(self, name: str, fetch: Callable[[], Token]) -> Token:
        """The kept token while it lasts, else a fresh one."""
        return self._kept(name) or self.replace(name, "", fetch)

    def replace(self, name: str, stale: str, fetch: Callable[[], Token]) -> Token:
        """A token other than `stale`: another worker's fresh one, else our own."""
        with FileLock(self._folder / f"{name}.lock", mode=0o600):
            kept = self._kept(name)
            if kept and kept.value != stale:
                return kept
            token = fetch()
            self._keep(name, token)
            return token

    def _kept(self, name: str) -> Token | None:
        try:
            return decoded((self._folder / f"{name}.json").read_bytes())
        except FileNotFoundError:
            return None

    def _keep(self, name: str, token: Token) -> None:
        write_private(self._folder / f"{name}.json", token.encoded())
