"""
A WebSocket client that talks to an ASGI application directly.

Plays the server's part of ASGI; knows consumers only to read their messages.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote, urlsplit

from fastsio.consumers import AsyncJsonWebsocketConsumer
from fastsio.messages import (
    EVENT_ACTION_COMPLETE,
    GROUP_ACTION_COMPLETE,
    MESSAGE_ACTION_COMPLETE,
    BaseMessage,
    CompleteMessage,
    ErrorMessage,
    EventCompleteMessage,
    GroupCompleteMessage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

COMPLETE_ACTIONS: Final = frozenset({MESSAGE_ACTION_COMPLETE, GROUP_ACTION_COMPLETE, EVENT_ACTION_COMPLETE})
_OWN_MESSAGES: Final = (CompleteMessage, ErrorMessage, EventCompleteMessage, GroupCompleteMessage)


class WebsocketCommunicator:
    """
    One WebSocket to an application.

    ::

        async with WebsocketCommunicator(app, "/ws/room/general", consumer=RoomChatConsumer) as room:
            await room.send_message(PingMessage())
            assert await room.receive_all_messages() == [PongMessage()]

    An exception that ends the application is raised by the next method that waits.

    Args:
        application: The ASGI application: a consumer's ``as_asgi()``, a router, a framework's.
        path: The path, with its query.
        headers: Headers of the handshake.
        subprotocols: The subprotocols that the client offers.
        spec_version: The version of ASGI in the scope.
        consumer: The class whose messages come back, for :meth:`receive_message` and :meth:`receive_all_messages`.

    Attributes:
        scope: The ASGI scope; it may be changed before :meth:`connect`.
    """

    def __init__(
        self,
        application: Any,
        path: str,
        headers: Iterable[tuple[bytes, bytes]] | None = None,
        subprotocols: Iterable[str] | None = None,
        spec_version: str | None = None,
        *,
        consumer: type[AsyncJsonWebsocketConsumer[Any]] | None = None,
    ) -> None:
        if not isinstance(path, str):
            raise TypeError(f"path is a str like '/ws/room/general', not {type(path).__name__}")
        parts = urlsplit(path)
        self.application = application
        self.consumer = consumer
        self.scope: dict[str, Any] = {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": spec_version or "2.4"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": list(headers or ()),
            "subprotocols": list(subprotocols or ()),
            "client": ("127.0.0.1", 50000),
            "server": ("testserver", 80),
            "state": {},
            "extensions": {"websocket.http.response": {}},
        }
        self._to_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_application: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._running: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        connected, code = await self.connect()
        if not connected:
            raise ConnectionRefusedError(f"the application refused the connection (code {code})")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.disconnect()

    # The connection.

    async def connect(self, timeout: float = 1) -> tuple[bool, int | str | None]:
        """
        Connect to the application.

        Args:
            timeout: Seconds to wait for the answer.

        Returns:
            True and the subprotocol, or False and the close code; the HTTP status where that is what the application
            answered with.

        Raises:
            TimeoutError: There was no answer in time; the builtin one.
        """
        self._running = asyncio.create_task(self._serve(self._to_application.get, self._from_application.put))
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(timeout)
        if answer["type"] == "websocket.close":
            await self.wait(timeout)
            return False, answer.get("code", 1000)
        if answer["type"] == "websocket.http.response.start":
            await self.wait(timeout)
            return False, answer["status"]
        if answer["type"] != "websocket.accept":
            raise AssertionError(f"the application answered the handshake with {answer['type']!r}")
        return True, answer.get("subprotocol")

    async def disconnect(self, code: int = 1000, timeout: float = 1) -> None:
        """
        End the connection, and wait until the application has ended.

        Args:
            code: The close code.
            timeout: Seconds to wait for the application to end.
        """
        await self.send_input({"type": "websocket.disconnect", "code": code, "reason": None})
        await self.wait(timeout)

    async def wait(self, timeout: float = 1) -> None:
        """
        Wait until the application has ended.

        Raises:
            TimeoutError: It has not ended in time, and was cancelled; the builtin one.
            Exception: The exception that ended it.
        """
        if self._running is None:
            return
        done, _ = await asyncio.wait({self._running}, timeout=timeout)
        if not done:
            await self.stop()
            raise TimeoutError(f"the application did not end within {timeout} s")
        self._running.result()

    async def stop(self, exceptions: bool = True) -> None:
        """
        End the application, as a server that is shut down does.

        Args:
            exceptions: Whether to raise the exception that ended it.
        """
        if self._running is None:
            return
        self._running.cancel()
        (result,) = await asyncio.gather(self._running, return_exceptions=True)
        if exceptions and isinstance(result, Exception):
            raise result

    async def assert_closed(self, code: int | None = None, timeout: float = 1) -> None:
        """
        Check that the next event of the application closes the connection.

        Args:
            code: The close code; None is any.
            timeout: Seconds to wait for it.

        Raises:
            AssertionError: It is another event.
            TimeoutError: There was none in time; the builtin one.
        """
        output = await self.receive_output(timeout)
        if output["type"] != "websocket.close" or code not in {None, output.get("code", 1000)}:
            raise AssertionError(f"expected the connection to be closed ({code or 'any code'}), got {output!r}")

    # What the client sends.

    async def send_input(self, message: dict[str, Any]) -> None:
        """Send a message of ASGI to the application."""
        self._raise_failure()
        await self._to_application.put(message)

    async def send_to(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """
        Send a frame.

        Args:
            text_data: The text of a text frame.
            bytes_data: The content of a binary frame.

        Raises:
            ValueError: There are both, or neither.
        """
        if (text_data is None) == (bytes_data is None):
            raise ValueError("give send_to() either text_data or bytes_data")
        if text_data is None:
            await self.send_input({"type": "websocket.receive", "bytes": bytes_data})
        else:
            await self.send_input({"type": "websocket.receive", "text": text_data})

    async def send_json_to(self, data: Any) -> None:
        """Send JSON as a text frame."""
        await self.send_to(text_data=json.dumps(data))

    async def send_message(self, message: BaseMessage, *, ref: str | None = None) -> None:
        """
        Send a message.

        Args:
            message: The message, written as the consumer expects it.
            ref: The reference that answers to it repeat.
        """
        content = json.loads((self.consumer or AsyncJsonWebsocketConsumer).encode_message(message))
        await self.send_json_to(content if ref is None else {**content, "ref": ref})

    # What the application sends.

    async def receive_output(self, timeout: float | None = 1) -> dict[str, Any]:
        """
        Return the next message to the server.

        Args:
            timeout: Seconds to wait for it; None waits as long as the application runs.

        Raises:
            TimeoutError: There was none in time; the builtin one.
        """
        if self._from_application.empty() and self._running is not None:
            waiting = asyncio.ensure_future(self._from_application.get())
            try:
                await asyncio.wait({waiting, self._running}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            finally:
                if not waiting.done():
                    waiting.cancel()
            if waiting.done():
                return waiting.result()
            self._raise_failure()
            raise TimeoutError(f"the application sent nothing within {timeout} s")
        return self._from_application.get_nowait()

    async def receive_from(self, timeout: float = 1) -> str | bytes:
        """
        Return the next frame.

        Raises:
            AssertionError: The application closed the connection instead.
            TimeoutError: There was no frame in time; the builtin one.
        """
        output = await self.receive_output(timeout)
        if output["type"] != "websocket.send":
            raise AssertionError(f"expected a frame, got {output!r}")
        return _content(output)

    async def next_frame(self) -> str | bytes | None:
        """Return the next frame, however long it takes; None when the application closes the connection, or ends."""
        try:
            output = await self.receive_output(None)
        except TimeoutError:  # it has ended
            return None
        return _content(output) if output["type"] == "websocket.send" else None

    async def receive_json_from(self, timeout: float = 1) -> Any:
        """Return the next frame, decoded."""
        return json.loads(await self.receive_from(timeout))

    async def receive_nothing(self, timeout: float = 0.1, interval: float = 0.01) -> bool:
        """
        Tell whether the application sends nothing for a while.

        Args:
            timeout: Seconds to wait for something.
            interval: Not used, because nothing is polled for.
        """
        if not self._from_application.empty():
            return False
        waiting = asyncio.ensure_future(self._from_application.get())
        await asyncio.wait({waiting}, timeout=timeout)
        if not waiting.done():
            waiting.cancel()
            return True
        # It stays the next frame to receive.
        rest = [self._from_application.get_nowait() for _ in range(self._from_application.qsize())]
        for output in (waiting.result(), *rest):
            self._from_application.put_nowait(output)
        return False

    async def receive_message(self, timeout: float = 1) -> BaseMessage:
        """Return the next frame as a message of the consumer."""
        return self._message(await self.receive_json_from(timeout))

    async def receive_until_action(
        self, stop_action: str, *, inclusive: bool = False, timeout: float = 1
    ) -> list[dict[str, Any]]:
        """
        Return the frames up to one with an action.

        Args:
            stop_action: The action.
            inclusive: Whether that one is returned too.
            timeout: Seconds to wait for each.
        """
        field = self._discriminator
        received = []
        while True:
            content = await self.receive_json_from(timeout)
            is_last = content.get(field) == stop_action
            if not is_last or inclusive:
                received.append(content)
            if is_last:
                return received

    async def receive_all_json(self, timeout: float = 1) -> list[dict[str, Any]]:
        """Return the frames up to the one that says a message has been handled; for ``send_completion``."""
        return await self.receive_until_action(MESSAGE_ACTION_COMPLETE, timeout=timeout)

    async def receive_all_messages(
        self, stop_action: str = MESSAGE_ACTION_COMPLETE, timeout: float = 1
    ) -> list[BaseMessage]:
        """
        Return the messages up to one with an action, without those that say that something is complete.

        Args:
            stop_action: ``complete``, ``group_complete`` or ``event_complete`` of a consumer with ``send_completion``,
                or an action of its own; a message with that one is returned too.
            timeout: Seconds to wait for each.
        """
        contents = await self.receive_until_action(stop_action, inclusive=True, timeout=timeout)
        field = self._discriminator
        return [self._message(content) for content in contents if content[field] not in COMPLETE_ACTIONS]

    # The names that these methods have in other communicators.

    send_json = send_json_to
    receive_json = receive_json_from

    @property
    def _discriminator(self) -> str:
        return "action" if self.consumer is None else self.consumer.discriminator_field

    def _message(self, content: dict[str, Any]) -> BaseMessage:
        if self.consumer is None:
            raise TypeError("give the communicator the class whose messages it is to read: consumer=...")
        return self.consumer.decode_message(content, *_OWN_MESSAGES)

    async def _serve(self, receive: Any, send: Any) -> None:
        """Run the application."""
        await self.application(self.scope, receive, send)

    def _raise_failure(self) -> None:
        running = self._running
        if running is not None and running.done() and not running.cancelled():
            failure = running.exception()
            if failure is not None:
                raise failure


def _content(output: dict[str, Any]) -> str | bytes:
    """Return the content of a frame."""
    text: str | None = output.get("text")
    return bytes(output["bytes"]) if text is None else text
