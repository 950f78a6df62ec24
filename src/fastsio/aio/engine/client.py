"""
The Engine.IO client: python-engineio's, with read loops that build no packet objects and a write path without a queue.

How packets go out stands in :mod:`.client_writing`; this module connects, reads, and ends the connection.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.aio.engine import client_interrupt
from fastsio.aio.engine.client_upstream import AsyncClient, EngineConnectionError, connected_clients
from fastsio.aio.engine.client_writing import Outlet
from fastsio.base.options import takes_information
from fastsio.engine.client_payload import split_poll
from fastsio.engine.log_format import shown
from fastsio.engine.options import check_options
from fastsio.engine.packet import CLOSE_PACKET, PONG, ControlPacket, WirePacket, packet_of
from fastsio.exceptions import PacketError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bytes of a message of the server, as clients' ``max_binary_bytes``; aiohttp alone would take 4 MiB.
MAX_MESSAGE_BYTES: Final = 100_000_000
#: Bytes of one POST, a tenth of what servers take by default.
MAX_POST_BYTES: Final = 100_000
_SUCCESS: Final = range(200, 300)


class EngineClient(AsyncClient):
    """
    An Engine.IO client for asyncio: python-engineio's interface and options.

    The ``message`` handler is a coroutine function that takes text or bytes; the next message is read when it returns.

    Args:
        handle_sigint: Whether Ctrl-C ends the connection.
        high_water_bytes: How much may wait to be posted, over polling, before those who send wait.
        high_water_packets: The same in packets.
        options: Those of ``engineio.AsyncClient``.

    Raises:
        ValueError: An option is not what it may be.
    """

    def __init__(
        self,
        *,
        handle_sigint: bool = True,
        high_water_bytes: int = 1_048_576,
        high_water_packets: int = 1_000,
        **options: Any,
    ) -> None:
        self._high_water = {"high_water_bytes": high_water_bytes, "high_water_packets": high_water_packets}
        super().__init__(handle_sigint=False, **options)
        check_options(self._high_water)
        #: Whether packets are logged, which is decided here, once.
        self._is_traced = takes_information(self.logger)
        self.websocket_extra_options: dict[str, Any]
        self._websocket_options = {"max_msg_size": MAX_MESSAGE_BYTES, **self.websocket_extra_options}
        self._heeds_interrupts = handle_sigint
        self._tasks: set[asyncio.Future[Any]] = set()
        self._outlet = Outlet(self._on_write_failure, **self._high_water)
        self._is_broken = False
        #: When the server was last heard, by the loop's clock; infinity while a message is being handled.
        self._heard_at = math.inf
        self._watchdog: asyncio.TimerHandle | None = None
        #: Set while there is no connection.
        self._over = asyncio.Event()
        self._over.set()
        #: What ends the connection, and so must not wait for its end.
        self._ender: asyncio.Task[Any] | None = None

    # Connecting.

    async def connect(
        self, url: str, headers: Any = None, transports: Any = None, engineio_path: str = "engine.io"
    ) -> None:
        """
        Connect to a server.

        Args:
            url: Its URL, with a query if it needs one.
            headers: Headers of the handshake.
            transports: ``"polling"``, ``"websocket"`` or a list of these; None polls first and then upgrades.
            engineio_path: Where the server answers.

        Raises:
            EngineConnectionError: The server could not be reached, or refused.
            MissingExtraError: aiohttp is not installed.
            ValueError: The client is connected, or there is no transport of that name.
        """
        errors = require("aiohttp", "asyncio_client").ClientError
        if self.state != "disconnected":
            raise ValueError("Client is not in a disconnected state")
        if self._heeds_interrupts:
            client_interrupt.heed_interrupts()
        self._outlet = Outlet(self._on_write_failure, **self._high_water)
        self._is_broken = False
        self._over.clear()
        try:
            await super().connect(url, dict(headers or {}), transports, engineio_path)
        except (OSError, TimeoutError, errors) as error:
            await self._forget()
            raise EngineConnectionError(str(error) or "Connection error") from error
        except BaseException:
            await self._forget()
            raise

    async def _connect_websocket(self, url: str, headers: Any, engineio_path: str) -> bool:
        # python-engineio takes the headers out when it connects; the next connection needs them too.
        self.websocket_extra_options = dict(self._websocket_options)
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

    # Sending.

    def post(self, packets: Sequence[WirePacket]) -> None:
        """Send packets in order without waiting for the server to read them; without a connection do nothing."""
        if self.state == "connected":
            if self._is_traced:
                for packet in packets:
                    self.logger.info("Sending packet %s", shown(packet.wire, from_server=False))
            self._outlet.post(packets)

    async def write(self, packets: Sequence[WirePacket]) -> None:
        """Send packets in order, and wait while the server does not read what was sent."""
        self.post(packets)
        await self._outlet.let_write()

    async def _send_packet(self, pkt: Any) -> None:
        self.post((packet_of(pkt),))

    async def _write_loop(self) -> None:
        if self.current_transport == "websocket":
            self._outlet.attach(self.ws)
        else:
            await self._write_polling()

    async def _write_polling(self) -> None:
        """Post what waits, until the connection is over and nothing waits any more."""
        outlet = self._outlet
        while outlet.waiting or self.state == "connected":
            if not outlet.waiting:
                outlet.arrived.clear()
                await outlet.arrived.wait()
                continue
            body = outlet.next_post(MAX_POST_BYTES)
            headers = {"Content-Type": "text/plain; charset=UTF-8"}
            answer = await self._send_request(
                "POST", self.base_url, body=body, headers=headers, timeout=self.request_timeout
            )
            if self._is_refusal(answer):
                await self.break_off()
                return

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

    def _on_write_failure(self, error: Exception) -> None:
        # What reads notices the same, and ends the connection.
        self.logger.info("A packet could not be written: %r", error)

    # Receiving.

    async def _receive_packet(self, pkt: Any) -> None:
        """Take a packet that came with the answer to the handshake."""
        data = pkt.encode()
        await self._take(data)

    async def _take(self, frame: str | bytes) -> None:
        """
        Take a frame of the server.

        Raises:
            PacketError: It is not a frame of the protocol.
        """
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
        self._watch()
        try:
            await self._read_frames(self.ws)
        except PacketError as error:
            self.logger.warning("The server broke the protocol: %s", error)
        except Exception:
            self.logger.exception("A message could not be handled")
        finally:
            self._unwatch()
        await self._end_reading()

    async def _read_frames(self, socket: Any) -> None:
        """Handle what arrives, until the connection is over."""
        aiohttp = require("aiohttp", "asyncio_client")
        text, binary = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY
        on_message = self.handlers["message"]
        quick = not self._is_traced
        clock = asyncio.get_running_loop().time
        while self.state == "connected" and not self._is_broken:
            self._heard_at = clock()
            message = await socket.receive()
            self._heard_at = math.inf
            kind = message.type
            data = message.data
            if kind is text and quick and data[:1] == "4":
                await on_message(data[1:])
            elif kind is text or kind is binary:
                await self._take(data)
            else:
                self.logger.info("The WebSocket was closed: %s %s", kind, data)
                return

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

    def _unwatch(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None

    async def _read_loop_polling(self) -> None:
        try:
            while self.state == "connected" and not self._is_broken:
                url = self.base_url + self._get_url_timestamp()
                answer = await self._send_request("GET", url, timeout=self.ping_interval + self.ping_timeout)
                if self._is_refusal(answer):
                    break
                for frame in split_poll(await answer.read()):
                    await self._take(frame)
        except PacketError as error:
            self.logger.warning("The server broke the protocol: %s", error)
        except asyncio.CancelledError:
            if not self._was_woken():
                raise
        except Exception:
            self.logger.exception("A message could not be handled")
        await self._end_reading()

    def _is_refusal(self, answer: Any) -> bool:
        """Tell whether a request failed, and say so in the log."""
        if answer is None or isinstance(answer, str):
            self.logger.warning("%s", answer or "The server could not be reached")
            return True
        if answer.status not in _SUCCESS:
            self.logger.warning("Unexpected status code %s in server response", answer.status)
            return True
        return False

    # The end.

    async def break_off(self) -> None:
        """End the connection as one that failed; what reads does the rest."""
        self._is_broken = True
        if self.current_transport == "websocket":
            self.start_background_task(self.ws.close)
        else:
            self._wake_reader()

    def _wake_reader(self) -> None:
        """Cancel a poll that nobody waits for any more."""
        task = self.read_loop_task
        if task is not None and task is not asyncio.current_task():
            task.cancel()

    def _was_woken(self) -> bool:
        """Tell whether it was this client that cancelled the task which reads; then the task goes on."""
        task = asyncio.current_task()
        if (self._is_broken or self.state != "connected") and task is not None:
            task.uncancel()
            return True
        return False

    async def _end_reading(self) -> None:
        """Tell the application that the connection failed, unless one side has ended it."""
        if self.state != "connected":
            return
        self._begin_end()
        await self._trigger_event("disconnect", self.reason.TRANSPORT_ERROR, run_async=False)
        if self.current_transport == "websocket":
            # An external session is not closed, and a server that is silent does not answer the closing handshake.
            self.start_background_task(self.ws.close)
        await self._forget()

    async def disconnect(self, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002 - engineio's
        """
        End the connection and wait until it is closed; in a task that reads, or ends it already, without the latter.

        Args:
            abort: Has no effect.
            reason: What the disconnect handler is told; None is ``client disconnect``.
        """
        if self.state == "connected":
            self.post((CLOSE_PACKET,))
            self._begin_end()
            await self._trigger_event("disconnect", reason or self.reason.CLIENT_DISCONNECT, run_async=False)
            await self._close()
            await self._forget()
        elif self.state == "disconnecting":
            await self.wait()
        else:
            await self._reset()

    async def _close(self) -> None:
        """Let what was sent go out, within bounds, and close the transport."""
        if self.current_transport == "websocket":
            await self._outlet.drained(self.request_timeout)
            await self.ws.close()
        else:
            self._outlet.arrived.set()
            if self.write_loop_task is not None:
                await asyncio.wait({self.write_loop_task}, timeout=self.request_timeout)
            self._wake_reader()
        task = self.read_loop_task
        if task is not None and task is not asyncio.current_task():
            await asyncio.wait({task})

    async def wait(self) -> None:
        """Wait until the connection is over; in a task that reads or ends it, return at once."""
        if asyncio.current_task() not in {self.read_loop_task, self._ender}:
            await self._over.wait()
            await client_interrupt.left()

    def _begin_end(self) -> None:
        self.state = "disconnecting"
        self._ender = asyncio.current_task()

    async def _forget(self) -> None:
        if self in connected_clients:
            connected_clients.remove(self)
        self._outlet.detach()
        self._outlet.arrived.set()
        await self._reset()
        self._ender = None
        self._over.set()
