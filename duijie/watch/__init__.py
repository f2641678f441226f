"""The watchdog: reports what does not happen.

Everything else in Duijie speaks up when something goes wrong. This room looks for silence: volume that did not come,
readings and deliveries that lag, rows that nobody will touch again, components that stopped, authorisations and API
versions about to end, backups not made. What it finds are alerts in the journal, once each, and closed when it is over.
"""

from duijie.watch.finding import Finding
from duijie.watch.look import Around, look
from duijie.watch.standing import Looked

__all__ = ["Around", "Finding", "Looked", "look"]
