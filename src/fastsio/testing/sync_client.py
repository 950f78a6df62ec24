"""A Socket.IO client in the process of a server for threads: tests need no port."""

from __future__ import annotations

import io
from base64 import b64encode
from contextlib import suppress
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlencode
from wsgiref.util import setup_testing_defaults

from fastsio.engine.client_payload import split_poll
from fastsio.engine.payload import SEPARATOR
from fastsio.exceptions import (
    ConnectionRefusedError,  # noqa: A004 - the package's own, which users catch
    DisconnectedError,
    SetupError,
    TimeoutError,  # noqa: A004 - as above
)
from fastsio.integrations.wsgi import WSGIApp
from fastsio.routing import place_of
from fastsio.sync.server import Server
from fastsio.testing.base import CLOSE, PONG, BaseTestClient, Closed, Opened, Pinged, Received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType


def request(
    app: Any, method: str, path: str, query: str, headers: Iterable[tuple[str, str]], body: bytes = b""
) -> tuple[int, bytes]:
    """
    Make one request of an application.

    Args:
        app: A WSGI application.
        method: HTTP method.
        path: The path.
        query: Query string.
        headers: Pairs of name and value.
        body: Of the request.

    Returns:
        The status and the body of the response.
    """
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote(path),
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "text/plain;charset=UTF-8",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.multithread": True,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers if "_" not in name},
    }
    setup_testing_defaults(environ)
    started: list[str] = []

    def start_response(status: str, _headers: list[tuple[str, str]], _error: Any = None) -> Any:
        started.append(status)

    answered = app(environ, start_response)
    try:
        content = b"".join(answered)
    finally:
        if hasattr(answered, "close"):
            answered.close()
    return int(started[-1].split()[0]), content


OK = 200


