"""What servers of JavaScript say to each other beside their stream: questions and answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fastsio.cluster.adapter_messages import (
    Acknowledgement,
    MessageType,
    Question,
    read_message,
    write_answer,
    write_call,
    write_client,
)
from fastsio.cluster.payloads import MessageError, from_msgpack, to_msgpack

OPTIONS = {"rooms": [], "except": [], "flags": {}}


def message(kind: int, data: Any, **more: Any) -> bytes:
    """Write a message of another server."""
    return to_msgpack({"uid": "theirs", "nsp": "/", "type": kind, "data": data, **more})


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (7, {"opts": OPTIONS, "requestId": "a"}, Question(MessageType.FETCH, "theirs", "/", "a")),
        (
            7,
            {"opts": {"rooms": ["tea", 5], "except": ["s1"]}, "requestId": "a"},
            Question(MessageType.FETCH, "theirs", "/", "a", ("tea", 5), frozenset({"s1"})),
        ),
        (9, {"packet": ["hello"], "requestId": "b"}, Question(MessageType.SERVER_EVENT, "theirs", "/", "b")),
        (
            3,
            {"packet": {"type": 2, "data": ["ask", b"\x01"]}, "opts": OPTIONS, "requestId": "c"},
            Question(MessageType.CALL, "theirs", "/", "c", arguments=("ask", b"\x01")),
        ),
        (12, {"requestId": "7", "packet": {"a": 1}}, Acknowledgement("7", {"a": 1})),
        (12, {"requestId": "7"}, Acknowledgement("7", None)),
    ],
)
def test_messages_of_other_servers_are_read(kind, data, expected):
    """Each kind that asks something of this server, or answers it."""
    assert read_message(message(kind, data)) == expected


@pytest.mark.parametrize(
    "raw",
    [
        message(3, {"packet": {"type": 2, "data": ["news"]}, "opts": OPTIONS}),
        message(9, {"packet": ["hello"]}),
        message(11, {"requestId": "7", "clientCount": 1}),
        message(99, {"requestId": "7"}),
        message(7, None),
        write_call("theirs", "/", ["ask"], "s1", "7", 60),
    ],
)
def test_what_asks_nothing_of_this_server_is_left_out(raw):
    """Events between servers that want no answer, counts, and what a server of fastsio has said in its own way too."""
    assert read_message(raw) is None


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\xc1", "it cannot be read"),
        (to_msgpack([1]), "a sender"),
        (to_msgpack({"uid": 1, "nsp": "/", "type": 7}), "a sender"),
        (message(7, {"requestId": "a"}), "rooms and exceptions"),
        (message(7, {"requestId": "a", "opts": {"rooms": [[]], "except": []}}), "a list of texts and numbers"),
        (message(7, {"requestId": "a", "opts": {"rooms": [], "except": [None]}}), "a list of texts and numbers"),
        (message(3, {"requestId": "a", "opts": OPTIONS}), "an event"),
        (message(3, {"requestId": "a", "opts": OPTIONS, "packet": {"data": [[]]}}), "event name \\[\\]"),
        (message(3, {"requestId": "a", "opts": OPTIONS, "packet": {"data": ["disconnect"]}}), "'disconnect'"),
    ],
)
def test_what_is_no_message(raw, why):
    """The error says what is wrong."""
    with pytest.raises(MessageError, match=why):
        read_message(raw)


def test_an_answer_names_what_it_answers():
    """The server that asked finds its question by it."""
    question = Question(MessageType.FETCH, "theirs", "/chat", "a")

    answer = from_msgpack(write_answer("ours", question, MessageType.CLIENTS, sockets=[]))

    assert answer == {"uid": "ours", "nsp": "/chat", "type": 8, "data": {"requestId": "a", "sockets": []}}


def test_a_call_has_an_event_and_a_room():
    """Servers of JavaScript read it as a broadcast that wants acknowledgements."""
    call = from_msgpack(write_call("ours", "/chat", ["ask", 1], "s1", "7", 1.5))

    assert call == {
        "uid": "ours",
        "nsp": "/chat",
        "type": 3,
        "fastsio": True,
        "data": {
            "packet": {"type": 2, "data": ["ask", 1], "nsp": "/chat"},
            "opts": {"rooms": ["s1"], "except": [], "flags": {"timeout": 1500}},
            "requestId": "7",
        },
    }


def test_a_client_is_told_without_its_secrets():
    """Headers, query and auth are empty; rooms and session data have what JavaScript can read."""
    environ = {
        "REMOTE_ADDR": "10.0.0.1",
        "wsgi.url_scheme": "https",
        "PATH_INFO": "/socket.io/",
        "QUERY_STRING": "token=secret",
        "HTTP_COOKIE": "secret",
    }

    assert write_client("s1", ["tea", 5, ("no", "room")], {"user": 7}, environ) == {
        "id": "s1",
        "rooms": ["s1", "tea", 5],
        "data": {"user": 7},
        "handshake": {
            "headers": {},
            "query": {},
            "auth": {},
            "address": "10.0.0.1",
            "secure": True,
            "xdomain": False,
            "url": "/socket.io/",
        },
    }


def test_session_data_that_cannot_be_written_is_left_out():
    """The client is told all the same; a time is written as text."""
    client = write_client("s1", [], {"lock": object()}, {})

    assert client["data"] == {}
    assert (client["handshake"]["address"], client["handshake"]["secure"]) == ("", False)
    assert to_msgpack(write_client("s1", [], {"at": datetime(2026, 1, 1, tzinfo=UTC)}, {}))
