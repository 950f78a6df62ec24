"""The options of the transport."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan

import pytest

from fastsio.engine.options import check_options, choose_mode, choose_transports
from fastsio.exceptions import SetupError

VALID = {
    "ping_interval": [25, 0.3, Fraction(1, 3), (25, 0), (25, 5.5)],
    "ping_timeout": [20, 0.5],
    "max_http_buffer_size": [1, 1e8, 1_000_000],
    "body_timeout": [60, 0.1],
    "upgrade_timeout": [10, 0.1],
    "max_buffer_bytes": [1, 2**24],
    "max_buffer_packets": [1],
    "high_water_bytes": [1, 2**20],
    "high_water_packets": [1],
    "slow_client_timeout": [0.1, 20],
    "slow_client": ["close", "drop"],
    "max_decode_packets": [16, None],
    "allow_eio3": [True, False],
}
INVALID = {
    "ping_interval": [0, -1, True, None, "25", (25,), (25, -1), (0, 1), (25, 1, 1), (25, "1"), (25, True)],
    "ping_timeout": [0, -1, None, True, "20"],
    "max_http_buffer_size": [0, -1, 0.5, None, True, inf, nan, "1e8"],
    "body_timeout": [0, None],
    "upgrade_timeout": [0, None],
    "max_buffer_bytes": [0, -1, 1.5, True, None],
    "max_buffer_packets": [0, 2.0],
    "high_water_bytes": [0, 1.5, None],
    "high_water_packets": [0, 2.0],
    "slow_client_timeout": [0, -1, None],
    "slow_client": ["wait", "", None, 1],
    "max_decode_packets": [0, 1.5, True, "16"],
    "allow_eio3": [1, None, "yes"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in VALID.items() for value in values])
def test_valid_options_are_taken(name, value):
    """Each by itself; the others have defaults."""
    check_options({name: value})


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in INVALID.items() for value in values])
def test_other_values_are_refused(name, value):
    """The error names the option, its value and what is allowed."""
    with pytest.raises(SetupError, match=f"^{name} must be .+, not ") as caught:
        check_options({"ping_timeout": 20, name: value})

    assert repr(value) in str(caught.value)


def test_options_of_others_are_left_alone():
    """They may be anything."""
    check_options({"cors_allowed_origins": 5, "cookie": object()})


@pytest.mark.parametrize(
    ("kind", "mode", "installed", "chosen"),
    [
        ("AsyncServer", None, {"asgi"}, "asgi"),
        ("AsyncServer", None, {"asgi", "tornado", "sanic"}, "sanic"),
        ("AsyncServer", "asgi", {"asgi", "aiohttp"}, "asgi"),
        ("Server", None, {"threading", "gevent"}, "gevent"),
        ("Server", "threading", {"threading", "gevent"}, "threading"),
    ],
)
def test_the_mode_is_the_one_asked_for_or_the_first_that_is_installed(kind, mode, installed, chosen):
    """None is any that is installed."""
    assert choose_mode(kind, mode, installed.__contains__) == chosen


def test_a_mode_that_is_not_valid_is_told_those_that_are():
    """And whose it is, if it is another server's."""
    with pytest.raises(SetupError, match=r"^Invalid async_mode 'x': Server has 'eventlet', .*, 'threading'$"):
        choose_mode("Server", "x", bool)
    with pytest.raises(SetupError, match=r"; 'gevent' is for Server$"):
        choose_mode("AsyncServer", "gevent", bool)


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("gevent", "a package that it needs is not installed: gevent"),
        ("gevent_uwsgi", "not installed: gevent, and uWSGI to run it"),
    ],
)
def test_a_mode_that_is_not_installed_is_told_what_it_needs(mode, told):
    """The name of the package."""
    with pytest.raises(SetupError, match=told):
        choose_mode("Server", mode, set().__contains__)


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (None, ["polling", "websocket"]),
        ([], ["polling", "websocket"]),
        ("websocket", ["websocket"]),
        (("websocket", "pigeon"), ["websocket"]),
    ],
)
def test_transports_are_those_given_that_there_are(given, chosen):
    """A name, several, or none for all."""
    assert choose_transports(given) == chosen


def test_transports_of_which_none_exists_are_refused():
    """The error says what was given and what there is."""
    with pytest.raises(SetupError, match="give 'polling', 'websocket' or both, not 'pigeon'"):
        choose_transports("pigeon")
