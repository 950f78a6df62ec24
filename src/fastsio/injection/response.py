"""What handlers return, where a ``response_model`` says what it must be; bytes are left for the packet to carry."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from fastsio.exceptions import SignatureError
from fastsio.injection.validation import adapter_for, names_struct
from fastsio.protocol.plain import is_safe

if TYPE_CHECKING:
    from collections.abc import Callable


class ResponseValidationError(RuntimeError):
    """
    A handler returned what its ``response_model`` does not allow: a defect of the program, never shown to the peer.

    Args:
        label: The handler.
        reason: What pydantic found.
    """

    def __init__(self, label: str, reason: str) -> None:
        super().__init__(f"{label} returned what its response_model does not allow: {reason}")
        self.label = label
        self.reason = reason


def response_filter(label: str, response_model: Any) -> Callable[[Any], Any]:
    """
    Return what validates a handler's result against *response_model* and gives it as plain data.

    A dict has a model for each event that the handler may return as ``(event, data)``.

    Raises:
        SignatureError: pydantic cannot validate the model, or a dict names no event.
        UnresolvedError: The model names a type that does not exist yet.
    """
    if isinstance(response_model, dict):
        return _event_filter(label, response_model)
    if names_struct(response_model):
        return _struct_filter(label, response_model)
    adapter = adapter_for(response_model)
    check, render = adapter.validator.validate_python, adapter.dump_python
    # Bytes stay bytes, for attachments; what has none has the form of JSON at once.
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
            case None:  # the handler has emitted what it had to say
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
