"""Group robots as strict as 钉钉, 飞书 and 企业微信 are, and a plain one that takes whatever apprise's `json://` sends.

Sources: https://open.dingtalk.com/document/robots/customize-robot-security-settings,
https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot,
https://developer.work.weixin.qq.com/document/path/91770. All three answer HTTP 200 to what they refuse. Signatures and
the hour within which a clock may be off are checked; more than twenty messages in a minute block a robot for ten.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from duijie import codec
from sandbox.kit import Handler, Sandbox, json_response

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
BLOCK = timedelta(minutes=10)
PER_MINUTE = 20
TEXT_BYTES, MARKDOWN_BYTES, FEISHU_BYTES = 2048, 4096, 20_000
KINDS = ("text", "link", "markdown", "actionCard", "feedCard")


class Robot(Sandbox):
    """`GET /_admin/data?collection=messages` shows what was taken, `refusals` what was not.

    Seed: {"dingtalk": {access_token: secret}, "feishu": {hook: secret}, "wecom": {key: ""}}; a secret may be empty.
    """

    name = "robot"

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """As the vendors have them."""
        return [
            ("POST", "/notify", self._notify),
            ("POST", "/robot/send", self._dingtalk),
            ("POST", "/open-apis/bot/v2/hook/{hook}", self._feishu),
            ("POST", "/cgi-bin/webhook/send", self._wecom),
        ]

    def seed(self, data: dict[str, Any]) -> None:
        """The robots there are."""
        for vendor in ("dingtalk", "feishu", "wecom"):
            for token, secret in data.get(vendor, {}).items():
                self.store.put("robots", f"{vendor}/{token}", {"secret": secret})

    def expire_tokens(self) -> None:
        """A robot has no tokens."""

    async def _notify(self, request: Request) -> Response:
        self._keep("notify", codec.decode(await request.body()))
        return json_response({"errcode": 0})

    async def _dingtalk(self, request: Request) -> Response:
        said, asked = codec.decode(await request.body()), request.query_params
        robot = f"dingtalk/{asked.get('access_token', '')}"
        code, text = self._dingtalk_problem(robot, asked, said)
        return self._answered(robot, said, code, {"errcode": code, "errmsg": text})

    def _dingtalk_problem(self, robot: str, asked: Mapping[str, str], said: Any) -> tuple[int, str]:
        account = self.store.get("robots", robot)
        if account is None:
            return 300001, "token is not exist"
        if (secret := account["secret"]) and not self._is_near(asked.get("timestamp", ""), 1000):
            return 310000, "invalid timestamp"
        if secret and asked.get("sign") != _dingtalk_sign(asked["timestamp"], secret):
            return 310000, "sign not match"
        kind = said.get("msgtype")
        if kind not in KINDS or not isinstance(said.get(kind), dict):
            return 400102, "msgtype is not supported"
        if not (said[kind].get("content") or (said[kind].get("title") and said[kind].get("text"))):
            return 400105, "the content is empty"
        return (130101, "send too fast, exceed 20 times per minute") if self._is_too_fast(robot) else (0, "ok")

    async def _feishu(self, request: Request) -> Response:
        body = await request.body()
        said, robot = codec.decode(body), f"feishu/{request.path_params['hook']}"
        code, text = self._feishu_problem(robot, said, len(body))
        good = {"StatusCode": 0, "StatusMessage": "success"} if code == 0 else {}
        return self._answered(robot, said, code, {**good, "code": code, "msg": text, "data": {}})

    def _feishu_problem(self, robot: str, said: Any, size: int) -> tuple[int, str]:
        account = self.store.get("robots", robot)
        if account is None:
            return 19001, "param invalid: incoming webhook access token invalid"
        secret, stamp = account["secret"], said.get("timestamp", "")
        signed = self._is_near(stamp, 1) and said.get("sign") == _feishu_sign(stamp, secret)
        if secret and not signed:
            return 19021, "sign match fail or timestamp is not within one hour from current time"
        if (
            said.get("msg_type") not in ("text", "post", "interactive")
            or not said.get("content")
            or size > FEISHU_BYTES
        ):
            return 9499, "Bad Request"
        return (11232, "frequency limited") if self._is_too_fast(robot) else (0, "success")

    async def _wecom(self, request: Request) -> Response:
        said, robot = codec.decode(await request.body()), f"wecom/{request.query_params.get('key', '')}"
        code, text = self._wecom_problem(robot, said)
        return self._answered(robot, said, code, {"errcode": code, "errmsg": text})

    def _wecom_problem(self, robot: str, said: Any) -> tuple[int, str]:
        if self.store.get("robots", robot) is None:
            return 93000, "invalid webhook url"
        kind = said.get("msgtype")
        most = {"text": TEXT_BYTES, "markdown": MARKDOWN_BYTES}.get(kind, 0)
        content = said.get(kind, {}).get("content", "")
        if not content or len(content.encode()) > most:
            return 40058, f"{kind}.content exceed max length {most}"
        return (45009, "api freq out of limit") if self._is_too_fast(robot) else (0, "ok")

    def _is_near(self, stamp: str, per_second: int) -> bool:
        if not stamp.isdecimal():
            return False
        return abs(self.now().timestamp() - int(stamp) / per_second) <= HOUR.total_seconds()

    def _is_too_fast(self, robot: str) -> bool:
        """Counts this call; the twenty-first within a minute blocks the robot for ten."""
        now, account = self.now(), self.store.get("robots", robot) or {}
        if (until := account.get("blocked_until")) and datetime.fromisoformat(until) > now:
            return True
        times = [one for one in account.get("times", []) if datetime.fromisoformat(one) > now - MINUTE]
        account["times"] = [*times, now.isoformat()]
        too_fast = len(account["times"]) > PER_MINUTE
        account["blocked_until"] = (now + BLOCK).isoformat() if too_fast else None
        self.store.put("robots", robot, account)
        return too_fast

    def _answered(self, robot: str, said: Any, code: int, answer: dict[str, Any]) -> Response:
        if code == 0:
            self._keep(robot, said)
        else:
            self.store.put("refusals", str(self.store.next("refusal")), {"robot": robot, "code": code})
        return json_response(answer)

    def _keep(self, robot: str, said: dict[str, Any]) -> None:
        number = self.store.next("message")
        self.store.put("messages", f"{number:08}", {**said, "robot": robot})


def _dingtalk_sign(stamp: str, secret: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()).decode()


def _feishu_sign(stamp: str, secret: str) -> str:
    return base64.b64encode(hmac.new(f"{stamp}\n{secret}".encode(), digestmod=hashlib.sha256).digest()).decode()


SANDBOX = Robot
