"""Bodies of POSTs that never end: a thread reads them for a while, and not for ever."""

from __future__ import annotations

import io
import socket
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from fastsio.sync.engine.lent_sockets import stop_reading
from fastsio.sync.engine.limit import Limit
from tests.shells.sync_engine.wire import Application, PollingClient, Response, until
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

#: A deadline that tests wait for.
SHORT_S = 0.1
#: A deadline that no test waits for.
LONG_S = 60.0


class Post:
    """
    A POST over a connection of its own, of which the client sends what a test wants.

    Attributes:
        client: The client's end.
        response: What the server answers.
    """

    def __init__(self, app: Application, client: PollingClient, lent: Sequence[str], length: str) -> None:
        self.client, self._server = socket.socketpair()
        body = self._server.makefile("rb")
        keys = dict.fromkeys(lent, self._server)
        self.response: Future[Response] = app.pool.submit(
            app.request,
            client.query,
            REQUEST_METHOD="POST",
            CONTENT_LENGTH=length,
            **{"werkzeug.socket": None, "wsgi.input": body, **keys},
        )

    def close(self) -> None:
        self.client.close()
        self._server.close()


@contextmanager
def posted(app: Application, client: PollingClient, *lent: str, length: str = "100") -> Iterator[Post]:
    """Begin a POST whose web server lends the socket under some keys of the environ."""
    post = Post(app, client, lent, length)
    try:
        yield post
    finally:
        post.close()


@pytest.mark.parametrize("lent", ["werkzeug.socket", "gunicorn.socket", "nothing"])
def test_a_body_that_never_ends_is_read_for_body_timeout(make_app, lent):
    """The thread is free then: the client gets 408, and its session ends."""
    app = make_app(body_timeout=SHORT_S)
    client = PollingClient(app)

    with posted(app, client, *([] if lent == "nothing" else [lent])) as post:
        post.client.sendall(b"4a")
        response = post.response.result(WAIT_S)

    assert (response.status, response.text) == (408, '{"code":3,"message":"The body took too long"}')
    assert app.reason() == "transport error"
    assert app.messages.empty()


def test_a_body_that_trickles_is_read_for_body_timeout(make_app):
    """However often a byte comes: the time is that of the whole body."""
    app = make_app(body_timeout=SHORT_S)
    client = PollingClient(app)
    stopped = threading.Event()

    def trickle(sock: socket.socket) -> None:
        with suppress(OSError):
            while not stopped.wait(SHORT_S / 20):
                sock.sendall(b"a")

    with posted(app, client, "werkzeug.socket", length="100000") as post:
        trickling = app.pool.submit(trickle, post.client)
        assert post.response.result(WAIT_S).status == 408
        stopped.set()
        trickling.result(WAIT_S)


def test_a_body_is_let_go_with_its_session(make_app):
    """Whatever ends the session, its heartbeat say: the thread reads no further."""
    app = make_app(body_timeout=LONG_S)
    client = PollingClient(app)
    session = app.engine.sockets[client.sid]

    with posted(app, client, "werkzeug.socket") as post:
        until(lambda: session.body is not None)
        app.engine.close_client(client.sid, "ping timeout", abort=True)

        assert post.response.result(WAIT_S).status == 400
    assert app.reason() == "ping timeout"


def test_a_body_is_let_go_when_the_server_shuts_down(make_app):
    """No thread is left that reads."""
    app = make_app(body_timeout=LONG_S)
    client = PollingClient(app)
    session = app.engine.sockets[client.sid]

    with posted(app, client, "werkzeug.socket") as post:
        until(lambda: session.body is not None)
        app.engine.shutdown()

        assert post.response.result(WAIT_S).status == 400


def test_a_body_in_time_leaves_its_connection_open(make_app):
    """The next request may come over it; nothing of the deadline is left."""
    app = make_app(body_timeout=LONG_S)
    client = PollingClient(app)

    with posted(app, client, "werkzeug.socket", length="4") as post:
        post.client.sendall(b"4abc")
        assert post.response.result(WAIT_S).status == 200
        assert app.message() == "abc"
        app.engine.disconnect()
        app.engine.shutdown()

        post.client.sendall(b"x")
        assert post._server.recv(1) == b"x"


def test_a_deadline_that_comes_with_the_end_of_the_body_cuts_nothing(make_app):
    """Whoever is first decides: a body that was read is taken, and the connection stays open."""
    app = make_app(body_timeout=LONG_S)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        with Limit(app.engine.deadlines, LONG_S, partial(stop_reading, theirs)) as reading:
            pass

        reading.on_deadline()
        ours.sendall(b"x")

        assert theirs.recv(1) == b"x"

    assert not reading.is_cut
    assert not reading.is_late


def test_a_web_server_that_lends_no_socket_is_read_to_the_end(make_app):
    """There is nothing to cut; what ends the body is the web server's affair."""
    app = make_app(body_timeout=SHORT_S)
    client = PollingClient(app)
    body = Gate(b"4late")
    response = app.pool.submit(
        app.request, client.query, REQUEST_METHOD="POST", CONTENT_LENGTH="5", **{"wsgi.input": body}
    )
    session = app.engine.sockets[client.sid]
    until(lambda: session.body is not None and session.body.is_cut)

    body.opened.set()

    assert response.result(WAIT_S).status == 408
    assert app.reason() == "transport error"


class Gate(io.BytesIO):
    """A body that comes when the test lets it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.opened = threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        assert self.opened.wait(WAIT_S)
        return super().read(size)
