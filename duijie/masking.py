"""Records without the people in them: every personal value becomes a fictitious one that looks and counts alike.

For what leaves the journal for good, such as the tests of a mapping. A value is found by the name of its field, by its
own look (a mobile number, an e-mail address, an identity card, a 统一社会信用代码) or because another field has given
it away. One value has one mask, so that what was equal stays equal. Masks are counted, not computed of the value, so
that nobody can compute them back. Amounts, dates, codes and order numbers stay.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import count
from typing import Any

import msgspec
from stdnum.cn import ric, uscc

from duijie import codec
from duijie.connect.secrets import is_secret
from duijie.mapping.markup import parse_xml
from duijie.mapping.values import Fault
from duijie.people import flat, is_person, is_personal

FREE = ("memo", "remark", "remarks", "message", "note", "notes", "comment", "comments", "备注", "留言", "附言")
WORDS = {
    "email": ("mail", "邮箱"),
    "phone": ("mobile", "phone", "telephone", "手机", "电话"),
    "tax": ("taxno", "taxnum", "taxpayer", "taxid", "uscc", "creditcode", "nsrsbh", "税号", "信用代码", "纳税人"),
    "id": ("idcard", "idno", "idnum", "openid", "openuid", "unionid", "oaid", "userid", "memberid", "buyerid", "证件"),
    "bank": ("bank", "cardno", "iban", "alipay", "银行", "开户", "账号"),
    "address": ("address", "province", "city", "district", "town", "地址"),
    "name": (
        *("sellername", "salername", "clerk", "payee", "checker", "drawer", "salesman"),
        *("开票人", "收款人", "复核人", "购方名称", "客户名称"),
    ),
}
STAYS = ("type", "kind", "status", "flag", "time", "date", "amount", "fee", "rate", "price")
CODES = ("no", "id", "key", "code", "number", "num", "sku")
PARTIES = ("person", "company")
PLACES = {"receiverstate": "address", "tel": "phone", "addr": "address"}
SHORTEST_NUMBER = 7
SHORTEST_WORD = 4
SHORTEST_NAME = 2
_DAY = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?\Z")
_MOBILE = re.compile(r"(?<![0-9A-Za-z])1[3-9]\d{9}(?![0-9A-Za-z])")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_EIGHTEEN = re.compile(r"(?<![0-9A-Za-z])[0-9A-Z]{17}[0-9A-Zx](?![0-9A-Za-z])")
_COMPANY = re.compile(r"(有限责任公司|股份有限公司|有限公司|公司|商行|工厂|厂|店|中心|银行)\Z")
_AREA = re.compile(r"(省|市|区|县|镇)\Z")


class Masks:
    """The masks given so far; `taken` is a text in which new ones must not stand already."""

    def __init__(self, taken: str = "") -> None:
        self._taken = taken
        self._masks: dict[str, str] = {}
        self._given: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._masks)

    def record(self, value: Any) -> Any:
        """A copy of a JSON-like value with every personal value masked, those known from other records included."""
        self._learn(value, "", "", "")
        return self._hide(value, "", "", "")

    def original(self, text: str) -> str:
        """A text with the masks in it taken off again."""
        back = {mask: value for value, mask in self._masks.items()}
        return back.get(text) or _replaced(text, back, re.escape)

    def _learn(self, value: Any, name: str, within: str, kind: str) -> None:
        if isinstance(value, dict):
            self._walk(value, name, kind, self._learn)
        elif isinstance(value, list):
            for each in value:
                self._learn(each, name, within, kind)
        elif isinstance(value, str) and (inner := _inner(value)) is not None:
            self._learn(inner, name, within, kind)
        elif kind:
            self._cover(value, kind)
        elif isinstance(value, str):
            for found in _seen(value, name):
                self._mask(*found)

    def _hide(self, value: Any, name: str, within: str, kind: str) -> Any:
        if isinstance(value, dict):
            return self._walk(value, name, kind, self._hide)
        if isinstance(value, list):
            return [self._hide(each, name, within, kind) for each in value]
        if isinstance(value, str) and (inner := _from_json(value)) is not None:
            hidden = self._hide(inner, name, within, kind)
            return value if hidden == inner else codec.encode_ordered(hidden).decode()
        if kind and _from_xml(value) is None:
            return self._cover(value, kind)
        return self._replace(value) if isinstance(value, str) else value

    def _walk(self, value: dict[str, Any], name: str, kind: str, way: Callable[..., Any]) -> dict[str, Any]:
        within = "person" if value.get("kind") in PARTIES else name
        return {key: way(below, key, within, _kind(key, within, kind)) for key, below in value.items()}

    def _cover(self, value: Any, kind: str) -> Any:
        if isinstance(value, str):
            core = value.strip()
            if not core or _DAY.match(core):
                return value
            head, _, last = core.rpartition(":") if kind == "key" else ("", "", core)
            return value.replace(core, f"{head}:{self._mask(last, 'id')}" if head else self._mask(core, kind))
        if type(value) is int and len(str(abs(value))) >= SHORTEST_NUMBER:
            return int(self._mask(str(value), kind))
        return value

    def _replace(self, text: str) -> str:
        return _replaced(text, {value: mask for value, mask in self._masks.items() if _is_worth(value)}, _bounded)

    def _mask(self, text: str, kind: str) -> str:
        if text not in self._masks:
            used = {*self._masks.values(), *self._masks}
            kind = _looks(text) or kind
            for number in count(self._given[kind] + 1):
                mask = _made(text, kind, number)
                if mask not in used and mask not in self._taken:
                    break
            self._given[kind] = number
            self._masks[text] = mask
        return self._masks[text]


def _kind(name: str, within: str, around: str) -> str:
    """What a field holds about a person, empty for nothing; `around`: what the field around it holds."""
    plain = flat(name).lstrip("@")
    if plain.endswith(STAYS):
        return ""
    if is_secret(name):
        return "id"
    if plain.endswith(FREE):
        return "free"
    if told := next((kind for kind, words in WORDS.items() if _is_told(plain, kind, words, around)), ""):
        return told
    if is_personal(plain, within):
        return PLACES.get(plain, "name")
    return "key" if plain in ("key", "id") and is_person(within) else around


def _is_told(plain: str, kind: str, words: tuple[str, ...], around: str) -> bool:
    if kind == "address" and not around and not is_personal(plain, ""):
        return False
    return any(word in plain for word in words)


def _looks(text: str) -> str:
    """What a whole text is by its own look."""
    if _MOBILE.fullmatch(text):
        return "mobile"
    if _EMAIL.fullmatch(text):
        return "email"
    if len(text) == 18 and ric.is_valid(text):
        return "card"
    return "uscc" if len(text) == 18 and uscc.is_valid(text) else ""


def _seen(text: str, name: str) -> list[tuple[str, str]]:
    """Personal values inside a text, with their kinds. In codes and numbers eleven digits are no telephone."""
    found = [(hit, _looks(hit)) for hit in (*_EIGHTEEN.findall(text), *_EMAIL.findall(text))]
    if not flat(name).endswith(CODES):
        found += [(hit, "mobile") for hit in _MOBILE.findall(text)]
    return [(hit, kind) for hit, kind in found if kind]


def _made(text: str, kind: str, number: int) -> str:
    if kind == "name" and text.isdecimal():
        return _alike(text, number)
    return MAKERS.get(kind, _alike)(text, number)


def _card(_: str, number: int) -> str:
    head = f"110101{1950 + number // 1000}0101{number % 1000:03}"
    return head + str(ric.calc_check_digit(head))


def _uscc(_: str, number: int) -> str:
    head = f"91330100{number:09}"
    return head + str(uscc.calc_check_digit(head))


def _address(text: str, number: int) -> str:
    area = _AREA.search(text)
    return f"测试{_letters(number)}{area.group()}" if area else f"测试路{number}号"


def _name(text: str, number: int) -> str:
    company = _COMPANY.search(text)
    return f"测试{_letters(number)}{company.group() if company else ''}"


def _letters(number: int) -> str:
    """A, B … Z, AA …"""
    text = ""
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _alike(text: str, number: int) -> str:
    """Digits for digits and letters for letters, counting up; longer where the text is too short to count on."""
    if text.isdecimal():
        return f"9{number:0{len(text) - 1}}"
    shaped = []
    for char in reversed(text):
        if char.isdecimal():
            number, rest = divmod(number, 10)
            shaped.append(str(rest))
        elif char.isalpha():
            number, rest = divmod(number, 26)
            shaped.append(chr(ord("A" if char.isupper() else "a") + rest) if char.isascii() else "测")
            number = number if char.isascii() else number * 26 + rest
        else:
            shaped.append(char)
    return (str(number) if number else "") + "".join(reversed(shaped))


MAKERS: dict[str, Callable[[str, int], str]] = {
    "mobile": lambda _, number: f"138{number:08}",
    "email": lambda _, number: f"test{number}@example.com",
    "card": _card,
    "uscc": _uscc,
    "free": lambda _, number: f"测试备注{_letters(number)}",
    "address": _address,
    "name": _name,
}


def _inner(text: str) -> Any:
    found = _from_json(text)
    return _from_xml(text) if found is None else found


def _from_json(text: str) -> Any:
    """The object or list that a text holds as JSON; None where it holds none."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return codec.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _from_xml(text: Any) -> Any:
    if not isinstance(text, str) or not text.lstrip("\ufeff \t\r\n").startswith("<"):
        return None
    try:
        return parse_xml(text)
    except Fault:
        return None


def _is_worth(text: str) -> bool:
    """Whether a value may be looked for in other fields: long enough not to be met by chance."""
    if text.isascii():
        return len(text) >= (SHORTEST_NUMBER if text.isdecimal() else SHORTEST_WORD)
    return len(text) >= SHORTEST_NAME


def _bounded(text: str) -> str:
    found = re.escape(text)
    return rf"(?<![0-9A-Za-z]){found}(?![0-9A-Za-z])" if text.isascii() else found


def _replaced(text: str, wanted: dict[str, str], pattern: Callable[[str], str]) -> str:
    if not wanted:
        return text
    longest_first = sorted(wanted, key=len, reverse=True)
    return re.sub("|".join(map(pattern, longest_first)), lambda hit: wanted[hit.group()], text)
