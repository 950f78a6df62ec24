"""
Packing the arguments of events and answers for the bus, as data that any JSON module writes, and unpacking them.

With ``bus_format="msgpack"`` (extra ``msgpack``) arguments are packed as MessagePack; python-socketio reads JSON only.
This module must not know which message the arguments are in.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import optional, require
from fastsio.exceptions import MissingExtraError, SocketIOError
from fastsio.protocol.jsoncodec import DEFAULT_CODEC, AdaptedCodec
from fastsio.protocol.plain import BinaryInPayload, deconstruct, plain_tree, reconstruct, to_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastsio.protocol.jsoncodec import JSONCodec

_package: Final[Any] = optional("msgpack")

#: The first byte of a map. No JSON text in UTF-8 begins with one of these.
_MAP_STARTS: Final = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))


class MessageError(SocketIOError, ValueError):
    """A message from the bus does not have the form of a node's message."""


def is_msgpack_map(raw: bytes) -> bool:
    """Whether bytes begin like a map of MessagePack."""
    return bool(raw) and raw[0] in _MAP_STARTS


def require_msgpack() -> None:
    """Raise MissingExtraError if msgpack is not installed."""
    require("msgpack", "msgpack")


def to_msgpack(value: Any, convert: Callable[[Any], Any] = to_plain) -> bytes:
    """
    Return a value as MessagePack; bytes stay bytes. :func:`require_msgpack` must have been called before.

    *convert* gets values of types that MessagePack does not have.

    Raises:
        TypeError: Something can be converted neither to MessagePack nor to JSON.
        ValueError: An integer has more than 64 bits, a text a lone surrogate, or the value is nested too deeply.
    """
    try:
        encoded: bytes = _package.packb(value, default=convert)
    except OverflowError as error:
        raise ValueError("an integer has more than 64 bits, which MessagePack cannot write") from error
    return encoded


def from_msgpack(raw: bytes) -> Any:
    """
    Return the value of MessagePack bytes.

    Raises:
        ValueError: They are not MessagePack, or msgpack is not installed.
    """
    if _package is None:
        raise ValueError(str(MissingExtraError("msgpack", "msgpack")))
    try:
        return _package.unpackb(raw, strict_map_key=False)
    except (TypeError, ValueError) as error:  # TypeError: the key of a map is a list
        raise ValueError(f"{type(error).__name__}: {error}") from error


_PLAIN_SCALARS: Final = frozenset({str, int, bool, type(None)})
_TEXT: Final = frozenset({str})


def pack(arguments: Sequence[Any], codec: JSONCodec = DEFAULT_CODEC) -> tuple[list[Any], bool]:
    """
    Make data of arguments that every JSON module can write: models are dumped, and bytes follow the rest as Base64.

    Args:
        arguments: The arguments.
        codec: The JSON of the bus. An application's own JSON module also converts models and the like.

    Returns:
        The ``data`` of a message, and whether it is binary.

    Raises:
        TypeError: Something has no JSON form.
        ValueError: The arguments are nested too deeply.
    """
    listed = list(arguments)
    plain = plain_tree if writes_like_fastsio(codec) else partial(as_written, codec)
    try:
        try:
            return (listed if _is_plain(listed) else plain(listed)), False
        except BinaryInPayload:
            tree, attachments = deconstruct(listed)
            return [plain(tree), *(b64encode(one).decode() for one in attachments)], True
    except RecursionError as error:
        raise ValueError("the payload is nested too deeply") from error


def writes_like_fastsio(codec: JSONCodec) -> bool:
    """Whether a codec writes models, dates and the like as fastsio does."""
    return not isinstance(codec, AdaptedCodec)


def as_written(codec: JSONCodec, value: Any) -> Any:
    """
    Return a value as another node would read it after *codec* has written it.

    Raises:
        BinaryInPayload: There is binary in it.
        TypeError: The codec cannot write it.
        ValueError: It is nested too deeply, or what the codec writes is not JSON.
    """
    return json.loads(codec.dumps(value))


def _is_plain(value: Any) -> bool:
    """Whether every JSON module can write a payload as it is: mostly so, and checking is faster than converting."""
    kind = type(value)
    if kind in _PLAIN_SCALARS:
        return True
    if kind is dict:
        return _TEXT.issuperset(map(type, value)) and all(map(_is_plain, value.values()))
    if kind is list:
        return all(map(_is_plain, value))
    return kind is float and isfinite(value)


def unpack(data: Any, *, binary: bool) -> tuple[Any, ...]:
    """
    Return the arguments that were packed with :func:`pack` or as MessagePack.

    Raises:
        MessageError: The data is marked as binary and does not have that form, or is not MessagePack.
    """
    if isinstance(data, bytes):
        data = _arguments_of_msgpack(data)
    elif binary:
        data = _with_attachments(data)
    if isinstance(data, list):
        return tuple(data)
    return () if data is None else (data,)


def _arguments_of_msgpack(data: bytes) -> Any:
    try:
        return from_msgpack(data)
    except ValueError as error:
        raise MessageError(f"the payload cannot be read: {error}") from error


def _with_attachments(data: Any) -> Any:
    if not isinstance(data, list) or not data:
        raise MessageError("binary data must be a list of the payload and its attachments")
    try:
        return reconstruct(data[0], [b64decode(one, validate=True) for one in data[1:]])
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"binary data cannot be read: {error}") from error


def pack_event(arguments: Sequence[Any], codec: JSONCodec = DEFAULT_CODEC) -> tuple[list[Any], bool]:
    """
    Make data of the arguments of an event that every JSON module can write, as :func:`pack` does.

    A single None is written as binary without attachments: python-socketio writes ``[null]`` for no argument at all.
    """
    packed, binary = pack(arguments, codec)
    return ([packed], True) if packed == [None] else (packed, binary)


def unpack_event(data: Any, *, binary: bool) -> tuple[Any, ...]:
    """
    Return the arguments that were packed with :func:`pack_event`, or by a node of python-socketio.

    Raises:
        MessageError: As :func:`unpack` does.
    """
    return () if data == [None] and not binary else unpack(data, binary=binary)
