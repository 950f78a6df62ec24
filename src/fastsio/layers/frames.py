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
#: An event for an ``@event_handler``.
EVENT: Final = "fastsio.event"
#: The member that each of these messages is about.
_SUBJECTS: Final = {TEXT: "text", ORDER: "socketio", EVENT: "event"}
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


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_order(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("method"), str)


#: What their members are; all but the subject may be left out.
_MEMBERS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "text": (_is_text, "text"),
    "event": (lambda value: isinstance(value, dict), "an object"),
    "socketio": (_is_order, "an object with a method"),
    "id": (_is_text, "text"),
    "groups": (_is_texts, "a list of text"),
    "exclude": (lambda value: isinstance(value, str) or _is_texts(value), "text or a list of it"),
}


def fault_of(message: Mapping[str, Any]) -> str | None:
    """
    Say what is wrong with a message that servers and consumers send one another, or return None.

    Messages of the application, which have other types, are not looked at; nor is what servers say to each other, which
    is read where it is obeyed.
    """
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in _SUBJECTS:
        return None
    subject = _SUBJECTS[kind]
    if subject not in message:
        return f"{subject!r} is missing"
    for key, (is_valid, words) in _MEMBERS.items():
        if not is_valid(message.get(key)) and (message.get(key) is not None or key == subject):
            return f"{key!r} must be {words}"
    return None


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
