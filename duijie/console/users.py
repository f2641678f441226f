"""Who may see the console: a JSON file of names, argon2 hashes and roles, readable by its owner only.

The file is named by DUIJIE_CONSOLE_USERS (default DUIJIE_HOME/users.json). Roles: engineer and ops may act on work
items, finance too, viewer only reads; 映射实验室 is the engineer's. Beside a role a person has duties in invoicing:
ask (开票申请人), approve (开票审批人), issue (开票员); who has none only looks at the 开票工作台.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from filelock import FileLock

from duijie import codec
from duijie.connect.errors import ConfigError
from duijie.connect.home import home, write_private

ROLES = ("engineer", "ops", "finance", "viewer")
ACTING = ("engineer", "ops", "finance")
SHORTEST_PASSWORD = 8
MAPPING = ("engineer",)
DUTIES = ("ask", "approve", "issue")
_hasher = PasswordHasher()
_NOBODY = _hasher.hash("nobody's password, so that an unknown name takes as long as a wrong password")


@dataclass(frozen=True)
class User:
    """A person who has logged in."""

    name: str
    role: str
    display: str
    stamp: str
    """Changes with the password, so that a session begun with an earlier one ends."""
    duties: tuple[str, ...] = ()

    @property
    def may_act(self) -> bool:
        """Whether the role may change anything."""
        return self.role in ACTING

    def may(self, duty: str) -> bool:
        """Whether the person has this duty in invoicing."""
        return self.may_act and duty in self.duties

    @property
    def may_map(self) -> bool:
        """Whether the role writes mappings and may try them on recorded records."""
        return self.role in MAPPING


def default_path() -> Path:
    """The users file."""
    return Path(os.environ.get("DUIJIE_CONSOLE_USERS") or home() / "users.json")


def add_user(path: Path, name: str, password: str, role: str, display: str, duties: Sequence[str] = ()) -> None:
    """Add a person or change theirs.

    Raises ConfigError for an unknown role or duty, a duty of a role that only reads, a short password.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise ConfigError(
            f"密码太短, 至少 {SHORTEST_PASSWORD} 位", en=f"a password has at least {SHORTEST_PASSWORD} characters"
        )
    if role not in ROLES:
        raise ConfigError(
            f"角色 {role} 无效, 可选: {', '.join(ROLES)}", en=f"no role {role}; one of {', '.join(ROLES)}"
        )
    _must_fit(role, duties)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock"), mode=0o600):
        users = _read(path)
        kept = {"password_hash": _hasher.hash(password), "role": role, "display": display or name}
        users[name] = kept | ({"duties": sorted(set(duties))} if duties else {})
        write_private(path, codec.encode(users))


def _must_fit(role: str, duties: Sequence[str]) -> None:
    if unknown := [duty for duty in duties if duty not in DUTIES]:
        raise ConfigError(
            f"没有职责 {', '.join(unknown)}, 可选: ask (申请), approve (审批), issue (开票)",
            en=f"no duty {', '.join(unknown)}; one of {', '.join(DUTIES)}",
        )
    if duties and role not in ACTING:
        raise ConfigError(f"角色 {role} 只能查看, 不能有开票职责", en=f"a {role} only reads and has no duties")


def find(path: Path, name: str) -> User | None:
    """A person by name: a removed one is out at the next click. Raises ConfigError for a damaged file."""
    row = _read(path).get(name)
    if row is None:
        return None
    stamp = hashlib.sha256(row["password_hash"].encode()).hexdigest()[:16]
    return User(name, row["role"], row["display"], stamp, tuple(row.get("duties", ())))


def verify(path: Path, name: str, password: str) -> User | None:
    """The person when the password is right, else None; an unknown name takes as long."""
    row = _read(path).get(name)
    try:
        _hasher.verify(row["password_hash"] if row else _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return None
    return find(path, name)


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(codec.decode(path.read_bytes())) if path.exists() else {}
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise ConfigError(
            f"用户文件 {path} 已损坏, 请从备份恢复, 或删除后用 duijie console user add 重建",
            en=f"the users file {path} is damaged; restore it, or delete it and add the users again",
            where=str(path),
        ) from error
