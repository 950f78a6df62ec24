"""The sliding window."""

from __future__ import annotations

from collections import OrderedDict
from threading import Thread

import pytest

from fastsio import middlewares
from fastsio.middlewares import RateWindow


def test_events_beyond_the_window_wait_for_the_oldest():
    """The third of two allowed events is told when it may come again."""
    window = RateWindow(2, 10.0)

    assert window.count("a", 0.0) == 0.0
    assert window.count("a", 4.0) == 0.0
    assert window.count("a", 5.0) == 5.0
    assert window.count("a", 10.0) == 0.0
    assert window.count("a", 10.5) == 3.5


def test_clients_do_not_count_for_each_other():
    """Each client has a window of its own."""
    window = RateWindow(1, 10.0)

    assert window.count("a", 0.0) == 0.0
    assert window.count("b", 0.0) == 0.0


def test_idle_clients_are_forgotten():
    """Only clients with events in the window are kept."""
    window = RateWindow(2, 10.0)
    for number in range(100):
        window.count(f"c{number}", float(number))

    assert len(window) == 10


def test_threads_count_one_after_the_other(monkeypatch):
    """An event that another thread counts while idle clients are looked for waits for its turn."""
    others: list[Thread] = []

    class Interrupted(OrderedDict):
        def items(self):
            reading = iter(super().items())
            if not others:
                others.append(Thread(target=window.count, args=("b", 0.0)))
                others[0].start()
                others[0].join(0.05)
            yield from reading

    monkeypatch.setattr(middlewares, "OrderedDict", Interrupted)
    window = RateWindow(1, 10.0)

    assert window.count("a", 0.0) == 0.0
    others[0].join()
    assert len(window) == 2


@pytest.mark.parametrize(("most", "length"), [(0, 1.0), (1, 0.0), (-1, 1.0)])
def test_numbers_must_be_positive(most, length):
    """A window of nothing is a mistake."""
    with pytest.raises(ValueError, match="positive"):
        RateWindow(most, length)
