"""Messages that consumers send of their own accord, and the answer to a ping."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel

from fastsio.messages.base import BaseMessage

#: The action of what a consumer with ``send_completion`` sends once a client's message has been handled,
MESSAGE_ACTION_COMPLETE: Final = "complete"
#: ... once it has passed on what was broadcast to a group,
GROUP_ACTION_COMPLETE: Final = "group_complete"
#: ... and once an event of the channel layer has been handled.
EVENT_ACTION_COMPLETE: Final = "event_complete"


class PongMessage(BaseMessage):
    """The answer to a ping."""

    action: Literal["pong"] = "pong"
    payload: None = None


class ErrorPayload(BaseModel):
    """
    The error object, the same as in Socket.IO's acknowledgements.

    Args:
        type: ``validation_error``, ``unauthorized``, ``forbidden``, ``not_found``, ``rate_limited``, ``internal`` or
            a word of the application.
        event: The action that failed; empty when the frame could not be read.
        msg: One sentence for people.
        detail: For validation errors a list of ``{loc, msg, type}``.
    """

    type: str
    event: str
    msg: str
    detail: Any = None


class ErrorMessage(BaseMessage):
    """A frame could not be read, or its handler failed; the connection lives on."""

    action: Literal["error"] = "error"
    payload: Any = None


class AuthenticationPayload(BaseModel):
    """
    What came of an authentication.

    Args:
        status_code: As in HTTP: 200, 401, 403.
        status_text: The same in words.
        data: What else the client is to know.
    """

    status_code: int
    status_text: str
    data: Any = None


class AuthenticationMessage(BaseMessage):
    """For authenticators that tell the client what they found."""

    action: Literal["authentication"] = "authentication"
    payload: AuthenticationPayload


class CompleteMessage(BaseMessage):
    """A client's message has been handled; sent by consumers with ``send_completion``."""

    action: Literal["complete"] = MESSAGE_ACTION_COMPLETE
    payload: None = None


class GroupCompleteMessage(BaseMessage):
    """What was broadcast to a group has been passed on; sent by consumers with ``send_completion``."""

    action: Literal["group_complete"] = GROUP_ACTION_COMPLETE
    payload: None = None


class EventCompleteMessage(BaseMessage):
    """An event of the channel layer has been handled; sent by consumers with ``send_completion``."""

    action: Literal["event_complete"] = EVENT_ACTION_COMPLETE
    payload: None = None
