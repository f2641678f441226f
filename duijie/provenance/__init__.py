"""Why a value is what it is: from a delivered field back through mapping, document and rule to the raw message."""

from duijie.provenance.explaining import Explainer
from duijie.provenance.model import Explained, Origin, Place, Source, Step, Why

__all__ = ["Explained", "Explainer", "Origin", "Place", "Source", "Step", "Why"]
