"""
Validating values, and the results of handlers, against annotations, with validators built once per annotation.

For a value of the peer that is not valid :class:`ValidationFailed` is raised; it never contains the value itself.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import SchemaError

from fastsio.exceptions import SignatureError, ValidationFailed
from fastsio.injection.parameters import contains
from fastsio.injection.signature import UnresolvedError
from fastsio.protocol.plain import is_safe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Takes a raw value; returns the valid one or raises ValidationFailed.
Validator: TypeAlias = "Callable[[Any], Any]"

#: How many mistakes are reported at most, so that a small packet cannot cause a large answer.
MAX_DETAIL: Final = 20
#: How many characters the message of one mistake has at most.
MAX_MESSAGE: Final = 200


def validator_for(annotation: Any, loc: Sequence[str | int]) -> Validator:
    """
    Return a function that validates one value; *loc*, its place, begins the ``loc`` of the mistakes that are reported.

    Raises:
        SignatureError: No validator can be made for the annotation.
        UnresolvedError: The annotation names a type that does not exist yet.
    """
    place = list(loc)
    if annotation is Any or annotation is object:
        return _unchecked
    if names_struct(annotation):
        return _msgspec_validator(annotation, place)
    return _pydantic_validator(annotation, place)


def missing(loc: Sequence[str | int]) -> ValidationFailed:
    """Return the error for a value that was not sent."""
    return ValidationFailed([{"loc": list(loc), "msg": "Field required", "type": "missing"}])


def adapter_for(annotation: Any) -> TypeAdapter[Any]:
    """Return the pydantic adapter of an annotation, built once; raise the errors of :func:`validator_for`."""
    try:
        hash(annotation)
    except TypeError:  # Annotated with something unhashable
        return _build_adapter(annotation)
    return _cached_adapter(annotation)


def detail_of(error: ValidationError, place: list[str | int]) -> list[dict[str, Any]]:
    """Return the mistakes that pydantic found, without the input, the context and the links."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[:MAX_DETAIL]
    return [{"loc": [*place, *item["loc"]], "msg": item["msg"][:MAX_MESSAGE], "type": item["type"]} for item in found]


def _unchecked(value: Any) -> Any:
    return value


def _pydantic_validator(annotation: Any, place: list[str | int]) -> Validator:
    check = adapter_for(annotation).validator.validate_python

    def validate(value: Any) -> Any:
        try:
            return check(value)
        except ValidationError as error:
            raise ValidationFailed(detail_of(error, place)) from None

    return validate


def _build_adapter(annotation: Any) -> TypeAdapter[Any]:
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        _ = adapter.validator.validate_python  # raises for a model that waits for another class
    except (NameError, TypeError, SchemaError, PydanticUserError) as error:
        reason = str(error).partition("\n")[0]
        if isinstance(error, NameError) or getattr(error, "code", None) == "class-not-fully-defined":
            raise UnresolvedError("", reason) from error
        raise SignatureError(reason) from error
    return adapter


_cached_adapter = lru_cache(maxsize=1024)(_build_adapter)


def names_struct(annotation: Any) -> bool:
    """Tell whether an annotation has a ``Struct`` of msgspec in it, which pydantic does not know."""
    module = sys.modules.get("msgspec")
    return module is not None and contains(annotation, module.Struct)


def _msgspec_validator(annotation: Any, place: list[str | int]) -> Validator:
    msgspec: Any = sys.modules["msgspec"]
    convert, failure = msgspec.convert, msgspec.ValidationError

    def validate(value: Any) -> Any:
        try:
            return convert(value, annotation)
        except failure as error:
            raise ValidationFailed([_struct_detail(str(error), place)]) from None

    return validate


def _struct_detail(message: str, place: list[str | int]) -> dict[str, Any]:
    """Turn msgspec's ``Expected `int`, got `str` - at `$.user[0].id``` into the form of pydantic's mistakes."""
    text, _, path = message.partition(" - at `$")
    steps = path.rstrip("`").replace("[", ".").replace("]", "").split(".")
    loc = [int(step) if step.isdigit() else step for step in steps if step]
    return {"loc": [*place, *loc], "msg": text[:MAX_MESSAGE], "type": "struct_error"}


class ResponseValidationError(RuntimeError):
    """A handler returned what its ``response_model`` does not allow: a defect, never shown to the peer."""

    def __init__(self, label: str, reason: str) -> None:
        super().__init__(f"{label} returned what its response_model does not allow: {reason}")
        self.label = label
        self.reason = reason


def response_filter(label: str, response_model: Any) -> Callable[[Any], Any]:
    """
    Return a function that validates a handler's result against *response_model* and returns it as plain data.

    A dict as *response_model* has a model for each event that the handler may return as ``(event, data)``. The errors
    are those of :func:`validator_for`.
    """
    if isinstance(response_model, dict):
        return _event_filter(label, response_model)
    if names_struct(response_model):
        return _struct_filter(label, response_model)
    adapter = adapter_for(response_model)
    check, render = adapter.validator.validate_python, adapter.dump_python
    # Bytes stay bytes, for attachments; a model without bytes is dumped to the types of JSON at once.
    mode: Literal["json", "python"] = "json" if is_safe(adapter.core_schema) else "python"

    def filter_response(returned: Any) -> Any:
        try:
            valid = check(returned, from_attributes=True)
        except ValidationError as error:
            raise ResponseValidationError(label, str(error)) from error
        return render(valid, by_alias=True, mode=mode)

    return filter_response


def _event_filter(label: str, models: dict[Any, Any]) -> Callable[[Any], Any]:
    if not models or not all(isinstance(event, str) for event in models):
        raise SignatureError(f"{label}: response_model={models!r}; write a model, or a dict of event names and models")
    filters = {event: response_filter(label, model) for event, model in models.items()}
    events = ", ".join(map(repr, filters))

    def filter_response(returned: Any) -> Any:
        match returned:
            case None:  # the handler has nothing to answer
                return None
            case (str(event), data, *more) if event in filters and isinstance(returned, tuple):
                return (event, filters[event](data), *more)
        raise ResponseValidationError(label, f"expected (event, data) with one of {events}, or None")

    return filter_response


def _struct_filter(label: str, response_model: Any) -> Callable[[Any], Any]:
    msgspec: Any = sys.modules["msgspec"]
    convert, failure = msgspec.convert, msgspec.ValidationError

    def filter_response(returned: Any) -> Any:
        try:
            return convert(returned, response_model, from_attributes=True)
        except failure as error:
            raise ResponseValidationError(label, str(error)) from error

    return filter_response
