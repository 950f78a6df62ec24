"""The option ``offline_buffer``, and ``emit_with_ack`` without and with it."""

from __future__ import annotations

import pytest

from fastsio.exceptions import BadNamespaceError, DisconnectedError, TimeoutError
from tests.integration.client_sides import QUICK, SLOW, Heard


async def test_without_the_option_nothing_waits(side, site, gate):
    """As in python-socketio."""
    client = side.client()

    with pytest.raises(BadNamespaceError):
        await side.run(client.emit, "note", 1)


async def test_events_wait_for_the_first_connection(side, site, gate):
    """They are sent in order, before what is emitted later; callbacks are called."""
    client = side.client(offline_buffer=True)
    answered = Heard()
    for number in range(10):
        await side.run(client.emit, "echo", (number, b"\x00"), callback=answered)
    client.on("connect", lambda: answered("connected"))

    await side.run(client.connect, gate.address.http)

    seen = [await answered.next() for _ in range(11)]
    assert sorted(seen, key=str) == sorted([("connected",), *[(n, b"\x00") for n in range(10)]], key=str)
    await side.run(client.emit, "note", 1)
    await site.until("ends", 1)


async def test_the_order_of_what_waited_is_kept(side, site, gate):
    """Also across what is emitted once the client is connected."""
    client = side.client(offline_buffer=True)
    for number in range(50):
        await side.run(client.emit, "note", number)

    await side.run(client.connect, gate.address.http)
    for number in range(50, 100):
        await side.run(client.emit, "note", number)

    await site.until("ends", 99)
    assert site.numbers("begins") == list(range(100))


async def test_events_wait_for_the_reconnection(side, site, gate):
    """Those of each namespace, until it is joined again."""
    client = await side.connected(gate.address, offline_buffer=True, namespaces=["/", "/chat"], **QUICK)
    lost = Heard()
    client.on("disconnect", lost)
    client.on("disconnect", lost, namespace="/chat")
    await gate.shut()
    for _ in range(2):
        assert await lost.next() == ("transport error",)

    await side.run(client.emit, "note", 1)
    await side.run(client.emit, "note", 2, namespace="/chat")
    waiting = side.begin(client.emit_with_ack, "note", 3)
    await gate.open()

    assert await waiting == 3
    await site.until("ends", 2)
    assert sorted(site.numbers("begins")) == [1, 2, 3]


async def test_what_waits_is_bounded(side, site, gate):
    """1,000 events by default; one more is refused, and those before it are sent."""
    client = side.client(offline_buffer=True)
    for number in range(1000):
        await side.run(client.emit, "note", number)

    with pytest.raises(DisconnectedError, match="max_buffered_events=1000 events wait already"):
        await side.run(client.emit, "note", 1000)

    await side.run(client.connect, gate.address.http)
    await site.until("ends", 999)


async def test_a_namespace_that_is_not_joined_is_an_error(side, site, gate):
    """Its events would wait for ever."""
    client = await side.connected(gate.address, offline_buffer=True)

    with pytest.raises(BadNamespaceError, match="/typo is not a namespace that connect"):
        await side.run(client.emit, "note", 1, namespace="/typo")


async def test_attempts_that_are_given_up_tell_who_waits(side, site, gate):
    """What others emitted is kept for the next connect()."""
    options = {"reconnection_attempts": 1, "reconnection_delay": 0.3, "randomization_factor": 0}
    client = await side.connected(gate.address, offline_buffer=True, **options)
    lost = Heard()
    client.on("disconnect", lost)
    await gate.shut()
    await lost.next()
    await side.run(client.emit, "note", 1)

    with pytest.raises(DisconnectedError, match="ended before the event was acknowledged"):
        await side.run(client.emit_with_ack, "note", 2)

    await gate.open()
    await side.run(client.connect, gate.address.http)
    assert await side.run(client.call, "note", 3) == 3
    assert site.numbers("begins") == [1, 3]


async def test_emit_with_ack_returns_the_answer(side, site, gate):
    """None, one value, or several."""
    client = await side.connected(gate.address)

    assert await side.run(client.emit_with_ack, "echo") is None
    assert await side.run(client.emit_with_ack, "echo", {"a": b"1"}) == {"a": b"1"}
    assert await side.run(client.emit_with_ack, "echo", (1, "two")) == (1, "two")


@pytest.mark.parametrize(("options", "given"), [({"ack_timeout": 0.1}, {}), ({}, {"timeout": 0.1})])
async def test_emit_with_ack_times_out(side, site, gate, options, given):
    """By the option or by the argument; what comes late is ignored."""
    site.patience.clear()
    client = await side.connected(gate.address, **options)

    with pytest.raises(TimeoutError, match="did not acknowledge"):
        await side.run(client.emit_with_ack, "note", 1, **given)

    site.patience.set()
    await site.until("ends", 1)
    assert await side.run(client.emit_with_ack, "note", 2) == 2
    assert client.callbacks == {"/": {}}


async def test_emit_with_ack_ends_with_the_connection_and_call_does_not(side, site, gate):
    """The answer cannot come any more; call() waits for its timeout, as in python-socketio."""
    site.patience.clear()
    client = await side.connected(gate.address, **SLOW)
    waiting = side.begin(client.emit_with_ack, "note", 1)
    calling = side.begin(client.call, "note", 2, timeout=0.5)
    await site.until("begins", 1)
    await site.until("begins", 2)

    gate.cut()

    with pytest.raises(DisconnectedError, match="lost before the event was acknowledged"):
        await waiting
    with pytest.raises(TimeoutError):
        await calling


async def test_emit_with_ack_without_a_connection_is_an_error(side, site, gate):
    """As emit()."""
    client = side.client()

    with pytest.raises(BadNamespaceError):
        await side.run(client.emit_with_ack, "note", 1)


async def test_namespaces_have_emit_with_ack(side, site, gate):
    """In the namespace of the class."""
    client = side.client()
    chat = side.named("ClientNamespace")("/chat")
    client.register_namespace(chat)
    await side.run(client.connect, gate.address.http)

    assert await side.run(chat.emit_with_ack, "note", 7) == 7
    assert client.callbacks == {"/chat": {}}
