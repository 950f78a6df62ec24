"""Packets made by hand, as applications and test suites do, are alike in both packages."""

from __future__ import annotations

import importlib
from datetime import date
from typing import Any

import msgpack
import pytest

from tests.parity.packages import OURS, THEIRS

BYTES: list[Any] = [b"x", ["a", b"x"], ["a", {"b": [1, {"c": b""}]}], {"b": b"x"}]
TEXT: list[Any] = [None, ["a"], ["a", {"b": [1, "x"]}], {}]


def outcome(package: str, **arguments: Any) -> Any:
    """Make a packet; return its type and what it is on the wire, or the error."""
    packets = importlib.import_module(f"{package}.packet")
    try:
        packet = packets.Packet(**arguments)
    except ValueError as error:
        return f"ValueError: {error}"
    seen = int(packet.packet_type)
    return seen, packet.encode(), int(packet.packet_type)


@pytest.mark.parametrize("data", [*BYTES, *TEXT], ids=repr)
@pytest.mark.parametrize("packet_type", range(5))
def test_the_type_of_a_packet_is_known_before_it_is_encoded(packet_type: int, data: Any) -> None:
    """BINARY_EVENT or BINARY_ACK as soon as the data holds bytes; other packets, CONNECT_ERROR too, refuse them."""
    arguments = {"packet_type": packet_type, "data": data}

    assert outcome(OURS, **arguments) == outcome(THEIRS, **arguments)


@pytest.mark.parametrize("packet_type", [2, 3, 4])
def test_who_makes_a_packet_may_say_whether_it_is_binary(packet_type: int) -> None:
    """``binary=True`` is taken at its word, and refused where no bytes may be."""
    arguments = {"packet_type": packet_type, "data": ["a", b"x"], "binary": True}

    assert outcome(OURS, **arguments) == outcome(THEIRS, **arguments)


@pytest.mark.parametrize("packet_type", [5, 6])
def test_a_binary_packet_may_be_asked_for_by_its_type(packet_type: int) -> None:
    """C-182: python-socketio refuses the bytes that it asks for, and writes a head that parsers refuse without them."""
    full, empty = ({"packet_type": packet_type, "data": data} for data in (["a", b"x"], ["a"]))

    assert outcome(THEIRS, **full) == "ValueError: Packet does not support binary payload."
    assert outcome(OURS, **full) == (
        packet_type, [f'{packet_type}1-["a",{{"_placeholder":true,"num":0}}]', b"x"], packet_type,
    )  # fmt: skip
    assert outcome(THEIRS, **empty)[1] == [f'{packet_type}0-["a"]']
    assert outcome(OURS, **empty)[1] == f'{packet_type - 3}["a"]'


def dated(value: Any) -> Any:
    """Write a date as an extension type; leave the rest to msgpack."""
    if isinstance(value, date):
        return msgpack.ExtType(5, value.isoformat().encode())
    raise TypeError(value)


def read_date(code: int, data: bytes) -> Any:
    """Read what :func:`dated` writes, and a type whose code JavaScript's undefined has too."""
    return date.fromisoformat(data.decode()) if code == 5 else f"own {code} {data!r}"


@pytest.mark.parametrize("package", [THEIRS, OURS])
@pytest.mark.parametrize("way", ["configure", "subclass"])
def test_conversions_of_msgpack_are_the_applications(package: str, way: str) -> None:
    """Whether they are configured or the attributes of a subclass, which are plain functions."""
    base = importlib.import_module(f"{package}.msgpack_packet").MsgPackPacket
    if way == "configure":
        kind = base.configure(dumps_default=dated, ext_hook=read_date)
    else:
        kind = type("Dated", (base,), {"dumps_default": dated, "ext_hook": read_date})

    sent = ["day", date(2026, 1, 2), msgpack.ExtType(0, b"\x00"), msgpack.ExtType(7, b"z")]
    received = kind(encoded_packet=kind(2, data=sent).encode())

    assert received.data == ["day", date(2026, 1, 2), "own 0 b'\\x00'", "own 7 b'z'"]
