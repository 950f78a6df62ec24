"""
Play clients of a server of either kind without a network, as test clients of libraries do.

The package under test is ``tests.parity.packages.OURS``; ``PARITY_OURS=socketio`` shows that python-socketio agrees.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.clients import eventually
from tests.parity.packages import OURS

if TYPE_CHECKING:
    from collections.abc import Callable

package: Any = importlib.import_module(OURS)
QUERY = "EIO=4&transport=polling"


def module(name: str) -> Any:
    """Import a module of the package under test."""
    return importlib.import_module(f"{OURS}.{name}")


async def done(result: Any) -> Any:
    """Wait for the result of a method that is a coroutine function on one of the two servers."""
    return await result if inspect.isawaitable(result) else result


@dataclass
class Kind:
    """One of the two servers, and how to do the same thing on both."""

    is_async: bool

    @property
    def server_class(self) -> Any:
        """The class of the server."""
        return package.AsyncServer if self.is_async else package.Server

    @property
    def namespace_class(self) -> Any:
        """The class of its class-based namespaces."""
        return package.AsyncNamespace if self.is_async else package.Namespace

    @property
    def app_class(self) -> Any:
        """The class of the application that serves it."""
        return package.ASGIApp if self.is_async else package.WSGIApp

    @property
    def pubsub_class(self) -> Any:
        """The base of managers for several processes."""
        if self.is_async:
            return module("async_pubsub_manager").AsyncPubSubManager
        return module("pubsub_manager").PubSubManager

    def server(self, **options: Any) -> Any:
        """Make a server."""
        return self.server_class(async_mode="asgi" if self.is_async else "threading", **options)

    def function(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does what *plain* does, as the server's own methods are: coroutine or not."""
        if not self.is_async:
            return plain

        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            return plain(*args, **kwargs)

        return wrapped

    async def in_background(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a method that waits for a client."""
        if self.is_async:
            return await function(*args, **kwargs)
        return await asyncio.to_thread(function, *args, **kwargs)

    async def request(self, app: Any, path: str = "/socket.io/", headers: dict[str, str] | None = None) -> str:
        """Make a GET request of a mounted or bare application, and return the body of the answer."""
        if self.is_async:
            return await _asgi_get(app, path, headers or {})
        return await asyncio.to_thread(_wsgi_get, app, path, headers or {})

    async def handshake(self, app: Any, path: str = "/socket.io/", headers: dict[str, str] | None = None) -> Any:
        """Open a polling session and return what the server tells about it."""
        return json.loads((await self.request(app, path, headers))[1:])


#: Runs a test on the asyncio server and on the one for threads.
both: Final = pytest.mark.parametrize("kind", [Kind(is_async=True), Kind(is_async=False)], ids=["async", "sync"])


async def _asgi_get(app: Any, path: str, headers: dict[str, str]) -> str:
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": QUERY.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in {"Host": "testserver", **headers}.items()],
        "client": ("203.0.113.9", 1), "server": ("testserver", 80),
    }  # fmt: skip
    body = b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        nonlocal body
        body += message.get("body", b"")

    await app(scope, receive, send)
    return body.decode()


def _wsgi_get(app: Any, path: str, headers: dict[str, str]) -> str:
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "RAW_URI": f"{path}?{QUERY}", "QUERY_STRING": QUERY,
        "SERVER_NAME": "testserver", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "203.0.113.9",
        "HTTP_HOST": "testserver", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.version": (1, 0), "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
        "own.key": "of the WSGI server", "werkzeug.socket": object(),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }  # fmt: skip
    return b"".join(app(environ, lambda *_: None)).decode()


@dataclass
class Player:
    """A client that calls the server where Engine.IO would, and keeps the packets that Engine.IO would get."""

    kind: Kind
    server: Any
    eio_sid: str = "eio-1"
    packets: list[tuple[int, str, Any, int | None]] = field(default_factory=list)
    current: Any = None

    def __post_init__(self) -> None:
        self.server._send_packet = self.kind.function(self._take_packet)
        self.server._send_eio_packet = self.kind.function(self._take_frame)

    def _take_packet(self, eio_sid: str, packet: Any) -> None:
        assert eio_sid == self.eio_sid
        self.packets.append((int(packet.packet_type), packet.namespace or "/", packet.data, packet.id))

    def _take_frame(self, eio_sid: str, frame: Any) -> None:
        if self.current is None:
            self.current = module("packet").Packet(encoded_packet=frame.data)
        else:
            self.current.add_attachment(frame.data)
        if len(self.current.attachments) == self.current.attachment_count:
            self._take_packet(eio_sid, self.current)
            self.current = None

    async def connect(self, namespace: str = "/", auth: Any = None, environ: dict[str, Any] | None = None) -> Any:
        """Connect to a namespace; return the sid, or None when the client is refused."""
        if self.eio_sid not in self.server.environ:
            await done(self.server._handle_eio_connect(self.eio_sid, environ or {}))
        await self.send(0, namespace, auth)
        await eventually(lambda: any(kind in (0, 4) and where == namespace for kind, where, _, _ in self.packets))
        return self.server.manager.sid_from_eio_sid(self.eio_sid, namespace)

    async def send(self, packet_type: int, namespace: str = "/", data: Any = None, id: int | None = None) -> None:  # noqa: A002 - as the packet's
        """Send a packet."""
        encoded = module("packet").Packet(packet_type, data, namespace=namespace, id=id).encode()
        for frame in encoded if isinstance(encoded, list) else [encoded]:
            await done(self.server._handle_eio_message(self.eio_sid, frame))

    async def ask(self, *event: Any, namespace: str = "/", id: int = 1) -> list[Any]:  # noqa: A002 - as the packet's
        """Send an event and return what it is acknowledged with."""
        await self.send(2, namespace, list(event), id)
        return await self.acknowledged(namespace, id)

    async def acknowledged(self, namespace: str = "/", id: int = 1) -> list[Any]:  # noqa: A002 - as the packet's
        """Wait for an acknowledgement."""
        await eventually(lambda: self._acknowledgements(namespace, id))
        return self._acknowledgements(namespace, id)[-1]

    def _acknowledgements(self, namespace: str, id: int) -> list[Any]:  # noqa: A002 - as the packet's
        return [data for kind, where, data, ack in self.packets if kind in (3, 6) and (where, ack) == (namespace, id)]

    def events(self, namespace: str = "/") -> list[Any]:
        """Return the events received so far."""
        return [data for kind, where, data, _ in self.packets if kind in (2, 5) and where == namespace]
