"""What libcurl may hold and write, and how many streams a server gets after it refused some: decided without I/O."""

from __future__ import annotations

from notifier.transport.allowance import Allowance
from notifier.transport.curl.gate import CONNECTIONS_KEPT, Gate


def test_a_connection_that_has_not_answered_carries_one_request() -> None:
    gate = Gate(400)
    assert gate.window == 1
    assert [gate.admits(port) for port in (1, 1, 2, 2)] == [True, False, True, False]
    assert gate.in_flight == gate.window == 2


def test_the_first_answer_of_a_connection_opens_it() -> None:
    gate = Gate(400)
    gate.admits(1)
    gate.answered(1)
    assert (gate.window, gate.in_flight) == (400, 0)
    assert all(gate.admits(1) for _ in range(100))
    assert (gate.admits(2), gate.admits(2), gate.window) == (True, False, 101)
    gate.answered(2)
    assert gate.window == 400


def test_requests_that_were_held_back_come_again_as_answers_come() -> None:
    gate = Gate(400)
    gate.admits(1)
    gate.answered(1)
    for _ in range(10):
        gate.admits(1)
    gate.admits(2)
    assert not gate.admits(2)
    gate.answered(1)
    assert (gate.in_flight, gate.window) == (10, 12)


def test_a_timeout_or_a_reset_stream_changes_only_the_count() -> None:
    gate = Gate(400)
    gate.admits(1)
    gate.failed(1)
    assert (gate.in_flight, gate.window, gate.careful) == (0, 1, False)
    assert (gate.admits(1), gate.admits(1)) == (True, False)


def test_a_cut_connection_counts_once_and_halves_the_window() -> None:
    gate = Gate(400)
    gate.admits(1)
    gate.answered(1)
    for _ in range(100):
        gate.admits(1)
    for _ in range(100):
        gate.cut(1)
    assert (gate.in_flight, gate.window, gate.careful) == (0, 50, True)


def test_answers_after_a_cut_restore_the_window() -> None:
    gate = Gate(20)
    gate.admits(1)
    gate.cut(1)
    assert (gate.window, gate.careful) == (1, True)
    answers = 0
    while gate.careful:
        assert gate.admits(2)
        gate.answered(2)
        answers += 1
    assert (gate.window, answers) == (20, sum(range(1, 20)))


def test_closed_connections_are_not_remembered_for_ever() -> None:
    gate = Gate(400)
    for port in range(10_000):
        gate.admits(port)
        gate.answered(port)
    assert gate.connections <= CONNECTIONS_KEPT


def test_an_allowance_is_halved_by_what_was_in_flight_and_grows_by_answers() -> None:
    allowance = Allowance(1000)
    allowance.answer(10_000)
    assert (allowance.limit, allowance.reduced) == (1000, False)
    allowance.refuse(100)
    assert (allowance.limit, allowance.reduced) == (50, True)
    allowance.answer(49)
    assert allowance.limit == 50
    allowance.answer(1)
    assert allowance.limit == 51
    allowance.refuse(1)
    allowance.refuse(1)
    assert allowance.limit == 1
    allowance.answer(1_000_000)
    assert (allowance.limit, allowance.reduced) == (1000, False)
