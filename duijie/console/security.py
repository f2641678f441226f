"""The door: a session cookie, a token on every form, a login for every page, no large forms before the login."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from filelock import FileLock
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from duijie.connect.errors import ConfigError
from duijie.connect.home import home, write_private
from duijie.console import users

OPEN_PATHS = ("/login", "/healthz")
STATIC = "/static/"
METRICS = "/metrics"
LEAVING = "/logout"
READING = ("GET", "HEAD")
SHORTEST_SECRET = 32
SHORTEST_TOKEN = 16
LARGEST_OPEN_FORM = 16_384
LARGEST_FORM = 16 * 2**20
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
FRESH = {"Cache-Control": "no-store"}
Next = Callable[[Request], Awaitable[Response]]
Refusal = Callable[[Request, int, str], Response]


def secret_key() -> str:
    """DUIJIE_CONSOLE_SECRET, else one made once and kept private under DUIJIE_HOME.

    Raises ConfigError for one that is empty or short: with it anybody could forge a session.
    """
    path = home() / "console-secret"
    if given := os.environ.get("DUIJIE_CONSOLE_SECRET"):
        return _long_enough(given, "DUIJIE_CONSOLE_SECRET")
    with FileLock(home() / "console-secret.lock", mode=0o600):
        if not path.exists():
            write_private(path, secrets.token_urlsafe(SHORTEST_SECRET).encode())
    path.chmod(0o600)
    return _long_enough(path.read_text(encoding="utf-8").strip(), str(path))


def _long_enough(secret: str, where: str) -> str:
    if len(secret) < SHORTEST_SECRET:
        raise ConfigError(
            f"会话密钥 {where} 为空或太短 (至少 {SHORTEST_SECRET} 个字符), 登录可被伪造, 控制台拒绝启动; "
            "文件损坏时删除它再启动即重新生成, 所有人需重新登录",
            en=f"the session secret in {where} is empty or shorter than {SHORTEST_SECRET} characters, so that anybody "
            "could forge a login; delete a damaged file and start again: a new one is made, everybody logs in again",
            where=where,
        )
    return secret


class Guard:
    """Lets a request through only with a known user; POSTs also need the session's token."""

    def __init__(self, path: Path, refusal: Refusal) -> None:
        self._path = path
        self._refusal = refusal

    async def __call__(self, request: Request, following: Next) -> Response:
        """The middleware function."""
        response = await self._answer(request, following)
        is_static = request.url.path.startswith(STATIC)
        response.headers.update(HEADERS if is_static else {**HEADERS, **FRESH})
        if nonce := getattr(request.state, "style_nonce", ""):
            response.headers["Content-Security-Policy"] += f"; style-src 'self' 'nonce-{nonce}'"
        return response

    async def _answer(self, request: Request, following: Next) -> Response:
        path = request.url.path
        if not _is_small(request, LARGEST_OPEN_FORM if path in OPEN_PATHS else LARGEST_FORM):
            return self._refusal(request, 413, "表单过大")
        if path in OPEN_PATHS or path.startswith(STATIC) or (path == METRICS and _may_scrape(request)):
            return await following(request)
        try:
            user = self._person(request)
        except ConfigError as error:
            return self._refusal(request, 503, error.zh)
        if user is None:
            return _to_the_door(request)
        request.state.user = user
        if request.method not in READING and (problem := await _problem(request, user)):
            return self._refusal(request, 403, problem)
        return await following(request)

    def _person(self, request: Request) -> users.User | None:
        user = users.find(self._path, str(request.session.get("user", "")))
        return user if user and request.session.get("stamp") == user.stamp else None


async def _problem(request: Request, user: users.User) -> str:
    """Why this person may not send this form, or nothing."""
    if not user.may_act and request.url.path != LEAVING:
        return "当前角色只能查看, 不能操作"
    return "" if await has_token(request) else "页面已过期, 请刷新后重试"


def _may_scrape(request: Request) -> bool:
    """Whether a request brings the token of DUIJIE_METRICS_TOKEN; one that is short or missing lets nobody in."""
    token = os.environ.get("DUIJIE_METRICS_TOKEN", "")
    given = request.headers.get("authorization", "")
    right = hmac.compare_digest(given.encode(), f"Bearer {token}".encode())
    return right and len(token) >= SHORTEST_TOKEN


def _is_small(request: Request, largest: int) -> bool:
    if request.method in READING:
        return True
    length = request.headers.get("content-length", "")
    return length.isdecimal() and int(length) <= largest


def is_fragment(request: Request) -> bool:
    """Whether a page asks for a piece of itself, so that a whole page would be the wrong answer."""
    return request.headers.get("hx-request") == "true"


def _to_the_door(request: Request) -> Response:
    """The login page; a fragment makes its whole page go there. A page that was asked for is shown after the login."""
    if is_fragment(request):
        return Response(status_code=401, headers={"HX-Redirect": "/login"})
    if request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        request.session["wanted"] = f"{request.url.path}{query}"[:500]
    return RedirectResponse("/login", 303)


def enter(request: Request, user: users.User) -> str:
    """Begin a session; returns the page that was asked for before it."""
    wanted = str(request.session.get("wanted", "/"))
    request.session.clear()
    request.session.update(user=user.name, stamp=user.stamp)
    return wanted


def token_of(request: Request) -> str:
    """The session's form token, made at first use."""
    return str(request.session.setdefault("csrf", secrets.token_urlsafe(16)))


async def has_token(request: Request) -> bool:
    """Whether a form carries the session's token."""
    await request.body()  # kept for the route behind, which reads the form again
    form = await request.form()
    kept = str(request.session.get("csrf", ""))
    return bool(kept) and hmac.compare_digest(str(form.get("csrf", "")).encode(), kept.encode())
