"""
The JSON codecs: orjson when it is installed, otherwise the standard library, or the application's own.

This module owns how values become text and text becomes values, with the same result for every codec, and knows no
packet. A codec raises :class:`BinaryInPayload` when it meets bytes, so that no payload has to be searched for them
beforehand.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, Final, Protocol, runtime_checkable

from fastsio._extras import optional
from fastsio.protocol.plain import (
    BINARY_TYPES,
    SCALAR_TYPES,
    BinaryInPayload,
    contains_binary,
    plain_tree,
    quick_dump,
    quick_json,
    to_plain,
)

__all__ = ["CLIENT_CODEC", "DEFAULT_CODEC", "BinaryInPayload", "JSONCodec", "OrjsonCodec", "StdlibCodec", "adapt"]

_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**64 - 1
#: Words in the errors that orjson raises for valid JSON: for lone surrogates, and for deeper nesting than it reads.
_ORJSON_ONLY: Final = ("surrogate", "depth", "ecursion")
#: Integers with more characters need more than 64 bits.
_INTEGER_CHARS: Final = 20


@runtime_checkable
class JSONCodec(Protocol):
    """Writes and reads JSON the way the protocol needs it."""

    def dumps(self, obj: Any) -> str:
        """
        Write a payload as compact JSON, a text that can be encoded as UTF-8.

        Raises:
            BinaryInPayload: There is binary in the payload.
            TypeError: Something in the payload has no JSON form.
            ValueError: The payload contains itself, or is nested too deeply.
        """
        ...

    def loads(self, text: str) -> Any:
        """
        Read JSON strictly: no NaN, no infinities, nothing after the value; raise ValueError for other text.

        An integer beyond 64 bits is a float, as every number in JavaScript is.
        """
        ...


def _orjson_message(orjson: Any, text: str) -> str:
    """Return the message of the error that orjson raises for *text*; an empty one if it raises none."""
    try:
        orjson.loads(text)
    except ValueError as error:
        return str(error)
    return ""


def _is_only_of_orjson(error: ValueError) -> bool:
    """Whether orjson refuses a text that the standard library may read."""
    return any(word in str(error) for word in _ORJSON_ONLY)


def _hook(value: Any) -> Any:
    """Return a value in place of one that a JSON encoder does not know."""
    dumped = quick_dump(value)
    if dumped is not None:
        return dumped
    if isinstance(value, BINARY_TYPES):
        raise BinaryInPayload(value)
    if isinstance(value, float):  # orjson calls this for subclasses of float
        return float(value)
    return to_plain(value)


def _read_integer(digits: str) -> int | float:
    """Read an integer as orjson does."""
    value = int(digits)
    return value if _SMALLEST <= value <= _LARGEST else _read_float(digits)


def _read_float(digits: str) -> float:
    """Read a float; one that is too large would become infinite."""
    value = float(digits)
    if not isfinite(value):
        raise ValueError("a number is too large")
    return value


def _refuse_constant(name: str) -> Any:
    """Refuse NaN and the infinities, which JavaScript has and JSON does not."""
    raise ValueError(f"{name} is not JSON")


def _read_any_integer(digits: str) -> int | float | None:
    """Read an integer; None if it is too large for a float."""
    value = int(digits) if len(digits) <= _INTEGER_CHARS else _LARGEST + 1
    return value if _SMALLEST <= value <= _LARGEST else _read_any_float(digits)


def _read_any_float(digits: str) -> float | None:
    """Read a float; None if it is too large."""
    value = float(digits)
    return value if isfinite(value) else None


def _ignore_constant(_name: str) -> None:
    """Read NaN and the infinities as None, as ``JSON.stringify`` writes them."""


class StdlibCodec:
    """The standard library's JSON; if not *strict*, NaN, the infinities and numbers too large for a float are None."""

    __slots__ = ("_decode", "_encode", "_encode_ascii")

    def __init__(self, *, strict: bool = True) -> None:
        compact = (",", ":")
        self._encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=compact, default=_hook).encode
        self._encode_ascii = json.JSONEncoder(allow_nan=False, separators=compact).encode
        self._decode = json.JSONDecoder(
            parse_int=_read_integer if strict else _read_any_integer,
            parse_float=_read_float if strict else _read_any_float,
            parse_constant=_refuse_constant if strict else _ignore_constant,
        ).decode

    def dumps(self, obj: Any) -> str:
        """Write a payload as compact JSON; see :meth:`JSONCodec.dumps`."""
        try:
            text = self._encode_strictly(obj)
            text.encode()
        except UnicodeEncodeError:
            # A lone surrogate has no UTF-8 form, only an escaped one.
            return self._encode_ascii(plain_tree(obj))
        except RecursionError as error:
            raise ValueError("the payload is nested too deeply") from error
        return text

    def _encode_strictly(self, obj: Any) -> str:
        try:
            return self._encode(obj)
        except BinaryInPayload:
            raise
        except (TypeError, ValueError):
            pass
        # There is NaN, an infinity or a key that is not text; or else a mistake, for which this call raises.
        return self._encode(plain_tree(obj))

    def loads(self, text: str) -> Any:
        """Read JSON; see :meth:`JSONCodec.loads`."""
        try:
            return self._decode(text)
        except RecursionError as error:
            raise ValueError("the text is nested too deeply") from error


