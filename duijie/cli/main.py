"""`duijie`: flows, connections, the journal, work items, mappings, the console and the demo, from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from duijie import __version__
from duijie.cli import (
    alerts,
    code,
    connection,
    drift,
    explain,
    fixtures,
    flow,
    ingress,
    invoice,
    invoice_billing,
    journal,
    journal_acts,
    journal_keep,
    journal_purge,
    record,
    replay,
    sandbox,
    scaffold,
    watch,
    work,
    worker,
)
from duijie.cli.output import told
from duijie.cli.preview import preview
from duijie.console.cli import app as console_app
from duijie.mapping.cli import app as mapping_app

app = typer.Typer(
    help="Duijie 对接: carries business documents between a 进销存 system and the systems around it.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(flow.app, name="flow", help="Flows: list them, run one, check their files.")
app.add_typer(connection.app, name="connection", help="Connections: list them, test one.")
app.add_typer(connection.connectors, name="connector", help="Connectors: what is installed and what each can do.")
connection.connectors.command("new")(scaffold.new)
connection.connectors.command("record")(fixtures.record)
connection.connectors.command("drift")(drift.drift)
app.add_typer(sandbox.app, name="sandbox", help="Sandboxes 沙箱: vendors' servers to try things out with.")
journal.app.command("retry")(journal_acts.retry)
journal.app.command("cancel")(journal_acts.cancel)
journal.app.command("purge")(journal_purge.purge)
journal.app.command("backup")(journal_keep.backup)
journal.app.command("verify")(journal_keep.verify)
journal.app.command("restore")(journal_keep.restore)
app.add_typer(journal.app, name="journal", help="The journal: what is where, and why.")
app.add_typer(ingress.app, name="ingress", help="Webhooks: receive pushes, see how they do.")
app.add_typer(alerts.app, name="alerts", help="Alerts 告警: channels, test messages, claims, mutes.")
app.add_typer(work.app, name="work", help="Work items 待处理: what waits for a person.")
invoice.app.command("reconcile")(invoice_billing.reconcile)
app.add_typer(invoice.app, name="invoice", help="Invoices 开票: halts, approvals, asking again, deadlines.")
app.add_typer(code.app, name="code", help="Code tables 对照: which code stands for which.")
mapping_app.command("preview")(preview)
mapping_app.command("record")(record.record)
app.add_typer(mapping_app, name="mapping", help="Mappings: lint, test, show, explain, preview, record.")
app.add_typer(console_app, name="console", help="The web console.")
app.command("replay")(replay.replay)
app.command("watch")(watch.watch)
app.command("explain")(explain.explain)
app.command("worker")(worker.worker)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"duijie {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Duijie 对接."""


@app.command()
@told
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="End after the report instead of leaving the console up.")
    ] = False,
    home: Annotated[Path, typer.Option(help="Where the demo keeps everything.")] = Path("var/demo"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget earlier runs first.")] = False,
) -> None:
    """Run one business day through every system, under a real Airflow, with faults on purpose."""
    from duijie.demo.day import run_demo  # noqa: PLC0415  starts servers; the other commands stay quick

    raise typer.Exit(run_demo(home.resolve(), once=once, fresh=fresh))


if __name__ == "__main__":
    app()
