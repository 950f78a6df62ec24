"""The life of an Engine.IO session: its tables, and what is decided about its requests, heartbeat, buffer and end."""

from __future__ import annotations

from typing import Any

import pytest
from tools.session_diagram import PAGE, page

from fastsio.engine.deadlines import PUNCTUAL
from fastsio.engine.frame_reader import BadFrame, ClientLeft, LinkLost
from fastsio.engine.packet import NOOP_PACKET, PING_PACKET, SHUTDOWN_PACKET, MessagePacket
from fastsio.engine.request import RequestRefused
from fastsio.engine.session_tables import (
    LIVES,
    MOVES,
    VERDICTS,
    Asked,
    Beat,
    Life,
    Move,
    Step,
    Transport,
    Verdict,
)
from fastsio.exceptions import PacketError
from fastsio.protocol.lifecycle import Reasons
from tests.unit.engine.fake_session import TIMEOUT_S, Clock, Session, opened


@pytest.fixture(autouse=True)
def clock() -> type[Clock]:
    """A clock that begins anew."""
    Clock.now = 100.0
    return Clock


def packets(*sizes: int) -> list[MessagePacket]:
    """Make packets of so many bytes, their type included."""
    return [MessagePacket("x" * (size - 1)) for size in sizes]


def waiting(session: Session, *sizes: int) -> None:
    """Have packets wait."""
    session.append(packets(*sizes), sum(sizes))


# The tables.


def test_each_request_means_something_on_each_transport():
    """No request is left to chance."""
    assert {transport: set(row) for transport, row in VERDICTS.items()} == {each: set(Asked) for each in Transport}


def test_every_state_is_reached_and_those_that_stay_are_the_ends():
    """A session that is closed, or on a WebSocket, moves no more."""
    lives = {Life.OPENING}.union(*(steps.values() for steps in LIVES.values()))
    transports = {Transport.NEW}.union(*(steps.values() for steps in MOVES.values()))

    assert (lives, transports) == (set(Life), set(Transport))
    assert (set(LIVES), set(MOVES)) == (set(Life), set(Transport))
    assert [life for life, steps in LIVES.items() if not steps] == [Life.CLOSED]
    assert [transport for transport, steps in MOVES.items() if not steps] == [Transport.WEBSOCKET]


def test_a_websocket_is_turned_away_where_it_could_not_take_over():
    """What the table of requests says of a second WebSocket, the table of steps does."""
    for transport in set(Transport) - {Transport.NEW}:
        takes_over = Move.HANDSHAKE in MOVES[transport]
        assert VERDICTS[transport][Asked.WEBSOCKET] is (Verdict.SERVE if takes_over else Verdict.TURN_AWAY)


def test_the_page_of_the_documentation_is_drawn_from_the_tables():
    """The documentation cannot drift; run python -m tools.session_diagram."""
    assert PAGE.read_text(encoding="utf-8") == page()


# Requests.


@pytest.mark.parametrize("asked", [Asked.POLL, Asked.POST])
@pytest.mark.parametrize(
    ("moves", "takes"),
    [
        ((), False),
        ((Move.POLL,), True),
        ((Move.POLL, Move.HANDSHAKE), True),
        ((Move.POLL, Move.HANDSHAKE, Move.PROBE), False),
        ((Move.POLL, Move.HANDSHAKE, Move.SWITCH), False),
    ],
)
def test_a_request_is_taken_at_once_only_while_the_client_polls(asked, moves, takes):
    """Before that, and from the probe of a WebSocket on, it is looked at more closely."""
    assert opened(*moves).takes_at_once(asked) is takes


def test_a_session_that_ends_or_is_overdue_takes_nothing_at_once(clock):
    """Such a request is refused, or gets the last packets."""
    ending, overdue = opened(Move.POLL), opened(Move.POLL)
    ending.claim_end("over")
    overdue.start_heartbeat()
    overdue.beat()
    clock.now += 100 * TIMEOUT_S

    assert not ending.takes_at_once(Asked.POLL)
    assert overdue.is_overdue()
    assert not overdue.takes_at_once(Asked.POLL)


def test_a_client_of_engine_io_3_has_nothing_taken_at_once():
    """Its packets have another form."""

    class Session3(Session):
        protocol = 3

    session = Session3()

    assert session.advance(Step.ACCEPT)
    assert session.move(Move.POLL)
    assert not session.takes_at_once(Asked.POLL)


