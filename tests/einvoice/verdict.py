"""What the bureau holds in the end, held against what was ordered and what the journal says: the whole of the proof."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Engine, select

from duijie import codec
from duijie.journal.tables import document
from tests.faults import judge

ZERO = Decimal("0.00")


@dataclass
class Verdict:
    """`requests` were to be issued once each. `broken`: everything that is wrong, in words."""

    requests: int = 0
    issued_exactly_once: int = 0
    doubled: int = 0
    lost: int = 0
    red_over_blue: int = 0
    broken: list[str] = field(default_factory=list)

    def __add__(self, other: Verdict) -> Verdict:
        mine, theirs = asdict(self), asdict(other)
        return Verdict(**{name: mine[name] + theirs[name] for name in mine})

    @property
    def is_kept(self) -> bool:
        """Whether every promise was."""
        return not (self.doubled or self.lost or self.red_over_blue or self.broken)


def verdict(engine: Engine, bureau: Any, wanted: Sequence[str], strangers: Sequence[str] = ()) -> Verdict:
    """Of requests for these orders (by their keys); `strangers`: marks of what others had issued."""
    issued: dict[str, list[Any]] = defaultdict(list)
    for row in bureau.blues():
        if bureau.status(row) == "issued":
            issued[str(row["extra"]["order"].get("bField1"))].append(row)
    counts = Counter({key: len(issued.get(key, ())) for key in wanted})
    found = Verdict(len(wanted), *(sum(n == 1 for n in counts.values()), sum(n > 1 for n in counts.values())))
    found.lost = sum(n == 0 for n in counts.values())
    found.broken += [f"order {key} has {n} invoices" for key, n in counts.items() if n > 1]
    over = list(_over(bureau))
    found.red_over_blue = len(over)
    known = {*wanted, *strangers}
    found.broken += [*over, *_credit(bureau), *_unlike(engine, bureau), *judge.broken_history(engine)]
    found.broken += [f"{key} was never ordered" for key in issued if key not in known]
    return found


def _over(bureau: Any) -> Iterator[str]:
    """Lines of which more was taken back than they are."""
    taken: dict[tuple[str, int], Decimal] = defaultdict(lambda: ZERO)
    for form in bureau.forms():
        for line in form["lines"] if form["red_number"] else ():
            taken[form["blue_number"], int(line["blue_line"])] += Decimal(line["net"])
    for (number, place), net in taken.items():
        blue = bureau.by_number(number)["lines"][place - 1]
        if -net > Decimal(blue["net"]):
            yield f"reds of {number} line {place} come to {net}, the line to {blue['net']}"


def _credit(bureau: Any) -> Iterator[str]:
    """Whether the line is what was issued, less what was reversed."""
    _, used = bureau.credit()
    blues = sum((Decimal(row["net"]) for row in bureau.blues() if bureau.status(row) == "issued"), ZERO)
    reds = sum((Decimal(row["net"]) for row in bureau.forms() if row["red_number"]), ZERO)
    if used != blues + reds:
        yield f"the credit line says {used} is used, issued are {blues} and {reds}"


def _unlike(engine: Engine, bureau: Any) -> Iterator[str]:
    """Where the journal says something else than the bureau, of blues and of reds."""
    mine = {(body["colour"], body["request_no"]): body for body in _invoices(engine)}
    there = {("blue", row["serial"]): (bureau.status(row), row["number"], row["net"]) for row in bureau.blues()}
    there |= {("red", row["application_no"]): ("issued", row["red_number"], row["net"]) for row in bureau.forms()}
    for place, body in mine.items():
        said = (body["status"], body.get("number", ""), f"{body['net']:.2f}")
        if there.get(place) != said:
            yield f"the journal says {said} of {place}, the bureau {there.get(place)}"


def _invoices(engine: Engine) -> list[Any]:
    query = select(document.c.body).where(document.c.entity == "invoice", document.c.current)
    with engine.connect() as tx:
        return [codec.decode(body) for body in tx.execute(query).scalars()]
