"""What frames mean to a session."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fastsio.engine.frame_reader import READERS, BadFrame, ClientLeft, FrameRate, TooManyFrames, closing_code
from fastsio.exceptions import PacketError

LIMIT = 8


class Session:
    """A session that counts heartbeats."""

    def __init__(self) -> None:
        self.server = SimpleNamespace(max_http_buffer_size=LIMIT)
        self.heartbeats = 0

    def on_heartbeat(self) -> None:
        self.heartbeats += 1


@pytest.mark.parametrize(("protocol", "heartbeat"), [(3, "2"), (4, "3")])
def test_messages_heartbeats_and_goodbyes_are_told_apart(protocol, heartbeat):
    """By either revision."""
    session = Session()
    read_text, _ = READERS[protocol]

    assert read_text(session, "4hello") == "hello"
    assert read_text(session, heartbeat) is None
    assert session.heartbeats == 1
    with pytest.raises(ClientLeft):
        read_text(session, "1")


def test_binary_is_taken_as_each_revision_writes_it():
    """Engine.IO 3 has the type in front, and base64 for those that read no binary."""
    assert READERS[4][1](b"\x00\x01", LIMIT) == b"\x00\x01"
    assert READERS[3][1](b"\x04\x01", LIMIT) == b"\x01"
    assert READERS[3][0](Session(), "b4AQI=") == b"\x01\x02"


@pytest.mark.parametrize(("protocol", "frame"), [(4, "bAQI="), (3, "b4AQI=")])
def test_binary_may_come_as_base64_in_a_text_frame(protocol, frame):
    """Clients that send no binary frames write it as in a polling payload."""
    assert READERS[protocol][0](Session(), frame) == b"\x01\x02"


@pytest.mark.parametrize("protocol", [3, 4])
@pytest.mark.parametrize("frame", ["0{}", "5", "6"])
def test_packets_that_mean_nothing_to_an_open_session_are_ignored(protocol, frame):
    """Open, upgrade and noop, as in the JavaScript server; they are no heartbeat."""
    session = Session()

    assert READERS[protocol][0](session, frame) is None
    assert session.heartbeats == 0


@pytest.mark.parametrize("protocol", [3, 4])
def test_what_is_wrong_or_too_large_is_refused(protocol):
    """In bytes, not in characters."""
    read_text, read_binary = READERS[protocol]
    for frame in ("", "9", "b%", "4" + "ü" * 4, "b" + "A" * 8):
        with pytest.raises(PacketError):
            read_text(Session(), frame)
    with pytest.raises(PacketError):
        read_binary(b"\x04" * (LIMIT + 1), LIMIT)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadFrame("a frame without a mask", 1002), 1002),
        (BadFrame("no UTF-8", 1007), 1007),
        (TooManyFrames(), 1008),
        (PacketError("too large", limit=1, value=2), 1009),
        (PacketError("a frame of unknown type"), 1000),
    ],
)
def test_the_close_code_says_which_rule_was_broken(error, code):
    """Those of RFC 6455; what breaks Engine.IO only is closed normally, as by the JavaScript server."""
    assert closing_code(error) == code


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
