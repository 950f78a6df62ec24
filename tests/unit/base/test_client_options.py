"""The options of clients, their defaults, and what is refused."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from fastsio.base.client import (
    check_url,
    failure_text,
    namespaces_to_join,
    refusal_arguments,
    split_client_options,
)
from fastsio.base.options import ClientOptions
from fastsio.exceptions import ConnectionError, SetupError

GUIDE = Path(__file__).parents[3] / "docs" / "howto" / "clients.md"


def test_by_default_nothing_is_delivered_twice_or_later():
    """As in python-socketio."""
    assert ClientOptions() == ClientOptions(
        retries=None,
        ack_timeout=None,
        offline_buffer=False,
        max_buffered_events=1000,
        recovery=True,
        max_held_packets=10_000,
        max_held_bytes=16_777_216,
    )


@pytest.mark.parametrize(
    ("option", "value", "cure"),
    [
        ("retries", -1, "give it a number of attempts, or None"),
        ("retries", True, "give it a number of attempts, or None"),
        ("retries", 1.5, "give it a number of attempts, or None"),
        ("ack_timeout", 0, "give it seconds, or None"),
        ("ack_timeout", "1", "give it seconds, or None"),
        ("ack_timeout", True, "give it seconds, or None"),
        ("max_buffered_events", 0, "give it a number above 0"),
        ("max_buffered_events", None, "give it a number above 0"),
        ("max_held_packets", 0, "give it a number above 0"),
        ("max_held_bytes", True, "give it a number above 0"),
    ],
)
def test_what_is_not_valid_is_refused_with_its_value(option, value, cure):
    """The error says what to write instead."""
    with pytest.raises(SetupError, match=re.escape(f"{option}={value!r} is not valid; {cure}")):
        ClientOptions(**{option: value})


def test_own_options_and_limits_are_taken_out_of_what_engineio_gets():
    """A client trusts its server with more than a server trusts clients."""
    own, limits, rest = split_client_options(
        {"max_json_depth": 3, "request_timeout": 1, "engineio_logger": True, "retries": 2}
    )

    assert (limits.max_attachments, limits.max_binary_bytes, limits.max_json_depth) == (1000, 100_000_000, 3)
    assert own == ClientOptions(retries=2)
    assert rest == {"request_timeout": 1, "logger": True}


def test_a_limit_that_is_not_valid_is_refused():
    """As on a server."""
    with pytest.raises(SetupError, match="max_attachments"):
        split_client_options({"max_attachments": -1})


@pytest.mark.parametrize("field", fields(ClientOptions), ids=lambda field: field.name)
def test_the_guide_lists_each_option_with_its_default(field):
    """In the table of its page."""
    row = re.search(rf"^\| `{field.name}` \| ([^|]+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)

    assert row is not None
    assert row.group(1) in {f"`{field.default}`", f"{field.default:,}" if type(field.default) is int else ""}


@pytest.mark.parametrize(
    ("named", "handled", "joined"),
    [
        (None, [], ["/"]),
        (None, ["*"], ["/"]),
        (None, ["/b", "*", "/a", "/b"], ["/a", "/b"]),
        ("/a", ["/b"], ["/a"]),
        (("/b", "/a"), [], ["/b", "/a"]),
        ([], ["/a"], []),
    ],
)
def test_namespaces_are_named_or_have_handlers(named, handled, joined):
    """Without either it is the root; the catch-all is no namespace."""
    assert namespaces_to_join(named, handled) == joined


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("chat", "namespace 'chat' has no slash; write '/chat'"),
        (["/a", "b"], "namespace 'b' has no slash; write '/b'"),
        (["*"], "a client cannot join every namespace"),
        ([7], "namespace 7 is not valid"),
    ],
)
def test_what_cannot_be_joined_is_refused_before_anything_is_sent(named, told):
    """The server would read it as something else."""
    with pytest.raises(SetupError, match=re.escape(told)):
        namespaces_to_join(named, [])


@pytest.mark.parametrize(
    ("said", "arguments"), [(None, ()), ({"message": "no"}, ({"message": "no"},)), ([1, 2], (1, 2)), ("no", ("no",))]
)
def test_a_refusal_becomes_arguments(said, arguments):
    """A list spreads."""
    assert refusal_arguments(said) == arguments


def test_the_error_names_the_namespaces_that_failed():
    """Without one nobody knows more."""
    assert failure_text(["/a", "/b"]) == "One or more namespaces failed to connect: /a, /b"
    assert failure_text([]) == "Unexpected connection error"


@pytest.mark.parametrize("url", ["http://a", "https://a:1/b?c=d", "ws://a", "wss://user:secret@a", "//a:5000"])
def test_a_url_of_a_server_is_taken(url):
    """Without a scheme but with slashes it is http, as python-socketio has it."""
    check_url(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("localhost:5000", "the URL has no scheme; write it like 'http://localhost:5000'"),
        ("example.com", "the URL has no scheme; write it like 'http://example.com'"),
        ("user:secret@host", "the URL has no scheme; write it like 'http://localhost:5000'"),
        ("", "the URL has no scheme; write it like 'http://localhost:5000'"),
        ("http:/localhost", "the URL has no host; write it like 'http://localhost:5000'"),
        ("redis://user:secret@host", "the URL's scheme 'redis' is unknown; it is one of http, https, ws, wss"),
    ],
)
def test_a_url_that_leads_nowhere_is_told_what_it_lacks(url, told):
    """Without what may be a password in it."""
    with pytest.raises(ConnectionError, match=re.escape(told)) as raised:
        check_url(url)

    assert "secret" not in str(raised.value)
