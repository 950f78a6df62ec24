"""The options of the transport."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan

import pytest

from fastsio.engine.options import check_options, telling_mode
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
    with pytest.raises(ValueError, match=f"^{name} must be .+, not ") as caught:
        check_options({"ping_timeout": 20, name: value})

    assert repr(value) in str(caught.value)


def test_options_of_others_are_left_alone():
    """Engine.IO knows them."""
    check_options({"cors_allowed_origins": 5, "cookie": object()})


@pytest.mark.parametrize(("kind", "mode"), [("AsyncServer", None), ("AsyncServer", "asgi"), ("Server", "gevent")])
def test_a_mode_of_the_kind_of_server_is_taken(kind, mode):
    """None is any that is installed."""
    with telling_mode(kind, mode):
        pass


def test_a_mode_that_is_not_valid_is_told_those_that_are():
    """And whose it is, if it is another server's."""
    with (
        pytest.raises(SetupError, match=r"^Invalid async_mode 'x': Server has 'eventlet', .*, 'threading'$"),
        telling_mode("Server", "x"),
    ):
        pass
    with pytest.raises(SetupError, match=r"; 'gevent' is for Server$"), telling_mode("AsyncServer", "gevent"):
        pass


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("gevent", "a package that it needs is not installed: gevent"),
        ("threading", "not installed: simple-websocket"),
        (None, "no framework that this kind of server can be for is installed"),
    ],
)
def test_a_mode_that_is_not_installed_is_told_what_it_needs(mode, told):
    """The name of the package."""
    with pytest.raises(SetupError, match=told), telling_mode("Server", mode):
        raise ValueError("Invalid async_mode specified")


def test_other_errors_of_the_transport_stay_what_they_are():
    """They are about something else."""
    with pytest.raises(ValueError, match="No valid transports provided"), telling_mode("Server", None):
        raise ValueError("No valid transports provided")
