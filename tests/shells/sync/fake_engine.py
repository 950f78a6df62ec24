"""An Engine.IO server without a transport, for the sync shell: frames are handed over by the test's own threads."""

from __future__ import annotations

import json
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from fastsio.engine.packet import MessagePacket, WirePacket, packet_of
from fastsio.sync.server import Server
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Wire:
    """What a server takes for its Engine.IO server."""

    async_mode = "threading"
    max_buffer_bytes = 5_000
    high_water_bytes, high_water_packets = 1_048_576, 1_000

    def __init__(self, server: Server) -> None:
        self.server = server
        self.clients: dict[str, FakeClient] = {}
        self.closed: dict[str, str] = {}
        self.sockets: dict[str, Any] = {}  # it has no sessions
        self.stopped = False
        self.is_admitting = True
        self.congested: set[str] = set()
        self._numbers = iter(range(1_000_000))
        self._lock = threading.Lock()

    # What the server calls

    def generate_id(self) -> str:
        """Return a sid."""
        with self._lock:
            return f"sid{next(self._numbers)}"

    def post(self, eio_sid: str, packets: Sequence[WirePacket], waits: bool = False) -> bool:
        """Send."""
        client = self.clients.get(eio_sid)
        if client is None:
            return False
        for packet in packets:
            client.frames.put(packet.data)
        return True

    write = post

    def write_text(self, eio_sid: str, text: str) -> bool:
        return self.post(eio_sid, (MessagePacket(text),))

    def post_to_all(self, sessions: Iterable[Any], packets: Sequence[Any], waits: bool = False) -> None:
        assert not sessions

    def send_packet(self, eio_sid: str, packet: Any) -> bool:
        """Send one packet."""
        return self.post(eio_sid, (packet_of(packet),))

    def on(self, event: str, handler: Any) -> None:
        """Take a handler; this wire calls the server's methods itself."""

    def transport(self, eio_sid: str) -> str:
        """Name the transport."""
        del eio_sid
        return "websocket"

    def close_client(self, eio_sid: str, reason: str, *, abort: bool = False) -> None:
        """End a session, once."""
        del abort
        if self.clients.pop(eio_sid, None) is not None:
            self.closed[eio_sid] = reason
            self.server._handle_eio_disconnect(eio_sid, reason)

    def stop_admitting(self, grace_s: float) -> None:
        """Take no handshakes any more."""
        self.is_admitting = False

    def leave_client(self, eio_sid: str) -> None:
        """End a transport without its disconnect handler, once."""
        if self.clients.pop(eio_sid, None) is not None:
            self.closed[eio_sid] = "server shutting down"

    def run_disconnect(self, eio_sid: str, reason: str) -> None:
        """Run the disconnect handler."""
        self.server._handle_eio_disconnect(eio_sid, reason)

    def create_event(self) -> threading.Event:
        """Return what a thread can wait on."""
        return threading.Event()

    def start_background_task(self, target: Any, *args: Any, **kwargs: Any) -> threading.Thread:
        """Start a thread."""
        thread = threading.Thread(target=target, args=args, kwargs=kwargs, daemon=True)
        thread.start()
        return thread

    def sleep(self, seconds: float) -> None:
        """Let others run."""
        time.sleep(seconds)

    def shutdown(self) -> None:
        """Stop."""
        self.stopped = True

    # What tests call

    def open(self, **environ: Any) -> FakeClient:
        """Open a session."""
        with self._lock:
            client = FakeClient(self, f"eio{next(self._numbers)}")
        self.clients[client.eio_sid] = client
        if self.server._handle_eio_connect(client.eio_sid, environ) is False:
            raise ConnectionRefusedError
        return client

    def join(self, namespace: str = "/", auth: Any = None) -> FakeClient:
        """Open a session and connect to a namespace."""
        client = self.open()
        client.join(namespace, auth)
        return client


class FakeClient:
    """A client on the wire; ``frames`` is what it was sent and has not read."""

    def __init__(self, wire: Wire, eio_sid: str) -> None:
        self.wire = wire
        self.eio_sid = eio_sid
        self.frames: queue.Queue[Any] = queue.Queue()
        self.sids: dict[str, str] = {}

    @property
    def sid(self) -> str:
        """The sid in "/"."""
        return self.sids["/"]

    def send(self, *frames: str | bytes) -> None:
        """Send Socket.IO frames; returns when the server has read them."""
        for frame in frames:
            self.wire.server._handle_eio_message(self.eio_sid, frame)

    def receive(self) -> Any:
        """Return the next frame."""
        return self.frames.get(timeout=WAIT_S)

    def join(self, namespace: str = "/", auth: Any = None) -> str:
        """Connect to a namespace."""
        place = "" if namespace == "/" else f"{namespace},"
        self.send(f"0{place}" + ("" if auth is None else json.dumps(auth)))
        answer = self.receive()
        assert answer.startswith(f"0{place}" + "{"), answer
        self.sids[namespace] = json.loads(answer[1 + len(place) :])["sid"]
        return self.sids[namespace]

    def ask(self, event: str, *arguments: Any, ack_id: int = 1) -> Any:
        """Send an event and return the arguments of its acknowledgement."""
        self.send(f"2{ack_id}{json.dumps([event, *arguments])}")
        answer = self.receive()
        assert answer.startswith(f"3{ack_id}["), answer
        return json.loads(answer[1 + len(str(ack_id)) :])

    def lose(self, reason: str = "transport close") -> None:
        """Lose the connection."""
        self.wire.clients.pop(self.eio_sid, None)
        self.wire.closed[self.eio_sid] = reason
        self.wire.server._handle_eio_disconnect(self.eio_sid, reason)


def wired(**options: Any) -> tuple[Server, Wire]:
    """Return a server on a wire."""
    server = Server(async_mode="threading", **options)
    wire = Wire(server)
    server.eio = wire
    server.manager.set_server(server)
    return server, wire
