"""Tokens for workers on several machines: in the journal, sealed, so that whoever reads the database cannot use them.

The key is DUIJIE_TOKEN_KEY, else Airflow's own Fernet key (its connections are sealed with it); several, separated by
commas, while one is replaced by another (https://cryptography.io/en/latest/fernet/).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from threading import Lock

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import Connection as Transaction
from sqlalchemy import select, text

from duijie.connect.errors import ConfigError
from duijie.connect.tokens import Token, decoded
from duijie.journal import Journal
from duijie.journal.tables_lines import token as kept

KEYS = ("DUIJIE_TOKEN_KEY", "AIRFLOW__CORE__FERNET_KEY")


def keys_of(environ: Mapping[str, str]) -> list[str]:
    """The keys to seal with, the newest first; none: tokens stay on this machine."""
    return next((found.split(",") for name in KEYS if (found := environ.get(name, ""))), [])


class SealedTokens:
    """One token per account for every worker of a PostgreSQL journal. Raises ConfigError for a key that is none."""

    def __init__(self, journal: Journal, keys: list[str]) -> None:
        self._journal = journal
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)
        try:
            self._seal = MultiFernet([Fernet(key.strip()) for key in keys])
        except ValueError as error:
            raise ConfigError(
                f"{' / '.join(KEYS)} 不是有效的 Fernet 密钥, 请重新生成",
                en=f"{' / '.join(KEYS)} holds no Fernet key; make one anew",
                where=KEYS[0],
            ) from error

    def get(self, name: str, fetch: Callable[[], Token]) -> Token:
        """The kept token while it lasts, else a fresh one."""
        with self._journal.reading() as tx:
            found = self._kept(tx, name)
        return found or self.replace(name, "", fetch)

    def replace(self, name: str, stale: str, fetch: Callable[[], Token]) -> Token:
        """A token other than `stale`: another worker's fresh one, else our own."""
        with self._locks[name], self._journal.writing() as tx:
            tx.execute(text("SELECT pg_advisory_xact_lock(hashtext('duijie token'), hashtext(:name))"), {"name": name})
            found = self._kept(tx, name)
            if found and found.value != stale:
                return found
            fresh = fetch()
            self._keep(tx, name, fresh)
            return fresh

    def _kept(self, tx: Transaction, name: str) -> Token | None:
        sealed = tx.execute(select(kept.c.sealed).where(kept.c.name == name)).scalar_one_or_none()
        try:
            return decoded(self._seal.decrypt(sealed)) if sealed else None
        except InvalidToken:
            return None

    def _keep(self, tx: Transaction, name: str, fresh: Token) -> None:
        values = {"sealed": self._seal.encrypt(fresh.encoded()).decode(), "changed_at": self._journal.now()}
        tx.execute(self._journal.insert_new(kept).values(name=name, **values))
        tx.execute(kept.update().where(kept.c.name == name).values(**values))
