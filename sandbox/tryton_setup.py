"""Makes a Tryton database a usable Chinese ledger: modules, company, 2026 with its periods, chart, journal, API user.

Run by Tryton's own interpreter, never imported by Duijie: `python tryton_setup.py < plan.json`. The plan (see
`sandbox.tryton_plan`) names files, never secrets; with `trade` the company also buys, keeps and sells goods. Everything
is created through proteus, the client library of the Tryton project, in the server's own process, so that every check
of a real client applies. Runs on series 8.2 and 6.0.
Source: Tryton documentation, trytond-admin and proteus.
"""

from __future__ import annotations

import contextlib
import importlib
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
    driver = importlib.import_module("psycopg2" if plan["series"] == "6.0" else "psycopg")
    sql = importlib.import_module(f"{driver.__name__}.sql")
    connection = driver.connect(urlunsplit(urlsplit(plan["postgres"])._replace(path="/postgres")))
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [plan["database"]])
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(plan["database"])))


def activate(plan: Plan) -> None:
    """Create the schema and activate the modules in one run of trytond-admin."""
    from trytond import commandline  # type: ignore[import-not-found]  # noqa: PLC0415

    config = importlib.import_module("trytond.config")
    config = getattr(config, "config", config)  # the module itself since 7.6
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
        accounts = self.add_chart()
        self.add_journal()
        if self.plan["trade"]:
            Trade(self, self.plan["trade"], accounts).build()
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
        setattr(fiscal_year, self.numbered_by, self.sequence(str(year), f"{year}-"))
        if self.plan["trade"]:
            invoices = self.sequence(f"发票 {year}", f"发票-{year}-", "Invoice")
            for field in ("in_invoice", "in_credit_note", "out_invoice", "out_credit_note"):
                setattr(fiscal_year.invoice_sequences[0], f"{field}_sequence", invoices)
        fiscal_year.save()
        period = self.model("account.period")
        for month in range(1, 13):
            first = date(year, month, 1)
            last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
            name = f"{year}-{month:02}"
            sequence = self.sequence(name, f"{self.plan['journal']['code']}-{year}{month:02}-")
            period(
                name=name, fiscalyear=fiscal_year, type="standard", start_date=first, end_date=last,
                **{self.numbered_by: sequence},
            ).save()  # fmt: skip

    @property
    def numbered_by(self) -> str:
        """The field of a fiscal year and a period that holds the sequence of their moves."""
        return "post_move_sequence" if self.plan["series"] == "6.0" else "move_sequence"

    def add_journal(self) -> None:
        """The journal of vouchers; 6.0 numbers drafts by a sequence of it."""
        wanted = self.plan["journal"]
        journal = self.model("account.journal")(name=wanted["name"], code=wanted["code"], type="general")
        if self.plan["series"] == "6.0":
            journal.sequence = self.sequence(wanted["name"], "草-", "Account Journal")
        journal.save()

    def sequence(self, name: str, prefix: str, kind: str = "Account Move") -> Any:
        """A strict sequence: no number is ever left out. 6.0 takes ordinary ones, but for invoices."""
        is_strict = self.plan["series"] != "6.0" or kind == "Invoice"
        kinds = self.model("ir.sequence.type").find([("name", "=", kind)], limit=1)
        sequence = self.model("ir.sequence.strict" if is_strict else "ir.sequence")(
            name=name, sequence_type=kinds[0], company=self.company, prefix=prefix, padding=4
        )
        sequence.save()
        return sequence

    def add_chart(self) -> dict[str, Any]:
        """Account types and accounts in the order of the plan: parents come first. The accounts by their codes."""
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
        return accounts

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
        if self.plan["trade"]:
            (employee,) = self.model("company.employee").find([])
            user.employees.append(employee)
            user.employee = self.model("company.employee")(employee.id)
        user.save()


class Trade:
    """What a company that buys, keeps and sells goods needs on top: taxes, a category, terms, warehouses, a seller."""

    def __init__(self, company: Company, wanted: Plan, accounts: dict[str, Any]) -> None:
        self.model = company.model
        self.company = company.company
        self.wanted = wanted
        self.accounts = accounts

    def build(self) -> None:
        """Everything, in order."""
        self.add_category({row["kind"]: self.tax(row) for row in self.wanted["taxes"]})
        term = self.model("account.invoice.payment_term")(name=self.wanted["payment_term"])
        term.lines.new(type="remainder")
        term.save()
        self.add_warehouses()
        (one,) = self.model("product.uom").find([("symbol", "=", "u")])
        self.model("product.uom")(
            name=self.wanted["unit"], symbol=self.wanted["unit"], category=one.category, factor=1.0, rate=1.0,
            rounding=1.0, digits=0,
        ).save()  # fmt: skip
        party = self.model("party.party")(name=self.wanted["employee"])
        party.save()
        self.model("company.employee")(party=party, company=self.company).save()

    def tax(self, row: Plan) -> Any:
        """A percentage of the net amount, on an account of its own."""
        group = self.model("account.tax.group")(name=row["name"], code=row["kind"], kind=row["kind"])
        group.save()
        account = self.accounts[row["account"]]
        tax = self.model("account.tax")(
            name=row["name"], description=row["name"], group=group, type="percentage", rate=Decimal(row["rate"]),
            company=self.company, invoice_account=account, credit_note_account=account,
        )  # fmt: skip
        tax.save()
        return tax

    def add_category(self, taxes: dict[str, Any]) -> None:
        """The one accounting category, and its accounts as those of whatever has no category."""
        row = self.wanted["category"]
        category = self.model("product.category")(name=row["name"], accounting=True)
        category.account_revenue = self.accounts[row["revenue"]]
        category.account_expense = self.accounts[row["expense"]]
        category.customer_taxes.append(taxes["sale"])
        category.supplier_taxes.append(taxes["purchase"])
        category.save()
        defaults = self.model("account.configuration")(1)
        defaults.default_category_account_revenue = self.accounts[row["revenue"]]
        defaults.default_category_account_expense = self.accounts[row["expense"]]
        defaults.save()

    def add_warehouses(self) -> None:
        """The one that the module brings, and more of the same build."""
        location = self.model("stock.location")
        (lost,) = location.find([("type", "=", "lost_found")])
        for row in self.wanted["warehouses"]:
            found = location.find([("type", "=", "warehouse"), ("code", "=", row["code"])])
            warehouse = found[0] if found else location(type="warehouse", code=row["code"])
            warehouse.name = row["name"]
            for part in () if found else ("input", "output", "storage"):
                place = location(name=f"{row['name']} {part}", code=f"{row['code']}-{part}", type="storage")
                place.save()
                setattr(warehouse, f"{part}_location", place)
            warehouse.lost_found_location = lost
            warehouse.save()


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
