"""Order, back-pressure and limits of what goes out, whichever threads send."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from fastsio.sync.engine import MessagePacket
from fastsio.sync.engine.session import BATCH_BYTES, ROUNDS, Session
from tests.shells.sync_engine.wire import PollingClient, WebSocketClient, until
from tests.support.waiting import WAIT_S

#: More than a socket pair holds.
MUCH = "x" * 1_000_000


def lag(app, client) -> None:
    """Post to a client that does not read until the server has to wait for it."""
    app.post(client.sid, MUCH)
    until(lambda: app.engine.sockets[client.sid].is_lagging)


def test_a_message_goes_out_in_the_thread_that_posts(app):
    """No other thread is started for a client that keeps up."""
    client = WebSocketClient.open(app)
    started = []
    app.engine.start_background_task = lambda *args: started.append(args)

    assert app.post(client.sid, "a", b"b")

    assert [client.frame(), client.frame()] == ["4a", b"b"]
    assert started == []


def test_frames_of_one_post_are_never_interleaved(app):
    """A packet and its attachments stay together while the client lags and others post."""
    client = WebSocketClient.open(app)
    lag(app, client)

    app.post(client.sid, "a0", b"a1", b"a2")
    app.post(client.sid, "b0", b"b1")
    app.engine.send(client.sid, "c")

    assert client.frame() == "4" + MUCH
    assert [client.frame() for _ in range(6)] == ["4a0", b"a1", b"a2", "4b0", b"b1", "4c"]


@pytest.mark.parametrize("small", [False, True])
def test_many_threads_post_to_one_client(app, small):
    """Attachments follow their packets, each thread's packets keep their order, none is lost or doubled."""
    client = WebSocketClient.open(app, small=small)
    count = 150

    def post(thread: int) -> None:
        for number in range(count):
            assert app.post(client.sid, f"{thread}:{number}", f"{thread}:{number}".encode(), b"end")

    with ThreadPoolExecutor(8) as pool:
        posting = [pool.submit(post, thread) for thread in range(8)]
        packets = [(client.frame(), client.frame(), client.frame()) for _ in range(8 * count)]
        for each in posting:
            each.result()

    assert all(head[1:].encode() == first and last == b"end" for head, first, last in packets)
    heads = [head[1:].split(":") for head, _, _ in packets]
    for thread in range(8):
        assert [int(number) for of, number in heads if of == str(thread)] == list(range(count))


def test_a_thread_that_posts_does_not_write_for_the_others_for_ever(app):
    """After some rounds it hands over to a thread of the session's own."""
    client = WebSocketClient.open(app)
    outbox = app.engine.sockets[client.sid]
    link = outbox._link
    writers = []

    class Busy:
        """A link during whose every write another packet is posted."""

        def write(self, packets) -> bool:
            writers.append(threading.current_thread())
            if len(writers) < 2 * ROUNDS:
                app.post(client.sid, str(len(writers)))
            return link.write(packets)

        def write_later(self, packets) -> None:
            app.post(client.sid, "later")
            link.write_later(packets)

        flush = link.flush
        abort = link.abort

    until(lambda: not outbox._is_writing)  # the client may read the handshake before it counts as written
    outbox._link = Busy()

    assert app.post(client.sid, "0")

    expected = [str(number) for number in range(2 * ROUNDS)]
    expected.insert(ROUNDS + 1, "later")
    assert [client.frame() for _ in expected] == ["4" + text for text in expected]
    assert writers.count(threading.current_thread()) == ROUNDS
    until(lambda: not app.engine.sockets[client.sid].is_lagging)
    assert (outbox.buffered_count, outbox.buffered_bytes) == (0, 0)


def test_posts_after_a_congestion_go_out_at_once_again(app):
    """The thread that finished a delayed write hands the session back."""
    client = WebSocketClient.open(app)
    lag(app, client)
    client.frame()
    outbox = app.engine.sockets[client.sid]
    until(lambda: not app.engine.sockets[client.sid].is_lagging)
    started = []
    app.engine.start_background_task = lambda *args: started.append(args)

    app.post(client.sid, "two")

    assert client.frame() == "4two"
    assert (outbox.buffered_count, outbox.buffered_bytes, started) == (0, 0, [])


