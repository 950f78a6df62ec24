"""Threads wait for a client that is behind and reads, and not for one that does not."""

from __future__ import annotations

import select
import threading
import time
from concurrent.futures import TimeoutError as NotYet
from concurrent.futures import wait
from typing import Any

import pytest

from fastsio.engine.congestion import CHECKS_PER_TIMEOUT
from fastsio.sync.engine import MessagePacket
from fastsio.sync.engine.session import Session
from tests.shells.sync_engine.test_sync_engine_writing import MUCH, lag
from tests.shells.sync_engine.wire import PollingClient, WebSocketClient, until
from tests.support.waiting import WAIT_S

#: A timeout for clients that read nothing, which tests wait for.
SHORT_S = 0.05


def outbox_of(app, client) -> Any:
    """Return what waits for a client."""
    return app.engine.sockets[client.sid]


def waits(outbox) -> bool:
    """Tell whether a thread waits for the client."""
    congestion = outbox.congestion
    return congestion is not None and congestion.released is not None


def test_sends_in_a_loop_reach_a_client_that_reads_slower(make_app):
    """No message is lost, and no more wait than the high-water mark and what is being written."""
    app = make_app(high_water_bytes=100_000, max_buffer_bytes=300_000)
    client = WebSocketClient.open(app, small=True)
    outbox, most = outbox_of(app, client), [0]

    def produce() -> None:
        for number in range(100):
            app.engine.send(client.sid, f"{number:03}" + "x" * 30_000)
            most[0] = max(most[0], outbox.buffered_bytes)

    producer = app.pool.submit(produce)
    numbers = [int(client.frame()[1:4]) for _ in range(100)]

    producer.result(WAIT_S)
    assert numbers == list(range(100))
    assert most[0] < 200_000


def test_sends_in_a_loop_reach_a_client_that_polls(make_app):
    """A poll that takes packets lets the thread go on."""
    app = make_app(high_water_packets=4, max_buffer_packets=8)
    client = PollingClient(app)
    producer = app.pool.submit(lambda: [app.engine.send(client.sid, str(number)) for number in range(50)])

    packets: list[str] = []
    while len(packets) < 50:
        taken = client.poll().packets
        assert len(taken) <= 6
        packets += taken

    assert all(producer.result(WAIT_S))
    assert packets == [f"4{number}" for number in range(50)]


def test_a_client_that_does_not_read_is_closed_after_the_timeout(make_app, caplog):
    """Its session ends, the threads go on, and the log says so once."""
    app = make_app(high_water_bytes=1000, slow_client_timeout=SHORT_S)
    client = WebSocketClient.open(app)
    lag(app, client)

    senders = [app.pool.submit(app.engine.send, client.sid, "x") for _ in range(3)]

    for sender in senders:
        sender.result(WAIT_S)
    assert app.reason() == "transport error"
    assert caplog.text.count("too slow") == 1


def test_a_client_that_does_not_poll_is_closed_after_the_timeout(make_app):
    """Polling is treated as a WebSocket is; whoever sends finds it out, waiting or not."""
    app = make_app(high_water_packets=1, slow_client_timeout=SHORT_S)
    client = PollingClient(app)
    app.post(client.sid, "1", "2")
    outbox_of(app, client).congestion.record_progress(float("-inf"))

    assert not app.post(client.sid, "3")

    assert app.reason() == "transport error"


def test_a_client_that_does_not_read_loses_packets_until_it_has_caught_up(make_app):
    """With ``slow_client='drop'`` no thread waits for it again, and packets are taken again once it has read."""
    app = make_app(high_water_packets=2, slow_client_timeout=SHORT_S, slow_client="drop")
    client = PollingClient(app)
    app.post(client.sid, "1", "2", "3")
    app.engine.write(client.sid, [MessagePacket("4")])

    assert not app.engine.send(client.sid, "lost")
    assert not app.post(client.sid, "lost", "too")

    assert client.poll().packets == ["41", "42", "43", "44"]
    assert app.post(client.sid, "again")
    assert client.poll().packets == ["4again"]


