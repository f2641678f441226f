"""Makes a Tryton database a usable Chinese ledger: modules, company, 2026 with its periods, chart, journal, API user.

Run by Tryton's own interpreter, never imported by Duijie: `python tryton_setup.py < plan.json`. The plan (see
`sandbox.tryton_plan`) names files, never secrets. Everything is created through proteus, the client library of the
Tryton project, in the server's own process, so that every check of a real client applies.
Source: Tryton 8.2 documentation, trytond-admin and proteus.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

Plan = dict[str, Any]
CENT = Decimal("0.01")


def create_database(plan: Plan) -> None:
    """An empty SQLite file, or an empty PostgreSQL database where there is none yet."""
    if plan["sqlite_file"]:
        Path(plan["sqlite_file"]).touch(mode=0o600)
        return
    from psycopg import connect, sql  # noqa: PLC0415  only in Tryton's environment

    maintenance = urlunsplit(urlsplit(plan["postgres"])._replace(path="/postgres"))
    with connect(maintenance, autocommit=True) as connection:
        there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [plan["database"]]).fetchone()
        if there is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(plan["database"])))


def activate(plan: Plan) -> None:
    """Create the schema and activate the modules in one run of trytond-admin."""
    from trytond import commandline, config  # type: ignore[import-not-found]  # noqa: PLC0415

    os.environ["TRYTONPASSFILE"] = plan["admin_password_file"]
    config.update_etc([plan["config"]])
    arguments = ["-c", plan["config"], "-d", plan["database"], "--all", "--activate-dependencies"]
    arguments += ["-l", plan["language"], "--email", "admin@example.com", "-u", *plan["modules"]]
    options = commandline.get_parser_admin().parse_args(arguments)
    options.indexes = True
    from trytond import admin  # noqa: PLC0415  only after the configuration is read

    admin.run(options)


class Company:
    """Sets the company up, step by step, as the administrator."""

    def __init__(self, plan: Plan) -> None:
        from proteus import Model, Wizard  # type: ignore[import-not-found]  # noqa: PLC0415
        from proteus import config as proteus_config  # noqa: PLC0415

        self.plan = plan
        self.model = Model.get
        self.wizard = Wizard
        self.session = proteus_config.set_trytond(plan["database"], user="admin", config_file=plan["config"])
        self.company: Any = None

    def is_there(self) -> bool:
        """Whether an earlier run came to its end: the API user is made last."""
        return bool(self.model("res.user").find([("login", "=", self.plan["user"]["login"])]))

    def build(self) -> None:
        """Everything, in order."""
        self.add_company()
        self.add_year()
        self.add_chart()
        self.model("account.journal")(
            name=self.plan["journal"]["name"], code=self.plan["journal"]["code"], type="general"
        ).save()
        self.add_user()

    def add_company(self) -> None:
        """The company with its currency, and the administrator working in it."""
        wanted = self.plan["currency"]
        currency = self.model("currency.currency")(**{**wanted, "rounding": CENT})
        currency.save()
        party = self.model("party.party")(name=self.plan["company"])
        party.save()
        wizard = self.wizard("company.company.config")
        wizard.execute("company")
        wizard.form.party = party
        wizard.form.currency = currency
        wizard.execute("add")
        self.session._context = self.model("res.user").get_preferences(True, {})
        (self.company,) = self.model("company.company").find([])

    def add_year(self) -> None:
        """The fiscal year; each month numbers its vouchers from 1, without gaps."""
        year = int(self.plan["year"])
        fiscal_year = self.model("account.fiscalyear")(
            name=str(year), start_date=date(year, 1, 1), end_date=date(year, 12, 31), company=self.company
        )
        fiscal_year.move_sequence = self.sequence(str(year), f"{year}-")
        fiscal_year.save()
        period = self.model("account.period")
        for month in range(1, 13):
            first = date(year, month, 1)
            last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
            name = f"{year}-{month:02}"
            sequence = self.sequence(name, f"{self.plan['journal']['code']}-{year}{month:02}-")
            period(
                name=name, fiscalyear=fiscal_year, type="standard", start_date=first, end_date=last,
                move_sequence=sequence,
            ).save()  # fmt: skip

    def sequence(self, name: str, prefix: str) -> Any:
        """A strict sequence for moves: no number is ever left out."""
        kinds = self.model("ir.sequence.type").find([("name", "=", "Account Move")], limit=1)
        sequence = self.model("ir.sequence.strict")(
            name=name, sequence_type=kinds[0], company=self.company, prefix=prefix, padding=4
        )
        sequence.save()
        return sequence

    def add_chart(self) -> None:
        """Account types and accounts in the order of the plan: parents come first."""
        types = {}
        for row in self.plan["types"]:
            flags = dict.fromkeys(row["flags"], True)
            made = self.model("account.account.type")(
                name=row["name"], statement=row["statement"], company=self.company, **flags
            )
            made.save()
            types[row["name"]] = made
        accounts: dict[str, Any] = {}
        for row in self.plan["accounts"]:
            made = self.model("account.account")(
                code=row["code"], name=row["name"], company=self.company, type=types.get(row["type"]),
                parent=accounts.get(row["parent"]), party_required=row["party"], reconcile=row["party"],
            )  # fmt: skip
            made.save()
            accounts[row["code"]] = made
        defaults = self.model("account.configuration")(1)
        defaults.default_account_receivable = accounts[self.plan["receivable"]]
        defaults.default_account_payable = accounts[self.plan["payable"]]
        defaults.save()

    def add_user(self) -> None:
        """The user whom the connector logs in as: an accountant, no administrator."""
        wanted = self.plan["user"]
        languages = self.model("ir.lang").find([("code", "=", self.plan["language"])])
        groups = self.model("res.group").find([("name", "in", wanted["groups"])])
        user = self.model("res.user")(name=wanted["name"], login=wanted["login"], language=languages[0])
        user.password = Path(wanted["password_file"]).read_text(encoding="utf-8").strip()
        user.groups.extend(groups)
        user.companies.append(self.model("company.company")(self.company.id))
        user.company = self.model("company.company")(self.company.id)
        user.save()


def main() -> None:
    """Set up what the plan on standard input asks for; nothing where it has been done."""
    plan: Plan = json.load(sys.stdin)
    create_database(plan)
    activate(plan)
    company = Company(plan)
    if not company.is_there():
        company.build()


if __name__ == "__main__":
    main()
