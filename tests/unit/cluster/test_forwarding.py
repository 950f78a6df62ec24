"""Messages about forwarded requests, and the processes that were heard of."""

from __future__ import annotations

import json

import pytest

from fastsio.cluster import forwarding
from fastsio.cluster.forwarding import (
    Announcement,
    Cancellation,
    ForwardedRequest,
    ForwardedResponse,
    Processes,
    Stopped,
    decode,
    encode,
)

HEAD = dict.fromkeys(forwarding.HEAD, "") | {"method": "GET", "query_string": "sid=\xff"}
MESSAGES = [
    Announcement("a.1", asks=True),
    Stopped("a.1"),
    ForwardedRequest("a.1", 7, HEAD, [["cookie", "\xfe"]], ["10.0.0.1", 80], b"\n\x00body"),
    ForwardedRequest("a.1", 8, HEAD, [], None),
    Cancellation("a.1", 7),
    ForwardedResponse(7, 200, [["content-type", "text/plain"]], b'2\n{"x":1}'),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_is_read_as_it_was_written(message):
    """Also what is not ASCII, and bodies with ends of lines."""
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xff\n",
        b"[]\n",
        b"{}\n",
        b'{"kind":"Other"}\n',
        b'{"kind":[]}\n',
        b'{"kind":"Announcement"}\n',
        b"[" * 100_000,
    ],
    ids=lambda data: data[:30],
)
def test_anything_else_is_no_message(data):
    """One error says so."""
    with pytest.raises(ValueError):  # noqa: PT011 - its text is whatever the JSON module says
        decode(data)


@pytest.mark.parametrize(
    ("message", "changes"),
    [
        (MESSAGES[0], {"sender": 5}),
        (MESSAGES[0], {"sender": "a"}),
        (MESSAGES[0], {"asks": "yes"}),
        (MESSAGES[1], {"sender": ["a.1"]}),
        (MESSAGES[2], {"number": [7]}),
        (MESSAGES[2], {"sender": ""}),
        (MESSAGES[2], {"head": {"method": "GET"}}),
        (MESSAGES[2], {"head": {**HEAD, "path": 5}}),
        (MESSAGES[2], {"headers": [["cookie"]]}),
        (MESSAGES[2], {"headers": ["ab"]}),
        (MESSAGES[2], {"client": ["10.0.0.1"]}),
        (MESSAGES[4], {"number": {}}),
        (MESSAGES[5], {"number": {}}),
        (MESSAGES[5], {"status": "200"}),
        (MESSAGES[5], {"status": 99}),
        (MESSAGES[5], {"headers": [["content-type", None]]}),
    ],
)
def test_a_message_with_other_fields_is_none(message, changes):
    """It must end nothing but itself."""
    line = json.loads(encode(message).partition(b"\n")[0]) | changes

    with pytest.raises(ValueError, match="a field that is not valid"):
        decode(json.dumps(line).encode() + b"\n")


def test_a_process_is_there_from_its_first_word_to_its_end():
    """And again if it is heard of again."""
    processes = Processes()
    assert processes.is_running("a.1") is None

    processes.announced("a.1", 10.0)
    assert processes.is_running("a.1")
    processes.stopped("a.1")
    assert processes.is_running("a.1") is False
    processes.announced("a.1", 11.0)
    assert processes.is_running("a.1")


def test_a_process_that_was_never_heard_of_does_not_end():
    """Nothing is remembered of it."""
    processes = Processes()
    processes.stopped("a.1")

    assert processes.is_running("a.1") is None


@pytest.mark.parametrize("name", ["", "a", "a.", ".1", "A.1", "a.x", "a.1.1", "a" * 33 + ".1"])
def test_what_is_no_name_is_not_heard(name):
    """No sid could name it."""
    processes = Processes()
    processes.announced(name, 1.0)

    assert processes.is_running(name) is None


def test_silent_processes_are_found():
    """By the time of their last word."""
    processes = Processes()
    processes.announced("a.1", 10.0)
    processes.announced("b.1", 12.0)
    assert processes.silent_since(11.0) == ["a.1"]

    processes.announced("a.1", 13.0)
    assert processes.silent_since(11.0) == []


def test_the_ended_that_are_remembered_are_limited(monkeypatch):
    """The first are forgotten."""
    monkeypatch.setattr(forwarding, "MAX_STOPPED", 2)
    processes = Processes()
    for name in ("a.1", "a.2", "a.3"):
        processes.announced(name, 1.0)
        processes.stopped(name)

    assert [processes.is_running(name) for name in ("a.1", "a.2", "a.3")] == [None, False, False]
