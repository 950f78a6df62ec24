"""A WSGI server without a network: requests are calls in threads, a WebSocket is a pair of sockets."""

from __future__ import annotations

import io
import json
import queue
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, Pong, TextMessage

from fastsio.sync.engine import EngineServer, MessagePacket
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SEPARATOR = "\x1e"
#: What a handler waits for.
Gate = threading.Event
HANDSHAKE = {
    "HTTP_UPGRADE": "websocket",
    "HTTP_CONNECTION": "Upgrade",
    "HTTP_SEC_WEBSOCKET_VERSION": "13",
    "HTTP_SEC_WEBSOCKET_KEY": "dGhlIHNhbXBsZSBub25jZQ==",
}


def soon(value: Any) -> Any:
    """Wait for what must happen, but not for ever."""
    return value.result(WAIT_S) if isinstance(value, Future) else value


def settle() -> None:
    """Do nothing: who begins something has waited until it waits."""


def until(condition: Callable[[], Any]) -> None:
    """Wait for what no event tells."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


@dataclass(frozen=True)
class Response:
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def packets(self) -> list[str]:
        return self.text.split(SEPARATOR)

    @property
    def code(self) -> int:
        return json.loads(self.body)["code"]


#: The applications of a test, which end with it.
made: list[Application] = []


class Application:
    """An engine with handlers that keep what they get; ``on_connect`` and ``on_message`` may be replaced."""

    def __init__(self, **options: Any) -> None:
        self.engine = EngineServer(**{"async_mode": "threading", "ping_interval": 25, "ping_timeout": 20, **options})
        self.environs: list[dict[str, Any]] = []
        self.messages: queue.Queue[str | bytes] = queue.Queue()
        self.disconnects: queue.Queue[str] = queue.Queue()
        self.on_connect: Callable[[str], Any] = lambda sid: None
        self.on_message: Callable[[str, Any], Any] = lambda sid, data: None
        self.on_disconnect: Callable[[str, str], Any] = lambda sid, reason: None
        self.engine.on("connect", self._connect)
        self.engine.on("message", self._message)
        self.engine.on("disconnect", self._disconnect)
        self.pool = ThreadPoolExecutor(64)
        self.clients: list[WebSocketClient] = []
        made.append(self)

    def _connect(self, sid: str, environ: dict[str, Any]) -> Any:
        self.environs.append(environ)
        return self.on_connect(sid)

    def _message(self, sid: str, data: str | bytes) -> None:
        self.messages.put(data)
        self.on_message(sid, data)

    def _disconnect(self, sid: str, reason: str) -> None:
        self.disconnects.put(reason)
        self.on_disconnect(sid, reason)

    def start(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Begin what is waited for with :func:`soon`."""
        return self.pool.submit(function, *args)

    def post(self, sid: str, *messages: str | bytes) -> bool:
        """Post messages as one packet's frames."""
        return self.engine.post(sid, [MessagePacket(message) for message in messages])

    def reason(self) -> str:
        """Wait for a disconnect handler."""
        return self.disconnects.get(timeout=WAIT_S)

    def message(self) -> str | bytes:
        """Wait for a message."""
        return self.messages.get(timeout=WAIT_S)

    def request(self, query: str = "EIO=4&transport=polling", **extra: Any) -> Response:
        """Serve a request in this thread; *extra* goes into the environ."""
        body = extra.pop("body", b"")
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/engine.io/",
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "here",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "werkzeug.socket": None,
            **extra,
        }
        started: list[Any] = []
        chunks = self.engine.handle_request(environ, lambda *response: started.append(response))
        ((status, headers),) = started
        assert len(dict(headers)) == len(headers)
        return Response(int(status[:3]), {name.lower(): value for name, value in headers}, b"".join(chunks))

    def refuse_websocket(self, query: str = "EIO=4&transport=websocket", **extra: Any) -> Response:
        """Ask for a WebSocket that is not given."""
        return self.request(query, **{**HANDSHAKE, **extra})

    def close(self) -> None:
        """End all sessions and threads."""
        for client in self.clients:
            client.vanish()
        self.engine.disconnect()
        self.engine.shutdown()
        self.pool.shutdown()


class HttpRequest:
    """A request in flight."""

    def __init__(self, app: Application, serve: Callable[[], Response]) -> None:
        self._future = app.pool.submit(serve)
        self.done = self._future.done
        self.result = self._future.result

    def response(self) -> Response:
        """Wait for the response."""
        return self._future.result(WAIT_S)


def start_http(
    app: Application, method: str, query: str, *body: bytes, headers: Sequence[tuple[str, str]] = ()
) -> HttpRequest:
    """Begin a request; the end of a body without a length is marked, as by servers that take chunks."""
    environ = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in headers}
    for name in ("CONTENT_LENGTH", "CONTENT_TYPE"):
        if f"HTTP_{name}" in environ:
            environ[name] = environ.pop(f"HTTP_{name}")
    extra = {
        "REQUEST_METHOD": method,
        "HTTP_HOST": "testserver",
        "wsgi.url_scheme": "https",
        "wsgi.input_terminated": True,
        "body": b"".join(body),
        **environ,
    }
    return HttpRequest(app, lambda: app.request(query, **extra))


