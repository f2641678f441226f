"""钉钉, 飞书, 企业微信: signature, form of a message, and whether the answer is a yes.

Spoken to directly: apprise 2.2 signs for 钉钉 only and takes HTTP 200 for success, which these robots answer to what
they refuse as well. Sources: https://open.dingtalk.com/document/robots/customize-robot-security-settings and
/robots/custom-robot-access, https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot,
https://developer.work.weixin.qq.com/document/path/91770.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from duijie import codec
from duijie.alerts.config import Dingtalk, Feishu, Group, Robot, Wecom
from duijie.alerts.message import Message, within
from duijie.connect.budget import Limits, RateBudget
from duijie.connect.errors import CredentialError, NotSent, RateLimited, VendorRejected
from duijie.connect.http import Http, read_json
from duijie.connect.secrets import mask_text, secrets_of

HEADERS = {"Content-Type": "application/json; charset=utf-8"}
DINGTALK_BYTES = 18_000
FEISHU_BYTES, TITLE_BYTES, ROW_BYTES = 18_000, 900, 40
WECOM_TEXT, WECOM_MARKDOWN = 2048, 4096
TOO_FAST = {
    "130101": "钉钉限流: 该机器人一分钟内超过 20 条, 被停 10 分钟",
    "90030": "钉钉限流: 调用次数达到上限",
    "11232": "飞书限流: 请避开整点与半点, 稍后再发",
    "9499": "飞书拒收: 请求过快或格式不符",
    "45009": "企业微信限流: 该机器人一分钟内超过 20 条",
}
WRONG = {
    "310000": "钉钉安全设置不符: 请核对加签密钥、关键词或 IP 白名单, 以及本机时钟",
    "300001": "钉钉机器人的 access_token 无效: 请核对 webhook 地址",
    "300005": "钉钉机器人的 access_token 无效: 请核对 webhook 地址",
    "19001": "飞书 webhook 地址无效: 请核对",
    "19021": "飞书签名不符或时间相差超过一小时: 请核对签名密钥与本机时钟",
    "19022": "飞书 IP 白名单不含本机: 请在机器人安全设置中加入",
    "19024": "飞书关键词不符: 请改用签名校验, 或加入关键词",
    "93000": "企业微信 webhook 地址无效: 请核对 key",
}


def sign_dingtalk(secret: str, now: datetime) -> tuple[str, str]:
    """(timestamp in milliseconds, sign for the URL): the secret is the key of HMAC-SHA256 over "timestamp\\nsecret"."""
    stamp = str(_milliseconds(now))
    digest = hmac.new(secret.encode(), f"{stamp}\n{secret}".encode(), hashlib.sha256).digest()
    return stamp, quote(base64.b64encode(digest), safe="")


def sign_feishu(secret: str, now: datetime) -> tuple[str, str]:
    """(timestamp in seconds, sign for the body): "timestamp\\nsecret" is the key of HMAC-SHA256 over nothing."""
    stamp = str(_milliseconds(now) // 1000)
    digest = hmac.new(f"{stamp}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return stamp, base64.b64encode(digest).decode()


def _milliseconds(now: datetime) -> int:
    return round(now.timestamp() * 1000)


def post(group: Group, robot: Robot, message: Message, now: datetime) -> None:
    """Send one message.

    Raises RateLimited, CredentialError, VendorRejected, NotSent, or AnswerLost: it may be there.
    """
    url, body = request_of(group, robot, message, now)
    http = Http(RateBudget("alerts", "1000/second", Limits()))
    answer = http.send("POST", url, body=codec.encode(body), headers=HEADERS)
    _judge(read_json(answer), robot, message)


def request_of(group: Group, robot: Robot, message: Message, now: datetime) -> tuple[str, dict[str, Any]]:
    """(URL, body) as the vendor wants them."""
    match group:
        case Dingtalk():
            return _dingtalk_url(robot, now), _dingtalk(message)
        case Feishu():
            signed = dict(zip(("timestamp", "sign"), sign_feishu(robot.secret, now), strict=True))
            return robot.url, {**(signed if robot.secret else {}), **_feishu(message)}
        case Wecom():
            return robot.url, _wecom(message)
        case _:
            raise TypeError(group)


def _dingtalk_url(robot: Robot, now: datetime) -> str:
    if not robot.secret:
        return robot.url
    stamp, sign = sign_dingtalk(robot.secret, now)
    return f"{robot.url}&timestamp={stamp}&sign={sign}"


def _dingtalk(message: Message) -> dict[str, Any]:
    """A markdown message; a text where somebody is called, as a markdown one must then show the number itself."""
    mobiles = [person.mobile for person in message.people if person.mobile]
    if mobiles:
        content = within(f"{message.title}\n{message.text}", DINGTALK_BYTES)
        return {"msgtype": "text", "text": {"content": content}, "at": {"atMobiles": mobiles, "isAtAll": False}}
    shown = {"title": message.title, "text": _markdown(message, "\n\n", DINGTALK_BYTES)}
    return {"msgtype": "markdown", "markdown": shown}


def _wecom(message: Message) -> dict[str, Any]:
    """As markdown; as text where somebody is called: only a text can."""
    mobiles = [person.mobile for person in message.people if person.mobile]
    if mobiles:
        content = within(f"{message.title}\n{message.text}", WECOM_TEXT)
        return {"msgtype": "text", "text": {"content": content, "mentioned_mobile_list": mobiles}}
    return {"msgtype": "markdown", "markdown": {"content": _markdown(message, "\n", WECOM_MARKDOWN)}}


def _feishu(message: Message) -> dict[str, Any]:
    """A rich text: its words are words whatever stands in them."""
    title = within(message.title, TITLE_BYTES)
    room = (FEISHU_BYTES - TITLE_BYTES) // max(len(message.lines), 1) - ROW_BYTES
    rows: list[list[dict[str, str]]] = [[{"tag": "text", "text": within(line, room)}] for line in message.lines]
    if message.links:
        rows.append([{"tag": "a", "text": f"[{words}] ", "href": address} for words, address in message.links])
    if called := [{"tag": "at", "user_id": person.feishu} for person in message.people if person.feishu]:
        rows.append(called)
    return {"msg_type": "post", "content": {"post": {"zh_cn": {"title": title, "content": rows}}}}


def _markdown(message: Message, newline: str, size: int) -> str:
    """Title, lines, links. The links stand last and whole, whatever had to be cut."""
    links = " ".join(f"[{words}]({address})" for words, address in message.links)
    body = newline.join((f"**{message.title}**", *message.lines))
    return newline.join(filter(None, (within(body, size - len(links.encode()) - 4), links)))


def _judge(answer: Any, robot: Robot, message: Message) -> None:
    said: Mapping[str, Any] = answer if isinstance(answer, Mapping) else {}
    codes = [said[name] for name in ("errcode", "code", "StatusCode") if name in said]
    code = str(next((one for one in codes if one != 0), codes[0] if codes else "?"))
    if code == "0":
        return
    told = str(said.get("errmsg") or said.get("msg") or said.get("StatusMessage") or "")
    told = mask_text(told, _secrets(robot, message))[:200]
    if code in TOO_FAST:
        raise RateLimited(TOO_FAST[code], retry_after=600.0, en=f"the robot must rest: {told}", code=code)
    if code == "-1":
        raise NotSent(f"机器人系统繁忙: {told}", en=f"the robot's system is busy: {told}", code=code)
    if code in WRONG:
        raise CredentialError(f"{WRONG[code]} ({told})", en=f"the robot refuses: {told}", code=code)
    raise VendorRejected(f"机器人拒绝 ({code} {told})", en=f"the robot refuses: {code} {told}", code=code)


def _secrets(robot: Robot, message: Message) -> tuple[str, ...]:
    parts = re.split(r"[/?&=]", robot.url)
    return secrets_of((robot.url, robot.secret, parts[-1], *(person.mobile for person in message.people)))
