"""A Socket.IO client in the process of a server for threads: tests need no port."""

from __future__ import annotations

import io
from base64 import b64encode
from contextlib import suppress
from functools import partial
from threading import Condition, RLock, Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlencode
from wsgiref.util import setup_testing_defaults

from fastsio.engine.payload import SEPARATOR, split_poll
from fastsio.exceptions import (
    ConnectionRefusedError,  # noqa: A004 - the package's own, which users catch
    DisconnectedError,
    SetupError,
    TimeoutError,  # noqa: A004 - as above
)
from fastsio.integrations.wsgi import WSGIApp
from fastsio.protocol.lifecycle import Reasons
from fastsio.routing import single_namespace
from fastsio.sync.server import Server
from fastsio.testing.base import (
    CLOSE,
    PONG,
    BaseTestClient,
    Closed,
    Opened,
    Pinged,
    Received,
    at_the_end,
    checked_auth,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
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


class Polling:
    """
    A connection of long-polling.

    Args:
        eio_sid: The Engine.IO session id.
    """

    def __init__(self, eio_sid: str) -> None:
        self.eio_sid = eio_sid
        self.reader: Thread | None = None
        self.is_frozen = False
        #: Whether the client reads nothing of it any more.
        self.is_lost = False
        #: Held for a POST: a client that polls sends one after the other.
        self.posting = RLock()


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
        self._polling: Polling | None = None
        #: Connections that the client has lost, and the server does not know it.
        self._lost: list[Polling] = []

    def connect(self, namespace: str = "/", auth: Any = None) -> Self:
        """
        Enter a namespace; the first time, connect as well.

        Args:
            namespace: The namespace.
            auth: What the connect handler gets as ``auth``: a dict, a text or None.

        Returns:
            The client, for ``client = SyncTestClient(sio).connect()``.

        Raises:
            ConnectionRefusedError: The server refused; its ``error_args`` are what the server gave as reason.
            TimeoutError: No answer came in time.
            TypeError: *auth* is of a kind for which a server closes the connection, such as a list.
            ValueError: The namespace has no slash in front.
        """
        namespace, auth = single_namespace(namespace), checked_auth(auth)
        self._sessions.forget(namespace)
        if self._polling is None:
            self._open()
        self._join([(namespace, auth, auth)])
        return self

    def disconnect(self, namespace: str | None = None) -> None:
        """Leave a namespace; by default close the connection; as :meth:`TestClient.disconnect`."""
        if namespace is not None:
            self.get_sid(namespace)
            self._leave(namespace)
            self._say(self._conversation.disconnect(namespace))
            return
        left, polling = self._leave_all(), self._polling
        if polling is not None:
            frames = [frame for each in left for frame in self._conversation.disconnect(each)]
            with suppress(DisconnectedError):
                self._post(polling, [*frames, CLOSE])
            self._abandon(polling)
            self._join_reader(polling)
        while self._lost:
            lost = self._lost.pop()
            self._request("POST", lost, CLOSE.encode())
            self._join_reader(lost)

    def drop(self, reason: str = Reasons.TRANSPORT_CLOSE) -> None:
        """
        Lose the connection without a closing packet; as :meth:`TestClient.drop`.

        Raises:
            DisconnectedError: The client is not connected.
            SetupError: The application does not tell which server it is for.
            ValueError: A connection is not lost for that reason.
        """
        engine, polling = self._engine_for_loss(reason), self._connection()
        self._abandon(polling)
        engine.close_client(polling.eio_sid, reason, abort=True)
        self._join_reader(polling)

    def freeze(self) -> AbstractContextManager[Any]:
        """
        Read nothing more, and answer no pings, until :meth:`thaw`; as :meth:`TestClient.freeze`.

        One poll waits already: what the server answers it with is under way, and read after :meth:`thaw`.
        """
        self._connection().is_frozen = True
        return at_the_end(self.thaw)

    def thaw(self) -> None:
        """Read again, if the connection still stands."""
        with self._changed:
            if self._polling is not None:
                self._polling.is_frozen = False
            self._changed.notify_all()

    def reconnect(self, *, recover: bool = True, auth: Any = None) -> Self:
        """Connect again, and enter the namespaces that the client was in; as :meth:`TestClient.reconnect`."""
        namespaces = self._return(auth, recover=recover)
        if self._polling is not None:
            self._lost.append(self._polling)
            self._abandon(self._polling)
        self._open()
        self._join(namespaces)
        return self

    def release(self) -> None:
        """Send what :meth:`hold` has kept back, in order, if the connection still stands."""
        polling = self._polling
        if polling is None:
            self._held = None
            return
        with polling.posting:
            held, self._held = self._held, None
            if held:
                self._post(polling, held)

    def wait_disconnected(self, namespace: str | None = None, *, timeout: float | None = None) -> None:
        """Wait until the server has disconnected the client; as :meth:`TestClient.wait_disconnected`."""
        with suppress(DisconnectedError):
            self._wait(lambda: not self._is_in(namespace), "still connected", timeout)

    def emit(self, event: str, data: Any = None, namespace: str = "/") -> None:
        """Send an event; as :meth:`TestClient.emit`."""
        self.get_sid(namespace)
        self._say(self._repeated(self._conversation.emit(event, data, namespace)))

    def call(self, event: str, data: Any = None, namespace: str = "/", *, timeout: float | None = None) -> Any:
        """Send an event and wait for its acknowledgement; as :meth:`TestClient.call`."""
        self.get_sid(namespace)
        ack_id, frames = self._conversation.call(event, data, namespace)
        self._say(self._repeated(frames))
        self._wait(lambda: ack_id in self._acknowledged, self._unanswered(event, namespace), timeout)
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

    def _join(self, namespaces: list[tuple[str, Any, Any]]) -> None:
        """
        Enter namespaces: each is given with the auth of the application, and the one that may ask for a session.

        Raises:
            ConnectionRefusedError: The server refused one; the others are entered all the same.
        """
        refusal: ConnectionRefusedError | None = None
        for namespace, auth, asking in namespaces:
            self._answers.pop(namespace, None)
            self._say(self._conversation.connect(namespace, asking))
            self._wait(
                partial(self._has_answer, namespace),
                f"no answer to the connection to {namespace}",
                is_over=lambda: self._polling is None,
            )
            refused = self._enter(namespace, auth)
            refusal = refusal or refused
        if refusal is not None:
            if not self.connected:
                self.disconnect()
            raise refusal

    def _open(self) -> None:
        status, body = self._request("GET")
        if status != OK:
            raise ConnectionRefusedError(f"the handshake was refused with {status}: {body.decode(errors='replace')}")
        opened = self._conversation.hear(split_poll(body)[0])
        if not isinstance(opened, Opened):
            raise ConnectionRefusedError("the application does not speak Engine.IO there")
        polling = self._polling = Polling(opened.handshake["sid"])
        polling.reader = Thread(target=self._read, args=[polling], daemon=True)
        polling.reader.start()

    def _request(self, method: str, polling: Polling | None = None, body: bytes = b"") -> tuple[int, bytes]:
        extra = self._query if isinstance(self._query, str) else urlencode(self._query)
        query = f"EIO=4&transport=polling&{extra}".rstrip("&") + (f"&sid={polling.eio_sid}" if polling else "")
        return request(self._app, method, self._path, query, self._headers, body)

    def _read(self, polling: Polling) -> None:
        try:
            while self._reads(polling) and self._hear(polling, *self._request("GET", polling)):
                pass
        finally:
            self._abandon(polling)

    def _reads(self, polling: Polling, after_s: float = 0) -> bool:
        """Wait until the client reads, and what was sent has arrived; False once the connection is lost."""
        with self._changed:
            self._changed.wait_for(lambda: polling.is_lost, after_s)
            self._changed.wait_for(lambda: polling.is_lost or not polling.is_frozen)
            return not polling.is_lost

    def _hear(self, polling: Polling, status: int, body: bytes) -> bool:
        """Take the answer to a poll; False when it was the last."""
        if not self._reads(polling, self._delay_s) or status != OK:
            return False
        for frame in split_poll(body):
            happening = self._conversation.hear(frame)
            if isinstance(happening, Closed):
                return False
            if isinstance(happening, Pinged):
                with suppress(DisconnectedError):
                    self._say([PONG])
            elif happening is not None:
                with self._changed:
                    if polling.is_lost:
                        return False
                    self._take(happening)
                    self._changed.notify_all()
        return True

    def _connection(self) -> Polling:
        if self._polling is None:
            raise DisconnectedError("the test client is not connected")
        return self._polling

    def _abandon(self, polling: Polling) -> None:
        """Forget a connection, of which nothing more is read."""
        with self._changed:
            polling.is_lost = True
            if self._polling is polling:
                self._polling = None
                self._lose()
            self._changed.notify_all()

    def _join_reader(self, polling: Polling) -> None:
        if polling.reader is not None:
            polling.reader.join(self._timeout_s)

    def _say(self, frames: list[str | bytes]) -> None:
        polling = self._connection()
        with polling.posting:
            if self._held is None:
                self._post(polling, frames)
            else:
                self._held += frames

    def _post(self, polling: Polling, frames: Iterable[str | bytes]) -> None:
        """Send frames; they are lost with the connection while they are under way."""
        packets = (frame if isinstance(frame, str) else f"b{b64encode(frame).decode()}" for frame in frames)
        with polling.posting:
            with self._changed:
                is_lost = self._changed.wait_for(lambda: polling.is_lost, self._delay_s)
            if is_lost or self._request("POST", polling, SEPARATOR.join(packets).encode())[0] != OK:
                raise DisconnectedError("the connection is over")

    def _wait(
        self,
        has_come: Callable[[], bool],
        expected: str,
        timeout_s: float | None = None,
        is_over: Callable[[], bool] | None = None,
    ) -> None:
        """Wait until something has arrived; raise the error if it has not in time, or cannot arrive any more."""
        is_over = is_over or self._is_out
        with self._changed:
            self._changed.wait_for(lambda: has_come() or is_over(), self._timeout_s if timeout_s is None else timeout_s)
            if not has_come():
                raise self._failure(expected, is_over=is_over())