def test_a_client_that_does_not_read_delays_a_broadcast_once(make_app):
    """The next broadcast does not wait for it; a client that reads gets both at once."""
    app = make_app(high_water_packets=1, slow_client_timeout=SHORT_S, slow_client="drop")
    stuck, reader = PollingClient(app), WebSocketClient.open(app)
    app.post(stuck.sid, "1", "2")
    both = [stuck.sid, reader.sid]

    app.engine.post_to_all([app.engine.sockets[each] for each in both], [MessagePacket("a")], waits=True)
    delayed = app.pool.submit(app.engine.let_read, [*both, "nobody"])
    assert reader.frame() == "4a"
    delayed.result(WAIT_S)

    app.engine.post_to_all([app.engine.sockets[each] for each in both], [MessagePacket("b")], waits=True)
    assert reader.frame() == "4b"
    assert not app.engine.congested


def test_a_client_that_reads_in_bursts_delays_broadcasts_for_one_timeout_in_all(make_app):
    """However often it catches up in between; it is not ended for it, and gets everything."""
    app = make_app(high_water_packets=2, slow_client_timeout=1.0)
    bursty, other = PollingClient(app), WebSocketClient.open(app)
    begun, delays, packets = time.monotonic(), [], []
    for _ in range(12):
        app.post(bursty.sid, *"abcd")
        asked = time.monotonic()
        broadcast = app.pool.submit(app.engine.let_read, [bursty.sid, other.sid])
        wait([broadcast], timeout=0.75)  # the client reads nothing meanwhile
        delays.append(time.monotonic() - asked)
        packets += bursty.poll().packets
        broadcast.result(WAIT_S)
    took_s = time.monotonic() - begun

    assert max(delays) > 0.5
    # Without a bound they would take 12 * 0.75 seconds.
    assert sum(delays) < 1.0 + took_s / 10 + 12 * 1.0 / CHECKS_PER_TIMEOUT + 3.0
    assert app.engine.sockets.keys() == {bursty.sid, other.sid}
    assert packets == ["4a", "4b", "4c", "4d"] * 12


def test_many_threads_that_wait_may_exceed_the_buffer(make_app):
    """A client that reads is not ended because many send to it at once."""
    app = make_app(max_buffer_packets=3)
    client = PollingClient(app)
    senders = [app.pool.submit(app.engine.send, client.sid, "x") for _ in range(12)]
    until(lambda: outbox_of(app, client).buffered_count == 12)

    assert client.poll().packets == ["4x"] * 12
    assert all(sender.result(WAIT_S) for sender in senders)


def test_very_many_threads_that_wait_do_not_fill_the_memory(make_app):
    """Beyond four times the buffer the policy decides."""
    app = make_app(max_buffer_packets=3)
    client = PollingClient(app)
    senders = [app.pool.submit(app.engine.send, client.sid, "x") for _ in range(15)]

    assert [sender.result(WAIT_S) for sender in senders].count(True) == 12
    assert app.reason() == "transport error"


def test_a_thread_is_released_when_the_server_shuts_down(make_app):
    """Stopping does not wait for clients."""
    app = make_app(high_water_packets=1)
    client = PollingClient(app)
    app.post(client.sid, "1", "2")
    sender = app.pool.submit(app.engine.send, client.sid, "3")
    until(lambda: waits(outbox_of(app, client)))

    app.engine.shutdown()

    assert sender.result(WAIT_S)


def test_a_thread_is_released_when_the_session_begins_to_end(make_app):
    """Its disconnect handler may take its time."""
    app = make_app(high_water_packets=1)
    client = PollingClient(app)
    app.post(client.sid, "1", "2")
    sender = app.pool.submit(app.engine.send, client.sid, "3")
    until(lambda: waits(outbox_of(app, client)))
    leave = threading.Event()
    app.on_disconnect = lambda sid, reason: leave.wait(WAIT_S)

    ending = app.pool.submit(app.engine.disconnect, client.sid)

    assert sender.result(WAIT_S)
    leave.set()
    ending.result(WAIT_S)


