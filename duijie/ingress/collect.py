"""Mailboxes: pushes that a system keeps until they are fetched. Kept first, confirmed then, so that none is lost."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from duijie.connect.connection import Connection, list_connections
from duijie.connect.errors import DuijieError, JournalBusy
from duijie.connect.hooks import Mailbox, Mailed
from duijie.connect.registry import open_connection
from duijie.connect.services import Services
from duijie.ingress.durable import in_turn, open_durable
from duijie.journal import Journal, pushes, work
from duijie.sharing import shared

log = logging.getLogger(__name__)
EVERY_SECONDS = 5.0
AFTER_TROUBLE = 60.0
PATIENCE = 4.0
NEXT_STEP = "请检查该连接的授权与消息服务的订阅; 期间的变更由拉取补上, 恢复后自动继续"


def collect(journal: Journal, connection: str, mailbox: Mailbox) -> Counter[str]:
    """Everything that waits in a mailbox. Raises errors of the tree; what was not confirmed then comes again.

    Ends as well where a system hands out again what was confirmed just now.
    """
    counts: Counter[str] = Counter()
    confirmed: set[str] = set()
    for mail in mailbox.collect():
        if confirmed.issuperset(mail.ids):
            break
        now = journal.now()
        batch = [pushes.arrived(connection, one, mailbox.remember, now) for one in mail.pushes]
        fresh = in_turn(lambda batch=batch: pushes.keep(journal, batch), PATIENCE)  # type: ignore[misc]
        mailbox.confirm(mail)
        confirmed.update(mail.ids)
        counts += Counter(collected=len(mail.ids), new=sum(fresh))
    return counts


class Collector:
    """Looks into the mailbox of every connection that has one, again and again."""

    def __init__(
        self,
        journal: Callable[[], Journal] = open_durable,
        connections: Callable[[], Sequence[Connection]] = list_connections,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._open_journal = journal
        self._connections = connections
        self._every = every
        self._stopping = threading.Event()

    def start(self) -> None:
        """One thread for each mailbox there is now; they end with the process or with stop()."""
        journal = self._open_journal()
        services = shared(journal)
        for connection in self._connections():
            if mailbox := mailbox_of(connection, services):
                arguments = (journal, connection.conn_id, mailbox)
                threading.Thread(target=self._run, args=arguments, name="duijie-mailbox", daemon=True).start()

    def stop(self) -> None:
        """End after what is under way."""
        self._stopping.set()

    def _run(self, journal: Journal, connection: str, mailbox: Mailbox) -> None:
        while not self._stopping.wait(self._every if look(journal, connection, mailbox) else AFTER_TROUBLE):
            log.debug("looking into the mailbox of %s again", connection)


def look(journal: Journal, connection: str, mailbox: Mailbox) -> bool:
    """Collect once; whether that went well. Trouble is one alert, which closes when it is over.

    A journal that others write to is no trouble of the mailbox: what waits there is collected the next time.
    """
    try:
        return _looked(journal, connection, mailbox)
    except JournalBusy as error:
        log.warning("the mailbox of %s is looked into again: %s", connection, error)
        return True


def _looked(journal: Journal, connection: str, mailbox: Mailbox) -> bool:
    dedupe = f"mailbox|{connection}"
    try:
        collect(journal, connection, mailbox)
    except JournalBusy:
        raise
    except DuijieError as error:
        log.error("the mailbox of %s cannot be emptied: %s", connection, error)
        title = f"连接 {connection} 的消息取不到: {error.zh}"
        with journal.writing() as tx:
            work.raise_alert(tx, journal, dedupe, "重要", title, NEXT_STEP)
        return False
    with journal.writing() as tx:
        work.recovered(tx, journal, dedupe)
    return True


def mailbox_of(connection: Connection, services: Services) -> Mailbox | None:
    """The mailbox of a connection; None where its system has none, or the connection cannot be opened."""
    try:
        connector = open_connection(connection, services)
    except DuijieError as error:
        log.error("connection %s cannot be opened: %s", connection.conn_id, error)
        return None
    return connector.mailbox if isinstance(connector, Mailed) else None
