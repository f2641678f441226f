"""The demo's world in one process: every sandbox on its own port, a real Tryton, the day's data, the day's faults.

`python -m sandbox.world --home DIR --ready FILE` sets everything up below DIR (what is already there is kept), writes
FILE when all of it answers (connections in Airflow's JSON form, the alert channel), and serves until SIGTERM. Secrets
are made at the first start and stay in DIR.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import secrets
import signal
import threading
from pathlib import Path
from typing import Any

import uvicorn

from duijie import codec
from sandbox.dataset import business_day, data_folder
from sandbox.kit import Fault, Sandbox
from sandbox.serve import build, free_ports, server
from sandbox.store import Store
from sandbox.tryton import TrytonServer

NAMES = ("taobao", "xingchen", "k3cloud", "fxiaoke", "nuonuo", "robot")  # the systems of the day
LOST: dict[str, Any] = {"kind": "lose_answer", "rate": 0.05, "writes": True}
LATE: dict[str, Any] = {"kind": "late_answer", "match": "callBackUrl", "count": 2, "seconds": 4.0}
CREDIT, RAISED = "3000.00", "10000000.00"  # 授信额度: what the day begins with, and what the bureau grants on request
LIMITED: dict[str, Any] = {"kind": "status", "status": 429, "rate": 0.002, "headers": {"Retry-After": "1"}}


def faults(name: str, seed: int) -> list[Fault]:
    """What goes wrong on purpose at one system: lost answers after the write, limits, one expiry of all tokens."""
    expiry = {"taobao": "refunds.receive", "xingchen": "inventory", "fxiaoke": "data/create"}
    ordered = [Fault(**LOST, seed=seed), Fault(**LIMITED, seed=seed + 1)]
    if name in expiry:
        ordered.append(Fault("expire_tokens", match=expiry[name], count=1))
    if name == "nuonuo":
        ordered.append(Fault(**LATE))
    return ordered


class World:
    """Everything outside Duijie, for one day."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.secrets = _kept_secrets(home / "world-secrets.json")
        self.ports = dict(zip(NAMES, free_ports(len(NAMES)), strict=True))
        (home / "sandbox").mkdir(parents=True, exist_ok=True)
        self.sandboxes = {name: build(name, Store(home / "sandbox" / f"{name}.db")) for name in NAMES}
        self.late: list[dict[str, Any]] = []
        self.tryton = TrytonServer(home / "tryton", Path(".venv-tryton"))

    def seed(self) -> None:
        """Load the day into every sandbox and order its faults; what was written since stays."""
        day = business_day(data_folder())
        customers = [
            {"number": f"KH{number:03d}", "name": shop["nick"]}
            for number, shop in enumerate(day["taobao"]["shops"].values(), 1)
        ]
        day["xingchen"]["customers"] = day["k3cloud"]["customers"] = customers
        self.late = _late_refunds(day["taobao"])
        for number, (name, sandbox) in enumerate(self.sandboxes.items()):
            sandbox.seed({**day.get(name, {}), **self._account(name)})
            sandbox.faults = faults(name, number * 10) if name != "robot" else []

    def connections(self) -> dict[str, Any]:
        """Every connection, as an operator would write it."""
        kept = self.secrets
        app_id = kept["k3_app_id"]
        return {
            "taobao": self._at(
                "taobao",
                login="12300411",
                password=kept["taobao"],
                extra={"shops": self._shops(), "rate": "6000/minute", "tmc_group": "default"},
            ),
            "xingchen": self._at(
                "xingchen",
                login="205022",
                password=kept["xingchen"],
                extra={"outer_instance_id": "demo-instance", "rate": "12000/minute"},
            ),
            "k3cloud": self._at(
                "k3cloud",
                login="administrator",
                password=kept["k3cloud"],
                extra={"acct_id": "5f0c1a2b3c4d5e", "app_id": app_id, "account_book": "001", "rate": "6000/minute"},
            ),
            "fxiaoke": self._at(
                "fxiaoke",
                login="FSAID_demo",
                password=kept["fxiaoke"],
                extra={"permanent_code": kept["fxiaoke_code"], "open_user_id": "FSUID_demo", "rate": "12000/minute"},
            ),
            "nuonuo": self._at(
                "nuonuo",
                login="AK-demo",
                password=kept["nuonuo"],
                extra={
                    "tax_no": "339902999999789113",
                    "clerk": "张三",
                    "token_url": f"http://127.0.0.1:{self.ports['nuonuo']}/accessToken",
                    "rate": "6000/minute",
                },
            ),
            "tryton": self.tryton.connection(),
        }

    def alerts(self) -> str:
        """The alert channel: an apprise URL."""
        return f"json://127.0.0.1:{self.ports['robot']}/notify"

    def codes(self) -> list[dict[str, str]]:
        """Code tables 对照 a person would keep: each shop's customer number in the PSI system and in the ledger."""
        return [
            {"kind": "customer", "connection": connection, "code": shop, "counterpart": customer}
            for shop, customer in self._customers().items()
            for connection in ("xingchen", "k3cloud")
        ]

    def _customers(self) -> dict[str, str]:
        shops = self.sandboxes["taobao"].store.all("shop")
        return {one["shop"]: f"KH{number:03d}" for number, one in enumerate(shops, 1)}

    def _at(self, name: str, **more: Any) -> dict[str, Any]:
        return {"conn_type": name, "host": f"http://127.0.0.1:{self.ports[name]}", **more}

    def _shops(self) -> dict[str, Any]:
        shops = self.sandboxes["taobao"].store.all("shop")
        return {one["shop"]: {"refresh_token": one["refresh_token"]} for one in shops}

    def _account(self, name: str) -> dict[str, Any]:
        """Our account at a sandbox: keys, and call limits that let a whole day pass in two minutes."""
        kept = self.secrets
        accounts: dict[str, dict[str, Any]] = {
            "taobao": {"apps": {"12300411": kept["taobao"]}, "limits": {"calls": 2000, "seconds": 1}},
            "xingchen": {
                "client": {
                    "client_id": "205022",
                    "client_secret": kept["xingchen"],
                    "outer_instance_id": "demo-instance",
                },
                "limits": {"per_minute": 12000, "tokens_per_minute": 60},
            },
            "k3cloud": {
                "acct_id": "5f0c1a2b3c4d5e",
                "user": "administrator",
                "app_id": kept["k3_app_id"],
                "app_secret": kept["k3cloud"],
            },
            "fxiaoke": {
                "app_id": "FSAID_demo",
                "app_secret": kept["fxiaoke"],
                "permanent_code": kept["fxiaoke_code"],
                "open_user_id": "FSUID_demo",
            },
            "nuonuo": {"app_key": "AK-demo", "app_secret": kept["nuonuo"], "issue_seconds": 2, **self._credit()},
        }
        return accounts.get(name, {})

    def _credit(self) -> dict[str, str]:
        """The credit line that the day begins with; one that was raised stays."""
        return {} if self.sandboxes["nuonuo"].store.all("bureau_blue") else {"credit_line": CREDIT}

    def acts(self) -> dict[str, list[dict[str, Any]]]:
        """What people outside do in the course of the day: addresses and what to post there."""
        bureau, shops = (f"http://127.0.0.1:{self.ports[name]}/_admin" for name in ("nuonuo", "taobao"))
        told = [
            {"shop": one["shop"], "topic": "taobao_refund_RefundSuccess", "content": {"refund_id": one["refund_id"]}}
            for one in self.late
        ]
        return {
            "raise_credit": [{"url": f"{bureau}/seed", "body": {"credit_line": RAISED}}],
            "late_refunds": [
                {"url": f"{shops}/seed", "body": {"refunds": self.late}},
                {"url": f"{shops}/tmc", "body": told},
            ],
        }

    async def serve(self, ready: Path) -> None:
        """Serve until told to stop; `ready` is written when every sandbox answers."""
        servers = [server(sandbox, self.ports[name]) for name, sandbox in self.sandboxes.items()]
        serving = [asyncio.create_task(_serve(one)) for one in servers]
        while not all(one.started for one in servers):
            await asyncio.sleep(0.02)
        told = {"connections": self.connections(), "alerts": self.alerts(), "codes": self.codes(), "acts": self.acts()}
        ready.touch(mode=0o600)
        draft = ready.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_bytes(codec.encode(told))
        draft.replace(ready)
        stop = asyncio.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(sign, stop.set)
        await stop.wait()
        for one in servers:
            one.should_exit = True
        await asyncio.gather(*serving)


