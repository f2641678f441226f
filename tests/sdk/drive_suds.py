"""Drives an EAS by suds-community: login, one importVoucher for each voucher given, getVoucher; prints what came back.

Asked: {"url", "login": [six arguments], "space", "vouchers": [[{field: value}]], "read": [five arguments]}.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from suds.client import Client
from suds.sax.element import Element

SERVICES = "/ormrpc/services/"


def service(url: str, name: str) -> Client:
    return Client(f"{url}{SERVICES}{name}?wsdl", cache=None)


def rows(answer: Any) -> list[list[str]]:
    return [["" if cell is None else str(cell) for cell in row] for row in answer]


def lines(client: Client, fields: list[dict[str, Any]]) -> list[Any]:
    made = []
    for one in fields:
        line = client.factory.create("{urn:client.wsvoucher}WSWSVoucher")
        for name, value in one.items():
            setattr(line, name, value)
        made.append(line)
    return made


def main() -> None:
    asked = json.loads(sys.argv[1])
    context = service(asked["url"], "EASLogin").service.login(*asked["login"])
    session = getattr(context, "sessionId", None)
    told: dict[str, Any] = {"session": bool(session), "imported": []}
    if session:
        header = Element("SessionId", ns=("ns1", asked["space"])).setText(session)
        importing = service(asked["url"], "WSWSVoucher")
        importing.set_options(soapheaders=header)
        for fields in asked["vouchers"]:
            answer = importing.service.importVoucher(lines(importing, fields), 1, 0)
            told["imported"].append(rows(answer))
        reading = service(asked["url"], "WSGLWebServiceFacade")
        reading.set_options(soapheaders=header)
        told["read"] = rows(reading.service.getVoucher(*asked["read"]))
    print(json.dumps(told, ensure_ascii=False))


if __name__ == "__main__":
    main()
