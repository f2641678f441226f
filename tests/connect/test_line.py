"""A line that all workers of a connection share: it rests when asked, is left alone when dead, and locks no account."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Thread

import pytest

from duijie.connect import line as lines
from duijie.connect.errors import (
    AnswerLost,
    CredentialError,
    Disabled,
    DuijieError,
    LineDown,
    NotSent,
    RateLimited,
    VendorRejected,
)
from duijie.connect.line import Alone, Line
from duijie.connect.retry import Retrier


class Ticking:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.slept = 0.0

    def time(self) -> float:
        return 1_000_000.0 + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


LOST = AnswerLost("应答丢失", en="lost")


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def pair(clock: Ticking) -> tuple[Line, Line]:
    """The same line as two workers know it."""
    board = Alone()
    return Line("psi", board, clock.time, clock.sleep), Line("psi", board, clock.time, clock.sleep)


def call(line: Line, error: DuijieError | None = None) -> None:
    with line.call():
        if error:
            raise error


def fail(line: Line, error: DuijieError, times: int = 1) -> None:
    for _ in range(times):
        with suppress(type(error)):
            call(line, error)


def elsewhere(line: Line) -> BaseException | None:
    """Make a call in a thread of its own; what it raised."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call, line).exception()


def test_what_one_worker_is_asked_to_wait_the_others_wait_too(pair: tuple[Line, Line], clock: Ticking) -> None:
    one, other = pair
    fail(one, RateLimited("限流", retry_after=7.0))
    call(other)
    assert clock.slept == pytest.approx(7.0)


def test_a_rest_too_long_to_sleep_through_goes_back_to_the_journal(pair: tuple[Line, Line], clock: Ticking) -> None:
    one, other = pair
    fail(one, RateLimited("当日额度用完", retry_after=3600.0))
    with pytest.raises(LineDown, match="asked us to wait for 3600 s"):
        call(other)
    clock.sleep(3600.0)
    call(other)


def test_a_dead_line_is_left_alone_by_all_and_tried_by_one(pair: tuple[Line, Line], clock: Ticking) -> None:
    one, other = pair
    fail(one, LOST, lines.FAILURES)
    for line in pair:
        with pytest.raises(LineDown, match="left alone for 10 s"):
            call(line)
    clock.sleep(lines.FIRST_PAUSE)
    with one.call():
        assert isinstance(elsewhere(other), LineDown)
    clock.sleep(lines.LOOK_SECONDS * 2)
    assert elsewhere(other) is None


def test_pauses_grow_while_it_stays_dead_and_are_forgotten_when_it_works(
    pair: tuple[Line, Line], clock: Ticking
) -> None:
    one, _ = pair
    fail(one, LOST, lines.FAILURES)
    for expected in (20, 40, 80, 160, 300, 300):
        clock.sleep(lines.LONGEST_PAUSE)
        fail(one, LOST)
        with pytest.raises(LineDown, match=f"left alone for {expected} s"):
            call(one)
    clock.sleep(lines.LONGEST_PAUSE)
    call(one)
    fail(one, LOST, lines.FAILURES - 1)
    call(one)


def test_a_worker_that_dies_while_it_tries_leaves_the_trial_to_another(pair: tuple[Line, Line], clock: Ticking) -> None:
    one, other = pair
    fail(one, LOST, lines.FAILURES)
    clock.sleep(lines.FIRST_PAUSE)
    one.wait()  # and is never heard of again
    clock.sleep(lines.LOOK_SECONDS * 2)
    with pytest.raises(LineDown):
        call(other)
    clock.sleep(lines.TRIAL_SECONDS)
    call(other)


@pytest.mark.parametrize("answer", [None, VendorRejected("库存不足")])
def test_failures_count_only_in_a_row_and_a_refusal_is_an_answer(
    pair: tuple[Line, Line], answer: DuijieError | None
) -> None:
    one, _ = pair
    for _ in range(3):
        fail(one, NotSent("连不上"), lines.FAILURES - 1)
        with suppress(VendorRejected):
            call(one, answer)
    one.check()


def test_a_lease_that_ran_out_says_nothing_of_the_line(pair: tuple[Line, Line]) -> None:
    one, _ = pair
    fail(one, NotSent("租约将到期", code="LEASE"), lines.FAILURES * 2)
    one.check()


def test_the_third_refusal_of_our_key_disables_it_for_all(pair: tuple[Line, Line], clock: Ticking) -> None:
    one = pair[0]
    for _ in range(lines.STRIKES):
        fail(one, CredentialError("密钥错误"))
    for line in pair:
        clock.sleep(86400.0)
        with pytest.raises(Disabled, match="duijie connection enable psi"):
            call(line)


def test_refusals_of_calls_that_were_under_way_together_are_one(pair: tuple[Line, Line], clock: Ticking) -> None:
    one, other = pair
    with suppress(CredentialError), one.call():
        inner = Thread(target=fail, args=(other, CredentialError("密钥错误")))
        inner.start()
        inner.join()
        raise CredentialError("密钥错误")
    call(other)
    assert clock.slept == pytest.approx(lines.STRIKE_RESTS[0])


def test_an_answer_between_them_forgets_the_strikes(pair: tuple[Line, Line]) -> None:
    one, _ = pair
    for _ in range(lines.STRIKES):
        fail(one, CredentialError("密钥错误"), lines.STRIKES - 1)
        call(one)
    one.check()


def test_a_call_inside_a_call_is_part_of_it(pair: tuple[Line, Line], clock: Ticking) -> None:
    one, _ = pair
    fail(one, LOST, lines.FAILURES)
    clock.sleep(lines.FIRST_PAUSE)
    with one.call():
        call(one)  # the token that the trial needs


def refusing(times: int, asked: list[int]) -> Callable[[], str]:
    def answer() -> str:
        asked.append(1)
        if len(asked) <= times:
            raise CredentialError("密钥错误")
        return "ok"

    return answer


@pytest.mark.parametrize("times", [1, 2])
def test_a_retrier_bears_a_key_that_is_refused_for_a_moment(times: int, pair: tuple[Line, Line]) -> None:
    assert Retrier("psi", lambda: None, lambda _: None, pair[0]).read(refusing(times, [])) == "ok"


def test_a_retrier_stops_at_the_third_refusal(pair: tuple[Line, Line]) -> None:
    asked: list[int] = []
    with pytest.raises(Disabled):
        Retrier("psi", lambda: None, lambda _: None, pair[0]).read(refusing(9, asked))
    assert len(asked) == lines.STRIKES
