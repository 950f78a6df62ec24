"""Requests that no client of the protocol sends: each is answered, with what is wrong about it, and forgotten."""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fastsio
from tests.support.waiting import WAIT_S

DIGITS = st.sampled_from(["0", "5", "-1", "x", "٣", "9" * 999, "9" * 5000])
METHODS = st.sampled_from(["GET", "POST", "OPTIONS", "HEAD", "PUT", "BREW"]) | st.text("AZ-!", min_size=1, max_size=20)
PATHS = st.sampled_from(
    ["/socket.io/", "/socket.io", "/", "/static/x", "/" * 3000, "/static/" + "a/" * 1500]
) | st.text(max_size=20).map("/{}".format)
VALUES = st.sampled_from(["4", "3", "polling", "websocket", "SID", "", "1" * 5000, "%00", "%ff", "²", "1);alert(1"])
QUERIES = st.lists(
    st.tuples(st.sampled_from(["EIO", "transport", "sid", "j", "b64", "t", "x"]), VALUES | st.text(max_size=5)),
    max_size=8,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)) | st.text(max_size=40)
MEANT = st.sampled_from(["EIO=4&transport=polling&sid=SID", "EIO=4&transport=websocket", "EIO=4&transport=polling"])
TEXTS = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=20)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "content-length", "content-type", "content-encoding", "upgrade", "connection", "origin", "host", "cookie",
            "accept-encoding", "sec-websocket-version", "sec-websocket-key", "x-forwarded-host", "x_y",
            "access-control-request-headers",
        ]
    ),
    DIGITS | TEXTS | st.sampled_from(["websocket", "Upgrade", "application/octet-stream", "http://[", "gzip", "13"]),
    max_size=6,
)  # fmt: skip
BODIES = st.binary(max_size=30) | st.sampled_from(
    [b"40", b"42[", b"b====", b"\x1e" * 100, b"4" * 2000, b"d=4", b"\xff"]
)
LIMIT = 1000


class Answers(list[dict[str, Any]]):
    """What an ASGI application sent."""

    @property
    def status(self) -> int:
        """The status of an HTTP response; a refused WebSocket has 403, as ASGI servers give it."""
        first = self[0]
        return first["status"] if first["type"] == "http.response.start" else 403


async def play(app: Any, scope: dict[str, Any], body: bytes) -> Answers:
    """Make a request, whose client leaves as soon as the application waits for more."""
    incoming = [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]
    if scope["type"] == "websocket":
        incoming = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006}]
    answers = Answers()

    async def receive() -> dict[str, Any]:
        return incoming.pop(0) if len(incoming) > 1 else incoming[0]

    async def send(event: dict[str, Any]) -> None:
        answers.append(event)

    async with asyncio.timeout(WAIT_S):
        await app(scope, receive, send)
    return answers


def scope_of(kind: str, method: str, path: str, query: str, headers: dict[str, str]) -> dict[str, Any]:
    """Build a scope, as a server does that lets everything through."""
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http" if kind == "http" else "ws",
        "path": path,
        "query_string": query.encode("utf-8", "replace"),
        "headers": [(name.encode(), value.encode("utf-8", "replace")) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }


class Log(logging.Handler):
    """Keeps what a server's transport and its Socket.IO half log."""

    def __init__(self, server: Any) -> None:
        super().__init__()
        self.server = server
        self.records: list[logging.LogRecord] = []
        logger = logging.Logger("hostile")  # noqa: LOG001 - one for each example, which nothing keeps
        logger.addHandler(self)
        server.logger = server.eio.logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.records.append(record)

    def check(self) -> None:
        """Fail on a traceback, and on what a client could make long."""
        assert [record.getMessage() for record in self.records if record.exc_info] == []
        assert all(len(record.getMessage()) < 500 for record in self.records)


