"""纷享销客 under contract."""

from __future__ import annotations

from connectors.fxiaoke import CONNECTOR as FXIAOKE
from duijie.codec import Record
from duijie.contract import SinkCase, Site, StreamCase
from duijie.mapping import StaticLookup, load_mapping
from sandbox import fxiaoke_objects
from sandbox.fxiaoke import FxiaokeSandbox
from tests.contract.served import MAPPINGS, filled, lately, served

PARTY = load_mapping(MAPPINGS / "fxiaoke/party.out.yaml")


def fxiaoke_party(number: int) -> Record:
    """A buyer."""
    return fxiaoke_named({"key": f"taobao:{number}"}, f"买家 {number}")


def fxiaoke_named(made: Record, name: str) -> Record:
    party = {"key": made["key"], "name": name, "kind": "person", "role": "customer", "source": "taobao", "shop": "S01"}
    return PARTY.run(party, StaticLookup(), {}) or {}


def fxiaoke(url: str) -> Site:
    """Buyers."""
    config = fxiaoke_objects.CONFIG
    parties = SinkCase(
        fxiaoke_party,
        "AccountObj",
        spoil=lambda made: {**made, "object": {**made["object"], "name": ""}},
        say=fxiaoke_named,
        bare=True,
    )
    return Site(
        FXIAOKE,
        url,
        str(config["app_id"]),
        str(config["app_secret"]),
        {name: config[name] for name in ("permanent_code", "open_user_id")} | {"rate": "10000/second"},
        streams={"account": StreamCase(lately(), 12, fill=filled("party", parties, 12))},
        sinks={"party": parties},
        token_path="corpAccessToken/get",
    )


SITE = served(FxiaokeSandbox, fxiaoke)