class SyncTestClient(BaseTestClient):
    """
    A client of a server for threads, without a port.

    It calls the WSGI application as a browser that polls would, so everything but the web server is the real thing:
    handshake, namespaces, injection, validation, middleware, acknowledgements.

    Args:
        app: The server, or the WSGI application it is part of.
        socketio_path: Where the application serves Socket.IO.
        headers: Of every request.
        query: Of every request.
        serializer: As the server's: ``"default"``, ``"msgpack"`` or a class of packets.
        timeout: Seconds to wait for what a test expects.

    Raises:
        SetupError: *app* is an asyncio server, which needs :class:`TestClient`.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._changed = Condition()
        self._reader: Thread | None = None
        self._session = ""
        self._is_leaving = False

    def connect(self, namespace: str = "/", auth: Any = None) -> Self:
        """
        Enter a namespace; the first time, connect as well.

        Args:
            namespace: The namespace.
            auth: What the connect handler gets as ``auth``.

        Returns:
            The client, for ``client = SyncTestClient(sio).connect()``.

        Raises:
            ConnectionRefusedError: The server refused; its ``error_args`` are what the server gave as reason.
            TimeoutError: No answer came in time.
            ValueError: The namespace has no slash in front.
        """
        namespace = place_of(namespace)
        if not self._session:
            self._open()
        self._say(self._conversation.connect(namespace, auth))
        self._wait(
            lambda: namespace in self._answers,
            f"no answer to the connection to {namespace}",
            is_over=lambda: not self._session,
        )
        try:
            self._enter(namespace)
        except ConnectionRefusedError:
            if not self.connected:
                self.disconnect()
            raise
        return self

    def disconnect(self, namespace: str | None = None) -> None:
        """Leave a namespace; by default close the connection; as :meth:`TestClient.disconnect`."""
        if namespace is not None:
            self.get_sid(namespace)
            del self.sids[namespace]
            self._say(self._conversation.disconnect(namespace))
            return
        self.sids.clear()
        if self._session:
            self._is_leaving = True
            with suppress(DisconnectedError):
                self._say([CLOSE])
        if self._reader is not None:
            self._reader.join(self._timeout_s)

    def wait_disconnected(self, namespace: str | None = None, *, timeout: float | None = None) -> None:
        """Wait until the server has put the client out; as :meth:`TestClient.wait_disconnected`."""
        with suppress(DisconnectedError):
            self._wait(lambda: not self._is_in(namespace), "still connected", timeout)

    def emit(self, event: str, data: Any = None, namespace: str = "/") -> None:
        """Send an event; as :meth:`TestClient.emit`."""
        self.get_sid(namespace)
        self._say(self._conversation.emit(event, data, namespace))

    def call(self, event: str, data: Any = None, namespace: str = "/", *, timeout: float | None = None) -> Any:
        """Send an event and wait for its acknowledgement; as :meth:`TestClient.call`."""
        self.get_sid(namespace)
        ack_id, frames = self._conversation.call(event, data, namespace)
        self._say(frames)
        self._wait(lambda: ack_id in self._acknowledged, f"no acknowledgement of {event!r}", timeout)
        return self._take_answer(ack_id)

    def receive(
        self, event: str | None = None, namespace: str | None = None, *, timeout: float | None = None
    ) -> Received:
        """Wait for the next event, and take it out of those received; as :meth:`TestClient.receive`."""
        expected = f"no event {event!r}" if event else "no event"
        self._wait(lambda: self._find(event, namespace) is not None, expected, timeout)
        return self._take_event(event, namespace)

    def receive_nothing(self, event: str | None = None, namespace: str | None = None, *, within: float = 0.1) -> bool:
        """Tell whether no such event is there, nor comes soon; as :meth:`TestClient.receive_nothing`."""
        try:
            self._wait(lambda: self._find(event, namespace) is not None, "nothing", within)
        except (TimeoutError, DisconnectedError):
            return True
        return False

    def acknowledge(self, received: Received, *values: Any) -> None:
        """Answer an event of the server that asks for it; as :meth:`TestClient.acknowledge`."""
        self._say(self._frames_of_answer(received, values))

    def __enter__(self) -> Self:
        """Return the client; it is not connected yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.disconnect()

    # Inside

    def _application_of(self, app: Any) -> Any:
        if isinstance(app, Server):
            return WSGIApp(app)
        if hasattr(app, "is_asyncio_based"):
            raise SetupError("SyncTestClient is for Server and WSGI applications; use TestClient for AsyncServer")
        return app

    def _open(self) -> None:
        status, body = self._request("GET")
        if status != OK:
            raise ConnectionRefusedError(f"the handshake was refused with {status}: {body.decode(errors='replace')}")
        opened = self._conversation.hear(split_poll(body)[0])
        if not isinstance(opened, Opened):
            raise ConnectionRefusedError("the application does not speak Engine.IO there")
        self._session = opened.handshake["sid"]
        self._is_leaving = False
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _request(self, method: str, body: bytes = b"") -> tuple[int, bytes]:
        extra = self._query if isinstance(self._query, str) else urlencode(self._query)
        query = f"EIO=4&transport=polling&{extra}".rstrip("&") + (f"&sid={self._session}" if self._session else "")
        return request(self._app, method, self._path, query, self._headers, body)

    def _read(self) -> None:
        try:
            while self._hear(*self._request("GET")) and not self._is_leaving:
                pass
        finally:
            with self._changed:
                self._session = ""
                self.sids.clear()
                self._changed.notify_all()

    def _hear(self, status: int, body: bytes) -> bool:
        """Take the answer to a poll; False when it was the last."""
        if status != OK:
            return False
        for frame in split_poll(body):
            happening = self._conversation.hear(frame)
            if isinstance(happening, Closed):
                return False
            if isinstance(happening, Pinged):
                self._say([PONG])
            elif happening is not None:
                with self._changed:
                    self._take(happening)
                    self._changed.notify_all()
        return True

    def _say(self, frames: Iterable[str | bytes]) -> None:
        if not self._session:
            raise DisconnectedError("the test client is not connected")
        packets = (frame if isinstance(frame, str) else f"b{b64encode(frame).decode()}" for frame in frames)
        status, _ = self._request("POST", SEPARATOR.join(packets).encode())
        if status != OK:
            raise DisconnectedError("the connection is over")

    def _wait(
        self,
        has_come: Callable[[], bool],
        expected: str,
        timeout_s: float | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> None:
        """Wait until something has come, or nothing can come any more."""
        is_over = is_over or self._is_out
        with self._changed:
            self._changed.wait_for(lambda: has_come() or is_over(), self._timeout_s if timeout_s is None else timeout_s)
            if not has_come():
                raise self._failure(expected, is_over=is_over())
