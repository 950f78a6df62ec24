"""
The Engine.IO client for threads: python-engineio's, with read loops that build no packet objects.

One thread reads and hands messages over, one writes. By hand; :mod:`fastsio.aio.engine.client` is its counterpart.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from fastsio._extras import require
from fastsio.base.options import takes_information
from fastsio.engine.client_payload import MAX_POSTED, next_post, split_poll
from fastsio.engine.log_format import shown
from fastsio.engine.options import check_options
from fastsio.engine.packet import CLOSE_PACKET, PONG, ControlPacket, WirePacket, packet_of
from fastsio.exceptions import PacketError
from fastsio.sync.engine.client_outgoing import Outgoing
from fastsio.sync.engine.client_upstream import Client, connected_clients

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Bytes of one POST, a tenth of what servers take by default.
MAX_POST_BYTES: Final = 100_000
#: Seconds that the answer of the last poll may take when the client leaves.
LAST_POLL_S: Final = 1.0
_SUCCESS: Final = range(200, 300)


class EngineClient(Client):
    """
    An Engine.IO client for threads: python-engineio's interface and options.

    The ``message`` handler takes text or bytes; the next message is read when it returns.

    Args:
        high_water_bytes: How much may wait to be written before those who send wait.
        high_water_packets: The same in packets.
        options: Those of ``engineio.Client``.

    Raises:
        ValueError: An option is not what it may be.
    """

    def __init__(self, *, high_water_bytes: int = 1_048_576, high_water_packets: int = 1_000, **options: Any) -> None:
        self._high_water = {"high_water_bytes": high_water_bytes, "high_water_packets": high_water_packets}
        super().__init__(**options)
        check_options(self._high_water)
        #: Whether packets are logged, which is decided here, once.
        self._is_traced = takes_information(self.logger)
        self.websocket_extra_options: dict[str, Any]
        self._websocket_options = self.websocket_extra_options
        # Each connection has its own, by which the threads of one tell that it was succeeded by another.
        self._outgoing = Outgoing(**self._high_water)
        # Holds an entry while there is no connection. A queue, for a signal handler may put it there.
        self._over: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._over.put(None)
        #: The thread that ends the connection, and so must not wait for its end.
        self._ender: threading.Thread | None = None
        self._ending = threading.Lock()
        self._is_broken = False

    def connect(self, url: str, headers: Any = None, transports: Any = None, engineio_path: str = "engine.io") -> None:
        """
        Connect to a server.

        Args:
            url: Its URL, with a query if it needs one.
            headers: Headers of the handshake.
            transports: ``"polling"``, ``"websocket"`` or a list of these; None polls first and then upgrades.
            engineio_path: Where the server answers.

        Raises:
            EngineConnectionError: The server could not be reached, or refused.
            MissingExtraError: requests, or for a WebSocket websocket-client, is not installed.
            ValueError: The client is connected, or there is no transport of that name.
        """
        # python-engineio takes the headers out when it connects; the next connection needs them too.
        self.websocket_extra_options = dict(self._websocket_options)
        require("websocket" if list(transports or ())[:1] == ["websocket"] else "requests", "client")
        if self.state != "disconnected":
            raise ValueError("Client is not in a disconnected state")
        self._outgoing = Outgoing(**self._high_water)
        self._is_broken = False
        self._over = queue.SimpleQueue()
        try:
            super().connect(url, dict(headers or {}), transports, engineio_path)
        except BaseException:
            self._forget()
            raise

    # Sending.

    def post(self, packets: Sequence[WirePacket]) -> None:
        """Send packets in order without waiting for the server to read them; without a connection do nothing."""
        if self.state == "connected":
            if self._is_traced:
                for packet in packets:
                    self.logger.info("Sending packet %s", shown(packet.wire, from_server=False))
            self._outgoing.put(packets)

    def write(self, packets: Sequence[WirePacket]) -> None:
        """Send packets in order, and wait while much waits for the thread that writes."""
        self.post(packets)
        if self.write_loop_task is not threading.current_thread():
            self._outgoing.let_write()

    def _send_packet(self, pkt: Any) -> None:
        self.post((packet_of(pkt),))

    def _write_loop(self) -> None:
        outgoing = self._outgoing
        try:
            if self.current_transport == "websocket":
                self._write_frames(outgoing)
            else:
                self._write_polling(outgoing)
        except Exception as error:  # noqa: BLE001 - websocket-client has several ways to say that the server is gone
            # What reads notices the same, and ends the connection.
            self.logger.info("A packet could not be written: %r", error)
        finally:
            outgoing.end()

    def _write_frames(self, outgoing: Outgoing) -> None:
        while (packets := outgoing.get()) is not None:
            for packet in packets:
                if packet.binary:
                    self.ws.send_binary(packet.wire)
                else:
                    self.ws.send(packet.wire)

    def _write_polling(self, outgoing: Outgoing) -> None:
        """Post what waits, as much at once as a POST may carry."""
        waiting: deque[WirePacket] = deque()
        is_over = False
        while waiting or not is_over:
            if not waiting or (len(waiting) < MAX_POSTED and not outgoing.empty()):
                packets = outgoing.get()
                is_over = is_over or packets is None
                waiting.extend(packets or ())
                continue
            body = next_post(waiting, MAX_POST_BYTES).encode()
            headers = {"Content-Type": "text/plain; charset=UTF-8"}
            answer = self._send_request("POST", self.base_url, body=body, headers=headers, timeout=self.request_timeout)
            if self._is_refusal(answer):
                self.break_off()
                return

    # Receiving.

    def _receive_packet(self, pkt: Any) -> None:
        """Take a packet that came with the answer to the handshake."""
        self._take(pkt.encode())

    def _take(self, frame: str | bytes) -> None:
        """
        Take a frame of the server.

        Raises:
            PacketError: It is not a frame of the protocol.
        """
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

    def _read(self, read: Any) -> None:
        session = self._outgoing
        try:
            read(session)
        except PacketError as error:
            self.logger.warning("The server broke the protocol: %s", error)
        except Exception:
            self.logger.exception("A message could not be handled")
        self._end_reading(session)

    def _is_open(self, session: object) -> bool:
        """Whether the connection of *session* is still to be read."""
        return self._outgoing is session and self.state == "connected" and not self._is_broken

    def _read_frames(self, session: object) -> None:
        """Handle what arrives, until the connection is over."""
        websocket = require("websocket", "client")
        while self._is_open(session):
            try:
                opcode, data = self.ws.recv_data()
            except websocket.WebSocketTimeoutException:
                self.logger.warning("The server has stopped communicating, the connection is ended")
                return
            except (websocket.WebSocketException, OSError, AttributeError) as error:
                # AttributeError: another thread has closed the socket just now.
                self.logger.info("The WebSocket was closed: %r", error)
                return
            if opcode == websocket.ABNF.OPCODE_TEXT:
                self._take(data.decode())
            elif opcode == websocket.ABNF.OPCODE_BINARY:
                self._take(bytes(data))
            else:
                self.logger.info("The WebSocket was closed by the server")
                return

    def _read_polls(self, session: object) -> None:
        while self._is_open(session):
            url = self.base_url + self._get_url_timestamp()
            answer = self._send_request("GET", url, timeout=self.ping_interval + self.ping_timeout)
            # A client that leaves does not wait for long for its last poll; another connection may be open by now.
            if self._outgoing is not session or self._is_refusal(answer):
                return
            for frame in split_poll(answer.content):
                self._take(frame)

    def _is_refusal(self, answer: Any) -> bool:
        """Tell whether a request failed, and say so in the log."""
        if answer is None or isinstance(answer, str):
            self.logger.warning("%s", answer or "The server could not be reached")
            return True
        if answer.status_code not in _SUCCESS:
            self.logger.warning("Unexpected status code %s in server response", answer.status_code)
            return True
        return False

    # The end.

    def break_off(self) -> None:
        """End the connection as one that failed; what reads does the rest."""
        self._is_broken = True

    def _begin_end(self, session: object) -> bool:
        """Whether the caller is the one to end the connection: the first who asks."""
        with self._ending:
            if self.state != "connected" or self._outgoing is not session:
                return False
            self.state = "disconnecting"
            self._ender = threading.current_thread()
            return True

    def _end_reading(self, session: object) -> None:
        """Tell the application that the connection failed, unless one side has ended it."""
        if self._begin_end(session):
            self._trigger_event("disconnect", self.reason.TRANSPORT_ERROR, run_async=False)
            self._outgoing.put(None)
            if self.current_transport == "websocket":
                # Without a closing handshake: there is nobody left to answer.
                self.ws.shutdown()
            self._forget()

    def disconnect(self, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002 - engineio's
        """
        End the connection and wait until it is closed; in a thread that reads, or ends it already, without the latter.

        Args:
            abort: Has no effect.
            reason: What the disconnect handler is told; None is ``client disconnect``.
        """
        self.post((CLOSE_PACKET,))
        if self._begin_end(self._outgoing):
            self._outgoing.put(None)
            self._trigger_event("disconnect", reason or self.reason.CLIENT_DISCONNECT, run_async=False)
            self._close()
            self._forget()
        elif self.state == "disconnecting":
            self.wait()
        else:
            self._reset()

    def _close(self) -> None:
        """Let what was sent go out, within bounds, and close the transport."""
        writer = self.write_loop_task
        if writer is not None and writer is not threading.current_thread():
            writer.join(self.request_timeout)
        if self.current_transport == "websocket":
            self.ws.close()
            # That does nothing once the server's close frame has been answered, by the thread that reads.
            self.ws.shutdown()
        reader = self.read_loop_task
        if reader is not None and reader is not threading.current_thread():
            # The server need not answer a poll before its next ping is due.
            reader.join(LAST_POLL_S)

    def wait(self) -> None:
        """Wait until the connection is over; in a thread that reads or ends it, return at once."""
        if threading.current_thread() not in {self.read_loop_task, self._ender}:
            over = self._over
            over.put(over.get())

    def _reset(self) -> None:
        http = None if self.external_http else self.http
        super()._reset()
        if http is not None:
            http.close()

    def _forget(self) -> None:
        self._outgoing.end()
        if self in connected_clients:
            connected_clients.remove(self)
        self._reset()
        self._ender = None
        self._over.put(None)
