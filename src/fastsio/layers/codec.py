"""
Messages of a layer: copies for the recipients in the process, and bytes for other processes.

The bytes are JSON or MessagePack, encrypted if there are keys; never a format that could run code when it is read.
Every process reads both, so that processes can change their format one after the other; their first bytes differ.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Mapping
from copy import deepcopy
from datetime import date, time, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol
from uuid import UUID

from fastsio._extras import optional, require
from fastsio.exceptions import PayloadError, SetupError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_FIXED: Final = frozenset({str, int, float, bool, bytes, type(None)})
_FIXED_TOO: Final = (str, int, float, bytes, date, time, timedelta, Decimal, UUID, frozenset)

Message = dict[str, Any]


def require_message(message: object) -> Message:
    """Return a message as a plain dict of its own; raise TypeError if it is not a mapping with text keys."""
    if not isinstance(message, Mapping):
        raise TypeError(f"a message is a mapping like {{'type': 'chat.message', ...}}, not {type(message).__name__}")
    plain = dict(message)
    for key in plain:
        if not isinstance(key, str):
            raise TypeError(f"the keys of a message are strings; {key!r} is {type(key).__name__}")
    return plain


def copier(message: Mapping[str, Any]) -> Callable[[], Message]:
    """Return a function that makes copies of a message; the message is searched for mutable values only once."""
    plain = dict(message)
    for value in plain.values():
        if type(value) not in _FIXED:
            return partial(copy_message, plain)
    return plain.copy


def copy_message(message: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return one copy of a message, or of a dict in it."""
    return {key: item if type(item) in _FIXED else _copy(item) for key, item in message.items()}


def _copy(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return copy_message(value)
    if kind is list:
        return [item if type(item) in _FIXED else _copy(item) for item in value]
    if kind is tuple:
        return tuple(map(_copy, value))
    if isinstance(value, _FIXED_TOO):
        return value
    return deepcopy(value)


SerializerFormat = Literal["json", "msgpack"]
#: The keys that mark bytes in JSON, and a dict of the application that has one of these keys itself.
_BYTES: Final = "__bytes__"
_PAIRS: Final = "__pairs__"
_MARKS: Final = (f'"{_BYTES}"', f'"{_PAIRS}"')
_JSON_STARTS: Final = frozenset({b"{", b"["})


class _Cipher(Protocol):
    def encrypt(self, data: bytes) -> bytes: ...
    def decrypt(self, token: bytes) -> bytes: ...


class Codec:
    """Encodes and decodes messages between processes; the first key encrypts, any decrypts."""

    def __init__(
        self,
        serializer_format: SerializerFormat = "json",
        symmetric_encryption_keys: Sequence[str | bytes] | None = None,
    ) -> None:
        if serializer_format not in {"json", "msgpack"}:
            raise SetupError(f"serializer_format is 'json' or 'msgpack', not {serializer_format!r}")
        self._writes_msgpack = serializer_format == "msgpack"
        self._msgpack: Any = require("msgpack", "msgpack") if self._writes_msgpack else optional("msgpack")
        self._cipher = _cipher(symmetric_encryption_keys)

    def encode(self, value: Any) -> bytes:
        """Write a value; raise TypeError if it contains a value that the format does not have."""
        try:
            plain = self._msgpack.packb(value) if self._writes_msgpack else _to_json(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise TypeError(
                f"a message holds None, bool, int, float, str, bytes, lists and dicts with strings for keys: {error}"
            ) from error
        return plain if self._cipher is None else self._cipher.encrypt(plain)

    def decode(self, data: bytes) -> Any:
        """Read a value; raise PayloadError if the bytes are not a message, or were encrypted with another key."""
        try:
            plain = data if self._cipher is None else self._cipher.decrypt(data)
            if plain[:1] in _JSON_STARTS:
                return _from_json(plain)
            return (self._msgpack or require("msgpack", "msgpack")).unpackb(plain)
        except Exception as error:  # the decoders' errors have no base in common
            raise PayloadError(f"not a message of this layer ({type(error).__name__}: {error})") from error

    def decode_message(self, data: bytes) -> dict[str, Any]:
        """Read a value; raise PayloadError if it cannot be read, or is not a dict."""
        value = self.decode(data)
        if not isinstance(value, dict):
            raise PayloadError(f"not a message of this layer: {type(value).__name__} instead of a dict")
        return value


def _cipher(keys: Sequence[str | bytes] | None) -> _Cipher | None:
    if keys is None:
        return None
    if isinstance(keys, str | bytes) or not keys or not all(isinstance(key, str | bytes) and key for key in keys):
        raise SetupError("symmetric_encryption_keys is a list of secrets: [new] or, while they change, [new, old]")
    fernet = require("cryptography.fernet", "encryption")
    # A secret has any length; a Fernet key is 32 bytes in base64.
    derived = [sha256(key.encode() if isinstance(key, str) else key).digest() for key in keys]
    cipher: _Cipher = fernet.MultiFernet([fernet.Fernet(urlsafe_b64encode(key)) for key in derived])
    return cipher


def _to_json(value: Any) -> bytes:
    text = json.dumps(value, default=_default, separators=(",", ":"), ensure_ascii=False)
    if any(mark in text for mark in _MARKS):
        # Rare, so only then the application's dicts with these keys are marked.
        text = json.dumps(_marked(value), separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _default(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return {_BYTES: b64encode(value).decode("ascii")}
    raise TypeError(f"{type(value).__name__} is not one of them")


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        plain = {str(key): _marked(item) for key, item in value.items()}
        return {_PAIRS: list(plain.items())} if plain.keys() & {_BYTES, _PAIRS} else plain
    if isinstance(value, list | tuple):
        return [_marked(item) for item in value]
    return _default(value) if isinstance(value, bytes | bytearray | memoryview) else value


def _from_json(data: bytes) -> Any:
    text = data.decode("utf-8", "surrogatepass")
    return json.loads(text, object_hook=_unmarked if any(mark in text for mark in _MARKS) else None)


def _unmarked(found: dict[str, Any]) -> Any:
    if found.keys() == {_BYTES}:
        return b64decode(found[_BYTES])
    if found.keys() == {_PAIRS}:
        return dict(found[_PAIRS])
    return found
