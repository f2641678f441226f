"""The tests inside a mapping file, held against its form, its source and what it makes. None of them is run."""

from __future__ import annotations

from collections.abc import Iterator

from duijie.mapping.checks.facts import Fact, element
from duijie.mapping.checks.report import Report
from duijie.mapping.document import Block, Item, Listing, plain
from duijie.mapping.forms import Each, Form, Items, Object, Parts

_KEYS = ("name", "given", "xref", "ref", "settings", "expect", "error")


def records(parts: Parts) -> list[object]:
    """What the tests give, those of the mappings it extends included."""
    tests = (test for root in (parts.root, *parts.shipped) for test in _tests(root))
    return [plain(given) for test in tests if (given := test.get("given")) is not None]


def _tests(root: Block) -> Iterator[Block]:
    tests = root.get("tests")
    if isinstance(tests, Listing):
        yield from (test for test in tests.items if isinstance(test, Block))


def check(parts: Parts, source: Fact, report: Report) -> None:
    """Tell what is wrong with the tests."""
    tests = parts.root.get("tests")
    if tests is None or (isinstance(tests, Listing) and not tests.items):
        report.tell(
            "DJ602", parts.root.spot, "文件没有测试; 请在 tests 下至少写一个", "there are no tests; write at least one"
        )
        return
    if not isinstance(tests, Listing):
        report.tell("DJ601", tests.spot, "tests 须是列表", "tests must be a list")
        return
    for test in tests.items:
        if not isinstance(test, Block):
            report.tell("DJ601", test.spot, "测试须是 键: 值", "a test is made of key: value pairs")
            continue
        _shape(test, report)
        _given(test.get("given"), source, report)
        _expected(test.get("expect"), (parts.fields,), report)


def _shape(test: Block, report: Report) -> None:
    for entry in test.entries:
        if entry.key not in _KEYS:
            report.unknown("DJ601", entry.spot, ("测试键", "key of a test"), entry.key, _KEYS)
    for key in ("given", "xref", "ref", "settings"):
        item = test.get(key)
        if item is not None and not isinstance(item, Block) and plain(item) is not None:
            report.tell("DJ601", item.spot, f"{key} 须是对象", f"{key} must be an object")
    if ("expect" in test.keys()) == ("error" in test.keys()):  # noqa: SIM118  a Block is no dict
        report.tell("DJ601", test.spot, "测试须有 expect 或 error 之一", "a test has either expect or error")


def _given(item: Item | None, fact: Fact, report: Report) -> None:
    """A record of a test has only fields that the source's schema has."""
    shapes = fact.shapes or ()
    if isinstance(item, Listing):
        for each in item.items:
            _given(each, element(fact), report)
    for entry in item.entries if isinstance(item, Block) and shapes else ():
        found = [below for shape in shapes if (below := shape.field(entry.key)) is not None]
        if found:
            _given(entry.item, found[0], report)
        elif all(shape.strict for shape in shapes):
            names = {name for shape in shapes for name in shape.names}
            report.unknown("DJ604", entry.spot, ("来源字段", "source field"), entry.key, names)


def _expected(item: Item | None, forms: tuple[Form, ...], report: Report) -> None:
    """What a test expects is among what the forms of this place write; a plain value may hold anything."""
    plainly = _alternatives(forms)
    if isinstance(item, Block) and plainly and all(isinstance(form, Object) for form in plainly):
        written = [named for form in plainly if isinstance(form, Object) for named in form.fields]
        for entry in item.entries:
            below = tuple(named.form for named in written if named.name == entry.key)
            if not below:
                names = {named.name for named in written}
                report.unknown("DJ603", entry.spot, ("目标字段", "target field"), entry.key, names)
            _expected(entry.item, below, report)
    elif isinstance(item, Listing) and all(isinstance(form, Each) for form in plainly):
        elements = tuple(form.element for form in plainly if isinstance(form, Each))
        for each in item.items:
            _expected(each, elements, report)
    elif isinstance(item, Listing) and all(isinstance(form, Items) for form in plainly):
        elements = tuple(each for form in plainly if isinstance(form, Items) for each in form.items)
        for each in item.items:
            _expected(each, elements, report)


def _alternatives(forms: tuple[Form, ...]) -> list[Form]:
    found: list[Form] = []
    for form in forms:
        at: Form | None = form
        while at is not None:
            found.append(at)
            at = at.orelse
    return found