def test_an_upgrade_is_not_held_up_by_a_handler_that_sends(make_app):
    """A client upgrades when its POST is answered, so its handler does not wait for the upgrade."""
    app = make_app(high_water_packets=1)
    client = PollingClient(app)
    app.on_message = lambda sid, data: [app.engine.send(sid, str(number)) for number in range(5)]
    post = app.pool.submit(client.send, "4go")
    until(lambda: waits(outbox_of(app, client)))

    websocket = WebSocketClient(app, f"EIO=4&transport=websocket&sid={client.sid}")
    websocket.say("2probe")
    assert websocket.frame() == "3probe"

    assert post.result(WAIT_S).status == 200
    websocket.say("5")
    assert [websocket.frame() for _ in range(5)] == [f"4{number}" for number in range(5)]


def test_a_connect_handler_does_not_wait_for_its_own_client(make_app):
    """The client reads once it is connected; one that is refused leaves nothing."""
    app = make_app(high_water_packets=1)
    app.on_connect = lambda sid: [app.engine.send(sid, str(number)) for number in range(5)] and None

    assert PollingClient(app).first.packets[1:] == [f"4{number}" for number in range(5)]

    app.on_connect = lambda sid: not [app.engine.send(sid, str(number)) for number in range(5)]
    assert app.request().status == 401
    assert not app.engine.congested


def test_a_client_that_still_reads_does_not_miss_its_heartbeat(make_app):
    """The ping stands behind what it is reading; a client that reads nothing is ended."""
    app = make_app(high_water_bytes=1000, ping_interval=300, ping_timeout=300)
    client = WebSocketClient.open(app)
    lag(app, client)
    socket = app.engine.sockets[client.sid]
    socket.on_deadline()
    socket.on_deadline()
    assert app.disconnects.empty()

    socket.congestion.record_progress(float("-inf"))
    socket.on_deadline()

    assert app.reason() == "ping timeout"


def test_a_thread_goes_on_waiting_while_the_client_reads(make_app, monkeypatch):
    """Each poll that takes packets starts the timeout anew."""
    now = [0.0]
    monkeypatch.setattr(Session, "clock", staticmethod(lambda: now[0]))
    app = make_app(high_water_packets=6, slow_client_timeout=0.3)
    client = PollingClient(app)
    app.engine.max_http_buffer_size = 2  # one packet a poll
    app.post(client.sid, *"abcdef")
    sender = app.pool.submit(app.engine.send, client.sid, "g")

    for _ in range(3):
        now[0] += 0.2
        with pytest.raises(NotYet):
            sender.result(0.02)
        client.poll()
    client.poll()

    assert sender.result(WAIT_S)
    assert app.disconnects.empty()


def test_a_client_that_lags_with_one_large_message_is_waited_for(make_app):
    """What is being written counts as well."""
    app = make_app(high_water_bytes=1000)
    client = WebSocketClient.open(app)
    lag(app, client)
    sender = app.pool.submit(app.engine.send, client.sid, "next")
    until(lambda: waits(outbox_of(app, client)))

    assert client.frame() == "4" + MUCH
    assert client.frame() == "4next"
    assert sender.result(WAIT_S)


def test_a_large_message_may_take_longer_than_the_timeout(make_app, monkeypatch):
    """A client that reads a part of a message reads."""
    now = [0.0]
    monkeypatch.setattr(Session, "clock", staticmethod(lambda: now[0]))
    app = make_app(high_water_bytes=1000, slow_client_timeout=0.2)
    client = WebSocketClient.open(app)
    lag(app, client)
    session = app.engine.sockets[client.sid]
    sender = app.pool.submit(app.engine.send, client.sid, "next")
    while not sender.done():
        unsent = session.unsent()
        while session.unsent() == unsent and not sender.done():
            if select.select([client.sock], [], [], 0.01)[0]:
                client.sock.recv(40_000)
        now[0] += 0.15

    assert sender.result()
    assert now[0] > 0.2
    assert app.disconnects.empty()
