"""
Whether a pydantic model can hold bytes, read from its schema once per class.

Answers only yes when it is sure: a type it does not know may hold anything.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

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
    return _is_safe(model_class.__pydantic_core_schema__)


def _is_safe(node: Any) -> bool:
    if isinstance(node, (list, tuple)):
        return all(_is_safe(item) for item in node)
    if isinstance(node, dict):
        return _is_safe_schema(node) and all(_is_safe(value) for key, value in node.items() if key not in _NOTES)
    return True


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
