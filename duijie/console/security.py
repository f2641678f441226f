"""The door: a session cookie, a token on every form, a login for every page, a pause after wrong passwords."""

from __future__ import annotations

import hmac
import os
import secrets
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from duijie.connect.services import home
from duijie.console import users

OPEN_PATHS = ("/login", "/healthz")
STATIC = "/static/"
LEAVING = "/logout"
ATTEMPTS = 5
PAUSE_SECONDS = 60.0
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
Next = Callable[[Request], Awaitable[Response]]


def secret_key() -> str:
    """DUIJIE_CONSOLE_SECRET, else one made once and kept private under DUIJIE_HOME."""
    if given := os.environ.get("DUIJIE_CONSOLE_SECRET"):
        return given
    path = home() / "console-secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32), encoding="utf-8")
    return path.read_text(encoding="utf-8")


class Guard:
    """Lets a request through only with a known user; POSTs also need the session's token."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __call__(self, request: Request, following: Next) -> Response:
        """The middleware function."""
        response = await self._answer(request, following)
        response.headers.update(HEADERS if not request.url.path.startswith(STATIC) else {})
        return response

    async def _answer(self, request: Request, following: Next) -> Response:
        path = request.url.path
        if path in OPEN_PATHS or path.startswith(STATIC):
            return await following(request)
        user = users.find(self._path, str(request.session.get("user", "")))
        if user is None:
            return RedirectResponse("/login", 303)
        request.state.user = user
        if request.method not in ("GET", "HEAD"):
            if not user.may_act and path != LEAVING:
                return PlainTextResponse("当前角色只能查看, 不能操作", 403)
            if not await has_token(request):
                return PlainTextResponse("页面已过期, 请刷新后重试", 403)
        return await following(request)


def token_of(request: Request) -> str:
    """The session's form token, made at first use."""
    return str(request.session.setdefault("csrf", secrets.token_urlsafe(16)))


async def has_token(request: Request) -> bool:
    """Whether a form carries the session's token."""
    await request.body()  # kept for the route behind, which reads the form again
    form = await request.form()
    kept = str(request.session.get("csrf", ""))
    return bool(kept) and hmac.compare_digest(str(form.get("csrf", "")).encode(), kept.encode())


class Attempts:
    """Wrong passwords by name: after five the name has to wait a minute."""

    def __init__(self) -> None:
        self._failed: dict[str, list[float]] = defaultdict(list)

    def blocked(self, name: str) -> bool:
        """Whether this name has to wait."""
        recent = [moment for moment in self._failed[name] if moment > time.monotonic() - PAUSE_SECONDS]
        self._failed[name] = recent
        return len(recent) >= ATTEMPTS

    def failed(self, name: str) -> None:
        """Count a wrong password."""
        self._failed[name].append(time.monotonic())

    def succeeded(self, name: str) -> None:
        """Forget earlier ones."""
        self._failed.pop(name, None)
