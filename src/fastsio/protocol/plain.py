"""
Turn what handlers emit and return into what a codec can write: models, dataclasses, sets, dates and the like.

This module owns the rules of conversion, the check of a model's schema after which most models need not be searched for
bytes, and the exception that says that a payload has binary in it, and knows no wire format. Models are dumped by
alias, as FastAPI does, so a client reads the same names that it writes. Conversion is shallow wherever something inside
may be binary: a model's ``bytes`` field must reach the wire as bytes, not as text.

Also owns how binary is taken out of a payload and put back in: the placeholders and their order.
Source: Socket.IO protocol v5, "Packet encoding", BINARY_EVENT; socket.io-parser's ``binary.ts`` for the order.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, EncodedBytes, EncodedStr, RootModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: What the protocol sends as attachments.
BINARY_TYPES: Final = (bytes, bytearray, memoryview)

#: JSON's scalars: what every codec writes by itself.
SCALAR_TYPES: Final = frozenset({str, int, float, bool, type(None)})

#: Whether no dump of a model class can contain bytes: its models are dumped without a search for them.
_BINARY_FREE: Final[dict[type[BaseModel], bool]] = {}

#: The names, in the dump of a model class, of the fields whose bytes JSON has as text, such as ``Base64Bytes``.
_ENCODED_FIELDS: Final[dict[type[BaseModel], tuple[str, ...]]] = {}

#: The functions that write models as JSON, for classes whose dumps contain no bytes.
_JSON_WRITERS: Final[dict[type[BaseModel], Callable[..., bytes]]] = {}

_SEQUENCE_TYPES: Final = (list, tuple, set, frozenset, deque)


class BinaryInPayload(TypeError):  # noqa: N818 - a signal between codec and packet, an error only outside of them
    """A JSON codec met a bytes-like value: the payload needs attachments."""

    def __init__(self, value: object) -> None:
        super().__init__(f"Object of type {type(value).__name__} is not JSON serializable")


def quick_dump(value: Any) -> Any:
    """Return the dump of a model whose class is known to hold no bytes; None for any other value."""
    kind = type(value)
    return kind.__pydantic_serializer__.to_python(value, mode="json", by_alias=True) if _BINARY_FREE.get(kind) else None


def quick_json(value: Any) -> str | None:
    """
    Return the JSON of a model whose class is known to hold no bytes.

    None for any other value, and for a model with text that cannot be encoded as UTF-8.
    """
    write = _JSON_WRITERS.get(type(value))
    if write is None:
        return None
    try:
        encoded = write(value, by_alias=True)
    except PydanticSerializationError:
        return None
    return encoded.decode()


def to_plain(value: Any) -> Any:
    """
    Convert a value that JSON has no form for to one closer to JSON, whose parts may need converting in turn.

    Raises:
        TypeError: The value has no JSON form.
    """
    if isinstance(value, BaseModel):
        return _dump_model(value)
    if isinstance(value, _SEQUENCE_TYPES):
        return list(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _dump_dataclass(value)
    return _dump_scalar(value)


def plain_tree(value: Any) -> Any:
    """
    Convert a whole payload to the types of JSON; slow, for payloads that a codec cannot write as they are.

    NaN and the infinities become None and keys become text, as in ``JSON.stringify``.

    Raises:
        BinaryInPayload: The payload contains bytes.
        TypeError: Something in the payload has no JSON form.
    """
    if isinstance(value, BINARY_TYPES):
        raise BinaryInPayload(value)
    if isinstance(value, dict):
        return {_plain_key(key): plain_tree(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_tree(item) for item in value]
    if isinstance(value, Enum) or not isinstance(value, (str, int, float, type(None))):
        return plain_tree(to_plain(value))
    return None if isinstance(value, float) and not isfinite(value) else value


def _plain_key(key: Any) -> Any:
    """Convert the key of an object; the standard library writes numbers, booleans and None as JSON does."""
    if isinstance(key, Enum):
        return _plain_key(key.value)
    if isinstance(key, float) and not isfinite(key):
        return str(key)
    if isinstance(key, (str, int, float, type(None))):
        return key
    if isinstance(key, BINARY_TYPES):
        raise TypeError(f"keys must be text or numbers, not {type(key).__name__}")
    return next(iter(_dump_scalar({key: None})))


def _dump_model(model: BaseModel) -> Any:
    """Return the dump of a model with the values of JSON or, when there are bytes in it, with those of Python."""
    model_class = type(model)
    binary_free = _BINARY_FREE.get(model_class)
    if binary_free is None:
        _ENCODED_FIELDS[model_class] = tuple(_encoded_fields(model_class))
        binary_free = _BINARY_FREE[model_class] = is_binary_free(model_class)
        if binary_free and writes_nan_as_null(model_class):
            _JSON_WRITERS[model_class] = model_class.__pydantic_serializer__.to_json
    if binary_free:
        return model_class.__pydantic_serializer__.to_python(model, mode="json", by_alias=True)
    plain = model.model_dump(by_alias=True)
    for name in _ENCODED_FIELDS[model_class]:
        if isinstance(plain.get(name), bytes):
            plain[name] = plain[name].decode("ascii")
    if contains_binary(plain):
        return plain
    try:
        return model.model_dump(mode="json", by_alias=True)
    except PydanticSerializationError:
        # A field of type Any has a value that pydantic does not know, such as a Struct; the codec converts it later.
        return plain


def _encoded_fields(model_class: type[BaseModel]) -> Iterator[str]:
    """Yield the names, in a dump, of the fields whose bytes JSON has as text, such as ``Base64Bytes``."""
    if issubclass(model_class, RootModel):
        return
    for name, field in model_class.model_fields.items():
        if any(isinstance(note, EncodedBytes) for note in field.metadata):
            yield field.serialization_alias or name


def is_struct(value: object) -> bool:
    """Tell whether *value* is a Struct of msgspec, without importing msgspec."""
    return hasattr(type(value), "__struct_fields__") and "msgspec" in sys.modules


def _dump_struct(value: Any) -> Any:
    """Convert a Struct as msgspec would write it; bytes stay bytes, and models in it are dumped as anywhere else."""
    return sys.modules["msgspec"].to_builtins(value, builtin_types=BINARY_TYPES, str_keys=True, enc_hook=to_plain)


def _dump_dataclass(value: Any) -> Any:
    """Return the fields of a dataclass, one level deep; a dataclass of pydantic is dumped by its serializer."""
    serializer = getattr(type(value), "__pydantic_serializer__", None)
    if serializer is not None:
        plain = serializer.to_python(value, by_alias=True)
        return plain if contains_binary(plain) else serializer.to_python(value, mode="json", by_alias=True)
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _dump_scalar(value: Any) -> Any:
    """
    Let pydantic convert a date, UUID, Decimal, path, URL and the like.

    Iterators are refused: one that was read here would be empty if the payload had to be converted again.
    """
    if is_struct(value):
        return _dump_struct(value)
    if not isinstance(value, Iterator):
        try:
            return to_jsonable_python(value)
        except (PydanticSerializationError, UnicodeDecodeError) as error:
            raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable") from error
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def contains_binary(value: Any) -> bool:
    """
    Tell whether a payload contains bytes, at any depth, also inside models and dataclasses.

    Raises:
        RecursionError: The payload is nested too deeply or contains itself.
    """
    if type(value) in SCALAR_TYPES:
        return False
    if isinstance(value, BINARY_TYPES):
        return True
    if isinstance(value, dict):
        return any(contains_binary(item) for item in value.values())
    if isinstance(value, _SEQUENCE_TYPES):
        return any(contains_binary(item) for item in value)
    return is_container(value) and contains_binary(to_plain(value))


def is_container(value: object) -> bool:
    """Tell whether :func:`to_plain` may find bytes in *value*, which is no dict and no sequence."""
    if isinstance(value, (BaseModel, Enum, Mapping)) or is_struct(value):
        return True
    return is_dataclass(value) and not isinstance(value, type)


#: The schema types of pydantic-core whose values hold no bytes unless a type inside them does.
_SAFE_TYPES: Final = frozenset(
    {
        "bool", "computed-field", "date", "datetime", "decimal", "default", "definition-ref", "definitions", "dict",
        "enum", "float", "frozenset", "function-after", "function-before", "function-wrap", "int", "list", "literal",
        "model", "model-field", "model-fields", "none", "nullable", "set", "str", "tagged-union", "time", "timedelta",
        "tuple", "union", "url", "uuid",
    }
)  # fmt: skip

#: Keys of a schema that hold no schema.
_NOTES: Final = frozenset({"metadata", "config", "ref", "default", "cls", "members", "expected", "function"})


def is_binary_free(model_class: type[BaseModel]) -> bool:
    """
    Tell whether no dump of a model class can contain bytes.

    False also for a class that is not complete, or has a ``model_dump`` of its own.
    """
    if model_class.model_dump is not BaseModel.model_dump or not model_class.__pydantic_complete__:
        return False
    return is_safe(model_class.__pydantic_core_schema__)


def writes_nan_as_null(model_class: type[BaseModel]) -> bool:
    """Tell whether pydantic writes NaN and infinities in a model, and in those in it, as null and not as ``NaN``."""
    return _has_usual_floats(model_class.__pydantic_core_schema__)


def _has_usual_floats(node: Any) -> bool:
    config = node.get("config") if isinstance(node, dict) else None
    if isinstance(config, dict) and config.get("ser_json_inf_nan", "null") != "null":
        return False
    return all(map(_has_usual_floats, _parts(node)))


def is_safe(node: Any) -> bool:
    """Tell whether a schema of pydantic-core describes no value whose dump contains bytes."""
    if isinstance(node, dict):
        if _is_text(node):
            return True
        if not _is_safe_schema(node):
            return False
    return all(map(is_safe, _parts(node)))


def _parts(node: Any) -> Iterable[Any]:
    """Return what is in a part of a schema; a dict without a type maps the names of fields, or tags, to schemas."""
    if isinstance(node, dict):
        is_schema = isinstance(node.get("type"), str)
        return [value for key, value in node.items() if not (is_schema and key in _NOTES)]
    return node if isinstance(node, (list, tuple)) else ()


def _is_text(node: Mapping[str, Any]) -> bool:
    """Tell whether a schema is that of ``Base64Bytes`` or another type whose bytes JSON has as text."""
    serialization = node.get("serialization")
    function = serialization.get("function") if isinstance(serialization, dict) else None
    return isinstance(getattr(function, "__self__", None), (EncodedBytes, EncodedStr))


def _is_safe_schema(node: Mapping[str, Any]) -> bool:
    """Tell whether a dict of a schema is safe, apart from the schemas in it."""
    kind = node.get("type")
    if isinstance(kind, str) and kind not in _SAFE_TYPES:
        return False
    if "serialization" in node or _allows_extra_fields(node):
        return False
    values = [member.value for member in node.get("members", ()) if isinstance(member, Enum)]
    return not any(isinstance(value, bytes) for value in (*values, *node.get("expected", ())))


def _allows_extra_fields(node: Mapping[str, Any]) -> bool:
    return "allow" in (node.get("extra_behavior"), node.get("config", {}).get("extra_fields_behavior"))


def deconstruct(data: Any) -> tuple[Any, list[bytes]]:
    """
    Take the attachments out of a payload, depth first, in the order of lists and keys; return it with placeholders.

    Raises:
        ValueError: The payload contains itself, or is nested too deeply.
    """
    attachments: list[bytes] = []
    try:
        return _take_out(data, attachments), attachments
    except RecursionError as error:
        raise ValueError("the payload is nested too deeply") from error


def _take_out(value: Any, attachments: list[bytes]) -> Any:
    if type(value) in SCALAR_TYPES:
        return value
    if isinstance(value, BINARY_TYPES):
        attachments.append(value if isinstance(value, bytes) else bytes(value))
        return {"_placeholder": True, "num": len(attachments) - 1}
    if isinstance(value, dict):
        return {key: _take_out(item, attachments) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_take_out(item, attachments) for item in value]
    # A value without bytes in it is left to the codec, which may be the application's own.
    if (is_container(value) or isinstance(value, (set, frozenset))) and contains_binary(value):
        return _take_out(to_plain(value), attachments)
    return value


def reconstruct(tree: Any, attachments: Sequence[bytes]) -> Any:
    """
    Put attachments in the places of their placeholders.

    Raises:
        PacketError: A placeholder names no attachment, or an attachment has no placeholder.

    Source: CVE-2022-2421 and CVE-2023-32695, for the checks.
    """
    unused = set(range(len(attachments)))
    payload = _put_in(tree, attachments, unused)
    if unused:
        raise PacketError(f"attachment {min(unused)} has no placeholder")
    return payload


def _put_in(value: Any, attachments: Sequence[bytes], unused: set[int]) -> Any:
    if isinstance(value, list):
        return [_put_in(item, attachments, unused) for item in value]
    if not isinstance(value, dict):
        return value
    # With any other value than true it is a dict of the application's, as in JavaScript.
    if value.get("_placeholder") is not True:
        return {key: _put_in(item, attachments, unused) for key, item in value.items()}
    number = value.get("num")
    if type(number) is not int or not 0 <= number < len(attachments):
        raise PacketError("a placeholder names no attachment")
    unused.discard(number)
    return attachments[number]
