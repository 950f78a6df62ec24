"""
camelCase on the wire, snake_case in Python: which keys of a message are names of fields, and their names on the wire.

Read once from the annotations of a message class. Keys of free dicts are data and stay as they are, and a field that
has an alias of its own keeps it.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel
from pydantic.alias_generators import to_camel


@dataclass(slots=True, eq=False)
class Keys:
    """
    The keys of one value.

    Args:
        inward: Key on the wire -> key for validation, and the keys of its value.
        outward: Key as dumped -> key on the wire, and the keys of its value.
        items: The keys of the items of a list, or of the values of a free dict.
    """

    inward: dict[str, tuple[str, Keys | None]] = field(default_factory=dict)
    outward: dict[str, tuple[str, Keys | None]] = field(default_factory=dict)
    items: Keys | None = None


def keys_of(annotation: Any) -> Keys | None:
    """Return the keys of values of *annotation*; None when it has no fields anywhere."""
    return _Reader().read(annotation)


message_keys = lru_cache(maxsize=1024)(keys_of)


def merged_keys(annotations: Iterable[Any]) -> Keys | None:
    """Return the keys of values of any of several annotations."""
    return _merged([keys for annotation in annotations if (keys := keys_of(annotation)) is not None])


def from_wire(value: Any, keys: Keys | None) -> Any:
    """Return *value* with the names that validation knows; names of both forms are accepted."""
    if keys is None:
        return value
    if isinstance(value, dict):
        return _rename(value, keys.inward, keys.items, from_wire)
    return [from_wire(item, keys.items) for item in value] if isinstance(value, list) else value


def to_wire(value: Any, keys: Keys | None) -> Any:
    """Return *value*, plain data, with the names of the wire."""
    if keys is None:
        return value
    if isinstance(value, dict):
        return _rename(value, keys.outward, keys.items, to_wire)
    return [to_wire(item, keys.items) for item in value] if isinstance(value, list) else value


def _rename(value: dict[str, Any], names: dict[str, tuple[str, Keys | None]], items: Keys | None, into: Any) -> Any:
    renamed: dict[str, Any] = {}
    for key, item in value.items():
        name, keys = names.get(key, (key, items))
        renamed[name] = into(item, keys)
    return renamed


class _Reader:
    """Reads annotations; a model that contains itself is read once."""

    def __init__(self) -> None:
        self._known: dict[type, Keys] = {}

    def read(self, annotation: Any) -> Keys | None:
        origin = get_origin(annotation)
        if origin is Annotated:
            return self.read(get_args(annotation)[0])
        if origin in (Union, types.UnionType):
            return _merged([keys for member in get_args(annotation) if (keys := self.read(member)) is not None])
        if origin is not None:
            return self._container(origin, get_args(annotation))
        if isinstance(annotation, type):
            return self._known.get(annotation) or self._fields(annotation)
        return None

    def _container(self, origin: Any, arguments: tuple[Any, ...]) -> Keys | None:
        if not isinstance(origin, type) or not issubclass(origin, (Mapping, Sequence, AbstractSet)):
            return None
        inner = arguments[-1:] if issubclass(origin, Mapping) else arguments
        found = _merged([keys for member in inner if (keys := self.read(member)) is not None])
        return None if found is None else Keys(items=found)

    def _fields(self, kind: type) -> Keys | None:
        fields = _fields_of(kind)
        if fields is None:
            return None
        keys = self._known[kind] = Keys()
        for name, (known_as, dumped_as, annotation) in fields.items():
            inner = self.read(annotation)
            wire = dumped_as if dumped_as != name else to_camel(name)
            for key in (name, known_as, to_camel(name), wire):
                keys.inward[key] = (known_as, inner)
            keys.outward[dumped_as] = (wire, inner)
        return keys


def _fields_of(kind: type) -> dict[str, tuple[str, str, Any]] | None:
    """Return the name for validation, the name in dumps and the annotation of each field."""
    if issubclass(kind, BaseModel):
        return {
            name: (
                # Of several choices pydantic finds the right one itself.
                info.validation_alias if isinstance(info.validation_alias, str) else name,
                info.serialization_alias or name,
                info.annotation,
            )
            for name, info in kind.model_fields.items()
        }
    if dataclasses.is_dataclass(kind) or is_typeddict(kind):
        return {name: (name, name, annotation) for name, annotation in get_type_hints(kind).items()}
    return None


def _merged(several: list[Keys]) -> Keys | None:
    if len(several) < 2:  # noqa: PLR2004 - one is itself
        return several[0] if several else None
    merged = Keys()
    for keys in several:
        merged.inward.update(keys.inward)
        merged.outward.update(keys.outward)
        merged.items = merged.items or keys.items
    return merged
