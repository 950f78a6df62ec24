"""Long-polling without I/O."""

from __future__ import annotations

import logging

import pytest

from fastsio.engine import polls
from fastsio.engine.packet import NOOP_PACKET, SHUTDOWN_PACKET, MessagePacket
from fastsio.engine.session_tables import Move, Step
from fastsio.exceptions import PacketError
from tests.unit.engine.fake_session import Session, opened

PYTHON = {"HTTP_USER_AGENT": "Python/3.13 aiohttp/3.13"}
BYTES = {"CONTENT_TYPE": "Application/Octet-Stream; x=y"}


class Eio3(Session):
    """A session of Engine.IO 3."""

    protocol = 3


def polling(kind=opened, **options):
    """Make a session that polls."""
    return kind(Move.POLL, max_http_buffer_size=1000, **options)


def old(*moves, **options):
    """Make a session of Engine.IO 3."""
    session = Eio3(**options)
    session.advance(Step.ACCEPT)
    for move in moves:
        session.move(move)
    return session


def test_only_clients_of_engine_io_3_post_bytes():
    """CVE-2026-59725 is about servers that take them from others."""
    assert polls.is_binary(polling(old), BYTES)
    assert not polls.is_binary(polling(), {})
    with pytest.raises(PacketError, match="octet-stream"):
        polls.is_binary(polling(), BYTES)


def test_a_body_is_split_in_the_protocol_of_its_session():
    """Each revision joins packets in its own way."""
    assert list(polls.split_body(polling(), b"4a\x1e4b", has_bytes=False)) == ["4a", "4b"]
    assert list(polls.split_body(polling(old), b"2:4a2:4b", has_bytes=False)) == ["4a", "4b"]


def test_a_poll_is_answered_in_the_protocol_of_its_session():
    """With what waits; without packets the answer says that there are none."""
    session, of_old = polling(), polling(old)
    for each in (session, of_old):
        each.append([MessagePacket("a")], 2)

    assert polls.answer_poll(session, {})["response"] == b"4a"
    assert polls.answer_poll(of_old, {})["response"] == b"2:4a"
    assert polls.answer_poll(session, {})["response"] == NOOP_PACKET.polling.encode()


def test_packets_are_logged_when_they_are_taken(caplog):
    """If the server logs packets."""
    session = polling()
    session.server.is_traced, session.server.logger = True, logging.getLogger("polls")
    session.append([MessagePacket("a")], 2)

    with caplog.at_level(logging.INFO, "polls"):
        polls.take(session, {})

    assert caplog.messages == ["id...: Sending packet MESSAGE data a"]


@pytest.mark.parametrize(
    ("environ", "packets", "status", "body"),
    [
        ({"HTTP_USER_AGENT": "Mozilla/5.0"}, [SHUTDOWN_PACKET], "200 OK", b"1"),
        (PYTHON, [SHUTDOWN_PACKET], "503 Service Unavailable", b""),
        (PYTHON, [MessagePacket("a"), SHUTDOWN_PACKET], "200 OK", b"4a"),
    ],
)
def test_the_last_poll_tells_of_a_shutdown_only_clients_that_connect_again(environ, packets, status, body):
    """Python clients stay away after such a packet; the session is forgotten either way."""
    session = polling()
    session.append(packets, len(packets))
    session.claim_end("over")
    session.advance(Step.OVER)

    response = polls.answer_poll(session, environ)

    assert (response["status"], response["response"]) == (status, body)
    assert session.told[-1] == "forget"
