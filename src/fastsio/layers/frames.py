"""
Converting events of Socket.IO to frames of consumers, and the other way around.

Also the types of the messages that servers and consumers send each other over a layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: A message with a frame for the clients of consumers; ``socketio`` has the same as a message for servers, if there is
#: one.
TEXT: Final = "fastsio.text"
#: A message of the cluster for servers, which consumers carry out too, without a frame.
ORDER: Final = "fastsio.order"
#: An event for an ``@event_handler``.
EVENT: Final = "fastsio.event"
#: The key with the content of each of these messages.
_SUBJECTS: Final = {TEXT: "text", ORDER: "socketio", EVENT: "event"}
#: The key of a frame with the data of the event.
PAYLOAD = "payload"


def frame_of(event: str, arguments: Sequence[Any], discriminator: str) -> dict[str, Any]:
    """Return an event's frame for a consumer's client; its payload is null, the one argument, or a list of them."""
    if len(arguments) > 1:
        return {discriminator: event, PAYLOAD: list(arguments)}
    return {discriminator: event, PAYLOAD: arguments[0] if arguments else None}


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_order(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("method"), str)


#: Key -> the check of its value, and the words for a valid one. All but the content may be missing.
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
    Return what is wrong with a message that servers and consumers send each other; None for a valid one.

    Messages of the application, which have other types, are not checked; nor is the content of a message of the
    cluster, which its receiver checks.
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
    Return a consumer's broadcast, a frame in ``text`` or fields with a ``type``, as an event: its name and its data.

    None for a frame that is not an object or has no name, and for a type of fastsio's own.
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
