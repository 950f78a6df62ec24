"""A client that sends the bytes of a test and reads the responses, over one connection."""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from tests.support.ports import HOST
from tests.support.waiting import START_S, WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/socket.io/?EIO=4&transport=polling"


class Response(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """A connection."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(WAIT_S)
        self.connection = connection
        self._data = b""

    def send(self, *parts: bytes) -> None:
        """Send bytes in one piece."""
        self.connection.sendall(b"".join(parts))

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def read(self) -> bytes:
        """Return what arrives next; nothing at the end."""
        data, self._data = self._data or self.connection.recv(65536), b""
        return data

    def put_back(self, data: bytes) -> None:
        """Read bytes again."""
        self._data = data + self._data

    def response(self, *, has_body: bool = True) -> Response:
        """Read a response."""
        head = self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split()[1])
        if not has_body or status < 200:
            return Response(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Response(status, headers, b"".join(self._chunks()))
        if "content-length" not in headers:
            return Response(status, headers, self._rest())
        return Response(status, headers, self._exactly(int(headers["content-length"])))

    def ask(
        self, target: str, *, method: str = "GET", body: bytes = b"", headers: str = "", version: str = "1.1"
    ) -> Response:
        """Send a request and read its response."""
        self.send(request(target, method=method, body=body, headers=headers, version=version))
        return self.response(has_body=method != "HEAD")

    def ask_raw(self, data: bytes) -> Response:
        """Send bytes and read a response."""
        self.send(data)
        return self.response()

    def _chunks(self) -> Iterator[bytes]:
        while length := int(self._until(b"\r\n"), 16):
            yield self._exactly(length)
            self._exactly(2)
        self._exactly(2)

    def _rest(self) -> bytes:
        while data := self.connection.recv(65536):
            self._data += data
        return self.read() if self._data else b""

    def _until(self, end: bytes) -> bytes:
        while end not in self._data:
            self._more()
        found, _, self._data = self._data.partition(end)
        return found

    def _exactly(self, length: int) -> bytes:
        parts, missing = [self._data], length - len(self._data)
        self._data = b""
        while missing > 0:
            self._more()
            parts.append(self._data)
            missing, self._data = missing - len(self._data), b""
        data = b"".join(parts)
        self._data = data[length:]
        return data[:length]

    def _more(self) -> None:
        data = self.connection.recv(65536)
        if not data:
            raise ConnectionError(f"the connection ended after {self._data!r}")
        self._data += data


def request(target: str, *, method: str = "GET", body: bytes = b"", headers: str = "", version: str = "1.1") -> bytes:
    """Build a request."""
    length = f"content-length: {len(body)}\r\n" if body or method == "POST" else ""
    return f"{method} {target} HTTP/{version}\r\nhost: testserver\r\n{length}{headers}\r\n".encode() + body


class Session:
    """An Engine.IO session: its sid, and the target of requests for it."""

    def __init__(self, opened: Response, path: str = PATH) -> None:
        assert opened.status == 200, opened
        self.sid: str = json.loads(opened.body[opened.body.index(b"{") :].partition(b"\x1e")[0])["sid"]
        self.target = f"{path}&sid={self.sid}"
        self.worker = int(self.sid.rpartition(".")[2]) if "." in self.sid else 0


class Workers:
    """
    The workers at a port, with a connection to each that is kept open.

    Args:
        port: Where they are.
        count: How many.
    """

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self._stack = ExitStack()
        self.wires: dict[int, Wire] = {}
        self.told: dict[int, dict[str, Any]] = {}
        until = time.monotonic() + START_S
        while len(self.wires) < count:
            assert time.monotonic() < until
            self._reach()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def connect(self) -> Wire:
        """Open a connection, to any worker."""
        wire = Wire(socket.create_connection((HOST, self.port), WAIT_S))
        self._stack.enter_context(closing(wire))
        return wire

    def at(self, number: int) -> Wire:
        """Open a connection that is accepted by the worker with a number."""
        while True:
            wire = self.connect()
            if tell(wire)["number"] == number:
                return wire
            wire.close()

    def _reach(self) -> None:
        wire = self.connect()
        told = tell(wire)
        if told["number"] in self.wires:
            wire.close()
        else:
            self.wires[told["number"]] = wire
            self.told[told["number"]] = told


def tell(wire: Wire) -> dict[str, Any]:
    """Return what a worker tells of itself."""
    answer = wire.ask("/worker")
    assert answer.status == 200
    return json.loads(answer.body)


def open_session(wire: Wire, path: str = PATH) -> Session:
    """Open a session on a connection, at the worker that has it."""
    return Session(wire.ask(path), path)


def join(wire: Wire, session: Session) -> None:
    """Connect a session to the main namespace."""
    assert wire.ask(session.target, method="POST", body=b"40").body == b"ok"
    assert wire.ask(session.target).body.startswith(b"40{")


def call(wire: Wire, session: Session, event: str, *arguments: Any) -> Any:
    """Emit an event on one connection, and return its acknowledgement."""
    body = f"421{json.dumps([event, *arguments])}".encode()
    assert wire.ask(session.target, method="POST", body=body).body == b"ok"
    answer = wire.ask(session.target).body
    assert answer.startswith(b"431"), answer
    (result,) = json.loads(answer[3:])
    return result