class OrjsonCodec:
    """The JSON of orjson, with the standard library for the little it refuses; *strict* is as there."""

    __slots__ = ("_decode", "_encode", "_is_final", "_options", "_stdlib")

    def __init__(self, orjson: Any, *, strict: bool = True) -> None:
        self._encode = orjson.dumps
        self._decode = orjson.loads
        self._options: int = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
        self._stdlib = StdlibCodec(strict=strict)
        # Whether an error of orjson shows that a text is not JSON, so that the standard library need not read it too.
        self._is_final = strict and _ORJSON_ONLY[0] in _orjson_message(orjson, '"\\ud800"')

    def dumps(self, obj: Any) -> str:
        """Write a payload as compact JSON; see :meth:`JSONCodec.dumps`."""
        try:
            # An acknowledgement is most often one model: pydantic writes it without a detour over Python objects.
            if type(obj) is list and len(obj) == 1 and type(obj[0]) not in SCALAR_TYPES:
                model = quick_json(obj[0])
                if model is not None:
                    return f"[{model}]"
            encode = self._encode
            text: str = encode(obj, _hook, self._options).decode()
        except TypeError as error:
            if isinstance(error.__cause__, BinaryInPayload):
                raise error.__cause__ from None
        else:
            return text
        # Integers beyond 64 bits, keys that are not text, lone surrogates, deep nesting; or a mistake, for which this
        # call raises, outside of the except clause and so without a context.
        return self._stdlib.dumps(obj)

    def loads(self, text: str) -> Any:
        """Read JSON; see :meth:`JSONCodec.loads`."""
        decode = self._decode
        try:
            return decode(text)
        except ValueError as error:
            if self._is_final and not _is_only_of_orjson(error):
                raise
            # A lone surrogate, which JavaScript sends and orjson refuses, or many levels.
            return self._stdlib.loads(text)


class AdaptedCodec:
    """A JSON module or object of the application's, with ``dumps(obj, separators=...)`` and ``loads(text)``."""

    __slots__ = ("_module",)

    def __init__(self, module: Any) -> None:
        self._module = module

    def dumps(self, obj: Any) -> str:
        """Write a payload as compact JSON; see :meth:`JSONCodec.dumps`."""
        try:
            if contains_binary(obj):
                raise BinaryInPayload(b"")
            return self._dumps(obj)
        except RecursionError as error:
            raise ValueError("the payload is nested too deeply") from error

    def _dumps(self, obj: Any) -> str:
        separators = (",", ":")
        try:
            text: str = self._module.dumps(obj, separators=separators)
        except TypeError:
            # The module does not know models, dates and the like; or a mistake, which it then reports.
            text = self._module.dumps(plain_tree(obj), separators=separators)
        # A lone surrogate, which has no UTF-8 form, is written as JSON's escape of it, which this error handler makes.
        return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()

    def loads(self, text: str) -> Any:
        """Read JSON as the module does; whatever it raises becomes a ValueError, for the peer's text is the cause."""
        try:
            return self._module.loads(text)
        except Exception as error:
            raise ValueError(f"the payload could not be read: {error}") from error


def adapt(module: Any) -> JSONCodec:
    """Make a codec of the application's JSON module; fastsio's codecs are returned as they are; None is the default."""
    if module is None:
        return DEFAULT_CODEC
    if isinstance(module, (StdlibCodec, OrjsonCodec, AdaptedCodec)):
        return module
    return AdaptedCodec(module)


_orjson = optional("orjson")

#: The codec of packet classes that were not given another one.
DEFAULT_CODEC: Final[JSONCodec] = StdlibCodec() if _orjson is None else OrjsonCodec(_orjson)

#: The codec of clients: NaN, or a number that is too large, is read as None and does not close the connection.
CLIENT_CODEC: Final[JSONCodec] = StdlibCodec(strict=False) if _orjson is None else OrjsonCodec(_orjson, strict=False)
