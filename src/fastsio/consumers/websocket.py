"""The consumer of a WebSocket: ``connect``, ``receive``, ``disconnect``, with text and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

from fastsio.consumers.base import AsyncConsumer
from fastsio.consumers.frames import control_frame
from fastsio.consumers.types import AcceptConnection, DenyConnection, logger
from fastsio.exceptions import DisconnectedError, SetupError
from fastsio.layers.room_groups import group_of
from fastsio.routing import describe, is_expected
from fastsio.routing.errors import close_code_of, is_websocket_exception

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fastsio.consumers.connection import Connection
    from fastsio.consumers.types import (
        Scope,
        WebSocketConnectEvent,
        WebSocketDisconnectEvent,
        WebSocketReceiveEvent,
    )

#: RFC 6455, registry of close codes: an unexpected condition.
INTERNAL_ERROR: Final = 1011


class AsyncWebsocketConsumer(AsyncConsumer):
    """
    A consumer of a WebSocket, with the methods of Channels.

    Override ``connect``, ``receive`` and ``disconnect``. A message ``{"type": "chat.message", ...}`` of the channel
    layer goes to the method ``chat_message(self, event)`` that the class adds.

    Attributes:
        groups: The groups of the layer that are joined before ``connect`` and left at the end. Each connection has a
            list of its own, to which it may append.
    """

    groups: list[str] = []  # noqa: RUF012 - what each connection copies

    #: Whether no subclass overrides the methods through which a frame that was broadcast passes.
    _sends_directly: ClassVar[bool] = True
    _is_accepted = False
    _is_closed = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls._sends_directly = all(_is_ours(method) for method in (cls.send, cls.pass_on))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.groups = list(type(self).groups)

    # What applications override.

    async def connect(self) -> None:
        """Accept or refuse the client: ``await self.accept()`` or ``await self.close()``. By default accept it."""
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """
        Handle a frame.

        Args:
            text_data: The text of a text frame, otherwise None.
            bytes_data: The content of a binary frame, otherwise None.
            kwargs: Empty; for parameters of later versions.
        """

    async def disconnect(self, code: int) -> None:
        """
        Handle the end of the connection of a client that was accepted; its groups are left afterwards.

        Args:
            code: The WebSocket's close code.
        """

    # What applications call.

    async def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[bytes, bytes]] | None = None
    ) -> None:
        """
        Accept the client.

        Args:
            subprotocol: The one that is chosen of those that the client offers.
            headers: Headers of the answer to the handshake.
        """
        self._is_accepted = True
        await self._connection.write(
            {"type": "websocket.accept", "subprotocol": subprotocol, "headers": list(headers or ())}
        )

    async def send(  # type: ignore[override] # that of a WebSocket takes frames
        self, text_data: str | None = None, bytes_data: bytes | None = None, close: bool | int = False
    ) -> None:
        """
        Send a frame.

        Args:
            text_data: The text of a text frame.
            bytes_data: The content of a binary frame.
            close: Whether to close afterwards, or with which code.

        Raises:
            DisconnectedError: The client has left, or the consumer has closed the connection.
            RuntimeError: The client has not been accepted.
            ValueError: There is neither text nor bytes.
        """
        if not self._is_accepted or self._is_closed:
            self._refuse_to_send()
        if text_data is not None:
            await self._connection.write({"type": "websocket.send", "text": text_data})
        elif bytes_data is not None:
            await self._connection.write({"type": "websocket.send", "bytes": bytes_data})
        else:
            raise ValueError("a frame has text or bytes; give send() one of them")
        if close is not False:
            await self.close(close)

    async def close(self, code: int | bool | None = None, reason: str | None = None) -> None:
        """
        End the connection, or refuse a client that has not been accepted; once.

        Args:
            code: The WebSocket's close code; 1000 by default.
            reason: The reason, for the client.
        """
        if self._is_closed:
            return
        self._is_closed = True
        if not self._is_accepted:
            self.is_stopped = True  # it was never accepted, so no handler is called for it
        number = code if code is not None and not isinstance(code, bool) else 1000
        message: dict[str, Any] = {"type": "websocket.close", "code": number}
        if reason is not None:
            message["reason"] = reason
        await self._connection.write(message)

    async def join_group(self, group: str) -> None:
        """Join a group of the channel layer, until the end or :meth:`leave_group`."""
        await self._require_layer().group_add(group, self.channel_name)
        if group not in self.groups:
            self.groups.append(group)

    async def leave_group(self, group: str) -> None:
        """Leave a group; one that was not joined is ignored."""
        await self._require_layer().group_discard(group, self.channel_name)
        if group in self.groups:
            self.groups.remove(group)

    # What the server calls.

    async def websocket_connect(self, message: WebSocketConnectEvent) -> None:
        """Join the class's groups, and call ``connect``."""
        try:
            await self._join_groups()
            await self._hook("connect")
        except AcceptConnection:
            await self.accept()
        except DenyConnection:
            await self.close()

    async def websocket_receive(self, message: WebSocketReceiveEvent) -> None:
        """Call ``receive`` with a frame."""
        if self._is_closed:
            return
        text = message.get("text")
        if "receive" in self._compiled.hooks:
            await self._hook("receive", text_data=text, bytes_data=message.get("bytes"))
        elif text is not None:
            await self.receive(text_data=text)
        else:
            await self.receive(bytes_data=message.get("bytes"))

    async def websocket_disconnect(self, message: WebSocketDisconnectEvent) -> None:
        """Call ``disconnect``, if the client was accepted."""
        if self._is_accepted:
            code = message["code"]
            await self._hook("disconnect", code, code=code, close_code=code)

    # For the connection.

    async def dispatch(self, message: Mapping[str, Any]) -> None:
        """Call the method for a message of the server: as a rule, a frame."""
        if message["type"] == "websocket.receive":
            await self.websocket_receive(cast("WebSocketReceiveEvent", message))  # its type says so
        else:
            await super().dispatch(message)

    def attach(self, scope: Scope, connection: Connection) -> None:
        """Begin to serve a connection."""
        super().attach(scope, connection)
        if "groups" not in vars(self):  # a constructor that does not call that of its parent
            self.groups = list(type(self).groups)

    @property
    def writes_broadcasts(self) -> bool:
        """Whether a frame that was broadcast may be written without ``pass_on`` and ``send``."""
        return self._sends_directly and self._is_accepted and not self._is_closed

    async def pass_on(self, message: Mapping[str, Any]) -> None:
        """Pass on a frame that was broadcast."""
        await self.send(message["text"])

    async def handle_server_message(self, message: Mapping[str, Any]) -> None:
        """Carry out a server's message of the cluster: join or leave a room, or end the connection."""
        match message["socketio"]:
            case {"method": "enter_room", "namespace": str(namespace), "room": room}:
                await self.join_group(group_of(namespace, room))
            case {"method": "leave_room" | "close_room", "namespace": str(namespace), "room": room}:
                await self.leave_group(group_of(namespace, room))
            case {"method": "disconnect"}:
                await self.close()

    async def on_failure(self, exc: Exception, message: Mapping[str, Any]) -> None:
        """
        Log an exception of a handler, and answer the client with an error; the connection stays open.

        A WebSocketException of FastAPI closes the connection with its code and reason. An exception of ``connect``
        closes it too: the client may try again, and no handler runs without what ``connect`` should have set.
        """
        kind = str(message.get("type"))
        if is_websocket_exception(exc):
            await self._close_for(exc)
            return
        if not is_expected(exc):
            logger.error("%s: error while handling %s", type(self).__qualname__, kind, exc_info=exc)
        if kind == "websocket.disconnect":
            return
        try:
            if self._is_accepted and not self._is_closed:
                await self.send(self._error_text(exc, kind))
            if kind == "websocket.connect":
                await self.close(close_code_of(exc) or INTERNAL_ERROR)
        except DisconnectedError:
            logger.debug("the client left before it could be told")
        self.is_stopped = self.is_stopped or kind == "websocket.connect"

    def _error_text(self, exc: Exception, event: str) -> str:
        return control_frame(self.discriminator_field, "error", describe(exc, event).as_dict())

    async def _close_for(self, exc: Any) -> None:
        """Close the connection as a WebSocketException says, unless the client has left."""
        try:
            await self.close(exc.code, exc.reason or None)
        except DisconnectedError:
            logger.debug("the client left before it could be told")

    async def _join_groups(self) -> None:
        if self.groups:
            layer = self._require_layer()
            for group in self.groups:
                await layer.group_add(group, self.channel_name)

    def _require_layer(self) -> Any:
        if self.channel_layer is None:
            raise SetupError(
                f"{type(self).__qualname__} has groups, but no channel layer; set channel_layer_alias to one's alias"
            )
        return self.channel_layer

    def _refuse_to_send(self) -> None:
        if self._is_closed:
            raise DisconnectedError("the connection was closed by the consumer")
        raise RuntimeError("the client has not been accepted yet; await self.accept() before sending")


def _is_ours(method: Any) -> bool:
    return bool(method.__module__.startswith(f"{__package__}."))
