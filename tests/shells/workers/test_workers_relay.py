"""A single request that is sent to another worker: its body, its response, and what can go wrong between."""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import pytest

from fastsio.integrations.workers.channel import ParcelsFull
from fastsio.integrations.workers.origin import RelayedTransport
from fastsio.integrations.workers.relay import RelayingApp
from tests.support.waiting import WAIT_S

SCOPE = {
    "type": "http",
    "method": "POST",
    "root_path": "/root",
    "raw_path": b"/root/socket.io/",
    "query_string": b"sid=abc.2",
    "headers": [
        (b"host", b"x"),
        (b"content-length", b"4"),
        (b"connection", b"keep-alive"),
        (b"expect", b"100-continue"),
    ],
}


class FakePassing:
    """Knows one other worker, number 2, whose end of the connection the test has; no other machines."""

    machine, forwarding = "", None

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.failures: list[OSError] = []

    def report_failure(self, error: OSError) -> None:
        self.failures.append(error)

    def other_worker(self, number: int | None) -> int | None:
        return number if number == 2 else None

    def relay(self, number: int, said: bytes) -> socket.socket:
        if self.error is not None:
            raise self.error
        self.said = said
        here, self.there = socket.socketpair()
        here.setblocking(False)
        self.there.setblocking(False)
        return here


class Call:
    """A call of the application, and what it has sent."""

    def __init__(self, **scope: Any) -> None:
        self.passing = FakePassing()
        self.scope = {**SCOPE, **scope}
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.local: list[Any] = []

    async def run(self) -> None:
        async def app(scope, receive, send):
            self.local.append(scope)

        async def send(event):
            self.sent.append(event)

        await RelayingApp(app, self.passing)(self.scope, self.events.get, send)

    @asynccontextmanager
    async def worker(self, error: str = ""):
        """Be the other worker: yield what is read and written there, while the application runs, into an error or not."""
        task = asyncio.ensure_future(self.run())
        await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection(sock=self.passing.there)
        try:
            yield reader, writer
            expected = pytest.raises(ConnectionError, match=error) if error else nullcontext()
            async with asyncio.timeout(WAIT_S):
                with expected:
                    await task
        finally:
            task.cancel()
            writer.close()


def body_of(call: Call) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return status, headers and body of the response."""
    start, *rest = call.sent
    assert rest[-1].get("more_body", False) is False
    return start["status"], dict(start["headers"]), b"".join(event["body"] for event in rest)


async def test_a_request_and_its_response():
    """The body is sent as it comes; headers of a connection stay with theirs."""
    call = Call()
    async with call.worker() as (reader, writer):
        call.events.put_nowait({"type": "http.request", "body": b"40", "more_body": True})
        head = await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"40"
        call.events.put_nowait({"type": "http.request", "body": b"41"})
        assert await reader.readexactly(2) == b"41"
        writer.write(b"HTTP/1.1 200 OK\r\nserver: u\r\ncontent-length: 2\r\nx-own: 1\r\nconnection: close\r\n\r\nok")

    assert head.startswith(b"POST /socket.io/?sid=abc.2 HTTP/1.1\r\n")
    assert b"connection: close" in head.lower()
    assert b"expect" not in head.lower()
    assert body_of(call) == (200, {b"content-length": b"2", b"x-own": b"1"}, b"ok")


async def test_a_request_for_this_worker_is_left_alone():
    """Also one that names a worker that is not there."""
    call = Call(query_string=b"sid=abc.9")

    await call.run()

    assert call.local == [call.scope]


@pytest.mark.parametrize("given", [b"", b"HTTP/1.1 200 O", b"nonsense\r\n\r\n"], ids=["nothing", "half", "nonsense"])
async def test_a_worker_that_ends_without_a_response(given):
    """The client tries again."""
    call = Call(method="GET", headers=[(b"host", b"x")])
    call.events.put_nowait({"type": "http.request"})
    async with call.worker() as (_, writer):
        writer.write(given)
        writer.close()

    assert body_of(call) == (503, {b"retry-after": b"1", b"content-length": b"0"}, b"")


async def test_a_worker_that_ends_in_its_response():
    """The client's connection has to end too, which uvicorn does after an error."""
    call = Call(method="GET", headers=[])
    call.events.put_nowait({"type": "http.request"})

    async with call.worker(error="in the middle") as (_, writer):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf")
        writer.close()


async def test_a_response_before_the_whole_body_was_sent():
    """The worker refuses it, and reads no further."""
    call = Call(headers=[(b"host", b"x"), (b"content-length", b"9000000")])
    async with call.worker() as (_, writer):
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()
        for _ in range(9):
            call.events.put_nowait({"type": "http.request", "body": b"x" * 1_000_000, "more_body": True})

    assert body_of(call)[:2] == (413, {b"content-length": b"0"})


async def test_a_response_while_the_client_sends_nothing_more():
    """It is not kept until the body is there."""
    call = Call()
    async with call.worker() as (reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 408 Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    assert body_of(call)[:2] == (408, {b"content-length": b"0", b"connection": b"close"})


@pytest.mark.parametrize(
    ("server", "own"),
    [(("10.0.0.1", 80), ("10.0.0.1", 80)), (("/run/site.sock", None), "/run/site.sock"), (None, None)],
)
async def test_the_worker_knows_where_the_request_comes_from(server, own):
    """As with a connection that it is given."""
    call = Call(scheme="https", client=("192.0.2.7", 4711), server=server)
    async with call.worker() as (_, writer):
        writer.close()
    transport = RelayedTransport(None, call.passing.said)

    assert transport.get_extra_info("peername") == ("192.0.2.7", 4711)
    assert transport.get_extra_info("sockname") == own
    assert transport.get_extra_info("sslcontext") is True


async def test_a_client_that_leaves():
    """The other worker is told, as its own client would."""
    call = Call(method="GET", headers=[(b"host", b"x")])
    call.events.put_nowait({"type": "http.request"})
    async with call.worker() as (reader, _):
        await reader.readuntil(b"\r\n\r\n")
        call.events.put_nowait({"type": "http.disconnect"})
        assert await reader.read() == b""

    assert call.sent == []


async def test_headers_that_cannot_be_sent_on():
    """Two hosts, for example, which uvicorn's protocol with httptools takes."""
    call = Call(headers=[(b"host", b"x"), (b"host", b"y")])
    async with call.worker():
        pass

    assert body_of(call)[0] == 400


async def test_a_worker_that_is_busy():
    """As for a connection."""
    call = Call()
    call.passing.error = ParcelsFull()

    await call.run()

    assert body_of(call) == (503, {b"retry-after": b"1", b"content-length": b"0"}, b"")


async def test_a_worker_that_has_just_ended():
    """The application answers that the session is unknown."""
    call = Call()
    call.passing.error = ConnectionRefusedError()

    await call.run()

    assert call.local == [call.scope]


async def test_a_worker_that_cannot_be_connected_to():
    """It is there, but this process has too many files open: the session is not unknown."""
    call = Call()
    call.passing.error = OSError(errno.EMFILE, "Too many open files")

    await call.run()

    assert call.local == []
    assert call.passing.failures == [call.passing.error]
    assert body_of(call)[0] == 503
