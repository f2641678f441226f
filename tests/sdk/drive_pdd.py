"""Calls POP methods with pdd-sdk against the address it is given; prints what each call was answered.

Asked: {"port", "client_id", "secret", "at", "calls": [[method, [[name, value], …]], …]}; `at` is in Unix seconds, null
is now, and a value "$NAME" is the field NAME of the first answer. Said: each call's answer, or {"refused": sub_code}.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import pdd_sdk
from pdd_sdk.api import base


def method_of(name: str) -> type[base.RestApi]:
    """The SDK names a method by a subclass."""
    return type(name, (base.RestApi,), {"getapiname": lambda _: name})


def called(asked: dict[str, Any], name: str, given: list[list[Any]], first: dict[str, Any]) -> dict[str, Any]:
    """One call, answered or refused."""
    call = method_of(name)("127.0.0.1", asked["port"])
    call.set_app_info(pdd_sdk.appinfo(asked["client_id"], asked["secret"]))
    for field, value in given:
        is_reference = isinstance(value, str) and value.startswith("$")
        setattr(call, field, first[value[1:]] if is_reference else value)
    try:
        said: dict[str, Any] = call.getResponse()
    except base.DdkException as error:
        return {"refused": error.subcode}
    return said


def main() -> None:
    """Make the calls in order."""
    asked = json.loads(sys.argv[1])
    if asked["at"]:
        base.time = SimpleNamespace(time=lambda: asked["at"])
    said: list[dict[str, Any]] = []
    for name, given in asked["calls"]:
        first = next(iter(said[0].values())) if said else {}
        said.append(called(asked, name, given, first))
    print(json.dumps(said))


if __name__ == "__main__":
    main()