# Steps.


def test_a_session_that_was_let_in_ends_once():
    """The first who ends it runs the disconnect handler; it closes when that is done."""
    session = opened()

    assert not session.advance(Step.OVER)
    assert (session.claim_end("first"), session.closing, session.closed) == (True, True, False)
    assert not session.claim_end("second")
    assert session.advance(Step.OVER)
    assert (session.closing, session.closed) == (True, True)
    assert not session.claim_end("third")


def test_a_session_is_not_ended_before_its_connect_handler_has_decided():
    """The first reason is kept for then."""
    session = Session()

    assert not session.claim_end("first")
    assert not session.claim_end("second")
    assert (session.life, session.closing, session.doomed) == (Life.DOOMED, False, "first")
    assert session.advance(Step.ACCEPT)
    assert session.claim_end(session.doomed)


@pytest.mark.parametrize("ends", [False, True])
def test_a_client_that_is_refused_has_no_session(ends):
    """Whether or not it was to end anyway."""
    session = Session()
    if ends:
        session.claim_end("meanwhile")

    assert session.advance(Step.REFUSE)
    assert (session.life, session.closing, session.closed) == (Life.CLOSED, True, True)


def test_an_upgrade_goes_by_its_steps():
    """The probe may be left out; what fails leaves the session on polling."""
    session = opened(Move.POLL, Move.HANDSHAKE, Move.PROBE)

    assert session.holds_polls
    assert session.move(Move.FAIL)
    assert (session.transport, session.holds_polls) == (Transport.POLLING, False)
    assert not session.move(Move.SWITCH)
    assert session.move(Move.HANDSHAKE)
    assert not session.move(Move.HANDSHAKE)
    assert session.move(Move.SWITCH)
    assert (session.transport, session.holds_polls) == (Transport.WEBSOCKET, True)
    assert not session.move(Move.FAIL)


def test_a_session_does_not_switch_while_a_post_is_taken():
    """What came in the POST is taken first."""
    session = opened(Move.POLL, Move.HANDSHAKE)

    assert session.claim_post()
    assert not session.claim_post()
    assert not session.move(Move.SWITCH)
    session.posting = False
    assert session.move(Move.SWITCH)


def test_a_poll_is_accepted_while_the_session_polls_and_while_it_moves():
    """Until it has moved."""
    session = opened(Move.POLL)
    session.check_transport(Asked.POLL)
    assert session.move(Move.HANDSHAKE)
    session.check_transport(Asked.POLL)
    assert session.move(Move.SWITCH)

    with pytest.raises(RequestRefused, match="upgraded session"):
        session.check_transport(Asked.POLL)


@pytest.mark.parametrize(("moves", "why"), [((), "not connected yet"), ((Move.SWITCH,), "upgraded session")])
def test_a_post_is_refused_where_no_poll_could_be_served(moves, why):
    """The log says whether it came too early or too late."""
    with pytest.raises(RequestRefused, match=why):
        opened(*moves).claim_post()


@pytest.mark.parametrize(
    ("error", "reason", "code", "reported"),
    [
        (ClientLeft(), Reasons.CLIENT_DISCONNECT, 1000, []),
        (LinkLost(1001), Reasons.TRANSPORT_CLOSE, 1001, []),
        (None, Reasons.TRANSPORT_CLOSE, 1000, []),
        (OSError(), Reasons.TRANSPORT_CLOSE, 1000, []),
        (PacketError("too large", limit=1, value=2), Reasons.TRANSPORT_ERROR, 1009, ["bad-frame-1009"]),
        (BadFrame("masked", 1002), Reasons.TRANSPORT_ERROR, 1002, ["bad-frame-1002"]),
    ],
)
def test_how_a_client_leaves_decides_reason_and_code(error, reason, code, reported):
    """Only what breaks the protocol is reported."""
    session = opened(Move.SWITCH)

    assert session.end_of_websocket(error) == (reason, code)
    assert session.told == reported


def test_the_end_of_the_server_has_a_code_of_its_own():
    """RFC 6455: 1001 says that an endpoint is going away."""
    session = opened(Move.SWITCH, is_admitting=False)

    assert session.end_of_websocket(None) == (Reasons.TRANSPORT_CLOSE, 1001)


