"""Connections whose socket cannot go to another worker: the worker that has them carries their bytes."""

from __future__ import annotations

import json
import socket
import ssl
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.raw_websocket import FIN, TEXT, client_frame
from tests.integration.workers.raw_http import PATH, Wire, Workers, call, join, open_session, request, tell
from tests.integration.workers.test_workers_requests import UNKNOWN, WEBSOCKET
from tests.support.brokers import make_certificates
from tests.support.ports import HOST
from tests.support.waiting import PROGRAM_S, WAIT_S
from tests.support.worker_site import LARGE_BYTES, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 2
LARGE_ANSWERS = 8


class TlsWorkers(Workers):
    """Workers that take TLS only."""

    def __init__(self, port: int, count: int, trusted: ssl.SSLContext) -> None:
        self._trusted = trusted
        super().__init__(port, count)

    def connect(self) -> Wire:
        plain = socket.create_connection((HOST, self.port), WAIT_S)
        wire = Wire(self._trusted.wrap_socket(plain, server_hostname=HOST))
        self._stack.enter_context(closing(wire))
        return wire


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def tls(request, tmp_path_factory) -> Iterator[TlsWorkers]:
    """Workers that take TLS only, on each event loop."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    options = ["--ssl-keyfile", str(folder / "server.key"), "--ssl-certfile", str(folder / "server.pem")]
    with workers(COUNT, *options, "--loop", request.param) as broker:
        trusted = ssl.create_default_context(cafile=folder / "ca.pem")
        with TlsWorkers(broker.port, COUNT, trusted) as reached:
            yield reached
        assert "Traceback" not in broker.log


@pytest.fixture
def other(tls):
    """A session, and a connection to another worker than that which has it."""
    session = open_session(tls.connect())
    return session, tls.at(next(number for number in tls.wires if number != session.worker))


def test_polls_over_tls(tls, other):
    """On one connection, between requests that any worker may answer; the address and the scheme are the client's."""
    session, wire = other
    join(wire, session)

    for _ in range(3):
        pid, _, _, scheme = call(wire, session, "where")
        assert (pid, scheme) == (tls.told[session.worker]["pid"], "https")
        assert tell(wire)["number"] in tls.wires
    moved = open_session(wire)
    join(wire, moved)
    assert call(wire, moved, "where")[1:] == ["127.0.0.1", wire.connection.getsockname()[1], "https"]


def test_sessions_of_all_workers_on_one_connection_over_tls(tls):
    """What was carried to one worker goes on to another, and back."""
    sessions = [open_session(wire) for wire in tls.wires.values()]
    wire = tls.connect()

    for _ in range(4):
        for session in sessions:
            assert wire.ask(session.target, method="POST", body=b"6").body == b"ok"


def test_a_megabyte_over_tls(other):
    """More than the buffers between the workers hold."""
    session, wire = other
    join(wire, session)

    assert call(wire, session, "length", "x" * 1_900_000) == 1_900_000


def test_an_upgrade_over_tls(other):
    """Also with a message that is as large as they may be."""
    session, wire = other
    join(wire, session)

    assert wire.ask(session.target.replace("polling", "websocket"), headers=WEBSOCKET).status == 101
    wire.send(client_frame(FIN | TEXT, b"2probe"))
    assert wire.read() == b"\x81\x063probe"
    wire.send(client_frame(FIN | TEXT, b"5"), client_frame(FIN | TEXT, b'421["length","' + b"x" * 1_000_000 + b'"]'))

    assert wire.read() == b"\x81\x0c431[1000000]"


def test_requests_that_follow_without_waiting_over_tls(tls):
    """They are sent to their workers one by one."""
    sessions = [open_session(wire) for wire in tls.wires.values()]
    wire = tls.connect()

    wire.send(*[request(session.target, method="POST", body=b"40") for session in sessions])

    assert [wire.response().body for _ in sessions] == [b"ok"] * COUNT


def test_an_answer_that_is_still_written_is_not_cut_off():
    """The next request arrives while the client has not read the answer to the one before."""
    # The other worker has answered long before the client has read so far.
    with workers(COUNT, "--timeout-keep-alive", str(int(PROGRAM_S))) as broker, Workers(broker.port, COUNT) as site:
        session = open_session(site.connect())
        wire = site.at(next(number for number in site.wires if number != session.worker))

        wire.send(request("/large"))
        first = wire.read()
        assert len(first) < LARGE_BYTES
        wire.send(request(session.target, method="POST", body=b"40"))
        wire.put_back(first)

        assert len(wire.response().body) == LARGE_BYTES
        assert wire.response().body == b"ok"
        assert tell(wire)["number"] == session.worker


def test_what_a_client_does_not_read_waits_at_its_worker():
    """The worker between them holds no more of it than the buffers of a connection, also if it is behind already."""
    with workers(COUNT) as broker, Workers(broker.port, COUNT) as site:
        session = open_session(site.connect())
        between = next(number for number in site.wires if number != session.worker)
        wire = site.at(between)
        wire.send(request("/large"))
        first = wire.read()
        before = most_bytes(site.told[between]["pid"])

        wire.send(request(session.target, method="POST", body=b"40"), request("/large") * LARGE_ANSWERS)
        for _ in range(200):
            assert [tell(each)["number"] for each in site.wires.values()] == list(site.wires)
        wire.put_back(first)

        assert len(wire.response().body) == LARGE_BYTES
        assert wire.response().body == b"ok"
        for _ in range(LARGE_ANSWERS):
            assert len(wire.response().body) == LARGE_BYTES
        assert most_bytes(site.told[between]["pid"]) - before < LARGE_BYTES


def most_bytes(pid: int) -> int:
    """Return the most memory that a process has had."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def test_workers_behind_a_unix_socket(tmp_path):
    """As a proxy on the same machine reaches them: there is no address of a client."""
    path = tmp_path / "site.sock"

    class UnixWorkers(Workers):
        def connect(self) -> Wire:
            connection = self._stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(str(path))
            return Wire(connection)

    def is_ready(_port: int) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            return connection.connect_ex(str(path)) == 0

    with workers(COUNT, "--uds", str(path), is_ready=is_ready), UnixWorkers(0, COUNT) as site:
        session = open_session(site.connect())
        for wire in site.wires.values():
            assert wire.ask(session.target, method="POST", body=b"6").body == b"ok"
        answer = site.connect().ask(f"{PATH}&sid=invented.{session.worker}")

    assert json.loads(answer.body) == UNKNOWN
