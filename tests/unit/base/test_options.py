"""The options of a server."""

from __future__ import annotations

import json
import logging
import re

import pytest

from fastsio.base.options import (
    ClientPacket,
    ServerOptions,
    check_origins,
    choose_logger,
    choose_packet_class,
    split_options,
    startup_logger,
)
from fastsio.exceptions import SetupError
from fastsio.protocol import Limits, Packet
from fastsio.protocol.msgpack import MsgPackPacket


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
    with pytest.raises(SetupError, match=name) as raised:
        split_options(options)
    assert raised.value.__cause__ is not raised.value


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
        (True, "cors_allowed_origins=True is not valid; give '*' for every origin, a list of origins, or a function"),
        (False, "cors_allowed_origins=False is not valid; give None for the server's own origin"),
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


def test_a_logger_object_is_taken_as_it_is():
    """Whatever has logging methods may be given."""
    mine = logging.getLogger("fastsio.test.mine")

    assert choose_logger(mine, "fastsio.test.other") is mine


def test_false_logs_errors_and_true_logs_more():
    """The level follows the argument where the application has set none."""
    quiet = choose_logger(False, "fastsio.test.quiet")
    loud = choose_logger(True, "fastsio.test.loud")

    assert quiet.level == logging.ERROR
    assert loud.level == logging.INFO


def test_a_level_of_the_application_stays():
    """The application's own level is not overruled."""
    logging.getLogger("fastsio.test.set").setLevel(logging.WARNING)

    assert choose_logger(True, "fastsio.test.set").level == logging.WARNING


def test_true_brings_a_handler_only_where_nothing_is_configured():
    """Nothing is logged twice under a configured root."""
    name = "fastsio_test_orphan"
    logging.getLogger(name).propagate = False
    assert len(choose_logger(True, name).handlers) == 1

    configured = "fastsio_test_configured"
    logging.getLogger(configured).addHandler(logging.NullHandler())
    assert len(choose_logger(True, configured).handlers) == 1


def test_what_has_to_be_read_goes_where_it_is_written():
    """A server that logs errors only still tells a developer what is wrong when it starts."""
    quiet, mine = choose_logger(False, "fastsio.test.silent"), logging.getLogger("fastsio.test.open")
    mine.setLevel(logging.WARNING)

    assert startup_logger(quiet) is logging.getLogger("fastsio.server")
    assert startup_logger(mine) is mine
    assert startup_logger("any object with the methods of one") == "any object with the methods of one"


def test_serializers_are_chosen_by_name_or_class():
    """default, msgpack, or a Packet class."""

    class Mine(Packet):
        __slots__ = ()

    assert choose_packet_class("default", None) is Packet
    assert choose_packet_class("msgpack", None) is MsgPackPacket
    assert choose_packet_class(Mine, None) is Mine
    with pytest.raises(SetupError, match="serializer='pickle'"):
        choose_packet_class("pickle", None)


def test_a_json_module_belongs_to_one_server():
    """The process-wide class stays as it is."""
    packet_class = choose_packet_class("default", json)

    assert packet_class.json is json
    assert Packet.json is not json
    assert packet_class(data=["e", 1]).encode() == '2["e",1]'
    with pytest.raises(SetupError, match="dumps"):
        choose_packet_class("default", object())


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "9" * 5000])
def test_clients_read_none_for_a_number_that_json_does_not_have(text):
    """A foreign server that writes one costs the client one value; the others arrive."""
    packet_class = choose_packet_class("default", None, ClientPacket)

    packet = packet_class(encoded_packet=f'2["rates",{{"a":{text},"b":18446744073709551616,"c":1.5,"d":-7}}]')

    assert packet.data == ["rates", {"a": None, "b": 2.0**64, "c": 1.5, "d": -7}]


def test_clients_use_the_json_and_the_serializer_they_are_given():
    """The lenient reader is that of the default serializer alone."""
    assert choose_packet_class("msgpack", None, ClientPacket) is MsgPackPacket
    assert choose_packet_class(Packet, None, ClientPacket) is Packet
    assert not issubclass(choose_packet_class("default", json, ClientPacket), ClientPacket)
