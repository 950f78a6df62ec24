"""Pings and ping timeouts are late by at most 2 ms, or 1 % of their time where that is more."""

from __future__ import annotations

import asyncio
import math
from heapq import heappop, heappush
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from fastsio.aio.engine import timers
from fastsio.aio.engine.timers import Deadlines
from fastsio.engine.deadlines import NEVER, PUNCTUAL
from tests.shells.engine.wire import Application, connect_websocket
from tests.support.virtual_time import TURN_S

if TYPE_CHECKING:
    from collections.abc import Callable

#: Times of heartbeats, from those of tests to those of patient servers.
DELAYS = [0.01, 0.05, 0.1, 0.128, 0.2, 0.3, 1.0, 5.0, 20.0, 25.0, 300.0]

#: What a few turns of the loop take on the clock that a test makes pass.
FEW_TURNS_S = 50 * TURN_S


def most_late(delay_s: float) -> float:
    """Return how many seconds a deadline after *delay_s* may be late."""
    return max(0.002, delay_s / 100)


class Member:
    """Something with a deadline."""

    def __init__(self, due: float) -> None:
        self.timer_key = NEVER
        self.due = due


class Handle:
    """A timer of a loop that can be cancelled."""

    is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class AsyncioClock:
    """A loop of asyncio whose time a test makes pass: its selector waits for whole milliseconds, rounded up."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, int, Handle, Callable[[], None]]] = []
        self.numbers = count()

    def monotonic(self) -> float:
        return self.now

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Handle:
        handle = Handle()
        heappush(self.timers, (self.end_of(delay_s), next(self.numbers), handle, callback))
        return handle

    def end_of(self, delay_s: float) -> float:
        return self.now + math.ceil(delay_s * 1000) / 1000

    def run_until(self, end: float) -> None:
        """Let time pass, and call what is due."""
        while self.timers and self.timers[0][0] <= end:
            when, _, handle, callback = heappop(self.timers)
            self.now = max(self.now, when)
            if not handle.is_cancelled:
                callback()
        self.now = max(self.now, end)


class UvloopClock(AsyncioClock):
    """A loop of uvloop: it counts whole milliseconds, and rounds delays to them."""

    def end_of(self, delay_s: float) -> float:
        return (math.floor(self.now * 1000 + 1e-6) + round(delay_s * 1000)) / 1000


@pytest.mark.parametrize("make_clock", [AsyncioClock, UvloopClock], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("delay_s", DELAYS)
def test_no_deadline_is_later_than_promised_whenever_it_is_set(make_clock, delay_s, monkeypatch):
    """The slices, and the milliseconds of the loop, stay within the bound together; no deadline is early."""
    clock, met = make_clock(), []
    deadlines = Deadlines[Member](lambda members: met.extend((member.due, clock.now) for member in members))
    monkeypatch.setattr(timers, "monotonic", clock.monotonic)
    monkeypatch.setattr(timers, "get_running_loop", lambda: clock)

    for _ in range(300):
        deadlines.set(Member(clock.now + delay_s), delay_s)
        clock.run_until(clock.now + delay_s * 0.01717 + 0.00013)
    clock.run_until(clock.now + delay_s * 1.1 + 1)

    late = [when - due for due, when in met]
    assert len(late) == 300
    assert min(late) >= -1e-6
    assert max(late) <= most_late(delay_s)


@pytest.mark.virtual_time
@pytest.mark.parametrize(("interval_s", "timeout_s"), [(0.05, 0.05), (0.1, 0.3), (0.4, 0.1), (25.0, 20.0)])
async def test_heartbeats_are_exact_on_a_loop_that_is_free(interval_s: float, timeout_s: float):
    """Of a whole server, whose clients connect at different times."""
    app = Application(ping_interval=interval_s, ping_timeout=timeout_s)
    for number in range(20):
        await asyncio.sleep(number * interval_s * 0.01717)
        client, _ = await connect_websocket(app)
        connected = monotonic()
        assert await client.frame() == "2"
        pinged = monotonic()
        assert await app.reason() == "ping timeout"
        ended = monotonic()
        await client.ended()

        late_s = pinged - connected - interval_s
        assert -interval_s / 100 <= late_s <= most_late(interval_s)
        # The session ends when both times have passed: a late ping leaves less time for its answer.
        assert -max(late_s, 0) - FEW_TURNS_S <= ended - pinged - timeout_s <= most_late(timeout_s)


async def test_heartbeats_are_never_early_on_a_real_loop():
    """A session without pongs lasts for the interval and the timeout, but for a ping that is a little early."""
    app = Application(ping_interval=0.1, ping_timeout=0.1)
    began = monotonic()
    client, _ = await connect_websocket(app)
    assert await client.frame() == "2"
    assert await app.reason() == "ping timeout"

    assert monotonic() - began >= 0.1 * PUNCTUAL + 0.1
    await client.ended()
