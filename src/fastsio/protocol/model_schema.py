"""
What the dump of a pydantic model can have in it, read from its schema once per class.

Answers only yes when it is sure: a type it does not know may hold anything.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, EncodedBytes, EncodedStr

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The schema types of pydantic-core whose values hold no bytes unless a type inside them does.
_SAFE_TYPES: Final = frozenset(
    [
        "bool",
        "computed-field",
        "date",
        "datetime",
        "decimal",
        "default",
        "definition-ref",
        "definitions",
        "dict",
        "enum",
        "float",
        "frozenset",
        "function-after",
        "function-before",
        "function-wrap",
        "int",
        "list",
        "literal",
        "model",
        "model-field",
        "model-fields",
        "none",
        "nullable",
        "set",
        "str",
        "tagged-union",
        "time",
        "timedelta",
        "tuple",
        "union",
        "url",
        "uuid",
    ]
)

#: Keys of a schema that hold no schema.
_NOTES: Final = frozenset({"metadata", "config", "ref", "default", "cls", "members", "expected", "function"})


def is_binary_free(model_class: type[BaseModel]) -> bool:
    """
    Tell whether no dump of a model class can contain bytes.

    Args:
        model_class: The class.

    Returns:
        False when bytes are possible, and when the class is not complete or dumps itself in a way of its own.
    """
    if model_class.model_dump is not BaseModel.model_dump or not model_class.__pydantic_complete__:
        return False
    return is_safe(model_class.__pydantic_core_schema__)


def writes_no_constants(model_class: type[BaseModel]) -> bool:
    """
    Tell whether pydantic writes NaN and the infinities of a model class as null, as every other value is written.

    Args:
        model_class: The class.

    Returns:
        False when its configuration, or that of a model in it, says otherwise: NaN is no JSON.
    """
    return _has_usual_floats(model_class.__pydantic_core_schema__)


def _has_usual_floats(node: Any) -> bool:
    if isinstance(node, (list, tuple)):
        return all(_has_usual_floats(item) for item in node)
    if isinstance(node, dict):
        config = node.get("config")
        if isinstance(config, dict) and config.get("ser_json_inf_nan", "null") != "null":
            return False
        return all(_has_usual_floats(value) for key, value in node.items() if key not in _NOTES)
    return True


def is_safe(node: Any) -> bool:
    """Tell whether nothing that a schema of pydantic-core describes is dumped as bytes in the form of JSON."""
    if isinstance(node, (list, tuple)):
        return all(is_safe(item) for item in node)
    if isinstance(node, dict):
        if _is_text(node):
            return True
        return _is_safe_schema(node) and all(is_safe(value) for key, value in node.items() if key not in _NOTES)
    return True


def _is_text(node: Mapping[str, Any]) -> bool:
    """Tell whether this is ``Base64Bytes`` or another type whose bytes have the form of a text in JSON."""
    serialization = node.get("serialization")
    function = serialization.get("function") if isinstance(serialization, dict) else None
    return isinstance(getattr(function, "__self__", None), (EncodedBytes, EncodedStr))


def _is_safe_schema(node: Mapping[str, Any]) -> bool:
    """Judge one level: what is a schema has a type; what maps names to schemas has none."""
    kind = node.get("type")
    if isinstance(kind, str) and kind not in _SAFE_TYPES:
        return False
    if "serialization" in node or _allows_extra_fields(node):
        return False
    values = [member.value for member in node.get("members", ()) if isinstance(member, Enum)]
    return not any(isinstance(value, bytes) for value in (*values, *node.get("expected", ())))


def _allows_extra_fields(node: Mapping[str, Any]) -> bool:
    return "allow" in (node.get("extra_behavior"), node.get("config", {}).get("extra_fields_behavior"))