def test_what_waits_goes_out_in_batches_of_bounded_size(app):
    """A long queue does not become one write of its whole size."""
    client = WebSocketClient.open(app)
    lag(app, client)
    messages = ["y" * (BATCH_BYTES // 3) for _ in range(10)]
    for message in messages:
        app.post(client.sid, message)
    outbox = app.engine.sockets[client.sid]
    sizes = []
    take_some = outbox.take_some

    class Watched(type(outbox)):
        __slots__ = ()

        def take_some(self, max_bytes):
            packets, size = take_some(max_bytes)
            sizes.append(size)
            return packets, size

    outbox.__class__ = Watched

    assert client.frame() == "4" + MUCH
    assert [client.frame() for _ in messages] == ["4" + message for message in messages]
    assert len(sizes) > 1
    assert max(sizes) <= BATCH_BYTES


def test_a_lagging_client_does_not_hold_up_who_posts_nor_the_others(app):
    """Posting returns at once, and another client gets its message."""
    slow, quick = WebSocketClient.open(app), WebSocketClient.open(app)
    lag(app, slow)

    for sid in (slow.sid, quick.sid):
        assert app.post(sid, "news")

    assert quick.frame() == "4news"
    assert slow.frame() == "4" + MUCH
    assert slow.frame() == "4news"


def test_a_slow_client_is_closed_when_its_buffer_is_full(make_app, caplog):
    """The session ends with 'transport error', the connection is cut, and the log says so once."""
    app = make_app(max_buffer_packets=3)
    client = WebSocketClient.open(app)
    lag(app, client)

    results = [app.post(client.sid, str(number)) for number in range(4)]

    assert results == [True, True, False, False]
    assert app.reason() == "transport error"
    client.ended()
    assert caplog.text.count("too slow") == 1


def test_a_slow_client_is_closed_when_its_buffer_holds_too_many_bytes(make_app):
    """The buffer is bounded by size too; what is being written counts."""
    app = make_app(max_buffer_bytes=len(MUCH) + 200)  # the first packet, of 107, may wait as well for a moment
    client = WebSocketClient.open(app)
    lag(app, client)

    results = [app.post(client.sid, "x" * 119) for _ in range(2)]

    assert results == [True, False]
    assert app.reason() == "transport error"


def test_packets_for_a_slow_client_are_dropped_when_asked_for(make_app, caplog):
    """With ``slow_client='drop'`` the session lives, and the server tells which packets are not taken."""
    app = make_app(max_buffer_packets=3, slow_client="drop")
    client = WebSocketClient.open(app)
    lag(app, client)

    taken = [app.post(client.sid, str(number)) for number in range(5)]

    assert taken == [True, True, False, False, False]
    assert client.frame() == "4" + MUCH
    assert [client.frame(), client.frame()] == ["40", "41"]
    assert caplog.text.count("too slow") == 1
    until(lambda: not app.engine.sockets[client.sid].is_lagging)
    assert app.post(client.sid, "again")
    assert client.frame() == "4again"


def test_the_close_packet_passes_a_full_buffer(make_app):
    """A client that catches up learns that its session is over."""
    app = make_app(max_buffer_packets=2, slow_client="drop")
    client = WebSocketClient.open(app)
    lag(app, client)
    app.post(client.sid, "a")
    assert not app.post(client.sid, "b")

    app.engine.close_client(client.sid, "server disconnect")

    assert "".join(client.closed()) == "4" + MUCH + "4a1"
    client.ended()


def test_polling_clients_have_the_same_bounds(make_app):
    """A client that does not poll is ended when its buffer is full."""
    app = make_app(max_buffer_packets=2)
    client = PollingClient(app)

    assert [app.post(client.sid, "x") for _ in range(3)] == [True, True, False]
    assert app.reason() == "transport error"


def test_write_waits_while_a_client_is_far_behind(make_app):
    """A handler that answers faster than its client reads is slowed down."""
    app = make_app(max_buffer_bytes=len(MUCH) + 10_000)
    client = WebSocketClient.open(app)
    lag(app, client)

    writing = app.pool.submit(app.engine.write, client.sid, [MessagePacket("next")])

    outbox = app.engine.sockets[client.sid]
    until(lambda: outbox.congestion is not None and outbox.congestion.released is not None)
    assert not writing.done()
    assert client.frame() == "4" + MUCH
    assert writing.result(WAIT_S) is True
    assert client.frame() == "4next"


def test_the_end_of_a_session_releases_who_waits_for_it(make_app):
    """Nobody waits for a client that is gone."""
    app = make_app(high_water_packets=1)
    client = WebSocketClient.open(app)
    lag(app, client)
    app.post(client.sid, "a")
    writing = app.pool.submit(app.engine.write, client.sid, [MessagePacket("b")])
    outbox = app.engine.sockets[client.sid]
    until(lambda: outbox.congestion is not None and outbox.congestion.released is not None)

    client.vanish()

    assert writing.result(WAIT_S) is True
    assert app.reason() == "transport close"
    client.ended()


def test_posts_to_a_client_that_is_gone_are_refused(app):
    """The sender is told, whether it was never there, or has left."""
    client = WebSocketClient.open(app)
    outbox = app.engine.sockets[client.sid]
    client.say_close()
    assert app.reason() == "transport close"
    client.ended()

    assert not app.post(client.sid, "x")
    assert not app.engine.write(client.sid, [MessagePacket("x")])
    assert not outbox.post([MessagePacket("x")])


def test_a_failed_write_ends_the_session_once(app):
    """The post that meets it says so; the reason is 'transport close'."""
    client = WebSocketClient.open(app)
    outbox = app.engine.sockets[client.sid]
    until(lambda: not outbox._is_writing)  # the open packet may be read before its writer is done

    def fail(packets):
        raise BrokenPipeError("the peer is gone")

    link = outbox._link

    class Broken:
        write = staticmethod(fail)
        abort = link.abort

    outbox._link = Broken()

    assert not app.post(client.sid, "x")
    assert app.reason() == "transport close"
    client.ended()
    assert app.disconnects.empty()
    assert client.sid not in app.engine.sockets


@pytest.mark.parametrize("begins", ["polling", "websocket"])
def test_a_websocket_that_cannot_be_written_to_ends_its_session(app, monkeypatch, begins):
    """Where the system has no more threads, as an error of any kind: nothing is left that waits for the heartbeat."""

    def attach(session, link):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Session, "attach", attach)
    sid = "" if begins == "websocket" else "&sid=" + PollingClient(app).sid
    client = WebSocketClient(app, f"EIO=4&transport=websocket{sid}")
    if sid:
        client.say("5")
    with pytest.raises(RuntimeError):
        client.served.result(WAIT_S)

    assert app.reason() == "transport close"
    assert not app.engine.sockets
