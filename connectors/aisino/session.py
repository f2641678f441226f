"""The drawer's login at the tax bureau (电子税务局) as 爱信诺云税 lets it be walked: ele.eleLogin, step by step.

A code to scan is asked for once and shown until it ends; nothing is tried again by itself, for the bureau counts
attempts. Source: 爱信诺云税 interface document v1.8.4, ele.eleLogin: step_code 0 logged in, 1 choose text message or
code, 2 choose in which role, 3 text message, 4 code to scan, 5 being logged in, 6 failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.aisino.client import Client
from duijie.codec import Record
from duijie.connect.connection import Connection
from duijie.connect.invoicing import Login

LOGIN = "ele.eleLogin"
MOST_STEPS = 5
BETWEEN = timedelta(minutes=5)
QR_SECONDS = 300
PNG = "data:image/png;base64,"
DONE, CHOOSE, ROLE, SMS, SCAN, RUNNING = "0", "1", "2", "3", "4", "5"
WORDS = {
    "none": "连接没有填写电子税务局用户名, 请在云税平台登录",
    ROLE: "请在连接的 role 中填写开票员的身份 (zrrlx), 或在云税平台登录",
    SMS: "需要短信验证码, 请在云税平台登录",
    SCAN: "请用电子税务局 App 扫码",
    RUNNING: "正在自动登录, 请稍候再看",
}


@dataclass(frozen=True)
class _Code:
    """A code that waits to be scanned."""

    native_id: str
    picture: str
    until: datetime


class Session:
    """The login of one drawer, as this process knows it."""

    def __init__(self, connection: Connection, client: Client, drawer: str) -> None:
        self._extra = connection.extra
        self._client = client
        self._drawer = drawer
        self._code: _Code | None = None
        self._last: tuple[datetime, Login] | None = None

    def resume(self, is_pushed_out: bool) -> Login:
        """How far the login is; begins one where none is under way and a user is named. Raises errors of the tree."""
        now = datetime.fromtimestamp(self._client.now(), UTC)
        if not self._extra.get("etax_username"):
            return Login(self._drawer, "login", WORDS["none"])
        if self._code and now < self._code.until:
            return self._told(self._asked("verify_qrcode", qrcode_id=self._code.native_id))
        if self._last and now < self._last[0] + BETWEEN:
            return self._last[1]
        told = self._walked(self._begun(is_pushed_out))
        self._last = (now, told)
        return told

    def _begun(self, is_pushed_out: bool) -> Record:
        more = {"password": self._extra.get("etax_password"), "dqbm": self._extra.get("region")}
        given = {name: str(value) for name, value in more.items() if value}
        return self._asked("login", **given, **({"reloginflag": "true"} if is_pushed_out else {}))

    def _walked(self, answer: Record) -> Login:
        for _ in range(MOST_STEPS):
            step = str(answer.get("step_code") or "")
            if step == CHOOSE:
                answer = self._asked("create_qrcode")
            elif step == ROLE and self._extra.get("role"):
                answer = self._asked("select_zrrlx", zrrlx=str(self._extra["role"]))
            else:
                break
        return self._told(answer)

    def _told(self, answer: Record) -> Login:
        step = str(answer.get("step_code") or "")
        if step == DONE:
            self._code = None
            return Login(self._drawer, "in")
        if step == SCAN:
            return self._shown(answer)
        said = WORDS.get(step) or str(answer.get("message") or "登录未成功, 请在云税平台登录")
        return Login(self._drawer, "sms" if step == SMS else "login", said)

    def _shown(self, answer: Record) -> Login:
        """The code to scan: a new one where the answer brings it, else the one that is waited for."""
        if answer.get("qrcode"):
            until = datetime.fromtimestamp(self._client.now(), UTC)
            lasts, picture = str(answer.get("expires_in") or ""), str(answer["qrcode"])
            until += timedelta(seconds=int(lasts) if lasts.isdigit() else QR_SECONDS)
            shown = picture if picture.startswith("data:") else PNG + picture
            self._code = _Code(str(answer.get("qrcode_id") or ""), shown, until)
        if self._code is None:
            return Login(self._drawer, "scan", WORDS[SCAN])
        return Login(self._drawer, "scan", WORDS[SCAN], self._code.picture, self._code.until)

    def _asked(self, step: str, **more: str) -> Record:
        named = {"step_name": step, "nsrsbh": self._client.tax_no, "username": str(self._extra["etax_username"])}
        return self._client.call(LOGIN, {**named, **more})
