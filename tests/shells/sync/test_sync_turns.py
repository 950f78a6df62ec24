"""Turns of threads that ask for the same: first come, first served."""

from __future__ import annotations

import threading

import pytest

from fastsio.sync.turns import Turns
from tests.support.waiting import WAIT_S

KEY = "pid"


class Waiters:
    """
    Threads that wait for turns.

    Attributes:
        turns: The turns, of which one has begun.
        order: The numbers of those that had a turn.
    """

    def __init__(self) -> None:
        self.order: list[int] = []
        self.threads: list[threading.Thread] = []
        self._is_waiting, self._has_turn = threading.Semaphore(0), threading.Semaphore(0)
        is_waiting = self._is_waiting

        class Noted(threading.Event):
            """Tells that a thread waits for it."""

            def wait(self, timeout: float | None = None) -> bool:
                is_waiting.release()
                return super().wait(timeout)

        self.turns = Turns(threading.RLock(), Noted)
        assert self.turns.take(KEY, 0)

    def add(self, timeout_s: float = WAIT_S) -> threading.Thread:
        """Start one more thread, and return it when it waits."""
        number = len(self.threads)

        def take() -> None:
            if self.turns.take(KEY, timeout_s):
                self.order.append(number)
                self._has_turn.release()

        thread = threading.Thread(target=take, daemon=True)
        self.threads.append(thread)
        thread.start()
        assert self._is_waiting.acquire(timeout=WAIT_S)
        return thread

    def next(self) -> None:
        """End a turn, and return when the next one is known to its thread."""
        self.turns.end(KEY)
        assert self._has_turn.acquire(timeout=WAIT_S)


def test_turns_come_in_the_order_in_which_they_were_asked_for():
    """After the last one nothing is kept."""
    waiters = Waiters()
    for _ in range(4):
        waiters.add()

    for _ in range(4):
        waiters.next()
        waiters.add()
    for _ in range(4):
        waiters.next()
    waiters.turns.end(KEY)

    assert waiters.order == list(range(8))
    assert len(waiters.turns) == 0
    assert waiters.turns.take(KEY, 0)


def test_the_order_of_the_others_stays_when_one_in_the_middle_gives_up():
    """It is left out."""
    waiters = Waiters()
    waiters.add()
    late = waiters.add(timeout_s=0.01)
    waiters.add()
    late.join(WAIT_S)

    waiters.next()
    waiters.next()
    waiters.turns.end(KEY)

    assert waiters.order == [0, 2]
    assert len(waiters.turns) == 0


@pytest.mark.parametrize("_", range(5))
def test_a_turn_that_begins_when_a_thread_gives_up_is_not_lost(_):
    """Either that thread has it, or the next one."""
    waiters = Waiters()
    waiters.add(timeout_s=0.001)
    waiters.add()

    waiters.turns.end(KEY)
    waiters.threads[0].join(WAIT_S)
    if waiters.order == [0]:
        waiters.turns.end(KEY)
    waiters.threads[1].join(WAIT_S)

    assert waiters.order in ([1], [0, 1])
