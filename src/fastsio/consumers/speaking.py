"""What a consumer of typed messages says: to its client, to groups, to other consumers."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from fastsio.consumers import broadcasting
from fastsio.consumers.camel import message_keys, to_wire
from fastsio.consumers.frames import (
    control_frame,
    plain_message,
    read_frame,
    shown,
    with_ref,
    write_frame,
    write_message,
)
from fastsio.consumers.joining import JoiningConsumer
from fastsio.consumers.logs import logger
from fastsio.consumers.results import read_message
from fastsio.messages import BaseMessage

if TYPE_CHECKING:
    from collections.abc import Collection

EventT = TypeVar("EventT", bound=BaseMessage, default=BaseMessage)

#: The connection whose frame is handled here, and the reference the frame carried.
REQUEST: ContextVar[tuple[Any, str | int] | None] = ContextVar("fastsio_consumer_request", default=None)


class SpeakingConsumer(JoiningConsumer, Generic[EventT]):
    """The part of a consumer of typed messages that sends; the type argument is the class of its events."""

    #: Whether to send ``complete``, ``group_complete`` and ``event_complete``; tests wait for them.
    send_completion: bool = False
    #: Whether other tasks get to run after each message that is sent.
    send_message_immediately: bool = False
    #: Whether to log messages, at INFO.
    log_websocket_message: bool = False
    #: Actions that are not logged.
    log_ignored_actions: Collection[str] = ()

    async def send_message(self, message: BaseMessage, *, validate: bool = False) -> None:
        """
        Send a message to the client.

        Args:
            message: The message.
            validate: Whether to check it against its class again, for messages that were changed after they were made.

        Raises:
            DisconnectedError: The client is gone.
            pydantic.ValidationError: It is not valid.
        """
        if validate:
            type(message).model_validate(message.model_dump())
        await self._send_text(self.encode_message(message))

    async def broadcast_message(
        self,
        message: BaseMessage | dict[str, Any],
        groups: Collection[str] | str | None = None,
        *,
        exclude_current: bool = False,
        exclude: Collection[str] | str = (),
        wait: bool = True,
    ) -> None:
        """
        Send a message to the clients of groups, in this process and in others; once to who is in several.

        Args:
            message: The message. It is encoded once, as this consumer writes it.
            groups: The groups; by default those of the connection.
            exclude_current: Whether to leave out this connection's client.
            exclude: Whom else to leave out: the ``channel_name`` of consumers, the sids of clients of Socket.IO.
            wait: Whether to wait while clients of this process are behind and read.
        """
        text = self.encode_message(message) if isinstance(message, BaseMessage) else write_frame(message)
        left_out = [exclude] if isinstance(exclude, str) else [*exclude]
        if exclude_current:
            left_out.append(self.channel_name)
        await broadcasting.send_text(self._require_layer(), text, groups, self.groups, left_out, wait=wait)

    async def send_json(self, content: Any, close: bool = False) -> None:
        """Send anything JSON-compatible as a frame."""
        await self._send_text(self.encode_json(content))
        if close:
            await self.close()

    @classmethod
    async def send_event(cls, event: EventT, channel_name: str, *, wait: bool = True) -> None:
        """
        Send an event to one connection, from anywhere: another consumer, a route, a worker.

        Args:
            event: What an ``@event_handler`` of this class takes.
            channel_name: The connection's ``channel_name``.
            wait: As for :meth:`broadcast_message`.

        Raises:
            LayerNotFoundError: The class's layer is not registered in this process.
            BusError: The broker did not take it.
        """
        await broadcasting.send_event(cls, event, channel_name, wait=wait)

    @classmethod
    async def broadcast_event(
        cls, event: EventT, groups: Collection[str] | str | None = None, *, wait: bool = True
    ) -> None:
        """
        Send an event to the connections of groups, from anywhere.

        Args:
            event: What an ``@event_handler`` of this class takes.
            groups: The groups; by default those of the class.
            wait: As for :meth:`broadcast_message`.

        Raises:
            LayerNotFoundError: The class's layer is not registered in this process.
            BusError: The broker did not take it.
        """
        await broadcasting.broadcast_event(cls, event, groups, wait=wait)

    @classmethod
    def send_event_sync(cls, event: EventT, channel_name: str) -> None:
        """Do what :meth:`send_event` does, from code that cannot await."""
        broadcasting.send_event_sync(cls, event, channel_name)

    @classmethod
    def broadcast_event_sync(cls, event: EventT, groups: Collection[str] | str | None = None) -> None:
        """Do what :meth:`broadcast_event` does, from code that cannot await."""
        broadcasting.broadcast_event_sync(cls, event, groups)

    @classmethod
    def encode_message(cls, message: BaseMessage) -> str:
        """Return a message as it goes over the wire."""
        if cls.camelize:
            return write_frame(to_wire(plain_message(message), message_keys(type(message))))
        return write_message(message)

    @classmethod
    def decode_message(cls, content: dict[str, Any], *others: type[BaseMessage]) -> BaseMessage:
        """
        Return a frame of this consumer as the message it is, for tests and for clients in Python.

        Args:
            content: The frame, decoded.
            others: Message classes beside those that the handlers say they send.

        Raises:
            ValueError: No handler says that it sends such a message, or the message is not valid.
        """
        return read_message(cls.describe(), content, others)

    @classmethod
    def encode_json(cls, content: Any) -> str:
        """Encode a frame; override it for another JSON."""
        return write_frame(content)

    @classmethod
    def decode_json(cls, text_data: str) -> Any:
        """
        Decode a frame; override it for another JSON.

        Raises:
            ValueError: It is not JSON.
        """
        return read_frame(text_data)

    async def send_control(self, action: str, payload: Any) -> None:
        """Send a message of the consumer itself."""
        await self._send_text(control_frame(self.discriminator_field, action, payload))

    # Inside.

    async def _send_text(self, text: str) -> None:
        request = REQUEST.get()
        if request is not None and request[0] is self:
            text = with_ref(text, request[1])
        if self.log_websocket_message:
            self._log("sent", read_frame(text))
        await self.send(text)
        if self.send_message_immediately:
            await asyncio.sleep(0)

    def _log(self, what: str, content: Any) -> None:
        action = content.get(self.discriminator_field) if isinstance(content, dict) else None
        if not (isinstance(action, str) and action in self.log_ignored_actions):
            logger.info("%s %s %s", self.channel_name, what, shown(content))
