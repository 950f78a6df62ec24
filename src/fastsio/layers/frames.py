"""
What an event of Socket.IO is as a consumer's frame, and the other way around.

Plain functions of what travels, and the types of what servers and consumers send one another over a layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: A frame for consumers' clients, as it is; what servers make of it, if they were told, is in ``socketio``.
TEXT: Final = "fastsio.text"
#: What servers say to each other, and consumers obey, that is no frame.
ORDER: Final = "fastsio.order"
#: The member of a frame that has what the event is about.
PAYLOAD = "payload"


def frame_of(event: str, arguments: Sequence[Any], discriminator: str) -> dict[str, Any]:
    """
    Return the frame that tells a consumer's client of an event.

    Args:
        event: Its name.
        arguments: None of them is ``null``, one is the payload itself, several are a list.
        discriminator: The member that names the event.
    """
    if len(arguments) > 1:
        return {discriminator: event, PAYLOAD: list(arguments)}
    return {discriminator: event, PAYLOAD: arguments[0] if arguments else None}


def event_of(message: Mapping[str, Any], discriminator: str, loads: Callable[[str], Any]) -> tuple[str, Any] | None:
    """
    Return the event that a consumer's broadcast is to Socket.IO clients: its name and its data.

    Args:
        message: A message of the layer: a frame in ``text``, or fields with a ``type``.
        discriminator: The member of a frame that names the event.
        loads: Reads JSON.

    Returns:
        None for what is no event: a frame that is no object or has no name, a type that only programs know.
    """
    text = message.get("text")
    if isinstance(text, str):
        try:
            fields = loads(text)
        except ValueError:
            return None
        name = fields.get(discriminator) if isinstance(fields, dict) else None
        if not isinstance(name, str):
            return None
        rest = {key: value for key, value in fields.items() if key != discriminator}
        return name, rest.get(PAYLOAD, rest)
    name = message.get("type")
    if not isinstance(name, str) or name.startswith("fastsio."):
        return None
    return name, {key: value for key, value in message.items() if key != "type"}
