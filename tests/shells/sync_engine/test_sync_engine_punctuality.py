"""The timer of threads is late by at most 2 ms, or 1 % of the time where that is more."""

from __future__ import annotations

import logging
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from fastsio.engine.deadlines import NEVER, PUNCTUAL
from fastsio.sync.engine import timers
from fastsio.sync.engine.timers import Deadlines
from tests.shells.sync_engine.wire import WebSocketClient

if TYPE_CHECKING:
    from collections.abc import Callable


def most_late(delay_s: float) -> float:
    """Return how many seconds a deadline after *delay_s* may be late."""
    return max(0.002, delay_s / 100)


class Member:
    """Something with a deadline."""

    def __init__(self, due: float) -> None:
        self.timer_key = NEVER
        self.due = due


class Waits:
    """
    The timer's thread and its event, in the thread of the test, with a clock that goes on while the thread waits.

    Attributes:
        steps: What is called when its time comes, each after the time.
    """

    logger = logging.getLogger("tests.punctuality")

    def __init__(self) -> None:
        self.now = 1000.0
        self.steps: list[tuple[float, Callable[[], None]]] = []
        self.run: Callable[[], None] | None = None
        self.is_set = False

    def monotonic(self) -> float:
        return self.now

    def start_background_task(self, target: Callable[[], None]) -> None:
        self.run = target

    def create_event(self) -> Waits:
        return self

    def set(self) -> None:
        self.is_set = True

    def clear(self) -> None:
        self.is_set = False

    def wait(self, delay_s: float) -> None:
        """Let time pass until the delay is over, a millisecond too long, or a step sets the event."""
        end = self.now + delay_s + 0.001
        while self.steps and self.steps[0][0] <= end and not self.is_set:
            when, step = self.steps.pop(0)
            self.now = max(self.now, when)
            step()
        if not self.is_set:
            self.now = end


@pytest.mark.parametrize("delay_s", [0.01, 0.05, 0.1, 0.128, 0.2, 0.3, 1.0, 5.0, 20.0, 25.0, 300.0])
def test_no_deadline_is_later_than_promised_whenever_it_is_set(delay_s, monkeypatch):
    """Where the thread is woken a millisecond late too, as in greenlets."""
    waits, met = Waits(), []
    deadlines = Deadlines(lambda members: met.extend((member.due, waits.now) for member in members), waits)
    monkeypatch.setattr(timers, "monotonic", waits.monotonic)
    waits.steps = [
        (
            waits.now + number * (delay_s * 0.01717 + 0.00013),
            lambda: deadlines.set(Member(waits.now + delay_s), delay_s),
        )
        for number in range(1, 300)
    ]

    deadlines.set(Member(waits.now + delay_s), delay_s)
    assert waits.run is not None
    waits.run()

    late = [when - due for due, when in met]
    assert len(late) == 300
    assert min(late) >= -1e-6
    assert max(late) <= most_late(delay_s)


def test_a_heartbeat_asks_the_timer_for_its_times(make_app, monkeypatch):
    """A ping is due an interval after the connection, but for the share that the timer may be late, and a pong in time after that."""
    app = make_app(ping_interval=0.1, ping_timeout=0.2)
    asked: list[tuple[float, float]] = []
    set_deadline = app.engine.deadlines.set

    def noted(member, delay_s):
        asked.append((delay_s, member.expires - member.clock()))
        set_deadline(member, delay_s)

    monkeypatch.setattr(app.engine.deadlines, "set", noted)
    began = monotonic()
    client = WebSocketClient.open(app)
    assert client.frame() == "2"
    assert app.reason() == "ping timeout"

    (ping_s, _), (pong_s, left_s) = asked[:2]
    assert ping_s == 0.1 * PUNCTUAL
    assert left_s <= pong_s <= 0.2
    assert monotonic() - began >= 0.1 * PUNCTUAL + 0.2
