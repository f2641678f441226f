"""Promises of a hook: it takes what its vendor signed, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from duijie.connect.errors import DuijieError, Forged
from duijie.connect.hooks import Call, Hook
from duijie.contract.expect import must
from duijie.contract.site import Broken, HookCase, Inapplicable, Site

NOW = datetime(2026, 11, 11, 4, 0, tzinfo=UTC)


def a_genuine_push_is_taken(site: Site) -> None:
    """A push that the vendor signed names a record of a stream that the hook declares."""
    hook, case = _of(site)
    items = hook.verify(case.push(NOW, None)).items
    if not items:
        raise Broken("a genuine push said nothing")
    strange = [item.stream for item in items if item.stream not in hook.streams or not item.key]
    must(not strange, f"pushes of no declared stream, or without a key: {strange}")


def a_forged_push_is_refused(site: Site) -> None:
    """A signature that is wrong, a body that was changed, and no signature at all: refused as forged."""
    hook, case = _of(site)
    genuine = case.push(NOW, None)
    _must_refuse(hook, case.forge(genuine), "a wrong signature")
    if case.hint:
        believed = [item.key for item in hook.verify(genuine).items if item.record is not None]
        must(not believed, f"records of an unsigned body are believed: {believed}")
        _must_refuse(hook, replace(genuine, headers={}, query={}), "no signature")
        return
    changed = genuine.body.replace(b"1", b"2") if b"1" in genuine.body else genuine.body + b" "
    _must_refuse(hook, replace(genuine, body=changed), "a changed body")
    _must_refuse(hook, replace(genuine, headers={}, query={}), "no signature")


def a_repeated_push_is_known_again(site: Site) -> None:
    """The same push twice says the same twice: by its nonce or by its items, so that it is kept once."""
    hook, case = _of(site)
    call = case.push(NOW, None)
    first, second = hook.verify(call), hook.verify(call)
    must(first == second, "a repeated push looks like another")


def nonsense_in_a_push_raises_nothing_else(site: Site) -> None:
    """Bytes that are no message, signed as they are, raise an error of the tree and nothing else."""
    hook, case = _of(site)
    for body in (b"{", b"\xff\xfe", b"null", b"[" * 2000, b'{"a":' + b"1" * 400 + b"}"):
        try:
            taken = hook.verify(case.push(NOW, body)).items
        except DuijieError:
            continue
        must(not taken, f"taken for a record: {body[:20]!r}")


def _of(site: Site) -> tuple[Hook, HookCase]:
    if site.hook is None:
        raise Inapplicable("pushes nothing")
    if site.plugin.hook is None:
        raise Broken("the plugin has no hook")
    return site.plugin.hook(site.connection()), site.hook


def _must_refuse(hook: Hook, call: Call, what: str) -> None:
    try:
        hook.verify(call)
    except Forged:
        return
    raise Broken(f"{what} was accepted")