@given(st.sampled_from(["http", "websocket"]), METHODS, PATHS, QUERIES | MEANT, HEADERS, BODIES)
@example(
    "http", "GET", "/socket.io/", "EIO=4&transport=websocket", {"upgrade": "websocket", "connection": "Upgrade"}, b""
)
@example("http", "POST", "/socket.io/", "EIO=4&transport=polling&sid=SID", {"content-length": "9" * 999}, b"40")
@example("http", "GET", "/socket.io/", "EIO=4&transport=polling&sid=SID&j=" + "1" * 5000, {}, b"")
def test_a_hostile_request_to_an_asgi_application_is_answered(kind, method, path, query, headers, body):
    """Below 500 and without a traceback; the server keeps nothing of it."""

    async def run() -> None:
        server = fastsio.AsyncServer(async_mode="asgi", max_http_buffer_size=LIMIT, allow_eio3=True)
        log = Log(server)
        app = fastsio.ASGIApp(server, static_files={"/static": "/nowhere", "/": "/nowhere/index.html"})
        opened = await play(app, scope_of("http", "GET", "/socket.io/", "EIO=4&transport=polling", {}), b"")
        (sid,) = server.eio.sockets
        assert opened.status == 200

        answers = await play(app, scope_of(kind, method, path, query.replace("SID", sid), headers), body)

        assert answers[0]["type"] == "websocket.accept" or answers.status < 500
        for _ in range(3):
            await asyncio.sleep(0)
        assert set(server.eio.sockets) <= {sid} or answers.status == 200
        await server.shutdown()
        log.check()

    asyncio.run(run())


@given(METHODS, PATHS, QUERIES | MEANT, HEADERS, BODIES)
@example("GET", "/socket.io/", "EIO=4&transport=websocket", {"upgrade": "websocket", "connection": "Upgrade"}, b"")
@example("POST", "/socket.io/", "EIO=4&transport=polling&sid=SID", {"content-length": "9" * 999}, b"40")
@example("GET", "/socket.io/", "EIO=4&transport=polling&sid=SID&j=" + "1" * 5000, {}, b"")
def test_a_hostile_request_to_a_wsgi_application_is_answered(method, path, query, headers, body):
    """Below 500 and without a traceback; the server keeps nothing of it."""
    server = fastsio.Server(async_mode="threading", max_http_buffer_size=LIMIT, allow_eio3=True, ping_interval=0.01)
    log = Log(server)
    app = fastsio.WSGIApp(server, static_files={"/static": "/nowhere", "/": "/nowhere/index.html"})

    def play(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> str:
        started: list[str] = []
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path.encode("utf-8", "replace").decode("latin-1"),
            "QUERY_STRING": query.encode("utf-8", "replace").decode("latin-1"),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
        }
        for name, value in headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else f"HTTP_{key}"] = value
        app(environ, lambda status, _headers, _error=None: started.append(status))
        return started[0]

    assert play("GET", "/socket.io/", "EIO=4&transport=polling", {}, b"").startswith("200")
    (sid,) = server.eio.sockets

    status = play(method, path, query.replace("SID", sid), headers, body)

    assert int(status[:3]) < 500
    assert set(server.eio.sockets) <= {sid} or status.startswith("200")
    server.shutdown()
    log.check()


@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_a_thousand_kinds_of_nonsense_are_one_line(kind):
    """What a client makes up, a method for instance, is neither kept nor logged each time."""
    server = fastsio.AsyncServer(async_mode="asgi") if kind == "asgi" else fastsio.Server(async_mode="threading")
    log = Log(server)
    environ = {"QUERY_STRING": "EIO=4&transport=polling", "wsgi.input": io.BytesIO(b"")}

    async def ask_asgi() -> None:
        app = fastsio.ASGIApp(server)
        for number in range(1000):
            scope = scope_of("http", f"BREW{number}", "/socket.io/", "EIO=4&transport=polling", {})
            assert (await play(app, scope, b"")).status == 400

    if kind == "asgi":
        asyncio.run(ask_asgi())
    else:
        for number in range(1000):
            server.handle_request({**environ, "REQUEST_METHOD": f"BREW{number}"}, lambda *_arguments: None)

    assert len(log.records) == 1
    assert "BREW" not in log.records[0].getMessage()
