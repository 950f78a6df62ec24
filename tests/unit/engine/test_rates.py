"""How often a client may send frames that carry no message."""

from __future__ import annotations

from fastsio.engine.rates import FrameRate, TooManyFrames
from fastsio.exceptions import PacketError


class Clock:
    """A clock that is set."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_one_frame_too_many_in_a_second_is_noticed():
    """As many as are allowed are allowed."""
    clock = Clock()
    rate = FrameRate(3, clock)
    assert not any(rate.is_exceeded() for _ in range(3))
    clock.now_s += 0.9

    assert rate.is_exceeded()


def test_the_next_second_is_another():
    """A client that sends on and on below the rate is never refused."""
    clock = Clock()
    rate = FrameRate(3, clock)
    for _ in range(100):
        clock.now_s += 0.34
        assert not rate.is_exceeded()


def test_the_error_is_one_of_the_protocol():
    """It has no limit of bytes that was passed."""
    error = TooManyFrames()

    assert isinstance(error, PacketError)
    assert error.limit is None
