"""What is used of picows: the one place that may break with another version of it."""

from __future__ import annotations

import logging

import pytest

from fastsio.integrations.fast import framing
from fastsio.integrations.fast.framing import TrialWire, feed, find_problem, open_framing


async def test_the_installed_picows_fits():
    """The version that is pinned does what is expected of it."""
    assert find_problem() is None


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("Framing", None, "TypeError"),
        ("REQUEST", b"GET / HTTP/1.1\r\nOdd: 1\r\n\r\n", "frames are read in another way"),
        ("TEXT", object(), "frames are read in another way"),
    ],
)
async def test_one_that_does_not_fit_is_found_out(monkeypatch, name, value, complaint):
    """Whatever another version does otherwise is said, not raised."""
    monkeypatch.setattr(framing, name, value)

    assert complaint in str(find_problem())


async def test_messages_are_put_together():
    """Text and bytes come whole, a ping between their fragments is answered."""
    trial = TrialWire()
    protocol = open_framing(trial, max_bytes=100, max_rate=100)
    mask = b"\x00" * 4
    feed(protocol, b"\x81\x82" + mask + "é".encode() + b"\x82\x82" + mask + b"\xff\xfe")
    feed(protocol, b"\x02\x81" + mask + b"a" + b"\x89\x80" + mask + b"\x80\x81" + mask + b"b")

    assert trial.delivered == ["é", b"\xff\xfe", b"ab"]
    assert trial.written == b"\x8a\x00"
    assert trial.codes == []


async def test_a_message_may_fill_the_buffer_many_times_over():
    """The buffer grows with the message, up to the limit."""
    trial = TrialWire()
    protocol = open_framing(trial, max_bytes=1_000_000, max_rate=100)
    size = 900_000
    feed(protocol, b"\x82\xff" + size.to_bytes(8) + b"\x00" * 4 + b"x" * size)

    assert trial.delivered == [b"x" * size]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(b"", b"\x88\x00"), ((1000).to_bytes(2), b"\x88\x02\x03\xe8"), ((3000).to_bytes(2) + b"why", b"\x88\x02\x0b\xb8")],
)
async def test_a_close_is_answered_with_its_code(payload, expected):
    """The code comes back, the reason does not."""
    trial = TrialWire()
    protocol = open_framing(trial, max_bytes=100, max_rate=100)
    feed(protocol, bytes([0x88, 0x80 | len(payload)]) + b"\x00" * 4 + payload)

    assert trial.written == expected
    assert trial.codes == []


@pytest.mark.parametrize("name", ["debug", "info", "warning", "error"])
def test_what_picows_says_of_a_client_is_a_detail(name, caplog):
    """Whatever it thinks of it; a client cannot fill the log with its mistakes."""
    caplog.set_level(logging.DEBUG, "uvicorn.error")
    getattr(framing.DebugLogger, name)("client %d", 1)
    framing.DebugLogger.log(logging.ERROR, "client %d", 2)

    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.DEBUG, "client 1"),
        (logging.DEBUG, "client 2"),
    ]


def test_what_fails_in_picows_is_an_error(caplog):
    """With its traceback."""
    caplog.set_level(logging.INFO, "uvicorn.error")
    framing.DebugLogger.info("a detail")
    framing.DebugLogger.exception("it failed", exc_info=RuntimeError("broken"))

    (record,) = caplog.records
    assert (record.levelno, record.exc_info is not None) == (logging.ERROR, True)
    assert not framing.DebugLogger.isEnabledFor(logging.DEBUG)
