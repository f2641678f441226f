"""A customer's changes laid over a shipped mapping: rule by rule, so that the shipped file can be upgraded under them.

Entries keep the place they were written at, in whichever file, so that errors, lint and explain name it. Every rule
that is replaced or removed is written down as a `Change` under its path: `buyer.name`, `lines[].sku`, `tax_no when`,
`lines[] let rate`, `let gross`, `table status.PAID`, `skip`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from duijie import codec
from duijie.mapping.document import Block, Entry, Item, Scalar, plain
from duijie.mapping.findings import Findings, Spot
from duijie.mapping.forms import CONTROL, KEYS

_OWN = ("mapping", "description", "version", "from", "to", "tests")
_NOT_INHERITED = ("mapping", "description", "tests", "extends", "based_on")
_BODIES = ("fields", "value", "flat")
_SHOWN = 160
UNRECORDED, CHANGED, VANISHED, STALE = "DJ701", "DJ702", "DJ703", "DJ704"

Join = Callable[[Entry, Entry, str], Entry]
Place = Callable[[str], str]


@dataclass(frozen=True)
class Change:
    """One thing an override does. `was` is the shipped entry it replaces or removes, None where it adds one."""

    path: str
    spot: Spot
    was: Entry | None = None

    @property
    def rule(self) -> str:
        """The shipped rule as text."""
        return rule_text(self.was.item) if self.was else ""

    def covers(self, path: str) -> bool:
        """Whether a path is this one or lies inside it."""
        return path == self.path or path.startswith((f"{self.path}.", f"{self.path}[", f"{self.path} "))


def rule_text(item: Item) -> str:
    """A rule on one line: an expression as written, anything else as JSON."""
    value = plain(item)
    return " ".join((value if isinstance(value, str) else codec.encode_ordered(value).decode()).split())


class Merger:
    """Merges one file into what it extends. `changes` holds what was changed, findings what could not be."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.changes: list[Change] = []

    def root(self, base: Block, over: Block) -> Block:
        """A whole mapping. Tests, name and description are the file's own."""
        merged = {entry.key: entry for entry in over.entries if entry.key == "mapping"}
        merged |= {entry.key: entry for entry in base.entries if entry.key not in _NOT_INHERITED}
        for entry in over.entries:
            if entry.key in ("extends", "based_on"):
                continue
            old = merged.get(entry.key)
            if old is None or entry.key in _OWN:
                merged[entry.key] = entry
            elif entry.key == "skip" and _removes(entry.item):
                self._note("skip", entry.spot, merged.pop("skip"))
            else:
                merged[entry.key] = self._section(old, entry)
        return Block(over.spot, tuple(merged.values()))

    def _section(self, old: Entry, new: Entry) -> Entry:
        name = new.key
        if name == "tables":
            return self._within(old, new, _under("table "), self._table)
        if name == "let":
            return self._within(old, new, _under("let "), self._replaced)
        if name in ("fields", "emit"):
            return self._within(old, new, _under(""), self._form)
        return self._replaced(old, new, name) if name == "skip" else new

    def _table(self, old: Entry, new: Entry, path: str) -> Entry:
        return self._within(old, new, _under(f"{path}."), self._replaced)

    def _within(self, old: Entry, new: Entry, place: Place, join: Join) -> Entry:
        """An object whose entries are merged one by one; what is no object replaces as a whole."""
        if isinstance(old.item, Block) and isinstance(new.item, Block):
            return replace(old, item=self._entries(old.item, new.item, place, join))
        return new

    def _entries(self, base: Block, over: Block, place: Place, join: Join) -> Block:
        """Replaced ones stay where they were; new ones come before the next replaced one, or at the end."""
        merged, waiting = list(base.entries), list[Entry]()
        for entry in over.entries:
            path = place(entry.key)
            old = next((each for each in merged if each.key == entry.key), None)
            if _removes(entry.item):
                self._remove(entry, old, path, merged)
            elif old is None:
                waiting.append(self._added(entry, path))
            else:
                at = merged.index(old)
                merged[at : at + 1] = [*waiting, join(old, entry, path)]
                waiting = []
        return Block(base.spot, (*merged, *waiting))

    def _remove(self, entry: Entry, old: Entry | None, path: str, merged: list[Entry]) -> None:
        if old is None:
            self._nothing(entry, [each.key for each in merged])
            return
        self._note(path, entry.spot, old)
        merged.remove(old)

    def _nothing(self, entry: Entry, known: Sequence[str]) -> None:
        self.findings.unknown(entry.spot, ("名称, 无从移除", "name, nothing to remove:"), entry.key, known)

    def _added(self, entry: Entry, path: str) -> Entry:
        for inner in _inside(entry.item):
            if _removes(inner.item):
                self._nothing(inner, ())
        self.changes.append(Change(path, entry.spot))
        return entry

    def _replaced(self, old: Entry, new: Entry, path: str) -> Entry:
        self._note(path, new.spot, old)
        return _whole(new)

    def _note(self, path: str, spot: Spot, was: Entry) -> None:
        self.changes.append(Change(path, spot, was))

    def _form(self, old: Entry, new: Entry, path: str) -> Entry:
        """A target field: objects merge field by field, control forms key by key, the rest is replaced."""
        base, over = old.item, new.item
        if isinstance(over, Block) and over.get("replace") is None:
            if isinstance(base, Block):
                merge = self._object if _kind(base) is None else self._guided
                return merge(old, new, path)
            if isinstance(base, Scalar) and over.entries and set(over.keys()) <= set(KEYS["value"]):
                return self._control(_wrapped(old, "value"), new, path, "value")
        return self._replaced(old, new, path)

    def _guided(self, old: Entry, new: Entry, path: str) -> Entry:
        """Over an object with control keys."""
        base, over = old.item, new.item
        assert isinstance(base, Block) and isinstance(over, Block)  # noqa: S101  the caller looked
        kind = _kind(base) or "fields"
        if set(over.keys()) <= set(KEYS[kind]):
            return self._control(old, new, path, kind)
        if kind == "fields" and _kind(over) is None:
            return self._control(old, _wrapped(new, "fields"), path, kind)
        if kind == "each" and _kind(over) is None:
            self._lost(new, path)
        return self._replaced(old, new, path)

    def _lost(self, new: Entry, path: str) -> None:
        self.findings.error(
            new.spot,
            f"{path} 是列表 (each); 其中的字段须写在 fields 下: {{fields: {{…}}}}",
            f"{path} is a list (each); its fields are written below fields: {{fields: {{…}}}}",
        )

    def _object(self, old: Entry, new: Entry, path: str) -> Entry:
        """Over an object without control keys."""
        assert isinstance(new.item, Block)  # noqa: S101  the caller looked
        kind = _kind(new.item)
        if kind is None:
            return self._within(old, new, _under(f"{path}."), self._form)
        if kind == "fields" or set(new.item.keys()) <= set(KEYS["fields"]):
            return self._control(_wrapped(old, "fields"), new, path, "fields")
        return self._replaced(old, new, path)

    def _control(self, old: Entry, new: Entry, path: str, kind: str) -> Entry:
        base, over = old.item, new.item
        assert isinstance(base, Block) and isinstance(over, Block)  # noqa: S101  the callers looked
        lead = f"{path}[]" if kind == "each" else path
        base = self._one_body(base, over, lead, new.spot)
        parts: dict[str, Join] = {
            "fields": lambda was, now, _: self._within(was, now, _under(f"{lead}."), self._form),
            "let": lambda was, now, _: self._within(was, now, _under(f"{lead} let "), self._replaced),
            "settle": lambda was, now, _: self._within(was, now, _under(f"{lead} settle "), self._replaced),
            "flat": lambda was, now, _: self._form(was, now, lead),
            "value": lambda was, now, _: self._form(was, now, lead),
            "else": lambda was, now, _: self._form(was, now, f"{lead} else"),
        }

        def joined(was: Entry, now: Entry, place: str) -> Entry:
            return parts.get(now.key, self._replaced)(was, now, place)

        merged = self._entries(base, over, _under(f"{lead} "), joined)
        return replace(new if over.get("value") is not None else old, item=merged)

    def _one_body(self, base: Block, over: Block, lead: str, spot: Spot) -> Block:
        """Without its body where the override gives the list one of another kind."""
        given = [key for key in _BODIES if over.get(key) is not None]
        gone = [entry for entry in base.entries if entry.key in _BODIES and given and entry.key not in given]
        for entry in gone:
            self._note(lead, spot, entry)
        return Block(base.spot, tuple(entry for entry in base.entries if entry not in gone))


