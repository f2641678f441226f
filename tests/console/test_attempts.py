"""Wrong passwords: guessing is slow, and nobody can shut another person out."""

from __future__ import annotations

from duijie.console.attempts import MOST, PER_ADDRESS, PER_PAIR, WINDOW_SECONDS, Attempts

HERE, ELSEWHERE = "192.0.2.1", "198.51.100.9"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def tried(attempts: Attempts, number: int, name: str, address: str) -> int:
    return sum(attempts.may_try(name, address) for _ in range(number))


def test_a_name_from_one_address_has_five_tries_a_minute() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    assert tried(attempts, 9, "admin", HERE) == PER_PAIR
    clock.seconds = WINDOW_SECONDS - 1
    assert not attempts.may_try("admin", HERE)
    clock.seconds = WINDOW_SECONDS
    assert attempts.may_try("admin", HERE)


def test_whoever_knows_a_name_cannot_shut_its_owner_out() -> None:
    attempts = Attempts(Clock())
    for last in range(1, 200):
        tried(attempts, 9, "admin", f"198.51.100.{last}")
    assert attempts.may_try("admin", HERE)


def test_an_address_waits_after_twenty_tries_whatever_the_names() -> None:
    attempts = Attempts(Clock())
    assert sum(attempts.may_try(f"name{number}", HERE) for number in range(50)) == PER_ADDRESS
    assert attempts.may_try("name49", ELSEWHERE)


def test_an_ipv6_network_counts_as_one_address_and_an_ipv4_in_ipv6_as_itself() -> None:
    attempts = Attempts(Clock())
    assert sum(attempts.may_try(f"n{number}", f"2001:db8::{number:x}") for number in range(50)) == PER_ADDRESS
    assert attempts.may_try("n1", "2001:db8:0:1::1")
    assert all(attempts.may_try(f"n{number}", f"::ffff:192.0.2.{number}") for number in range(50))


def test_a_right_password_forgets_the_wrong_ones_and_does_not_count_for_the_address() -> None:
    attempts = Attempts(Clock())
    for _ in range(3 * PER_ADDRESS):
        assert attempts.may_try("ops", HERE)
        attempts.succeeded("ops", HERE)


def test_many_failures_of_one_name_from_anywhere_are_noteworthy() -> None:
    attempts = Attempts(Clock())
    for last in range(19):
        attempts.may_try("admin", f"198.51.100.{last}")
    assert not attempts.is_noteworthy("admin")
    attempts.may_try("admin", HERE)
    assert attempts.is_noteworthy("admin")
    assert not attempts.is_noteworthy("ops")


def test_the_memory_has_a_bound_and_keeps_the_newest() -> None:
    attempts = Attempts(Clock())
    for number in range(MOST):
        attempts.may_try("x" * number, f"2001:db8:{number:x}::1")
    assert len(attempts) == MOST
    newest = f"2001:db8:{MOST - 1:x}::1"
    assert tried(attempts, 9, "x" * (MOST - 1), newest) == PER_PAIR - 1
