"""The base of typed messages: a pydantic model with a name in one of its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel


class BaseMessage(BaseModel):
    """
    A message between a client and a consumer, or an event for consumers.

    A subclass has a field that tells it from the others, ``action`` unless the consumer names another, annotated with
    the ``Literal`` it always holds; by custom a ``payload``; and whatever else it needs::

        class ChatMessage(BaseMessage):
            action: Literal["chat"] = "chat"
            payload: ChatPayload
    """

    if TYPE_CHECKING:  # what every message of the default form has; a consumer may tell its messages apart otherwise
        action: Any
        payload: Any
