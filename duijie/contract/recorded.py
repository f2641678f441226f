"""Promises about what was recorded: a stream's records look like the fixtures of its connector."""

from __future__ import annotations

import inspect
from pathlib import Path

from duijie import fixtures
from duijie.contract.expect import must
from duijie.contract.site import Inapplicable, Site
from duijie.contract.streams import cases, read
from duijie.drift import changes, learned, seen, words


def records_look_as_recorded(site: Site) -> None:
    """No field and no type that the recorded records do not show: code and tests see what the vendor sends."""
    if not any(fixture_of(site, name).is_file() for name in site.streams):
        raise Inapplicable("nothing recorded")
    for _, stream, case in cases(site):
        kept = fixtures.read(fixture_of(site, stream.name))
        must(bool(kept), f"{stream.name}: nothing recorded beside what is")
        schema = learned(seen((str(at), record) for at, record in enumerate(kept)), site.name, stream.name)
        now = seen((str(record[stream.key]), record) for record in read(stream, case.window))
        told = [words(one) for one in changes(now, schema, seen([])) if one.kind != "missing"]
        must(not told, f"{stream.name}: not as recorded: {told[:5]}")


def fixture_of(site: Site, stream: str) -> Path:
    """Where the fixture of a stream lies: in the package of what opens the connection."""
    return Path(inspect.getfile(inspect.unwrap(site.plugin.open))).parent / "fixtures" / f"{stream}.json"