class PollingClient:
    """A client over long-polling."""

    def __init__(self, app: Application, query: str = "EIO=4&transport=polling", **extra: Any) -> None:
        self.app = app
        self.first = app.request(query, **extra)
        self.opened = json.loads(self.first.packets[0][1:])
        self.sid: str = self.opened["sid"]
        self.query = f"EIO=4&transport=polling&sid={self.sid}"

    def poll(self) -> Response:
        """Poll once."""
        return self.app.request(self.query)

    def start_poll(self) -> HttpRequest:
        """Poll in another thread, and wait until the server waits."""
        outbox = self.app.engine.sockets[self.sid]
        request = HttpRequest(self.app, self.poll)
        until(lambda: outbox.poll_waiter is not None or request.done())
        return request

    def send(self, body: str | bytes, **extra: Any) -> Response:
        """Send a POST."""
        data = body.encode() if isinstance(body, str) else body
        extra = {"CONTENT_LENGTH": str(len(data)), **extra}
        return self.app.request(self.query, REQUEST_METHOD="POST", body=data, **extra)


class WebSocketClient:
    """A client over a WebSocket; it reads only when asked to, so it can lag."""

    def __init__(
        self,
        app: Application,
        query: str = "EIO=4&transport=websocket",
        *,
        small: bool = False,
        timeout_s: float = WAIT_S,
        **extra: Any,
    ) -> None:
        ours, theirs = socket.socketpair()
        if small:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self.app = app
        app.clients.append(self)
        self.sock = ours
        self.server_sock = theirs
        ours.settimeout(timeout_s)
        self.served = app.pool.submit(self._serve, query, {"werkzeug.socket": theirs, **HANDSHAKE, **extra})
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = ours.recv(1)
            assert byte, self.served.result()
            head += byte
        assert head.startswith(b"HTTP/1.1 101 ")
        self.head = head
        self.connection = Connection(ConnectionType.CLIENT)
        self._events: Any = iter(())
        self._text = ""

    def _serve(self, query: str, extra: dict[str, Any]) -> Any:
        try:
            return self.app.request(query, **extra)
        except ConnectionError:
            return "over"
        finally:
            self.server_sock.close()

    @classmethod
    def open(cls, app: Application, **options: Any) -> WebSocketClient:
        """Connect and take the handshake."""
        client = cls(app, **options)
        client.opened = json.loads(client.frame()[1:])
        client.sid = client.opened["sid"]
        return client

    def say(self, *frames: str | bytes) -> None:
        """Send frames in one write."""
        messages = [TextMessage(frame) if isinstance(frame, str) else BytesMessage(frame) for frame in frames]
        self.sock.sendall(b"".join([bytes(self.connection.send(message)) for message in messages]))

    def ping(self, payload: bytes) -> None:
        """Send a ping frame."""
        self.sock.sendall(bytes(self.connection.send(Ping(payload))))

    def event(self) -> Any:
        """Wait for an event of wsproto's."""
        while True:
            for event in self.connection.events():
                return event
            data = self.sock.recv(65_536)
            if not data:
                return None
            self.connection.receive_data(data)

    def frame(self) -> str | bytes:
        """Wait for a message."""
        parts: list[Any] = []
        while True:
            event = self.event()
            assert isinstance(event, Message), event
            parts.append(event.data)
            if event.message_finished:
                return "".join(parts) if isinstance(event, TextMessage) else b"".join(parts)

    def closed(self) -> list[Any]:
        """Wait for the server to close, and answer; return what came before."""
        before: list[Any] = []
        while True:
            event = self.event()
            if isinstance(event, CloseConnection):
                self.code = event.code
                self.sock.sendall(bytes(self.connection.send(event.response())))
                return before
            assert event is not None, before
            before.append(event.data if isinstance(event, Message) else event)

    def pong(self) -> bytes:
        """Wait for the answer to a ping."""
        event = self.event()
        assert isinstance(event, Pong), event
        return bytes(event.payload)

    def say_close(self) -> None:
        """Begin the closing handshake."""
        self.sock.sendall(bytes(self.connection.send(CloseConnection(1000))))

    def vanish(self) -> None:
        """Cut the connection."""
        self.sock.close()

    def leave(self) -> None:
        """Close the connection."""
        self.say_close()

    def ended(self) -> None:
        """Wait until the server has served the request."""
        assert self.served.result(WAIT_S) == "over"


def threads() -> set[threading.Thread]:
    """Return the threads that run."""
    return set(threading.enumerate())


def connect_polling(app: Application, query: str = "EIO=4&transport=polling") -> PollingClient:
    """Open a session on the polling transport of a web server that takes WebSockets too."""
    return PollingClient(app, query, **{"werkzeug.socket": object()})


def connect_websocket(app: Application) -> tuple[WebSocketClient, str]:
    """Open a session on the WebSocket transport."""
    client = WebSocketClient.open(app)
    return client, client.sid


def start_upgrade(client: PollingClient) -> WebSocketClient:
    """Open a WebSocket for a polling session."""
    return WebSocketClient(client.app, f"EIO=4&transport=websocket&sid={client.sid}")


def upgrade(client: PollingClient) -> WebSocketClient:
    """Upgrade a polling session."""
    websocket = start_upgrade(client)
    websocket.say("2probe")
    assert websocket.frame() == "3probe"
    websocket.say("5")
    return websocket
