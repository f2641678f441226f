"""What an unmapped code probably stands for: pure comparison, no journal.

Scores say how sure a person may be, from 0 to 100: 100 the same code; 97 the same but for full width, case or blanks;
95 the same barcode; 92 but for separators; 88 but for leading zeros; 85 but for characters that look alike; up to 90
for a name, after its similarity. What is known from another connection only counts 15 less: systems number apart.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, utils

SAME, SPELT, BARCODE, BARE, ZEROS, ALIKE, NAME = 100, 97, 95, 92, 88, 85, 90
ELSEWHERE = 15
LIKENESS = 65.0
SHORTEST_NAME = 3
SHOWN = 3
COMMON, COMPARED = 1000, 100
LOOK_ALIKES = str.maketrans("oil|", "0111")


@dataclass(frozen=True)
class Known:
    """An unmapped code and what the record that holds it says about it ("" where it says nothing)."""

    code: str
    name: str = ""
    barcode: str = ""


@dataclass(frozen=True)
class Candidate:
    """A counterpart that exists: a master document, or one that another code stands for (`stands_for`).

    `origin` tells people where it is from; `is_elsewhere`: it belongs to another connection.
    """

    code: str
    name: str = ""
    barcode: str = ""
    stands_for: str = ""
    origin: str = ""
    is_elsewhere: bool = False


@dataclass(frozen=True)
class Suggestion:
    """A counterpart with its score and, in Chinese, why."""

    code: str
    name: str
    score: int
    reason: str


def spelt(code: str) -> str:
    """A code without what only typing adds: NFKC, lower case, no blanks or invisible characters."""
    plain = unicodedata.normalize("NFKC", code).casefold()
    return "".join(letter for letter in plain if not letter.isspace() and unicodedata.category(letter) != "Cf")


def bare(code: str) -> str:
    """Letters and digits only."""
    return "".join(letter for letter in spelt(code) if letter.isalnum())


def _without_zeros(code: str) -> str:
    return bare(code).lstrip("0")


def _looks(code: str) -> str:
    return bare(code).translate(LOOK_ALIKES)


STEPS: tuple[tuple[int, Callable[[str], str], str], ...] = (
    (SAME, str, "编码一致"),
    (SPELT, spelt, "仅全角、大小写或空格不同"),
    (BARE, bare, "仅分隔符不同"),
    (ZEROS, _without_zeros, "仅前导零不同"),
    (ALIKE, _looks, "仅 O/0、I/1 等形近字符不同"),
)


class Suggester:
    """Candidates of one kind, prepared once for any number of unmapped codes."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._all = list(candidates)
        self._by_step = [self._by(form) for _, form, _ in STEPS]
        self._by_barcode: defaultdict[str, list[Candidate]] = defaultdict(list)
        for one in self._all:
            if one.barcode:
                self._by_barcode[bare(one.barcode)].append(one)
        self._named = [one for one in self._all if one.name]
        self._names = [_name(one.name) for one in self._named]
        self._pairs: defaultdict[str, list[int]] = defaultdict(list)
        for position, name in enumerate(self._names):
            for pair in _pairs(name):
                self._pairs[pair].append(position)

    def _by(self, form: Callable[[str], str]) -> dict[str, list[Candidate]]:
        found: defaultdict[str, list[Candidate]] = defaultdict(list)
        for one in self._all:
            for code in {form(one.code), form(one.stands_for)} - {""}:
                found[code].append(one)
        return found

    def suggest(self, known: Known, limit: int = SHOWN) -> list[Suggestion]:
        """The best counterparts, one line each, the surest first."""
        best: dict[str, Suggestion] = {}
        for one in (*self._codes(known), *self._barcodes(known), *self._similar(known)):
            if one.code not in best or one.score > best[one.code].score:
                best[one.code] = one
        return sorted(best.values(), key=lambda one: (-one.score, one.code))[:limit]

    def _codes(self, known: Known) -> Iterator[Suggestion]:
        for (score, form, words), found in zip(STEPS, self._by_step, strict=True):
            asked = form(known.code)
            for one in found.get(asked, ()):
                is_it = form(one.code) == asked
                told = words if is_it else f"{one.origin} {one.stands_for} 已对应它, {words}"
                yield _scored(one, score, told)

    def _barcodes(self, known: Known) -> Iterator[Suggestion]:
        for barcode in {bare(known.barcode), bare(known.code)} - {""}:
            for one in self._by_barcode.get(barcode, ()):
                yield _scored(one, BARCODE, f"条码一致 {one.barcode}")

    def _similar(self, known: Known) -> Iterator[Suggestion]:
        asked = _name(known.name)
        if len(asked) < SHORTEST_NAME:
            return
        for position in self._near(asked):
            likeness = _likeness(asked, self._names[position])
            if likeness >= LIKENESS:
                yield _scored(self._named[position], int(NAME * likeness / 100), f"名称相似 {int(likeness)}%")

    def _near(self, asked: str) -> list[int]:
        """Positions of the names that share most pairs of letters, so that few of many thousands are compared."""
        shared = [self._pairs[pair] for pair in _pairs(asked) if pair in self._pairs]
        telling = [positions for positions in shared if len(positions) <= COMMON]
        counts = Counter(position for positions in telling or shared for position in positions)
        return [position for position, _ in counts.most_common(COMPARED)]


def _scored(one: Candidate, score: int, reason: str) -> Suggestion:
    return Suggestion(one.code, one.name, score - ELSEWHERE if one.is_elsewhere else score, reason)


def _name(name: str) -> str:
    return utils.default_process(unicodedata.normalize("NFKC", name))


def _pairs(name: str) -> set[str]:
    letters = name.replace(" ", "")
    return {letters[start : start + 2] for start in range(len(letters) - 1)}


def _likeness(left: str, right: str) -> float:
    """rapidfuzz's weighted ratio; a very short name must match as a whole, or it would be part of everything."""
    scorer = fuzz.WRatio if min(len(left), len(right)) >= SHORTEST_NAME else fuzz.ratio
    return scorer(left, right)


def known_of(record: object, code: str) -> Known:
    """What the innermost object of a record that holds a code as a value says about it: its name and barcode."""
    for one in _objects(record):
        fields = [name for name, value in one.items() if not isinstance(value, dict | list) and str(value) == code]
        if fields:
            names = [f"{fields[0].removesuffix('_id').removesuffix('_code')}_name", "name", "title", "product_name"]
            return Known(code, _first(one, names), _first(one, ("barcode", "bar_code", "sku_barcode", "ean")))
    return Known(code)


def _objects(value: object) -> Iterator[dict[str, object]]:
    """Every object inside a value, the innermost first."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _objects(inner)
        yield value
    elif isinstance(value, list):
        for inner in value:
            yield from _objects(inner)


def _first(one: dict[str, object], names: Sequence[str]) -> str:
    return next((str(one[name]) for name in names if isinstance(one.get(name), str | int) and one[name] != ""), "")
