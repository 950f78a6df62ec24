"""
Handlers that are written as for FastAPI, without a marker: they are called by position, which is not what they say.

Only warns, and rather too seldom: a handler of python-socketio names its parameters as it likes.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import TYPE_CHECKING, Any, Final, get_origin

from fastsio.injection import HandlerKind
from fastsio.injection.parameters import bare
from fastsio.injection.signature import EMPTY, Shape, Unresolved, read_parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastsio.injection import Endpoint
    from fastsio.injection.signature import Parameter

#: What a sid is in the programs of python-socketio.
_CLIENT: Final = re.compile(
    r"^_|sid|id$|client|sess|sock|conn|user|peer|sender|who|from|player|member|caller|source|src|origin|^.$"
)
#: Of these, what nobody calls a value of another type than text.
_SURELY_CLIENT: Final = re.compile(r"^_|sid|client|sess|sock|conn")
#: What nobody calls a sid.
_PAYLOAD: Final = frozenset(
    {
        *("amount", "body", "channel", "content", "count", "data", "email", "item", "items", "message", "msg", "name"),
        *("number", "password", "path", "payload", "q", "query", "room", "text", "title", "topic", "url", "username"),
        "value",
    }
)
#: The types that a sid, which is a text, is not of.
_NO_TEXT: Final = (bool, int, float, complex, bytes, bytearray, Mapping, list, tuple, set, frozenset)


def warn_of_habit(endpoint: Endpoint, prefix: Sequence[str]) -> None:
    """
    Warn of a handler without markers whose first parameter is not meant to be the sid.

    Args:
        endpoint: The handler.
        prefix: What a catch-all registration puts before the sid.
    """
    if not endpoint.plain or endpoint.kind is not HandlerKind.EVENT:
        return
    parameters = [
        each
        for each in read_parameters(endpoint.handler, unresolved=Unresolved) or ()
        if each.shape is Shape.POSITIONAL
    ][len(prefix) :]
    if parameters and _is_habit(parameters[0], parameters[1:]):
        warnings.warn(_message(endpoint.label, parameters), stacklevel=outside())


def _is_habit(first: Parameter, others: Sequence[Parameter]) -> bool:
    if first.default is not EMPTY:
        return False
    if is_no_text(first.annotation):
        return _SURELY_CLIENT.search(first.name) is None
    is_payload = first.name in _PAYLOAD
    if first.annotation is str and is_payload:
        return True
    if not others or any(each.default is EMPTY for each in others):
        return False
    if is_payload:
        return True
    is_annotated = first.annotation is str and all(each.annotation is not EMPTY for each in others)
    return is_annotated and _CLIENT.search(first.name) is None


def is_no_text(annotation: Any) -> bool:
    """Tell whether *annotation* is a type that no text is of."""
    annotation = bare(annotation)
    kind = get_origin(annotation) or annotation
    if not isinstance(kind, type):
        return False
    return is_dataclass(kind) or hasattr(kind, "__struct_fields__") or issubclass(kind, _NO_TEXT)


def _message(label: str, parameters: Sequence[Parameter]) -> str:
    first, *others = (each.name for each in parameters)
    second = f"{others[0]!r} the first argument of the event" if others else "nothing takes an argument of the event"
    return (
        f"{label}: has no marker, so it is called by position, as in python-socketio: {first!r} would be the sid, and "
        f"{second}; write 'sid' first, or 'sid: SocketID' to have the arguments validated"
    )


def outside() -> int:
    """Return the level of the application's call in the stack of who calls this."""
    frame, level = sys._getframe(1), 1  # noqa: SLF001 - the way to it
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "fastsio":
        frame, level = frame.f_back, level + 1
    return level
