"""The ingress: where systems push to. One ASGI app, mounted in the console's server or served alone.

A request is checked by its connector's hook before anything of it is kept; what it says is in the journal, committed
and on disk, before the answer leaves. Nothing waits without bound: too much at once is answered with "come back later".
"""

from duijie.ingress.app import Ingress
from duijie.ingress.limits import Limits

__all__ = ["Ingress", "Limits"]