def _under(lead: str) -> Place:
    return lambda key: lead + key


def _kind(block: Block) -> str | None:
    """Which control form an object is; None for a plain one."""
    if not any(block.get(key) is not None for key in CONTROL):
        return None
    return next((kind for kind in ("each", "value", "fields") if block.get(kind) is not None), "fields")


def _wrapped(entry: Entry, key: str) -> Entry:
    """`x` as `{key: x}`."""
    return replace(entry, item=Block(entry.item.spot, (Entry(entry.spot, key, key, entry.item),)))


def _whole(entry: Entry) -> Entry:
    """Without the mark that says to take it whole."""
    if not isinstance(entry.item, Block):
        return entry
    kept = tuple(each for each in entry.item.entries if each.key != "replace")
    return replace(entry, item=Block(entry.item.spot, kept))


def _removes(item: Item) -> bool:
    return isinstance(item, Block) and item.keys() == ["remove"] and plain(item.entries[0].item) is True


def _inside(item: Item) -> Iterator[Entry]:
    for entry in item.entries if isinstance(item, Block) else ():
        yield entry
        yield from _inside(entry.item)


def compare(over: Block, changes: Sequence[Change], findings: Findings) -> None:
    """Hold what a file overrides against the shipped rules it was written for (`based_on`)."""
    item = over.get("based_on")
    recorded = {entry.key: entry for entry in item.entries} if isinstance(item, Block) else {}
    overridden = {change.path: change for change in changes if change.was is not None}
    for path, change in overridden.items():
        if path not in recorded:
            _unrecorded(change, findings)
        elif rule_text(recorded[path].item) != change.rule:
            _changed(change, rule_text(recorded[path].item), findings)
    for path, entry in recorded.items():
        if path not in overridden:
            added = next((change for change in changes if change.was is None and change.covers(path)), None)
            _gone(path, entry, added, findings)


