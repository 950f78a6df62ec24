"""
JSON frames to and from clients of consumers, and the envelopes that consumers send each other over a channel layer.

An envelope is plain data, because any process may read it. The sender encodes a text once for all recipients. An
envelope for several groups names them and has an id, so that a consumer in two of them handles it once.
"""

from __future__ import annotations

import json
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from fastsio.base.history import OFFSETS
from fastsio.consumers.camel import from_wire, message_keys
from fastsio.exceptions import ValidationFailed
from fastsio.injection import ResponseValidationError
from fastsio.layers.frames import EVENT, ORDER, TEXT
from fastsio.messages import BaseMessage
from fastsio.protocol.plain import is_binary_free, to_plain, writes_nan_as_null

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.consumers.class_reader import ConsumerInfo, HandlerPlan

#: Whether pydantic writes the messages of a class as JSON by itself, without bytes or NaN in them.
_IS_DIRECT: Final[dict[type[BaseMessage], bool]] = {}
#: How many characters of a peer's value an error shows.
_SHOWN = 50


def read_frame(text: str) -> Any:
    """Decode JSON; raise ValidationFailed for other text, for NaN and Infinity, and if it is nested too deeply."""
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise ValidationFailed(
            [{"loc": [], "msg": f"The frame is not JSON: {error}", "type": "json_invalid"}]
        ) from None


def write_frame(content: Any) -> str:
    """Return any value as JSON, models and dates too; characters beyond ASCII are not escaped."""
    return to_json(content, inf_nan_mode="null", fallback=to_plain).decode()


def write_message(message: BaseMessage) -> str:
    """Return a message as JSON; NaN and the infinities are null."""
    kind = type(message)
    is_direct = _IS_DIRECT.get(kind)
    if is_direct is None:
        is_direct = _IS_DIRECT[kind] = is_binary_free(kind) and writes_nan_as_null(kind)
    if is_direct:
        return kind.__pydantic_serializer__.to_json(message, by_alias=True).decode()
    return write_frame(plain_message(message))


def plain_message(message: BaseMessage) -> dict[str, Any]:
    """Return a message as a dict with the values of JSON, a Struct of msgspec and the like as plain data too."""
    plain: dict[str, Any] = message.__pydantic_serializer__.to_python(
        message, mode="json", by_alias=True, fallback=to_plain
    )
    return plain


def control_frame(discriminator: str, action: str, payload: Any = None) -> str:
    """Return a message of the consumer itself as JSON."""
    return write_frame({discriminator: action, "payload": payload})


def with_ref(text: str, ref: str | int) -> str:
    """Return an encoded message with the reference of the request added."""
    return f'{text[:-1]},"ref":{json.dumps(ref)}}}'


def with_offset(text: str, room: str, offset: str) -> str:
    """Return an encoded message with its offset in a room added; any other text as it is."""
    if not (text.startswith("{") and text.endswith("}")) or text == "{}":
        return text
    return f'{text[:-1]},"{OFFSETS}":{json.dumps({room: offset})}}}'


def shown(value: object) -> str:
    """Return the beginning of a peer's value, for an error."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


#: The types of messages that may leave out clients, or have an id.
ENVELOPES: Final = frozenset({TEXT, EVENT, ORDER})
_ID_BYTES: Final = 12


def text_envelope(text: str, *, exclude: Sequence[str] = (), groups: Sequence[str] = ()) -> dict[str, Any]:
    """Make a message that passes a frame on to the clients of groups, except the channels and sids in *exclude*."""
    envelope: dict[str, Any] = {"type": TEXT, "text": text, **_group_fields(groups)}
    if exclude:
        envelope["exclude"] = exclude[0] if len(exclude) == 1 else list(exclude)
    return envelope


def event_envelope(event: dict[str, Any], *, groups: Sequence[str] = ()) -> dict[str, Any]:
    """Make a message that carries an event, as plain data."""
    return {"type": EVENT, "event": event, **_group_fields(groups)}


def is_left_out(exclude: Any, channel: str) -> bool:
    """Whether the consumer of a channel is left out, by the name of one or by a list of them."""
    return exclude == channel or (isinstance(exclude, list) and channel in exclude)


def _group_fields(groups: Sequence[str]) -> dict[str, Any]:
    return {"id": token_hex(_ID_BYTES), "groups": list(groups)} if len(groups) > 1 else {}


#: The place of the message in mistakes that an endpoint reports: it is the only argument.
_POSITION: Final = ["args", 0]


def result_message(handler: HandlerPlan, result: Any) -> BaseMessage:
    """Return a handler's result as a message that it may send; raise ResponseValidationError for any other result."""
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
    """Return a frame as a message of the consumer, or one of *others*; raise ValueError if it is no valid one."""
    field = info.discriminator
    models = [model for handler in info.handlers for model in handler.output_types]
    found = [model for model in (*models, *others) if _is_of_action(model, field, content.get(field))]
    if not found:
        names = ", ".join(dict.fromkeys(model.__name__ for model in models)) or "none"
        raise ValueError(
            f"{info.channel.name} sent {content!r:.200}, and no handler says that it does (they say: {names}); "
            "name the class in the handler's annotation or in output_type="
        )
    model = found[0]
    return model.model_validate(from_wire(content, message_keys(model)) if info.camelize else content)


def _is_of_action(model: type[BaseMessage], field: str, action: Any) -> bool:
    known = model.model_fields.get(field)
    return known is not None and action in get_args(known.annotation)


def without_position(error: ValidationFailed) -> ValidationFailed:
    """Return the error with the places of mistakes relative to the message."""
    detail = [
        {**item, "loc": item["loc"][2:] if item["loc"][:2] == _POSITION else item["loc"]} for item in error.detail
    ]
    return ValidationFailed(detail)