def _late_refunds(shop: dict[str, Any]) -> list[dict[str, Any]]:
    """Take the refunds of finished orders with an invoice wish off the day: they come when the invoice is there."""
    wished = {one["tid"] for one in shop["trades"] if one["status"] == "TRADE_FINISHED" and "invoice_name" in one}
    late = [one for one in shop["refunds"] if one["tid"] in wished and one["status"] == "SUCCESS"]
    shop["refunds"] = [one for one in shop["refunds"] if one not in late]
    return late


async def _serve(one: uvicorn.Server) -> None:
    await one._serve()  # serve() would put its own signal handlers before ours


def _kept_secrets(path: Path) -> dict[str, str]:
    if not path.exists():
        names = ("taobao", "xingchen", "k3cloud", "fxiaoke", "fxiaoke_code", "nuonuo")
        fresh = {name: secrets.token_hex(16) for name in names}
        encoded = base64.b64encode(secrets.token_bytes(24)).decode()
        fresh["k3_app_id"] = f"205022_{encoded}"
        path.touch(mode=0o600)
        path.write_bytes(codec.encode(fresh))
    return dict(codec.decode(path.read_bytes()))


def main() -> None:
    """Set the world up and serve it."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.world", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--ready", type=Path, required=True)
    arguments = parser.parse_args()
    world = World(arguments.home)
    seeding = threading.Thread(target=world.seed)
    seeding.start()
    with world.tryton:
        seeding.join()
        asyncio.run(world.serve(arguments.ready))


__all__ = ["Sandbox", "World", "faults", "main"]

if __name__ == "__main__":
    main()
