"""The Singer pair: a tap on the SDK piped into MeltanoLabs' target-postgres, as Meltano would run them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


def main(url: str, database: str, number: int) -> float:
    """Seconds from the start of both to the end of both."""
    place = urlsplit(database)
    target = {
        "host": place.hostname,
        "port": place.port,
        "user": place.username,
        "password": place.password or "none",
        "database": place.path[1:],
        "load_method": "upsert",
        "add_record_metadata": False,
        "activate_version": False,
    }
    with tempfile.TemporaryDirectory() as folder:
        tap_file, target_file = Path(folder) / "tap.json", Path(folder) / "target.json"
        tap_file.write_text(json.dumps({"url": url, "number": number}))
        target_file.write_text(json.dumps(target))
        began = time.perf_counter()
        tap = subprocess.Popen(
            [sys.executable, str(HERE / "singer_tap.py"), "--config", str(tap_file)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        command = [str(BIN / "target-postgres"), "--config", str(target_file)]
        done = subprocess.run(command, stdin=tap.stdout, capture_output=True, text=True, check=False)
        if done.returncode or tap.wait():
            raise RuntimeError(done.stderr[-2000:])
        return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps({"seconds": main(sys.argv[1], sys.argv[2], int(sys.argv[3]))}))
