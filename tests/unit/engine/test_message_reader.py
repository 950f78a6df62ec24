"""The messages in the bytes of a client's WebSocket."""

from __future__ import annotations

from typing import Any

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from fastsio.engine.frame_reader import BadFrame, LinkLost, TooManyFrames
from fastsio.engine.message_reader import FAIR_SHARE, MAX_FRAMES, MAX_PARTS, MAX_STEPS, MessageReader
from fastsio.exceptions import PacketError


class Peer:
    """A client, and what reads it."""

    def __init__(self, limit: int = 100_000, control_frames: int = 10_000) -> None:
        self.now = 0.0
        self.pings: list[bytes] = []
        self.reader = MessageReader(limit, control_frames, lambda: self.now, self.pings.append)
        self._connection = Connection(ConnectionType.CLIENT)

    def bytes_of(self, *events: Any) -> bytes:
        return b"".join([bytes(self._connection.send(event)) for event in events])

    def say(self, *events: Any) -> None:
        self.reader.feed(self.bytes_of(*events))


@pytest.mark.parametrize(
    ("event", "message"),
    [(TextMessage("hi"), "hi"), (BytesMessage(b"hi"), b"hi"), (TextMessage(""), ""), (BytesMessage(b""), b"")],
)
def test_a_message_is_read_as_what_it_is(event, message):
    """Text or bytes, and empty ones too."""
    peer = Peer()
    peer.say(event)

    got = peer.reader.next()
    assert (got, type(got)) == (message, type(message))
    assert peer.reader.next() is None


def test_a_message_may_come_in_pieces():
    """Of the network and of WebSocket; however many there are, they stay cheap to keep."""
    peer = Peer()
    data = peer.bytes_of(*[TextMessage("x", message_finished=False)] * MAX_PARTS, TextMessage("y"), BytesMessage(b"z"))
    for byte in data[:-3]:
        peer.reader.feed(bytes([byte]))
        message = peer.reader.next()
        if message is not None:
            assert message == "x" * MAX_PARTS + "y"
    peer.reader.feed(data[-3:])

    assert peer.reader.next() == b"z"


def test_a_message_over_the_limit_is_an_error():
    """Before the rest of it has come."""
    peer = Peer(limit=3)
    peer.say(TextMessage("1234", message_finished=False))

    with pytest.raises(PacketError) as raised:
        peer.reader.next()
    assert (raised.value.limit, raised.value.value) == (3, 4)


def test_pings_are_answered_by_who_wants_to():
    """In their place among the messages; pongs mean nothing."""
    peer = Peer()
    peer.say(Ping(b"1"), Pong(b"2"), TextMessage("hi"), Ping(b"3"))

    assert (peer.reader.next(), peer.pings) == ("hi", [b"1"])
    assert (peer.reader.next(), peer.pings) == (None, [b"1", b"3"])


@pytest.mark.parametrize("event", [Ping(), Pong(), TextMessage("", message_finished=False)])
def test_frames_without_a_message_may_not_come_too_often(event):
    """So many in a second are allowed."""
    peer = Peer(control_frames=3)
    peer.say(event, event, event)
    assert peer.reader.next() is None
    peer.now = 1.0
    peer.say(event, event, event)
    assert peer.reader.next() is None
    peer.say(event)

    with pytest.raises(TooManyFrames):
        peer.reader.next()


def test_others_have_a_turn_now_and_then():
    """However much there is to read."""
    peer, turns = Peer(), []
    peer.say(*[TextMessage("hi")] * FAIR_SHARE * 2)

    for _ in range(FAIR_SHARE):
        peer.reader.next(lambda: turns.append(1))
    assert len(turns) == 1
    for _ in range(FAIR_SHARE):
        peer.reader.next()
    assert len(turns) == 1


@pytest.mark.parametrize(("code", "kept"), [(4000, 4000), (None, 1000)])
def test_the_peer_says_why_it_closes(code, kept):
    """One that does not, closes normally. Nothing is read after that."""
    peer = Peer()
    data = peer.bytes_of(CloseConnection(code)) if code else b"\x88\x80\x00\x00\x00\x00"
    peer.reader.feed(data)

    assert peer.reader.next() is None
    assert (peer.reader.is_over, peer.reader.is_broken, peer.reader.peer_code) == (True, False, kept)
    assert peer.reader.next() is None


def test_the_end_of_the_connection_is_the_end():
    """Without a word of the peer."""
    peer = Peer()
    peer.reader.feed(b"")

    assert peer.reader.next() is None
    assert peer.reader.is_over


def test_a_frame_that_breaks_the_rules_is_an_error():
    """A client masks what it sends."""
    peer = Peer()
    peer.reader.feed(b"\x81\x02hi")

    with pytest.raises(BadFrame) as raised:
        peer.reader.next()
    assert (raised.value.code, peer.reader.is_over, peer.reader.is_broken) == (1002, True, True)


def test_what_nobody_has_a_use_for_costs_nothing():
    """Neither a limit nor a rate holds for it; the end is still found."""
    peer = Peer(limit=3, control_frames=1)
    peer.say(TextMessage("1", message_finished=False))
    peer.reader.next()
    peer.reader.discard()
    peer.say(TextMessage("1234"), Ping(), Ping(), CloseConnection(1001))

    assert peer.reader.next() is None
    assert (peer.reader.is_over, peer.reader.peer_code) == (True, 1001)


def test_what_is_read_ahead_waits_in_order():
    """But for what is taken at once; when nothing has arrived, more may come."""
    peer = Peer()
    arriving = iter([peer.bytes_of(TextMessage("a"), TextMessage("2")), peer.bytes_of(TextMessage("b")), None])

    assert peer.reader.read_ahead(lambda: next(arriving), lambda message: message == "2") is None
    assert [peer.reader.next_ahead() for _ in range(3)] == ["a", "b", None]
    assert peer.reader.ahead is None


@pytest.mark.parametrize(("is_taken", "seen"), [(False, MAX_FRAMES), (True, MAX_STEPS)])
def test_no_more_is_read_ahead_than_a_little(is_taken, seen):
    """Neither kept nor taken; the rest waits for the next look."""
    peer = Peer()
    peer.say(*[TextMessage("x")] * 2 * MAX_STEPS)
    taken: list[Any] = []

    def take(message: Any) -> bool:
        taken.append(message)
        return is_taken

    assert peer.reader.read_ahead(lambda: None, take) is None
    assert len(taken) == seen


def test_the_end_of_what_is_read_ahead_comes_after_it():
    """The peer closed the WebSocket, or broke a rule: the error is raised in its turn."""
    closing, breaking = Peer(), Peer(limit=5)
    closing.say(TextMessage("a"), CloseConnection(code=1001))
    breaking.say(TextMessage("a"), TextMessage("far too long"))

    lost = closing.reader.read_ahead(lambda: None, lambda message: False)
    broken = breaking.reader.read_ahead(lambda: None, lambda message: False)

    assert isinstance(lost, LinkLost)
    assert lost.code == 1001
    assert isinstance(broken, PacketError)
    assert breaking.reader.next_ahead() == "a"
    with pytest.raises(PacketError):
        breaking.reader.next_ahead()
