"""XML from outside cannot reach anything; secrets do not show anywhere."""

from __future__ import annotations

import logging

import pytest

from duijie.connect.errors import MalformedMessage
from duijie.connect.secrets import MASK, MaskingFilter, mask_record, mask_text
from duijie.connect.xml import parse, serialise

BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>"""
OUTSIDE = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><a>&f;</a>"""


@pytest.mark.parametrize("text", [BOMB, OUTSIDE, b"<a>", b"", b"<!DOCTYPE a><a/>"])
def test_hostile_or_broken_xml_is_refused(text: bytes) -> None:
    with pytest.raises(MalformedMessage):
        parse(text)


def test_chinese_text_survives_a_round_trip() -> None:
    assert "𠮷野家 凭证" in serialise(parse("<a>𠮷野家 凭证</a>".encode())).decode()


def test_secret_named_fields_are_masked_at_any_depth() -> None:
    record = {
        "app_key": "k",
        "appSecret": "s",
        "rows": [{"access_token": "t", "name": "张三"}],
        "sign": "",
        "consign_time": "t",
    }
    assert mask_record(record) == {
        "app_key": "k",
        "appSecret": MASK,
        "rows": [{"access_token": MASK, "name": "张三"}],
        "sign": "",
        "consign_time": "t",
    }


def test_known_values_are_masked_in_log_lines() -> None:
    line = logging.LogRecord("x", logging.INFO, "", 0, "token=%s", ("abcd1234",), None)
    MaskingFilter(["abcd1234"]).filter(line)
    assert line.getMessage() == f"token={MASK}"
    assert mask_text("xabcd1234x", ["abcd1234"]) == f"x{MASK}x"