def _unrecorded(change: Change, findings: Findings) -> None:
    findings.warning(
        change.spot,
        f"未记录 {change.path} 所覆盖的出厂规则: {_cut(change.rule)}; 请核对后运行 duijie mapping adopt",
        f"the shipped rule that {change.path} overrides is not recorded: {_cut(change.rule)}; "
        "check it, then run `duijie mapping adopt`",
        UNRECORDED,
    )


def _changed(change: Change, before: str, findings: Findings) -> None:
    at = change.was.spot if change.was else change.spot
    findings.warning(
        change.spot,
        f"升级改变了 {change.path} 所覆盖的出厂规则 ({at}): {_cut(before)} → {_cut(change.rule)}; "
        "请核对后运行 duijie mapping adopt",
        f"an upgrade changed the shipped rule that {change.path} overrides ({at}): {_cut(before)} → "
        f"{_cut(change.rule)}; check it, then run `duijie mapping adopt`",
        CHANGED,
    )


def _gone(path: str, entry: Entry, added: Change | None, findings: Findings) -> None:
    before = _cut(rule_text(entry.item))
    if added is None:
        findings.warning(
            entry.spot,
            f"本文件已不再覆盖 {path}; 请运行 duijie mapping adopt",
            f"nothing in this file overrides {path} any more; run `duijie mapping adopt`",
            STALE,
        )
        return
    findings.error(
        added.spot,
        f"所覆盖的出厂规则 {path} 已不存在 (原为 {before}); 请删除此处, 或确认要新增后运行 duijie mapping adopt",
        f"the shipped rule {path} no longer exists (it was {before}); delete this, or run `duijie mapping adopt` "
        "if it is meant as an addition",
        VANISHED,
    )


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
