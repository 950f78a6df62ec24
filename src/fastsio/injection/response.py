"""What handlers return: the arguments of the acknowledgement, models dumped, bytes left for the packet to carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from fastsio.injection.validation import adapter_for

if TYPE_CHECKING:
    from collections.abc import Callable

#: Types that need no look inside.
_ATOMS: Final = frozenset({type(None), bool, int, float, str, bytes})


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


def ack_arguments(returned: Any) -> list[Any]:
    """Return the acknowledgement's arguments: none for None, several for a tuple, else the value itself."""
    if returned is None:
        return []
    if isinstance(returned, tuple):
        return [dump(value) for value in returned]
    return [dump(returned)]


def dump(value: Any) -> Any:
    """Return *value* with every pydantic model in it, also inside lists, tuples and dicts, as plain data."""
    kind = type(value)
    if kind in _ATOMS:
        return value
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True)
    if kind is dict:
        return {key: dump(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return kind(dump(item) for item in value)
    return value


def response_filter(label: str, response_model: Any) -> Callable[[Any], Any]:
    """
    Return what validates a handler's result against *response_model* and gives it as plain data.

    Raises:
        SignatureError: pydantic cannot validate the model.
        UnresolvedError: The model names a type that does not exist yet.
    """
    adapter = adapter_for(response_model)
    check, render = adapter.validator.validate_python, adapter.dump_python

    def filter_response(returned: Any) -> Any:
        try:
            valid = check(returned, from_attributes=True)
        except ValidationError as error:
            raise ResponseValidationError(label, str(error)) from error
        return render(valid, by_alias=True)

    return filter_response
