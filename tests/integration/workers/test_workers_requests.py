"""Requests for sessions of other workers, in all shapes that HTTP has: each is answered by the worker of its session."""

from __future__ import annotations

import json
import random
from contextlib import suppress

import pytest

from tests.integration.raw_websocket import FIN, TEXT, client_frame
from tests.integration.workers.raw_http import PATH, Session, call, join, open_session, request, tell

WEBSOCKET = (
    "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
UNKNOWN = {"code": 1, "message": "Session ID unknown"}


@pytest.fixture
def other(site):
    """A session, and a connection to another worker than that which has it."""
    session = open_session(site.connect())
    number = next(number for number in site.wires if number != session.worker)
    return session, site.at(number)


def test_polls_and_posts_of_a_session_reach_it_from_every_worker(site):
    """The sid names the worker."""
    for number in site.wires:
        session = open_session(site.wires[number])
        assert session.worker == number
        join(site.at(number), session)

        pids = {call(site.at(other), session, "where")[0] for other in site.wires}

        assert pids == {site.told[number]["pid"]}
        assert len(session.sid) > 20
        site.wires[number] = site.at(number)


def test_a_connection_is_passed_on_with_each_request(site):
    """As a proxy makes them that has one connection for all its clients, between requests that any worker may answer."""
    wire = site.connect()
    sessions = [open_session(site.connect()) for _ in range(12)]
    for session in sessions:
        join(wire, session)
    assert len({session.worker for session in sessions}) > 1

    order = random.Random(1).choices(sessions, k=100)
    for session in order:
        pid, *_ = call(wire, session, "where")
        assert pid == site.told[session.worker]["pid"]
        tell(wire)


def test_the_worker_sees_the_clients_own_address(site):
    """The connection is the client's, not one between workers."""
    wire = site.connect()
    sessions = [open_session(wire) for _ in range(2)]
    while sessions[0].worker == sessions[-1].worker:
        join(wire, sessions[0])
        sessions.append(open_session(site.connect()))
    join(wire, sessions[-1])
    moved = open_session(wire)
    assert moved.worker == sessions[-1].worker
    join(wire, moved)

    assert call(wire, moved, "where")[1:] == ["127.0.0.1", wire.connection.getsockname()[1], "http"]


def test_a_websocket_of_another_workers_session_is_served_there(other):
    """An upgrade."""
    session, wire = other
    target = session.target.replace("polling", "websocket")

    assert wire.ask(target, headers=WEBSOCKET).status == 101
    wire.send(client_frame(FIN | TEXT, b"2probe"))

    assert wire.read() == b"\x81\x063probe"


def test_a_websocket_after_requests_on_the_same_connection(site, other):
    """The connection has been at two workers before."""
    session, wire = other
    join(wire, session)
    tell(wire)

    assert wire.ask(session.target.replace("polling", "websocket"), headers=WEBSOCKET).status == 101
    wire.send(client_frame(FIN | TEXT, b"2probe"))

    assert wire.read() == b"\x81\x063probe"


def test_clients_of_engine_io_3(site):
    """Their payloads differ, their sids do not."""
    path = "/socket.io/?EIO=3&transport=polling&b64=1"
    session = open_session(site.connect(), path)
    wire = site.at(next(number for number in site.wires if number != session.worker))

    assert wire.ask(session.target, method="POST", body=b"1:2").body == b"ok"
    assert b"40" in wire.ask(session.target).body


def test_jsonp(other):
    """Scripts and forms."""
    session, wire = other
    target = f"{session.target}&j=0"

    form = "content-type: application/x-www-form-urlencoded\r\n"
    answer = wire.ask(target, method="POST", body=b"d=40", headers=form)
    assert (answer.status, answer.body) == (200, b"ok")
    assert wire.ask(target).body.startswith(b'___eio[0]("40{')


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("HEAD", 400), ("DELETE", 400)])
def test_methods_that_are_neither_get_nor_post(other, method, status):
    """They are answered as a single process answers."""
    session, wire = other

    assert wire.ask(session.target, method=method).status == status


def test_a_body_that_is_asked_for(other):
    """``Expect: 100-continue`` is answered by the worker of the session, once."""
    session, wire = other
    wire.send(
        request(session.target, method="POST", headers="expect: 100-continue\r\n").replace(b"length: 0", b"length: 2")
    )

    assert wire.response().status == 100
    wire.send(b"40")

    assert wire.response().body == b"ok"
    assert wire.ask(session.target).body.startswith(b"40{")


def test_a_megabyte(site, other):
    """A body of which only a part is read when the connection is passed on."""
    session, wire = other
    join(wire, session)

    assert call(wire, session, "length", "x" * 1_500_000) == 1_500_000


