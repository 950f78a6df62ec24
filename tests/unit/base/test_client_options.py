"""The options of clients, their defaults, and what is refused."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from fastsio.base.client_options import ClientOptions, split_client_options
from fastsio.exceptions import SetupError

GUIDE = Path(__file__).parents[3] / "docs" / "howto" / "clients.md"


def test_by_default_nothing_is_delivered_twice_or_later():
    """As in python-socketio."""
    assert ClientOptions() == ClientOptions(
        retries=None, ack_timeout=None, offline_buffer=False, max_buffered_events=1000
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
    ],
)
def test_what_is_not_valid_is_refused_with_its_value(option, value, cure):
    """The error says what to write instead."""
    with pytest.raises(SetupError, match=re.escape(f"{option}={value!r} is not valid; {cure}")):
        ClientOptions(**{option: value})


def test_limits_are_taken_out_of_what_engineio_gets():
    """A client trusts its server with more than a server trusts clients."""
    limits, rest = split_client_options({"max_json_depth": 3, "request_timeout": 1, "engineio_logger": True})

    assert (limits.max_attachments, limits.max_binary_bytes, limits.max_json_depth) == (1000, 100_000_000, 3)
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
