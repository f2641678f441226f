"""Who may see the console: a JSON file of names, argon2 hashes and roles, readable by its owner only.

The file is named by DUIJIE_CONSOLE_USERS (default DUIJIE_HOME/users.json). Roles: engineer and ops may act on work
items, finance too, viewer only reads.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from duijie import codec
from duijie.connect.errors import ConfigError
from duijie.connect.services import home

ROLES = ("engineer", "ops", "finance", "viewer")
ACTING = ("engineer", "ops", "finance")
_hasher = PasswordHasher()
_NOBODY = _hasher.hash("nobody's password, so that an unknown name takes as long as a wrong password")


@dataclass(frozen=True)
class User:
    """A person who has logged in."""

    name: str
    role: str
    display: str

    @property
    def may_act(self) -> bool:
        """Whether the role may change anything."""
        return self.role in ACTING


def default_path() -> Path:
    """The users file."""
    return Path(os.environ.get("DUIJIE_CONSOLE_USERS") or home() / "users.json")


def add_user(path: Path, name: str, password: str, role: str, display: str) -> None:
    """Add a person or change theirs. Raises ConfigError for an unknown role."""
    if role not in ROLES:
        raise ConfigError(
            f"角色 {role} 无效, 可选: {', '.join(ROLES)}", en=f"no role {role}; one of {', '.join(ROLES)}"
        )
    users = _read(path)
    users[name] = {"password_hash": _hasher.hash(password), "role": role, "display": display or name}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(codec.encode(users))


def find(path: Path, name: str) -> User | None:
    """A person by name: a removed one is out at the next click."""
    row = _read(path).get(name)
    return User(name, row["role"], row["display"]) if row else None


def verify(path: Path, name: str, password: str) -> User | None:
    """The person when the password is right, else None; an unknown name takes as long."""
    row = _read(path).get(name)
    try:
        _hasher.verify(row["password_hash"] if row else _NOBODY, password)
    except VerifyMismatchError:
        return None
    return find(path, name)


def _read(path: Path) -> dict[str, Any]:
    return dict(codec.decode(path.read_bytes())) if path.exists() else {}
