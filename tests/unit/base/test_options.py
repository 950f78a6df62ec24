"""The options of a server."""

from __future__ import annotations

import re

import pytest

from fastsio.base.options import ServerOptions, check_origins, split_options
from fastsio.exceptions import SetupError
from fastsio.protocol import Limits


def test_options_go_to_whom_they_concern():
    """Own options, decoder limits and the rest are told apart."""
    options, limits, rest = split_options({"connect_timeout": 5, "max_attachments": 3, "ping_interval": 9})

    assert options == ServerOptions(connect_timeout=5)
    assert limits == Limits(max_attachments=3)
    assert rest == {"ping_interval": 9, "logger": False}


def test_attachments_together_may_be_as_large_as_a_message():
    """max_http_buffer_size bounds the attachments of a packet unless they have a bound of their own."""
    _, limits, rest = split_options({"max_http_buffer_size": 500})
    assert limits.max_binary_bytes == 500
    assert rest == {"max_http_buffer_size": 500, "logger": False}

    _, limits, _ = split_options({"max_http_buffer_size": 500, "max_binary_bytes": 10})
    assert limits.max_binary_bytes == 10


def test_budgets_grow_with_the_largest_message():
    """One message waits, and two are handled, unless the application says otherwise; 1e8 is a size, too."""
    options, limits, _ = split_options({"max_http_buffer_size": 5e6})
    assert (options.max_held_bytes, options.max_handler_bytes) == (5_000_000, 10_000_000)
    assert limits.max_binary_bytes == 5_000_000

    options, _, _ = split_options({"max_http_buffer_size": 500, "max_handler_bytes": 7, "max_held_bytes": 8})
    assert (options.max_held_bytes, options.max_handler_bytes) == (8, 7)


@pytest.mark.parametrize(
    "options",
    [
        {"connect_timeout": 0},
        {"connect_timeout": "5"},
        {"max_namespaces": 1.5},
        {"max_namespaces": True},
        {"max_namespaces": None},
        {"max_rooms": -1},
        {"max_auth_bytes": 0},
        {"max_handler_bytes": None},
        {"max_attachments": -1},
    ],
)
def test_a_wrong_value_names_the_option(options):
    """The error says which option and which value."""
    (name,) = options
    with pytest.raises(SetupError, match=name):
        split_options(options)


def test_some_bounds_can_be_taken_away():
    """None means no bound where a bound may be missing."""
    options, _, _ = split_options({"max_rooms": None, "max_pending_acks": None})

    assert options.max_rooms is None
    assert options.max_pending_acks is None


@pytest.mark.parametrize(
    ("origins", "told"),
    [
        ("example.com", "origin 'example.com' has no scheme; write 'https://example.com'"),
        (["https://a.example", "localhost:3000"], "origin 'localhost:3000' has no scheme"),
        ({"://example.com"}, "has no scheme"),
        (("https://example.com/",), "origin 'https://example.com/' has a path; write 'https://example.com'"),
        ("https://example.com/app", "write 'https://example.com'"),
        ([None], "origin None has no scheme"),
        ("https://a, http://b:3000", "write a list, ['https://a', 'http://b:3000']"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused_at_once(origins, told):
    """Instead of every request that it was meant to allow."""
    with pytest.raises(SetupError, match=re.escape(told)):
        check_origins(origins)


@pytest.mark.parametrize(
    "origins",
    [
        None,
        "*",
        [],
        ["*"],
        [""],
        "null",
        "https://example.com",
        {"http://localhost:3000", "capacitor://localhost"},
        lambda origin: origin == "x",
        5,
    ],
)
def test_other_origins_are_left_to_the_transport(origins):
    """Every way that python-engineio knows to write them."""
    check_origins(origins)
