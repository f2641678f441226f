"""`python -m sandbox --state DIR NAME=PORT…`: serve the named sandboxes on loopback until stopped."""

from __future__ import annotations

import argparse
from pathlib import Path

from sandbox.serve import serve

parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
parser.add_argument("--state", type=Path, required=True, help="folder for what the sandboxes hold")
parser.add_argument("sandbox", nargs="+", metavar="NAME=PORT")
arguments = parser.parse_args()
serve(arguments.state, {name: int(port) for name, _, port in (pair.partition("=") for pair in arguments.sandbox)})
