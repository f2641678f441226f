"""What a connector is given besides its connection: tokens, a rate budget, an observer, a clock.

Tokens and budgets are shared by every worker on the machine through files under DUIJIE_HOME (tokens: mode 0600, one
refresh at a time), or through Redis when DUIJIE_LIMITS names one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import limits
import msgspec
from filelock import FileLock
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter

from duijie import codec
from duijie.connect.protocol import Incident, Observer

SECONDS_BEFORE_EXPIRY = 30


def home() -> Path:
    """The folder for tokens and state: DUIJIE_HOME, else ~/.local/share/duijie."""
    path = Path(os.environ.get("DUIJIE_HOME", "~/.local/share/duijie")).expanduser()
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def write_private(path: Path, body: bytes) -> None:
    """Write a file that only its owner may read: whole or not at all, whenever the machine stops."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


@dataclass(frozen=True)
class Token:
    """An access token and when it ends (Unix seconds)."""

    value: str
    expires_at: float
    extra: dict[str, str] = field(default_factory=dict)


class TokenStore:
    """One token per connection, fetched by one worker while the others wait."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def get(self, conn_id: str, fetch: Callable[[], Token]) -> Token:
        """The kept token while it lasts, else a fresh one."""
        return self._kept(conn_id) or self.replace(conn_id, "", fetch)

    def replace(self, conn_id: str, stale: str, fetch: Callable[[], Token]) -> Token:
        """A token other than `stale`: another worker's fresh one, else our own."""
        with FileLock(self._folder / f"{conn_id}.lock", mode=0o600):
            kept = self._kept(conn_id)
            if kept and kept.value != stale:
                return kept
            token = fetch()
            self._keep(conn_id, token)
            return token

    def _kept(self, conn_id: str) -> Token | None:
        try:
            token = msgspec.json.decode((self._folder / f"{conn_id}.json").read_bytes(), type=Token)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        return token if token.expires_at - SECONDS_BEFORE_EXPIRY > time.time() else None

    def _keep(self, conn_id: str, token: Token) -> None:
        kept = {"value": token.value, "expires_at": int(token.expires_at), "extra": token.extra}
        write_private(self._folder / f"{conn_id}.json", codec.encode(kept))


class RateBudget:
    """Holds a connection to its budget; `take()` sleeps until a call may leave."""

    def __init__(self, conn_id: str, rate: str, storage_uri: str) -> None:
        self._conn_id = conn_id
        self._items = [limits.parse(part) for part in rate.split(";")]
        self._limiter = MovingWindowRateLimiter(storage_from_string(storage_uri))

    def take(self) -> None:
        """Wait until the budget allows one more call."""
        for item in self._items:
            while not self._limiter.hit(item, self._conn_id):
                reset, _ = self._limiter.get_window_stats(item, self._conn_id)
                time.sleep(min(max(reset - time.time(), 0.02), 1.0))


def _ignore(_: Incident) -> None:
    return None


@dataclass(frozen=True)
class Services:
    """The outside world as a connector may see it."""

    tokens: TokenStore
    observe: Observer = _ignore
    limits_uri: str = "memory://"
    clock: Callable[[], float] = time.time

    @classmethod
    def default(cls, observe: Observer = _ignore) -> Services:
        """Tokens under DUIJIE_HOME, budgets in DUIJIE_LIMITS (memory by default)."""
        return cls(TokenStore(home() / "tokens"), observe, os.environ.get("DUIJIE_LIMITS", "memory://"))

    def budget(self, conn_id: str, rate: str) -> RateBudget:
        """The rate budget of a connection."""
        return RateBudget(conn_id, rate, self.limits_uri)
