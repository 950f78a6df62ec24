"""
The Engine.IO client: python-engineio's, with read loops that build no packet objects.

Packets go out in :mod:`.client_writing`; this module connects, reads, and ends the connection.
"""

from __future__ import annotations

import asyncio
import math
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.aio.engine.client_upstream import AsyncClient, EngineConnectionError, connected_clients
from fastsio.aio.engine.client_writing import End, Outlet, current, join
from fastsio.base.options import takes_information
from fastsio.engine.log_format import shown
from fastsio.engine.options import check_options
from fastsio.engine.packet import CLOSE_PACKET, PONG, ControlPacket, WirePacket, packet_of
from fastsio.engine.payload import split_poll
from fastsio.exceptions import PacketError

# Only threads:
# | from fastsio.sync.engine.client_writing import End, Outlet, current, frames, join
# Both:

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

# Only asyncio:
#: Event loop -> the task that disconnects its clients, because the program was interrupted.
_leaving: Final[dict[asyncio.AbstractEventLoop, asyncio.Task[None]]] = {}
#: Bytes of a message of the server, as clients' ``max_binary_bytes``; aiohttp alone would take 4 MiB.
MAX_MESSAGE_BYTES: Final = 100_000_000
# Only threads:
# | #: Seconds that the answer of the last poll may take when the client leaves.
# | LAST_POLL_S: Final = 1.0
# Both:
#: Bytes of one POST, a tenth of what servers take by default.
MAX_POST_BYTES: Final = 100_000
_SUCCESS: Final = range(200, 300)


