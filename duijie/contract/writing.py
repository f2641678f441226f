"""Promises of a sink: one document each, whatever the line does, and never a wrong word about what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from duijie.codec import Record
from duijie.connect.protocol import Done, Later, Outcome, Refused, Reversing, Safety, Sink, Unknown, Updating
from duijie.contract.expect import is_chinese, must
from duijie.contract.site import Broken, Inapplicable, SinkCase, Site

RARE = "𠮷野家 囍 ＡＢＣ（全角）😀 é"
LARGEST, SMALLEST = Decimal("99999999.99"), Decimal("0.01")


def what_was_written_is_found(site: Site) -> None:
    """`write` says done, `find` brings it back under our key with the figures of the payload, the target holds one."""
    for sink, case in site.pairs():
        payload = case.payload(1)
        _must_be(Done, _one(sink, payload), sink)
        _must_be_there(site, sink, case, payload)


def what_is_not_there_is_not_found(site: Site) -> None:
    """A key that the target never saw is absent from the answer."""
    for sink, case in site.pairs():
        if sink.safety is Safety.ABSOLUTE:
            continue
        key = sink.key_of(case.payload(2))
        must(key not in sink.find([key]), f"{sink.name}: found {key!r}, which was never written")


def a_lost_answer_is_unknown_and_found(site: Site) -> None:
    """Committed and not answered: the outcome is unknown, `find` finds it with equal figures, there is one."""
    for sink, case in site.pairs():
        payload = case.payload(1)
        site.order(_of_writes("lose_answer"))
        outcome = _one(sink, payload)
        must(site.fired() == 1, f"{sink.name}: no call counted as a write")
        must(isinstance(outcome, Unknown | Done), f"{sink.name}: {outcome} for a write that may be there")
        site.order()
        _must_be_there(site, sink, case, payload)


def nonsense_in_answer_to_a_write_is_unknown(site: Site) -> None:
    """Committed and answered by a page of HTML: as unknown as no answer."""
    for sink, case in site.pairs():
        payload = case.payload(1)
        site.order(_of_writes("malformed"))
        outcome = _one(sink, payload)
        must(isinstance(outcome, Unknown | Done), f"{sink.name}: {outcome} for a write that may be there")
        site.order()
        _must_be_there(site, sink, case, payload)


def twice_is_once(site: Site) -> None:
    """A payload written again: a natural key is refused or looked up, a token or a figure changes nothing."""
    for sink, case in site.pairs():
        payload = case.payload(1)
        _one(sink, payload)
        again = _one(sink, payload)
        if sink.safety is Safety.LOOKUP:
            continue  # the target takes doubles: `find` before every re-send is what keeps it whole
        must(not isinstance(again, Later), f"{sink.name}: {again} for what is there already")
        _must_be_there(site, sink, case, payload)


def what_was_not_carried_out_may_be_sent_again(site: Site) -> None:
    """A server that is down did nothing or may have: never done, never refused; then it is written."""
    for sink, case in site.pairs():
        payload = case.payload(1)
        site.order({"kind": "status", "status": 503, "rate": 1, "writes": True})
        outcome = _one(sink, payload)
        must(isinstance(outcome, Later | Unknown), f"{sink.name}: {outcome} from a server that was down")
        site.order()
        _must_be(Done, _one(sink, payload), sink)
        _must_be_there(site, sink, case, payload)


def a_limit_on_writes_is_waited_for(site: Site) -> None:
    """ "Too often" on a write is waited for or put off; there is one document in the end."""
    for sink, case in site.pairs():
        payload = case.payload(1)
        site.order({**site.limited, "count": 1, "writes": True})
        outcome = _one(sink, payload)
        must(isinstance(outcome, Done | Later), f"{sink.name}: {outcome} for a limit")
        if isinstance(outcome, Later):
            site.order()
            _one(sink, payload)
        _must_be_there(site, sink, case, payload)


def one_bad_stops_no_good(site: Site) -> None:
    """Of three, the second is refused, in Chinese, and the others are written; the outcomes keep their order."""
    for sink, case in _given(site, lambda case: case.spoil):
        assert case.spoil is not None  # noqa: S101  chosen above
        bad = case.spoil(case.payload(2))
        payloads = [case.payload(1), bad, case.payload(3)]
        outcomes = [each for start in range(0, 3, max(sink.batch, 1)) for each in _part(sink, payloads, start)]
        kinds = [type(each) for each in outcomes]
        must(kinds == [Done, Refused, Done], f"{sink.name}: {[each.__name__ for each in kinds]}")
        refused = outcomes[1]
        said = refused.zh if isinstance(refused, Refused) else ""
        must(is_chinese(said) and len(said) > 8, f"{sink.name}: refused without a reason in Chinese: {said!r}")


def rare_characters_arrive_whole(site: Site) -> None:
    """Characters beyond the basic plane, full-width forms and emoji stand at the target as they were sent."""
    for sink, case in _given(site, lambda case: case.say):
        assert case.say is not None  # noqa: S101  chosen above
        _must_be(Done, _one(sink, case.say(case.payload(1), RARE)), sink)
        must(RARE in str(site.held(case)), f"{sink.name}: {RARE} did not arrive whole")


def amounts_keep_their_cents(site: Site) -> None:
    """The largest and the smallest amount come back to the cent."""
    for sink, case in _given(site, lambda case: case.cost):
        assert case.cost is not None  # noqa: S101  chosen above
        for number, amount in ((4, LARGEST), (5, SMALLEST)):
            payload = case.cost(case.payload(number), amount)
            _must_be(Done, _one(sink, payload), sink)
            _must_agree(sink, case, payload)
            figures = sink.find([sink.key_of(payload)])[sink.key_of(payload)].figures
            must(amount in figures.values(), f"{sink.name}: {amount} was sent, found are {dict(figures)}")


def reversed_twice_is_reversed_once(site: Site) -> None:
    """Taking back what is taken back already is done, and changes nothing."""
    for sink, case in site.pairs():
        if not isinstance(sink, Reversing):
            continue
        payload = case.payload(1)
        native = _done(_one(sink, payload), sink).native_id
        for _ in range(2):
            [outcome] = sink.reverse([payload], [native])
            _must_be(Done, outcome, sink)
    _must_have(site, Reversing, "takes nothing back")


def updated_twice_is_updated_once(site: Site) -> None:
    """Making a document what it is already is done, and there is one."""
    for sink, case in site.pairs():
        if not isinstance(sink, Updating):
            continue
        payload = case.payload(1)
        native = _done(_one(sink, payload), sink).native_id
        for _ in range(2):
            [outcome] = sink.update([payload], [native])
            _must_be(Done, outcome, sink)
        _must_be_there(site, sink, case, payload)
    _must_have(site, Updating, "updates nothing")


def _must_be_there(site: Site, sink: Sink, case: SinkCase, payload: Record) -> None:
    _must_agree(sink, case, payload)
    held = len(site.held(case))
    must(held == 1, f"{sink.name}: the target holds {held} of one document")


def _must_agree(sink: Sink, case: SinkCase, payload: Record) -> None:
    key = sink.key_of(payload)
    found = sink.find([key]).get(key)
    if found is None:
        raise Broken(f"{sink.name}: {key!r} was written and is not found")
    sent, there = dict(sink.figures_of(payload)), dict(found.figures)
    must(bool(sent) is not case.bare, f"{sink.name}: figures to compare: {sent}")
    must(sent == there, f"{sink.name}: {key!r} was sent with {sent} and is found with {there}")


def _given(site: Site, wanted: Callable[[SinkCase], Callable[..., Record] | None]) -> Iterator[tuple[Sink, SinkCase]]:
    """The sinks whose case can do it. Raises Inapplicable where none can."""
    if not any(wanted(case) for case in site.sinks.values()):
        raise Inapplicable("no sink takes such a payload")
    yield from (pair for pair in site.pairs() if wanted(pair[1]))


def _must_have(site: Site, protocol: type, otherwise: str) -> None:
    if not any(isinstance(sink, protocol) for sink in site.open().sinks.values()):
        raise Inapplicable(otherwise)


def _part(sink: Sink, payloads: Sequence[Record], start: int) -> Sequence[Outcome]:
    return sink.write(payloads[start : start + max(sink.batch, 1)])


def _one(sink: Sink, payload: Record) -> Outcome:
    outcomes = list(sink.write([payload]))
    must(len(outcomes) == 1, f"{sink.name}: {len(outcomes)} outcomes for one payload")
    return outcomes[0]


def _done(outcome: Outcome, sink: Sink) -> Done:
    if not isinstance(outcome, Done):
        raise Broken(f"{sink.name}: {outcome} instead of done")
    return outcome


def _must_be(kind: type[Outcome], outcome: Outcome, sink: Sink) -> None:
    must(isinstance(outcome, kind), f"{sink.name}: {outcome} instead of {kind.__name__}")


def _of_writes(kind: str) -> Record:
    return {"kind": kind, "count": 1, "writes": True}
