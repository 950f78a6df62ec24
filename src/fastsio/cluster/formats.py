"""
The formats of the bus: JSON, which python-socketio reads too, and MessagePack, which is smaller and has bytes.

This module owns how messages are written. Every node reads both formats, so that nodes can change their format one
after the other.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from fastsio.cluster import messages, payloads
from fastsio.exceptions import SetupError
from fastsio.protocol.jsoncodec import DEFAULT_CODEC
from fastsio.protocol.plain import BinaryInPayload, to_plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.protocol.jsoncodec import JSONCodec

#: The names of the formats.
BusFormatName = Literal["json", "msgpack"]


class JSONFormat:
    """The JSON of python-socketio 5.15.1 and later."""

    pack = staticmethod(payloads.pack)
    pack_event = staticmethod(payloads.pack_event)
    encode = staticmethod(messages.encode)


class MsgPackFormat:
    """
    MessagePack: the same maps as in JSON, with the arguments packed as a value of their own.

    The arguments are packed once, and a node that has no client for them does not unpack them.

    Raises:
        MissingExtraError: msgpack is not installed.
    """

    def __init__(self) -> None:
        payloads.require_msgpack()

    def pack(self, arguments: Sequence[Any], codec: JSONCodec = DEFAULT_CODEC) -> tuple[bytes, bool]:
        """
        Make the ``data`` of a message from the arguments of an answer, as :func:`.payloads.pack` does for JSON.

        Raise TypeError if something has no form in JSON; ValueError if the arguments are nested too deeply, or there is
        a value that MessagePack cannot write.
        """
        convert = to_plain if payloads.writes_like_fastsio(codec) else partial(_written, codec)
        return payloads.to_msgpack(arguments, convert), False

    def pack_event(self, arguments: Sequence[Any], codec: JSONCodec = DEFAULT_CODEC) -> tuple[bytes, bool]:
        """Write the arguments, as :meth:`pack` does: in this format a None differs from no argument at all."""
        return self.pack(arguments, codec)

    def encode(self, message: dict[str, Any], codec: JSONCodec) -> bytes:  # noqa: ARG002 - there is no JSON in it
        """Write a message."""
        return payloads.to_msgpack(message)


def _written(codec: JSONCodec, value: Any) -> Any:
    """Return a value that MessagePack does not know as the application's codec writes it."""
    try:
        return payloads.as_written(codec, value)
    except BinaryInPayload:  # MessagePack has bytes, unlike JSON
        return to_plain(value)


BusFormat: TypeAlias = JSONFormat | MsgPackFormat
_FORMATS: Final[dict[str, type[BusFormat]]] = {"json": JSONFormat, "msgpack": MsgPackFormat}


def format_named(name: str) -> BusFormat:
    """
    Return the format of a name.

    Raises:
        SetupError: There is no such format.
        MissingExtraError: msgpack was chosen, and is not installed.
    """
    if name not in _FORMATS:
        raise SetupError(f"bus_format is {' or '.join(map(repr, _FORMATS))}, not {name!r}")
    return _FORMATS[name]()
