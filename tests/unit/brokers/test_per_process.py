"""One object for all threads of a process."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from fastsio.brokers.per_loop import PerProcess
from tests.support.waiting import WAIT_S


def test_threads_that_ask_at_the_same_time_get_one_object():
    """The second waits until the first has opened it."""
    started, gate, made = threading.Event(), threading.Event(), []

    def make():
        made.append(object())
        started.set()
        assert gate.wait(WAIT_S)
        return made[-1]

    shared = PerProcess(make, made.remove)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shared.get)
        assert started.wait(WAIT_S)
        second = pool.submit(shared.get)
        assert shared.current is None
        gate.set()

        assert first.result(WAIT_S) is second.result(WAIT_S) is shared.current
    assert len(made) == 1


def test_what_was_dropped_is_closed_and_opened_anew():
    """A manager can be used again after its shutdown; one that was never used closes nothing."""
    closed: list[str] = []
    names = iter(["first", "second"])
    shared = PerProcess(lambda: next(names), closed.append)

    shared.drop()
    assert closed == []

    assert shared.get() == "first"
    shared.drop()
    assert (shared.current, closed) == (None, ["first"])
    assert shared.get() == "second"
