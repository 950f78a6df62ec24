"""
The JSON schemas of messages, one for each class however often it is used.

Source: AsyncAPI 3.0, "Schema Object": a superset of JSON Schema draft 07.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from fastsio.asyncapi.model import Message

REF: Final = "#/components/schemas/"


class Schemas:
    """
    Makes schemas, and keeps what they refer to.

    Attributes:
        definitions: Name -> schema, for the document's components.
    """

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}

    def of(self, message: Message) -> dict[str, Any]:
        """Return the schema of a message's content."""
        if message.model is None:
            return {}
        suffix = "Camel" if message.camelize else ""
        template = f"{REF}{{model}}{suffix}"
        schema = TypeAdapter(message.model).json_schema(by_alias=True, ref_template=template, mode="serialization")
        found = schema.pop("$defs", {})
        if isinstance(message.model, type) and "properties" in schema:
            found[message.model.__name__] = schema
            schema = {"$ref": f"{REF}{message.model.__name__}{suffix}"}
        if message.camelize:
            kept = set(_aliases(message.model))
            found = {name: _camelized(each, kept) for name, each in found.items()}
        for name, each in found.items():
            self.definitions.setdefault(f"{name}{suffix}", each)
        return schema


def _camelized(schema: dict[str, Any], kept: set[str]) -> dict[str, Any]:
    """Return an object's schema with its fields' names as they are on the wire."""

    def on_wire(name: str) -> str:
        return name if name in kept else to_camel(name)

    if "properties" not in schema:
        return schema
    renamed = {**schema, "properties": {on_wire(name): each for name, each in schema["properties"].items()}}
    if "required" in schema:
        renamed["required"] = [on_wire(name) for name in schema["required"]]
    return renamed


def _aliases(annotation: Any) -> Iterator[str]:
    """Yield the names on the wire that the application has given itself."""
    for model in _models_in(annotation, set()):
        for field in model.model_fields.values():
            alias = field.serialization_alias or field.alias
            if alias is not None:
                yield alias


def _models_in(annotation: Any, seen: set[Any]) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in seen:
            return
        seen.add(annotation)
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models_in(field.annotation, seen)
    for argument in get_args(annotation):
        yield from _models_in(argument, seen)