# The heartbeat.


def test_a_ping_is_due_in_time_and_then_the_pong(clock):
    """The client has the whole timeout from the ping, also from one that was late."""
    session = opened()
    session.start_heartbeat()

    assert (session.told, session.expires) == ([25.0 * PUNCTUAL], 145.0)
    assert not session.accepts_heartbeat()  # a pong that nobody waits for
    clock.now = 125.0
    assert (session.beat(), session.expires) == (Beat.PING, 145.0)
    assert session.accepts_heartbeat()
    clock.now = 144.9
    assert not session.is_overdue()
    clock.now = 145.0
    assert session.is_overdue()
    assert session.beat() is Beat.EXPIRE


def test_the_time_to_answer_counts_from_a_ping_that_is_early(clock):
    """However much longer the interval is than the timeout."""
    session = opened(ping_interval=300.0, ping_timeout=1.0)
    session.start_heartbeat()
    clock.now = 100.0 + 300.0 * PUNCTUAL

    assert (session.beat(), session.expires) == (Beat.PING, clock.now + 1.0)


def test_a_ping_that_is_late_moves_the_end(clock):
    """The server was busy, not the client."""
    session = opened()
    session.start_heartbeat()
    clock.now = 140.0

    assert (session.beat(), session.expires) == (Beat.PING, 160.0)


def test_a_client_that_may_have_answered_is_waited_for(clock):
    """Also by requests that ask."""
    session = opened()
    session.start_heartbeat()
    session.beat()
    session.answered = True
    clock.now = 200.0

    assert session.beat() is Beat.WAIT
    assert not session.is_overdue()


def test_no_client_expires_on_a_server_that_does_not_watch_them(clock):
    """``monitor_clients=False``."""
    session = opened(start_service_task=False)
    session.start_heartbeat()
    session.beat()
    clock.now = 200.0

    assert session.beat() is Beat.WAIT


def test_a_client_that_is_still_reading_is_waited_for(clock):
    """Its ping stands behind what it reads."""
    session = opened()
    session.start_heartbeat()
    session.beat()
    waiting(session, 60)
    clock.now = 100 + TIMEOUT_S - 1

    assert session.beat() is Beat.WAIT
    clock.now = 100 + TIMEOUT_S
    assert session.beat() is Beat.EXPIRE


def test_the_deadline_of_a_session_that_is_over_has_it_forgotten():
    """Nothing is sent any more."""
    session = opened()
    session.claim_end("over")

    assert session.beat() is Beat.FORGET
    assert not session.accepts_heartbeat()


def test_each_verdict_of_a_deadline_is_carried_out(clock):
    """A ping, a longer wait, the end of the session, and the last of it."""
    session = opened()
    session.start_heartbeat()
    session.told.clear()

    session.on_deadline()
    assert session.told == [TIMEOUT_S, PING_PACKET]
    session.answered = True
    session.on_deadline()
    assert session.told[2:] == ["wait", TIMEOUT_S]
    session.answered, clock.now = False, 200.0
    session.on_deadline()
    assert session.told[4:] == ["A client missed its heartbeat, its session is ended", Reasons.PING_TIMEOUT]
    session.claim_end(Reasons.PING_TIMEOUT)
    session.on_deadline()
    assert session.told[6:] == ["forget"]


def test_only_a_pong_that_is_waited_for_starts_the_next_heartbeat():
    """Others are ignored."""
    session = opened()
    session.on_heartbeat()
    assert session.told == []

    session.beat()
    session.on_heartbeat()
    assert session.told == [25.0 * PUNCTUAL]


# Messages and data.


@pytest.mark.parametrize(
    ("moves", "told"),
    [
        ((), (False, False, False)),
        ((Move.POLL,), (True, False, False)),
        ((Move.POLL, Move.HANDSHAKE, Move.PROBE), (True, True, False)),
        ((Move.SWITCH,), (True, False, True)),
    ],
)
def test_the_transport_is_told_as_by_the_sockets_of_engineio(moves, told):
    """Whether the handshake was answered, an upgrade is under way, and packets go over a WebSocket."""
    session = opened(*moves)

    assert (session.connected, session.upgrading, session.upgraded) == told


