"""
Engine.IO 3 on the wire, as the JavaScript clients 1.x and 2.x speak it, where it differs from Engine.IO 4.

This module reads and writes packets and payloads. Sessions and their heartbeat are not its part.

A payload has one of two forms. As text it is ``<length>:<packet>`` for each packet, counted in UTF-16 units, with
binary as ``b4`` and base64. As bytes it is, for each packet, 0 for text or 1 for binary, the length in decimal, one
byte a digit, 255, and the packet; a binary packet starts with the byte of its type.

Source: Engine.IO protocol v3, "Encoding"; engine.io-parser 2.2.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus

from fastsio.engine.payload import IGNORED, decode_base64
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastsio.engine.packet import WirePacket

#: The packet types a client may send: close, ping, message, and those that are ignored. A pong comes from the server.
CLIENT_TYPES: Final = frozenset("124") | IGNORED
MESSAGE_BYTE: Final = 4
#: The most digits that the length of a packet may have.
LENGTH_DIGITS: Final = 16
END_OF_LENGTH: Final = 255

_BEYOND_16_BITS: Final = re.compile("[\U00010000-\U0010ffff]")
#: How engine.io-client's JSONP transport writes a newline; with another backslash, how it writes a backslash and an n.
_ESCAPED_NEWLINE: Final = re.compile(r"(\\)?\\n")


def encode_text(packets: Iterable[WirePacket]) -> str:
    """Join packets, binary ones in their Engine.IO 3 form, to a payload of text."""
    return "".join([f"{_units(text)}:{text}" for text in [packet.polling for packet in packets]])


def encode_bytes(packets: Iterable[WirePacket]) -> bytes:
    """Join packets, which are as for :func:`encode_text`, to a payload of bytes."""
    return b"".join([_framed(packet.wire) for packet in packets])


def fits_text(packets: Iterable[WirePacket]) -> bool:
    """
    Return whether every client reads a payload of text correctly.

    Clients 1.x count the bytes of a text and clients 2.x its characters, so anything but ASCII goes out as bytes,
    which both read alike.
    """
    return all(not packet.binary and packet.wire.isascii() for packet in packets)


def decode_payload(body: bytes, *, is_binary: bool) -> Iterator[str | bytes]:
    """
    Split a posted body into packets, one at a time: text with the type in front, bytes for a binary message.

    Raises:
        PacketError: The body does not follow the form that the client said, or the next packet is malformed.
    """
    if is_binary:
        yield from _split_bytes(body)
        return
    text = _decode_utf8(body)
    if text.startswith("d="):
        text = _ESCAPED_NEWLINE.sub(lambda match: "\\n" if match[1] else "\n", unquote_plus(text[2:].partition("&")[0]))
    for packet in _split_text(text):
        yield decode_packet(packet)


def decode_packet(text: str) -> str | bytes:
    """
    Read a packet of text, a frame or in a payload: return it with its type in front, or the bytes of a binary message.

    Raises:
        PacketError: The packet is malformed, or of a type that clients do not send.
    """
    kind = text[:1]
    if kind == "b" and text[1:2] == "4":
        return decode_base64(text[2:])
    if kind not in CLIENT_TYPES or not kind:
        raise PacketError("a packet of unknown type" if kind else "an empty packet")
    return text


def decode_binary(packet: bytes) -> bytes:
    """Return the message in a packet of bytes; raise PacketError if the packet is no message."""
    if packet[:1] != bytes([MESSAGE_BYTE]):
        raise PacketError("a binary packet of unknown type" if packet else "an empty packet")
    return packet[1:]


def _units(text: str) -> int:
    """Count UTF-16 units, as JavaScript does."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _framed(wire: str | bytes) -> bytes:
    is_binary = isinstance(wire, bytes)
    packet = wire if isinstance(wire, bytes) else wire.encode(errors="replace")
    digits = bytes([int(digit) for digit in str(len(packet))])
    return bytes([is_binary, *digits, END_OF_LENGTH]) + packet


def _split_text(text: str) -> Iterator[str]:
    if not text.isascii() and _BEYOND_16_BITS.search(text) is not None:
        yield from _split_units(text.encode("utf-16-le"))
        return
    position = 0
    while position < len(text):
        colon = text.find(":", position, position + LENGTH_DIGITS + 1)
        start, position = _bounds(text[position : max(colon, position)], colon + 1, len(text))
        yield text[start:position]


def _split_units(units: bytes) -> Iterator[str]:
    """Split a payload in UTF-16, where two bytes are what JavaScript counts as one."""
    position, length = 0, len(units) // 2
    while position < length:
        head = units[position * 2 : (position + LENGTH_DIGITS + 1) * 2].decode("utf-16-le", "replace")
        digits, colon, _ = head.partition(":")
        start, position = _bounds(digits if colon else "", position + len(digits) + 1, length)
        try:
            yield units[start * 2 : position * 2].decode("utf-16-le")
        except UnicodeDecodeError as error:
            raise PacketError("a packet that ends within a character") from error


def _bounds(digits: str, start: int, length: int) -> tuple[int, int]:
    """Return where a packet starts and ends whose length is written in *digits*."""
    if not (digits.isdecimal() and digits.isascii()):
        raise PacketError("a packet without a valid length")
    end = start + int(digits)
    if end > length:
        raise PacketError("a packet shorter than its length")
    return start, end


def _split_bytes(body: bytes) -> Iterator[str | bytes]:
    position = 0
    while position < len(body):
        is_binary = body[position]
        end = body.find(END_OF_LENGTH, position + 1, position + LENGTH_DIGITS + 2)
        digits = body[position + 1 : max(end, 0)]
        if is_binary > 1 or not digits or max(digits) > 9:  # noqa: PLR2004 - a decimal digit
            raise PacketError("a packet without a valid length")
        position = end + 1 + int("".join(map(str, digits)))
        if position > len(body):
            raise PacketError("a packet shorter than its length")
        packet = body[end + 1 : position]
        yield decode_binary(packet) if is_binary else decode_packet(_decode_utf8(packet))


def _decode_utf8(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise PacketError("the body is not UTF-8") from error