class EngineClient(AsyncClient):
    """
    An Engine.IO client with python-engineio's interface and options.

    The ``message`` handler takes text or bytes; the next message is read when it has returned. If more than the
    high-water mark waits to be written, callers wait.
    """

    def __init__(self, *, high_water_bytes: int = 1_048_576, high_water_packets: int = 1_000, **options: Any) -> None:
        self._high_water = {"high_water_bytes": high_water_bytes, "high_water_packets": high_water_packets}
        # Only asyncio:
        self._handles_interrupts = options.pop("handle_sigint", True)
        options["handle_sigint"] = False
        # Both:
        super().__init__(**options)
        check_options(self._high_water)
        #: Whether packets are logged, which is decided here, once.
        self._is_traced = takes_information(self.logger)
        self.websocket_extra_options: dict[str, Any]
        # Only asyncio:
        self._websocket_options = {"max_msg_size": MAX_MESSAGE_BYTES, **self.websocket_extra_options}
        self._tasks: set[asyncio.Future[Any]] = set()
        #: When the last message arrived, by the loop's clock; infinity while a message is being handled.
        self._heard_at = math.inf
        self._watchdog: asyncio.TimerHandle | None = None
        # Only threads:
        # | self._websocket_options = self.websocket_extra_options
        # Both:
        #: Each connection has its own; a read loop compares it, to notice that another connection has begun.
        self._outlet = Outlet(self._on_write_failure, **self._high_water)
        self._is_broken = False
        self._over = End()
        self._over.set()
        #: The task or thread that ends the connection, which must not wait for the end.
        self._ender: Any = None

    # Connecting.

    async def connect(
        self, url: str, headers: Any = None, transports: Any = None, engineio_path: str = "engine.io"
    ) -> None:
        """
        Connect to a server: poll first and then upgrade, unless *transports* names one or both.

        Raises:
            EngineConnectionError: The server could not be reached, or refused.
            MissingExtraError: The HTTP or WebSocket client that it needs is not installed.
            ValueError: The client is connected, or there is no transport of that name.
        """
        # python-engineio takes the headers out when it connects; the next connection needs them too.
        self.websocket_extra_options = dict(self._websocket_options)
        # Only asyncio:
        errors = require("aiohttp", "asyncio_client").ClientError
        # Only threads:
        # | require("websocket" if list(transports or ())[:1] == ["websocket"] else "requests", "client")
        # Both:
        if self.state != "disconnected":
            raise ValueError("Client is not in a disconnected state")
        # Only asyncio:
        if self._handles_interrupts:
            _handle_interrupts()
        # Both:
        self._outlet = Outlet(self._on_write_failure, **self._high_water)
        self._is_broken = False
        self._over = End()
        try:
            await super().connect(url, dict(headers or {}), transports, engineio_path)
        # Only asyncio:
        except (OSError, TimeoutError, errors) as error:
            await self._forget_connection()
            raise EngineConnectionError(str(error) or "Connection error") from error
        # Both:
        except BaseException:
            await self._forget_connection()
            raise

    # Only asyncio:
    async def _connect_websocket(self, url: str, headers: Any, engineio_path: str) -> bool:
        try:
            async with asyncio.timeout(self.request_timeout):
                return await super()._connect_websocket(url, headers, engineio_path)
        except TimeoutError:
            if self.state == "connected":
                self.logger.warning("the server did not complete the upgrade in time, the session stays on polling")
                return False
            raise EngineConnectionError("Connection error") from None

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Start a coroutine function as a task that lives as long as it runs."""
        task: asyncio.Task[Any] = asyncio.ensure_future(target(*args, **kwargs))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Both:
    # Sending.

    def post(self, packets: Sequence[WirePacket]) -> None:
        """Send packets in order without waiting for the server to read them; without a connection do nothing."""
        if self.state == "connected":
            if self._is_traced:
                for packet in packets:
                    self.logger.info("Sending packet %s", shown(packet.wire, from_server=False))
            self._outlet.post(packets)

    async def write(self, packets: Sequence[WirePacket]) -> None:
        """Send packets in order, and wait while much waits to be written."""
        self.post(packets)
        await self._outlet.wait_for_room()

    async def _send_packet(self, pkt: Any) -> None:
        self.post((packet_of(pkt),))

    async def _write_loop(self) -> None:
        if self.current_transport == "websocket":
            await self._outlet.write_to(self.ws)
        else:
            await self._write_polling(self._outlet)

    async def _write_polling(self, outlet: Outlet) -> None:
        """Post what waits, until the connection is over and nothing waits any more."""
        headers = {"Content-Type": "text/plain; charset=UTF-8"}
        try:
            while (body := await outlet.next_post(MAX_POST_BYTES)) is not None:
                answer = await self._send_request(
                    "POST", self.base_url, body=body, headers=headers, timeout=self.request_timeout
                )
                if self._is_refusal(answer):
                    await self.break_off()
                    break
        except Exception as error:  # noqa: BLE001 - the connection ends, however it failed
            self._on_write_failure(error)
        finally:
            outlet.end()

    # Only asyncio:
    async def _send_request(self, *args: Any, **kwargs: Any) -> Any:
        """Make a request and read its answer to the end, so that its connection is free for the next."""
        answer = await super()._send_request(*args, **kwargs)
        if answer is None or isinstance(answer, str):
            return answer
        try:
            await answer.read()
        except (OSError, TimeoutError, require("aiohttp", "asyncio_client").ClientError) as error:
            return str(error) or type(error).__name__
        return answer

    # Both:
    def _on_write_failure(self, error: Exception) -> None:
        # That the server is gone the read loop notices too, but not that a text has no UTF-8 form.
        self.logger.info("A packet could not be written: %r", error)
        if isinstance(error, UnicodeError):
            self.start_background_task(self.break_off)

    # Receiving.

    async def _receive_packet(self, pkt: Any) -> None:
        """Handle a packet that came with the answer to the handshake."""
        data = pkt.encode()
        await self._handle_frame(data)

    async def _handle_frame(self, frame: str | bytes) -> None:
        """Handle a frame of the server; raise PacketError if it is not one of the protocol."""
        if self._is_traced:
            self.logger.info("Received packet %s", shown(frame, from_server=True))
        if isinstance(frame, bytes):
            await self.handlers["message"](frame)
            return
        match frame[:1]:
            case "4":
                await self.handlers["message"](frame[1:])
            case "2":
                self.post((ControlPacket(PONG, frame[1:]),))
            case "1":
                await self.disconnect(abort=True, reason=self.reason.SERVER_DISCONNECT)
            case "6":
                pass
            case kind:
                raise PacketError(f"a packet of type {kind!r}" if kind else "an empty packet")

    async def _read_loop_websocket(self) -> None:
        await self._read(self._read_frames)

    async def _read_loop_polling(self) -> None:
        await self._read(self._read_polls)

    async def _read(self, read: Callable[[Outlet], Awaitable[None]]) -> None:
        """Read until the connection is over, then end it."""
        outlet = self._outlet
        try:
            await read(outlet)
        except PacketError as error:
            self.logger.warning("The server broke the protocol: %s", error)
        # Only asyncio:
        except asyncio.CancelledError:
            if not self._was_cancelled_here():
                raise
        # Both:
        except Exception:
            self.logger.exception("A message could not be handled")
        await self._end_reading(outlet)

    def _is_open(self, outlet: Outlet) -> bool:
        """Whether the connection of *outlet* is still to be read."""
        return self._outlet is outlet and self.state == "connected" and not self._is_broken

    async def _read_polls(self, outlet: Outlet) -> None:
        """Poll, and handle the frames of the responses, until the connection is over."""
        while self._is_open(outlet):
            url = self.base_url + self._get_url_timestamp()
            answer = await self._send_request("GET", url, timeout=self.ping_interval + self.ping_timeout)
            # A client that leaves does not wait for long for its last poll; another connection may be open by now.
            if self._outlet is not outlet or self._is_refusal(answer):
                return
            for frame in split_poll(await answer.read()):
                await self._handle_frame(frame)

    # Only asyncio:
    async def _read_frames(self, _: Outlet) -> None:
        """Handle the frames of the WebSocket, until the connection is over."""
        aiohttp = require("aiohttp", "asyncio_client")
        text, binary = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY
        on_message = self.handlers["message"]
        quick = not self._is_traced
        clock = asyncio.get_running_loop().time
        socket = self.ws
        self._watch()
        try:
            while self.state == "connected" and not self._is_broken:
                self._heard_at = clock()
                message = await socket.receive()
                self._heard_at = math.inf
                kind = message.type
                data = message.data
                if kind is text and quick and data[:1] == "4":
                    await on_message(data[1:])
                elif kind is text or kind is binary:
                    await self._handle_frame(data)
                else:
                    self.logger.info("The WebSocket was closed: %s %s", kind, data)
                    return
        finally:
            if self._watchdog is not None:
                self._watchdog.cancel()
                self._watchdog = None

    def _watch(self) -> None:
        """End the connection when the server, which sends pings, has been silent for too long."""
        loop = asyncio.get_running_loop()
        allowed_s = self.ping_interval + self.ping_timeout
        silent_s = max(0.0, loop.time() - self._heard_at)
        if silent_s < allowed_s:
            self._watchdog = loop.call_later(allowed_s - silent_s, self._watch)
            return
        self.logger.warning("The server has stopped communicating, the connection is ended")
        self.start_background_task(self.break_off)

    # Only threads:
    # | def _read_frames(self, outlet: Outlet) -> None:
    # |     """Handle what arrives over the WebSocket, until the connection is over."""
    # |     arriving = frames(self.ws, self.logger)
    # |     while self._is_open(outlet) and (frame := next(arriving, None)) is not None:
    # |         self._handle_frame(frame)
    # |
    # Both:
    def _is_refusal(self, answer: Any) -> bool:
        """Return whether a request failed, and log why."""
        if answer is None or isinstance(answer, str):
            self.logger.warning("%s", answer or "The server could not be reached")
            return True
        # Only asyncio:
        status = answer.status
        # Only threads:
        # | status = answer.status_code
        # Both:
        if status not in _SUCCESS:
            self.logger.warning("Unexpected status code %s in server response", status)
            return True
        return False

    # The end.

    async def break_off(self) -> None:
        """Mark the connection as failed; the read loop then ends it."""
        self._is_broken = True
        # Only asyncio:
        if self.current_transport == "websocket":
            self.start_background_task(self.ws.close)
        else:
            self._wake_reader()
        # Only threads:
        # | if self.current_transport == "websocket":
        # |     self.ws.abort()
        # Only asyncio:

    def _wake_reader(self) -> None:
        """Cancel a poll whose answer is no longer needed."""
        task = self.read_loop_task
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _was_cancelled_here(self) -> bool:
        """Return whether this client has cancelled the task that polls; then the task goes on."""
        task = asyncio.current_task()
        is_over = self._is_broken or self.state != "connected"
        if is_over and self.current_transport == "polling" and task is not None:
            task.uncancel()
            return True
        return False

    # Both:
    def _begin_end(self, outlet: Outlet) -> bool:
        """Return True to the first caller, which then ends the connection of *outlet*."""
        if self.state != "connected" or self._outlet is not outlet or not outlet.claim_end():
            return False
        self.state = "disconnecting"
        self._ender = current()
        outlet.close()
        return True

    async def _end_reading(self, outlet: Outlet) -> None:
        """Tell the application that the connection failed, unless one side has ended it."""
        if not self._begin_end(outlet):
            return
        await self._trigger_event("disconnect", self.reason.TRANSPORT_ERROR, run_async=False)
        if self.current_transport == "websocket":
            # Only asyncio:
            # An external session is not closed, and a server that is silent does not answer the closing handshake.
            self.start_background_task(self.ws.close)
            # Only threads:
            # | # Without a closing handshake: no peer is left to answer.
            # | self.ws.shutdown()
            # Both:
        await self._forget_connection()

    async def disconnect(self, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002 - engineio's
        """End the connection and wait until it is closed; the task that reads, or ends it already, does not wait."""
        self.post((CLOSE_PACKET,))
        if self._begin_end(self._outlet):
            await self._trigger_event("disconnect", reason or self.reason.CLIENT_DISCONNECT, run_async=False)
            await self._close()
            await self._forget_connection()
        elif self.state != "disconnected":
            await self.wait()
        else:
            await self._reset()

    async def _close(self) -> None:
        """Wait a bounded time until all packets are written, and close the transport."""
        await join(self.write_loop_task, self.request_timeout)
        # Only asyncio:
        if self.current_transport == "websocket":
            await self._outlet.drained(self.request_timeout)
            await self.ws.close()
        else:
            self._wake_reader()
        await join(self.read_loop_task)
        # Only threads:
        # | if self.current_transport == "websocket":
        # |     self.ws.close()
        # |     # That does nothing once the server's close frame has been answered, by the thread that reads.
        # |     self.ws.shutdown()
        # | # The server need not answer a poll before its next ping is due.
        # | join(self.read_loop_task, LAST_POLL_S)
        # Both:

    async def wait(self) -> None:
        """Wait until the connection is over; in the task or thread that reads or ends it, return at once."""
        if current() not in {self.read_loop_task, self._ender}:
            await self._over.wait()
            # Only asyncio:
            await _wait_for_clients()
            # Both:

    # Only threads:
    # | def _reset(self) -> None:
    # |     http = None if self.external_http else self.http
    # |     super()._reset()
    # |     if http is not None:
    # |         http.close()
    # |
    # Both:
    async def _forget_connection(self) -> None:
        self._outlet.end()
        if self in connected_clients:
            connected_clients.remove(self)
        await self._reset()
        self._ender = None
        self._over.set()


# Only asyncio:
# When the program is interrupted (Ctrl-C), its clients leave; then Python handles the interrupt as usual. The handler
# of an application for that signal is left alone.


def _handle_interrupts() -> None:
    """Disconnect the clients of the running loop when the program is interrupted."""
    handler = signal.getsignal(signal.SIGINT)
    if not _is_default_handler(handler):
        return
    loop = asyncio.get_running_loop()
    # It fails outside of the main thread, and on some platforms.
    with suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGINT, _on_interrupt, loop, handler)


async def _wait_for_clients() -> None:
    """Wait until the clients are disconnected, if the program was interrupted."""
    task = _leaving.get(asyncio.get_running_loop())
    if task is not None and task is not asyncio.current_task():
        await asyncio.wait({task})


def _is_default_handler(handler: Any) -> bool:
    """Return whether a signal handler is Python's, or that of ``asyncio.run()``, which cancels the main task."""
    owner = getattr(handler.func, "__self__", None) if isinstance(handler, partial) else None
    return handler is signal.default_int_handler or isinstance(owner, asyncio.Runner)


def _on_interrupt(loop: asyncio.AbstractEventLoop, handler: Any) -> None:
    # A second interrupt is handled as without clients.
    loop.remove_signal_handler(signal.SIGINT)
    signal.signal(signal.SIGINT, handler)
    _leaving[loop] = loop.create_task(_disconnect_all(loop, handler))


async def _disconnect_all(loop: asyncio.AbstractEventLoop, handler: Any) -> None:
    try:
        for client in list(connected_clients):
            if client.is_asyncio_based():
                await client.disconnect()
        handler(signal.SIGINT, None)
    finally:
        del _leaving[loop]