def test_a_message_handler_gets_the_sid_or_the_connection():
    """Those that are receivers of the server get the connection."""
    session = opened()
    session.connection = "connection"
    session.server.handlers["message"] = len
    assert session.message_handler() == (len, "id")

    session.server.receivers = frozenset({len})
    assert session.message_handler() == (len, "connection")


def test_a_traced_server_logs_each_message_before_it_is_handled():
    """The handler's result is returned."""
    session = opened()
    session.server.is_traced = True
    session.server.handlers["message"] = lambda key, data: (key, data, len(session.told))

    on_message, key = session.message_handler()
    assert on_message(key, "text") == ("id", "text", 1)
    assert "text" in session.told[0]


def test_the_data_of_a_session_is_an_empty_dict_until_it_is_set():
    """Most sessions never have one."""
    session = opened()
    assert session.user_session is None
    assert session.session == {}

    session.session = {"a": 1}
    assert session.session == {"a": 1}


# The end.


def test_a_client_that_is_refused_leaves_nothing():
    """The session is closed, and takes no packets."""
    session = Session()
    session.reject()

    assert (session.closed, session.told) == (True, ["shut"])


def test_a_session_ends_by_the_name_that_engineio_has_for_it():
    """Without a reason, it is the server's wish."""
    session = opened()
    session.close()
    session.close(abort=True, reason="why")

    assert session.told == [(Reasons.SERVER_DISCONNECT, False), ("why", True)]


@pytest.mark.parametrize(("moves", "told"), [((Move.POLL,), [SHUTDOWN_PACKET]), ((Move.SWITCH,), [])])
def test_a_client_of_a_server_that_shuts_down_is_left_once(moves, told):
    """One that polls gets a last packet, which the next poll may take; a WebSocket is closed."""
    session = opened(*moves)

    assert session.leave_client()
    keep = ("retire", Move.POLL in moves)
    assert session.told == ["clear", *told, keep, "shut", ("over", Reasons.SERVER_SHUTDOWN)]
    assert session.closed
    assert not session.leave_client()


# The buffer.


def test_what_waits_is_taken_in_order_and_within_limits():
    """At least one packet, however large it is."""
    session = opened()
    assert session.take_some(1) == ([], 0)
    waiting(session, 30, 5, 5, 5)

    first, size = session.take_some(10, 2)
    assert ([packet.size for packet in first], size) == ([30], 30)
    session.count_sent(1, size)
    assert [packet.size for packet in session.take_some(10, 1)[0]] == [5]
    assert [packet.size for packet in session.take_some(10)[0]] == [5, 5]
    assert session.pending is None
    assert (session.buffered_count, session.buffered_bytes) == (3, 15)


def test_all_that_waits_is_taken_at_once():
    """A client that was behind has caught up then."""
    session = opened()
    assert session.take_all() == []
    waiting(session, 30)
    waiting(session, 30)

    assert [packet.size for packet in session.take_all()] == [30, 30]
    assert (session.buffered_count, session.buffered_bytes, session.congestion) == (0, 0, None)


def test_a_poll_takes_what_waits_within_its_limits():
    """And counts what it took as sent; a poll for which nothing waits is answered with a packet that says nothing."""
    session = opened(Move.POLL)
    assert session.take(100, 10) == [NOOP_PACKET]
    waiting(session, 30, 30, 10)

    assert [packet.size for packet in session.take(50, 10)] == [30]
    assert (session.buffered_count, session.buffered_bytes) == (2, 40)
    assert [packet.size for packet in session.take(100, 10)] == [30, 10]
    assert (session.pending, session.buffered_count, session.buffered_bytes) == (None, 0, 0)


def test_what_waits_during_an_upgrade_is_not_for_polls():
    """A pending poll looks anew when an upgrade begins, and when it fails."""
    session = opened(Move.POLL, Move.HANDSHAKE)
    waiting(session, 10)

    session.hold_polls()
    assert session.transport is Transport.UPGRADING
    assert session.take(100, 10) == [NOOP_PACKET]

    session.end_upgrade()
    assert session.transport is Transport.POLLING
    assert [packet.size for packet in session.take(100, 10)] == [10]
    assert session.told == ["poll", "poll"]


