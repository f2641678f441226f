"""Which fields of a record are about a person: told by their names, for whatever hides them from people or files."""

from __future__ import annotations

WORDS = (
    *("mobile", "phone", "telephone", "address", "email", "receiver", "consignee", "nick", "contact", "idcard"),
    *("buyername", "customername", "invoicename", "realname", "alipay", "wechat"),
    *("姓名", "电话", "手机", "地址", "邮箱", "收货人", "收件人", "联系人", "身份证"),
)
WHOLE = ("tel", "addr", "mail")
PERSONS = ("buyer", "customer", "payer", "party", "member", "person")
NAMES = ("name", "title", "fullname")


def is_personal(name: str, within: str) -> bool:
    """Whether a field of this name, in an object that stands under the field `within`, is about a person."""
    plain = flat(name)
    if plain in WHOLE or any(word in plain for word in WORDS):
        return True
    return plain in NAMES and (flat(within) == "invoicewish" or is_person(within))


def is_person(name: str) -> bool:
    """Whether a field of this name holds a person or a party."""
    return any(word in flat(name) for word in PERSONS)


def flat(name: str) -> str:
    """A name without the ways in which systems write one."""
    return name.lower().replace("_", "").replace("-", "")