def test_a_chunked_body(other):
    """Whose end only the parser finds."""
    session, wire = other
    wire.send(
        request(session.target, method="POST", headers="transfer-encoding: chunked\r\n").replace(
            b"content-length: 0\r\n", b""
        )
    )
    wire.send(b"1\r\n4\r\n")
    wire.send(b"1\r\n0\r\n0\r\n\r\n")

    assert wire.response().body == b"ok"
    assert wire.ask(session.target).body.startswith(b"40{")


def test_a_request_in_small_pieces(other):
    """The worker waits for the first line before it passes the connection on."""
    session, wire = other

    for byte in request(session.target, method="POST", body=b"40"):
        wire.send(bytes([byte]))

    assert wire.response().body == b"ok"


def test_requests_that_follow_without_waiting(other):
    """All those of one session go along with the first."""
    session, wire = other
    wire.send(request(session.target, method="POST", body=b"40"), request(session.target), request("/worker"))

    assert wire.response().body == b"ok"
    assert wire.response().body.startswith(b"40{")
    assert json.loads(wire.response().body)["number"] == session.worker


def test_requests_for_several_workers_that_follow_without_waiting(site):
    """Each finds its worker, and the responses come in order."""
    sessions = [open_session(wire) for wire in site.wires.values()]
    wire = site.connect()

    wire.send(*[request(session.target, method="POST", body=b"40") for session in sessions])
    assert [wire.response().body for _ in sessions] == [b"ok"] * len(sessions)
    wire.send(*[request(session.target) for session in sessions], request("/worker"))
    answers = [wire.response() for _ in sessions]

    assert all(answer.body.startswith(b"40{") for answer in answers)
    assert all(answer.headers["content-type"] == "text/plain; charset=UTF-8" for answer in answers)
    assert wire.response().status == 200
    assert tell(wire)["number"] in site.wires


def test_a_body_that_is_too_large_for_another_worker(site, other):
    """That worker does not read it, and its answer arrives all the same, though the body is still being sent."""
    session, wire = other
    own = open_session(site.wires[tell(wire)["number"]])
    poll = request(own.target)
    large = request(session.target, method="POST", body=b"4" + b"x" * 3_000_000)
    posted = site.connect().ask(own.target, method="POST", body=b"40")
    assert posted.body == b"ok"

    wire.send(poll, large[:100])
    assert wire.response().body.startswith(b"40{")
    with suppress(ConnectionError):
        wire.send(large[100:])

    assert wire.response().status == 413


@pytest.mark.parametrize(
    "change",
    [
        lambda target: target.replace(".", "%2E"),
        lambda target: target.replace("sid=", "sid=invented.77&sid="),
        lambda target: f"{target}&t=abc#fragment",
    ],
    ids=["escaped", "repeated", "fragment"],
)
def test_unusual_targets(other, change):
    """The sid is read as the server reads it."""
    session, wire = other

    assert wire.ask(change(session.target), method="POST", body=b"40").body == b"ok"


def test_a_target_with_scheme_and_host(other):
    """As clients send it to a proxy. uvicorn's protocol with h11 does not split it, so only the worker is looked at."""
    session, wire = other

    answer = wire.ask(f"http://testserver/worker?sid={session.sid}")

    assert json.loads(answer.body)["number"] == session.worker


def test_http_1_0(other):
    """The connection ends with the response."""
    session, wire = other

    answer = wire.ask(session.target, method="POST", body=b"40", version="1.0")

    assert answer.body == b"ok"
    assert wire.read() == b""


@pytest.mark.parametrize(
    "sid", ["invented.1", "invented.999999", "invented", ".", "invented.-1", "a.1.2.", "." + "9" * 40]
)
def test_invented_sids(site, sid):
    """They are unknown, wherever they point."""
    answer = site.connect().ask(f"{PATH}&sid={sid}")

    assert answer.status == 400
    assert json.loads(answer.body) == UNKNOWN


def test_a_session_that_has_ended_is_unknown_everywhere(site, other):
    """The worker that had it is alive."""
    session, wire = other
    assert wire.ask(session.target, method="POST", body=b"1").status == 200

    for number in site.wires:
        answer = site.at(number).ask(session.target, method="POST", body=b"40")
        assert (answer.status, json.loads(answer.body)) == (400, UNKNOWN)


def test_what_is_no_request_is_refused_at_once(site):
    """Bytes of TLS on a plain port, for example."""
    wire = site.connect()
    wire.send(b"\x16\x03\x01\x02\x00\x01\x00")

    assert wire.response().status == 400


def test_a_client_that_leaves_after_half_a_line_leaves_nothing(site):
    """Nothing is answered, and the worker goes on."""
    wire = site.connect()
    wire.send(b"GET /socket.io/?EIO=4&tran")
    wire.close()

    assert Session(site.connect().ask(PATH)).worker in site.wires