def test_one_packet_may_wait_however_large_it_is():
    """The buffer's limit is for what comes on top."""
    session = opened()

    assert session.has_room(1, 1000, waits=False)
    waiting(session, 1000)
    assert not session.has_room(1, 1, waits=False)
    assert not session.has_room(1, 1, waits=True)


def test_those_who_wait_may_exceed_the_buffer():
    """Many may call at once."""
    session = opened()
    waiting(session, 40)

    assert not session.has_room(1, 61, waits=False)
    assert session.has_room(1, 61, waits=True)
    assert not session.has_room(41, 1, waits=True)
    session.claim_end("over")
    assert not session.has_room(1, 61, waits=True)


def test_a_client_is_behind_beyond_the_high_water_mark_until_half_of_it(clock):
    """Those who wait are woken then."""
    session = opened()
    waiting(session, *[10] * 5)
    assert session.congestion is None
    waiting(session, 10)
    assert session.server.congested == {session}
    session.congestion.released = "released"

    session.count_sent(3, 30)
    assert session.congestion is not None
    session.count_sent(1, 10)
    assert (session.congestion, session.server.congested, session.told) == (None, set(), ["released"])


def test_what_waits_for_a_session_that_ends_holds_nobody_up():
    """Its last packets are sent or not."""
    session = opened()
    session.claim_end("over")
    waiting(session, 60)

    assert session.congestion is None


# A client that is behind.


def behind(*moves: Move, **options: Any) -> Session:
    """Make an open session whose client is behind."""
    session = opened(*moves, **options)
    waiting(session, 60)
    return session


def test_a_caller_waits_as_long_as_the_client_reads(clock):
    """On a link that tells how much it has not written yet, the caller looks now and then."""
    session = behind()
    assert opened().pause_s(is_shared=False) == 0
    assert session.pause_s(is_shared=False) == TIMEOUT_S
    session.written = 10
    assert session.pause_s(is_shared=False) == TIMEOUT_S / 8

    clock.now = 119.0
    session.written = 5
    assert session.pause_s(is_shared=False) > 0
    clock.now = 125.0
    assert session.pause_s(is_shared=False) > 0
    assert session.pause_s(is_shared=True) == 0
    assert not session.congestion.is_refused


def test_a_client_that_reads_nothing_is_refused_and_treated_once(clock):
    """By the policy of the server; what is said to its log, is said once."""
    session = behind()
    clock.now = 100 + TIMEOUT_S
    assert session.pause_s(is_shared=False) == 0
    assert session.congestion.is_refused

    session.treat_as_slow()
    session.treat_as_slow()

    assert session.told == ["slow", Reasons.TRANSPORT_ERROR]
    assert (session.congestion.is_given_up, session.server.congested) == (True, set())
    assert session.pause_s(is_shared=False) == 0
    assert not session.has_room(1, 1, waits=True)


def test_a_full_buffer_may_drop_packets_instead():
    """The session lives on."""
    session = behind(slow_client="drop")

    session.treat_as_slow()

    assert session.told == ["slow"]
    assert not session.congestion.is_given_up


def test_a_buffer_takes_nothing_for_a_client_that_reads_nothing(clock):
    """Not even while there is room."""
    session = behind()
    clock.now = 100 + TIMEOUT_S

    assert not session.has_room(1, 1, waits=False)
    assert session.congestion.is_refused


def test_the_time_of_an_upgrade_counts_as_reading(clock):
    """The client could not read; nobody waits whose POST it needs answered."""
    session = behind(Move.POLL, Move.HANDSHAKE, Move.PROBE)
    clock.now = 100 + TIMEOUT_S
    assert session.is_reading()
    session.claim_post()
    assert session.pause_s(is_shared=False) == 0
    session.congestion.released = "released"

    session.restart_pause()
    session.move(Move.FAIL)

    assert session.told == ["released"]
    assert session.is_reading()
    assert session.pause_s(is_shared=False) == TIMEOUT_S
    opened().restart_pause()  # nothing happens to a client that is not behind


def test_nobody_waits_for_a_client_that_was_given_up():
    """Nor for one that is not behind."""
    session = behind()
    session.congestion.released = "released"

    session.give_up()

    assert (session.told, session.pause_s(is_shared=False)) == (["released"], 0)
    opened().give_up()
