"""JSON frames: reading what clients send, and writing what consumers say of their own accord."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json, to_json

from fastsio.exceptions import ValidationFailed
from fastsio.protocol.plain import is_binary_free, to_plain, writes_no_constants

if TYPE_CHECKING:
    from fastsio.messages import BaseMessage

#: Whether pydantic may write the messages of a class by itself: there is nothing in them that it writes as no JSON.
_IS_DIRECT: Final[dict[type[BaseMessage], bool]] = {}
#: Characters of what a peer sent that an error shows.
_SHOWN = 50


def read_frame(text: str) -> Any:
    """
    Decode JSON.

    Raises:
        ValidationFailed: The text is not JSON, has NaN or Infinity in it, or is nested too deeply.
    """
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError as error:
        raise ValidationFailed(
            [{"loc": [], "msg": f"The frame is not JSON: {error}", "type": "json_invalid"}]
        ) from None


def write_frame(content: Any) -> str:
    """Encode anything JSON-compatible, models and dates included; text stays as it is, emoji and all."""
    return to_json(content, inf_nan_mode="null", fallback=to_plain).decode()


def write_message(message: BaseMessage) -> str:
    """Encode a message; NaN and the infinities are null."""
    kind = type(message)
    is_direct = _IS_DIRECT.get(kind)
    if is_direct is None:
        is_direct = _IS_DIRECT[kind] = is_binary_free(kind) and writes_no_constants(kind)
    if is_direct:
        return kind.__pydantic_serializer__.to_json(message, by_alias=True).decode()
    return write_frame(plain_message(message))


def plain_message(message: BaseMessage) -> dict[str, Any]:
    """Return a message as the dict that its JSON is, with a Struct of msgspec and the like as plain data."""
    plain: dict[str, Any] = message.__pydantic_serializer__.to_python(
        message, mode="json", by_alias=True, fallback=to_plain
    )
    return plain


def control_frame(discriminator: str, action: str, payload: Any = None) -> str:
    """Encode a message of the consumer itself."""
    return write_frame({discriminator: action, "payload": payload})


def with_ref(text: str, ref: str | int) -> str:
    """Add the reference of the request to an encoded message."""
    return f'{text[:-1]},"ref":{json.dumps(ref)}}}'


def shown(value: object) -> str:
    """Return what an error shows of a value that a peer sent."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
