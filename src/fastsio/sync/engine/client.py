# Written by tools/unasync.py from aio/engine/client.py; change that one.
"""
The Engine.IO client: python-engineio's, with read loops that build no packet objects.

Packets go out in :mod:`.client_writing`; this module connects, reads, and ends the connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.base.options import takes_information
from fastsio.engine.log_format import shown
from fastsio.engine.options import check_options
from fastsio.engine.packet import CLOSE_PACKET, PONG, ControlPacket, WirePacket, packet_of
from fastsio.engine.payload import split_poll
from fastsio.exceptions import PacketError
from fastsio.sync.engine.client_upstream import Client, connected_clients
from fastsio.sync.engine.client_writing import End, Outlet, current, frames, join

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Seconds that the answer of the last poll may take when the client leaves.
LAST_POLL_S: Final = 1.0
#: Bytes of one POST, a tenth of what servers take by default.
MAX_POST_BYTES: Final = 100_000
_SUCCESS: Final = range(200, 300)


class EngineClient(Client):
    """
    An Engine.IO client with python-engineio's interface and options.

    The ``message`` handler takes text or bytes; the next message is read when it has returned. If more than the
    high-water mark waits to be written, callers wait.
    """

    def __init__(self, *, high_water_bytes: int = 1_048_576, high_water_packets: int = 1_000, **options: Any) -> None:
        self._high_water = {"high_water_bytes": high_water_bytes, "high_water_packets": high_water_packets}
        super().__init__(**options)
        check_options(self._high_water)
        #: Whether packets are logged, which is decided here, once.
        self._is_traced = takes_information(self.logger)
        self.websocket_extra_options: dict[str, Any]
        self._websocket_options = self.websocket_extra_options
        #: Each connection has its own; a read loop compares it, to notice that another connection has begun.
        self._outlet = Outlet(self._on_write_failure, **self._high_water)
        self._is_broken = False
        self._over = End()
        self._over.set()
        #: The task or thread that ends the connection, which must not wait for the end.
        self._ender: Any = None

    # Connecting.

    def connect(self, url: str, headers: Any = None, transports: Any = None, engineio_path: str = "engine.io") -> None:
        """
        Connect to a server: poll first and then upgrade, unless *transports* names one or both.

        Raises:
            EngineConnectionError: The server could not be reached, or refused.
            MissingExtraError: The HTTP or WebSocket client that it needs is not installed.
            ValueError: The client is connected, or there is no transport of that name.
        """
        # python-engineio takes the headers out when it connects; the next connection needs them too.
        self.websocket_extra_options = dict(self._websocket_options)
        require("websocket" if list(transports or ())[:1] == ["websocket"] else "requests", "client")
        if self.state != "disconnected":
            raise ValueError("Client is not in a disconnected state")
        self._outlet = Outlet(self._on_write_failure, **self._high_water)
        self._is_broken = False
        self._over = End()
        try:
            super().connect(url, dict(headers or {}), transports, engineio_path)
        except BaseException:
            self._forget_connection()
            raise

    # Sending.

    def post(self, packets: Sequence[WirePacket]) -> None:
        """Send packets in order without waiting for the server to read them; without a connection do nothing."""
        if self.state == "connected":
            if self._is_traced:
                for packet in packets:
                    self.logger.info("Sending packet %s", shown(packet.wire, from_server=False))
            self._outlet.post(packets)

    def write(self, packets: Sequence[WirePacket]) -> None:
        """Send packets in order, and wait while much waits to be written."""
        self.post(packets)
        self._outlet.wait_for_room()

    def _send_packet(self, pkt: Any) -> None:
        self.post((packet_of(pkt),))

    def _write_loop(self) -> None:
        if self.current_transport == "websocket":
            self._outlet.write_to(self.ws)
        else:
            self._write_polling(self._outlet)

    def _write_polling(self, outlet: Outlet) -> None:
        """Post what waits, until the connection is over and nothing waits any more."""
        headers = {"Content-Type": "text/plain; charset=UTF-8"}
        try:
            while (body := outlet.next_post(MAX_POST_BYTES)) is not None:
                answer = self._send_request(
                    "POST", self.base_url, body=body, headers=headers, timeout=self.request_timeout
                )
                if self._is_refusal(answer):
                    self.break_off()
                    break
        except Exception as error:  # noqa: BLE001 - the connection ends, however it failed
            self._on_write_failure(error)
        finally:
            outlet.end()

    def _on_write_failure(self, error: Exception) -> None:
        # That the server is gone the read loop notices too, but not that a text has no UTF-8 form.
        self.logger.info("A packet could not be written: %r", error)
        if isinstance(error, UnicodeError):
            self.start_background_task(self.break_off)

    # Receiving.

    def _receive_packet(self, pkt: Any) -> None:
        """Handle a packet that came with the answer to the handshake."""
        data = pkt.encode()
        self._handle_frame(data)

    def _handle_frame(self, frame: str | bytes) -> None:
        """Handle a frame of the server; raise PacketError if it is not one of the protocol."""
        if self._is_traced:
            self.logger.info("Received packet %s", shown(frame, from_server=True))
        if isinstance(frame, bytes):
            self.handlers["message"](frame)
            return
        match frame[:1]:
            case "4":
                self.handlers["message"](frame[1:])
            case "2":
                self.post((ControlPacket(PONG, frame[1:]),))
            case "1":
                self.disconnect(abort=True, reason=self.reason.SERVER_DISCONNECT)
            case "6":
                pass
            case kind:
                raise PacketError(f"a packet of type {kind!r}" if kind else "an empty packet")

    def _read_loop_websocket(self) -> None:
        self._read(self._read_frames)

    def _read_loop_polling(self) -> None:
        self._read(self._read_polls)

    def _read(self, read: Callable[[Outlet], None]) -> None:
        """Read until the connection is over, then end it."""
        outlet = self._outlet
        try:
            read(outlet)
        except PacketError as error:
            self.logger.warning("The server broke the protocol: %s", error)
        except Exception:
            self.logger.exception("A message could not be handled")
        self._end_reading(outlet)

    def _is_open(self, outlet: Outlet) -> bool:
        """Whether the connection of *outlet* is still to be read."""
        return self._outlet is outlet and self.state == "connected" and not self._is_broken

    def _read_polls(self, outlet: Outlet) -> None:
        """Poll, and handle the frames of the responses, until the connection is over."""
        while self._is_open(outlet):
            url = self.base_url + self._get_url_timestamp()
            answer = self._send_request("GET", url, timeout=self.ping_interval + self.ping_timeout)
            # A client that leaves does not wait for long for its last poll; another connection may be open by now.
            if self._outlet is not outlet or self._is_refusal(answer):
                return
            for frame in split_poll(answer.content):
                self._handle_frame(frame)

    def _read_frames(self, outlet: Outlet) -> None:
        """Handle what arrives over the WebSocket, until the connection is over."""
        arriving = frames(self.ws, self.logger)
        while self._is_open(outlet) and (frame := next(arriving, None)) is not None:
            self._handle_frame(frame)

    def _is_refusal(self, answer: Any) -> bool:
        """Return whether a request failed, and log why."""
        if answer is None or isinstance(answer, str):
            self.logger.warning("%s", answer or "The server could not be reached")
            return True
        status = answer.status_code
        if status not in _SUCCESS:
            self.logger.warning("Unexpected status code %s in server response", status)
            return True
        return False

    # The end.

    def break_off(self) -> None:
        """Mark the connection as failed; the read loop then ends it."""
        self._is_broken = True
        if self.current_transport == "websocket":
            self.ws.abort()

    def _begin_end(self, outlet: Outlet) -> bool:
        """Return True to the first caller, which then ends the connection of *outlet*."""
        if self.state != "connected" or self._outlet is not outlet or not outlet.claim_end():
            return False
        self.state = "disconnecting"
        self._ender = current()
        outlet.close()
        return True

    def _end_reading(self, outlet: Outlet) -> None:
        """Tell the application that the connection failed, unless one side has ended it."""
        if not self._begin_end(outlet):
            return
        self._trigger_event("disconnect", self.reason.TRANSPORT_ERROR, run_async=False)
        if self.current_transport == "websocket":
            # Without a closing handshake: no peer is left to answer.
            self.ws.shutdown()
        self._forget_connection()

    def disconnect(self, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002 - engineio's
        """End the connection and wait until it is closed; the task that reads, or ends it already, does not wait."""
        self.post((CLOSE_PACKET,))
        if self._begin_end(self._outlet):
            self._trigger_event("disconnect", reason or self.reason.CLIENT_DISCONNECT, run_async=False)
            self._close()
            self._forget_connection()
        elif self.state != "disconnected":
            self.wait()
        else:
            self._reset()

    def _close(self) -> None:
        """Wait a bounded time until all packets are written, and close the transport."""
        join(self.write_loop_task, self.request_timeout)
        if self.current_transport == "websocket":
            self.ws.close()
            # That does nothing once the server's close frame has been answered, by the thread that reads.
            self.ws.shutdown()
        # The server need not answer a poll before its next ping is due.
        join(self.read_loop_task, LAST_POLL_S)

    def wait(self) -> None:
        """Wait until the connection is over; in the task or thread that reads or ends it, return at once."""
        if current() not in {self.read_loop_task, self._ender}:
            self._over.wait()

    def _reset(self) -> None:
        http = None if self.external_http else self.http
        super()._reset()
        if http is not None:
            http.close()

    def _forget_connection(self) -> None:
        self._outlet.end()
        if self in connected_clients:
            connected_clients.remove(self)
        self._reset()
        self._ender = None
        self._over.set()
