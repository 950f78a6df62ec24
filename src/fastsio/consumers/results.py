"""What handlers return, and what of an error concerns the client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import ValidationError

from fastsio.consumers.camel import from_wire, message_keys
from fastsio.exceptions import ValidationFailed
from fastsio.injection import ResponseValidationError
from fastsio.messages import BaseMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.consumers.plan import ConsumerInfo, HandlerPlan

#: Where an endpoint says that the message stands, which is the only argument there is.
_POSITION: Final = ["args", 0]


def result_message(handler: HandlerPlan, result: Any) -> BaseMessage:
    """
    Return what a handler returned as a message that it may send.

    Raises:
        ResponseValidationError: The handler may not send that: a defect of the program.
    """
    returns = handler.returns or (BaseMessage,)
    if isinstance(result, returns):
        return result
    if isinstance(result, dict) and len(handler.returns) == 1:
        try:
            return handler.returns[0].model_validate(result)
        except ValidationError as error:
            raise ResponseValidationError(handler.label, str(error)) from error
    expected = " | ".join(cls.__name__ for cls in returns)
    raise ResponseValidationError(handler.label, f"{type(result).__name__} is no {expected}")


def read_message(info: ConsumerInfo, content: dict[str, Any], others: Sequence[type[BaseMessage]]) -> BaseMessage:
    """
    Return what a consumer sent as a message.

    Args:
        info: The consumer.
        content: What it sent, decoded.
        others: Message classes beside those that its handlers say they send.

    Raises:
        ValueError: No handler says that it sends such a message, or the message is not valid.
    """
    field = info.discriminator
    models = [model for handler in info.handlers for model in handler.output_types]
    found = [model for model in (*models, *others) if _says(model, field, content.get(field))]
    if not found:
        names = ", ".join(dict.fromkeys(model.__name__ for model in models)) or "none"
        raise ValueError(
            f"{info.channel.name} sent {content!r:.200}, and no handler says that it does (they say: {names}); "
            "name the class in the handler's annotation or in output_type="
        )
    model = found[0]
    return model.model_validate(from_wire(content, message_keys(model)) if info.camelize else content)


def _says(model: type[BaseMessage], field: str, action: Any) -> bool:
    known = model.model_fields.get(field)
    return known is not None and action in get_args(known.annotation)


def without_position(error: ValidationFailed) -> ValidationFailed:
    """Return the findings with places as they are in the message."""
    detail = [
        {**item, "loc": item["loc"][2:] if item["loc"][:2] == _POSITION else item["loc"]} for item in error.detail
    ]
    return ValidationFailed(detail)
