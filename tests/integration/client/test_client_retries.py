"""The option ``retries``: one event after the other, each until it is acknowledged or given up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from fastsio.exceptions import BadNamespaceError, DisconnectedError, TimeoutError
from tests.integration.client_sides import QUICK, SLOW, Heard
from tests.integration.clients import eventually

#: Seconds in which an attempt must be acknowledged that the server answers.
PATIENT_S = 1.0


def waits_for(client: Any) -> int:
    """Return how many events a client has not seen acknowledged."""
    return len(client._delivery.pending.outbox._queues["/"])


async def test_the_next_event_is_sent_when_the_one_before_is_acknowledged(side, site, gate):
    """Handlers of the server, which run at once, do not overlap."""
    client = await side.connected(gate.address, retries=0)

    for number in range(20):
        await side.run(client.emit, "note", number)
    await site.until("ends", 19)

    assert site.noted == [(what, number) for number in range(20) for what in ("begins", "ends")]


async def test_an_event_is_sent_again_until_it_is_acknowledged(side, site, gate):
    """The callback gets the answer of the attempt that succeeded, and the next event follows."""
    site.failures["a"] = 2
    client = await side.connected(gate.address, retries=2, ack_timeout=PATIENT_S)
    answered = Heard()

    await side.run(client.emit, "note", "a", callback=answered)
    await side.run(client.emit, "note", "b")

    assert await answered.next() == ("a",)
    await site.until("ends", "b")
    assert site.numbers("begins") == ["a", "a", "a", "b"]


async def test_an_event_is_given_up_after_its_retries(side, site, gate, caplog):
    """Who waits for it is told, the log says so, and the next event follows."""
    site.failures["a"] = 9
    client = await side.connected(gate.address, retries=1, ack_timeout=PATIENT_S)
    answered = Heard()

    await side.run(client.emit, "note", "a", callback=answered)
    with pytest.raises(TimeoutError, match="did not acknowledge"):
        await side.run(client.emit_with_ack, "note", "a")

    assert await side.run(client.emit_with_ack, "note", "b") == "b"
    assert site.numbers("begins") == ["a", "a", "a", "a", "b"]
    assert answered.is_empty
    assert "the event note was given up after 2 attempts" in caplog.text


async def test_an_event_under_way_is_sent_again_after_a_reconnection(side, site, gate):
    """In its place in the order."""
    site.patience.clear()
    client = await side.connected(gate.address, retries=3, **QUICK)
    for number in range(3):
        await side.run(client.emit, "note", number)
    await site.until("begins", 0)

    gate.cut()
    await site.until("begins", 0, times=2)
    site.patience.set()
    await site.until("ends", 2)

    assert site.numbers("begins") == [0, 0, 1, 2]


async def test_a_lost_connection_costs_an_attempt(side, site, gate):
    """With none left the event is given up."""
    site.patience.clear()
    client = await side.connected(gate.address, retries=0, **QUICK)
    waiting = side.begin(client.emit_with_ack, "note", 1)
    await site.until("begins", 1)

    gate.cut()

    with pytest.raises(DisconnectedError, match="lost before the event was acknowledged"):
        await waiting
    site.patience.set()
    assert await side.run(client.emit_with_ack, "note", 2) == 2
    assert site.numbers("begins") == [1, 2]


async def test_a_late_acknowledgement_is_ignored(side, site, gate):
    """The event is sent again, and answered once."""
    site.patience.clear()
    client = await side.connected(gate.address, retries=9, ack_timeout=0.2)
    answered = Heard()

    await side.run(client.emit, "note", 1, callback=answered)
    await site.until("begins", 1, times=2)
    site.patience.set()

    assert await answered.next() == (1,)
    assert await side.run(client.emit_with_ack, "note", 2) == 2
    assert answered.is_empty


async def test_namespaces_do_not_wait_for_each_other(side, site, gate):
    """Each has a queue of its own."""
    site.failures["never"] = 99
    client = await side.connected(gate.address, retries=99, namespaces=["/", "/chat"])

    await side.run(client.emit, "note", "never")
    await side.run(client.emit, "note", "behind it")

    assert await side.run(client.emit_with_ack, "note", 1, namespace="/chat") == 1
    assert site.numbers("ends") == [1]


async def test_events_wait_for_the_first_connection(side, site, gate):
    """No option of its own is needed."""
    client = side.client(retries=0)
    await side.run(client.emit, "note", 1)

    await side.run(client.connect, gate.address.http)

    await site.until("ends", 1)


async def test_disconnect_keeps_what_waits_and_tells_who_waits(side, site, gate):
    """The next connect() sends the former; what the latter emitted is not sent any more."""
    site.patience.clear()
    client = await side.connected(gate.address, retries=5)
    await side.run(client.emit, "note", 1)
    await side.run(client.emit, "note", 2)
    waiting = side.begin(client.emit_with_ack, "note", 3)
    await eventually(lambda: waits_for(client) == 3)
    await side.run(client.emit, "note", 4)
    await site.until("begins", 1)

    await side.run(client.disconnect)

    with pytest.raises(DisconnectedError, match="ended before the event was acknowledged"):
        await waiting
    site.patience.set()
    await side.run(client.connect, gate.address.http)
    await site.until("ends", 4)
    assert site.numbers("begins") == [1, 1, 2, 4]


async def test_a_call_that_times_out_makes_room_for_the_next_event(side, site, gate):
    """Although its acknowledgement would have been waited for for ever."""
    site.failures["never"] = 99
    client = await side.connected(gate.address, retries=5)

    with pytest.raises(TimeoutError):
        await side.run(client.call, "note", "never", timeout=0.1)

    assert await side.run(client.call, "note", 1) == 1
    assert site.numbers("begins") == ["never", 1]


async def test_what_waits_is_bounded(side, site, gate):
    """One event more is refused, with the option to change."""
    site.patience.clear()
    client = await side.connected(gate.address, retries=0, max_buffered_events=2)
    await side.run(client.emit, "note", 1)
    await side.run(client.emit, "note", 2)

    with pytest.raises(DisconnectedError, match="max_buffered_events=2 events wait already"):
        await side.run(client.emit, "note", 3)

    site.patience.set()
    await site.until("ends", 2)
    assert await side.run(client.emit_with_ack, "note", 4) == 4
    assert site.numbers("begins") == [1, 2, 4]


async def test_a_callback_may_emit_and_wait(side, site, gate):
    """It does not stand in the way of the queue."""
    client = await side.connected(gate.address, retries=0)
    answered = Heard()

    if side.asynchronous:

        async def callback(_number):
            answered(await client.call("note", 2))
    else:

        def callback(_number):
            answered(client.call("note", 2))

    await side.run(client.emit, "note", 1, callback=callback)

    assert await answered.next() == (2,)


async def test_what_cannot_be_sent_is_refused_at_once(side, site, gate):
    """Somebody is there to be told."""
    client = await side.connected(gate.address, retries=0)

    with pytest.raises(TypeError):
        await side.run(client.emit, "note", object())
    with pytest.raises(BadNamespaceError, match="/typo is not a namespace that connect"):
        await side.run(client.emit, "note", 1, namespace="/typo")

    assert await side.run(client.emit_with_ack, "note", 2) == 2
    assert site.numbers("begins") == [2]


@pytest.mark.parametrize("side", ["aio"], indirect=True)
async def test_a_caller_that_is_cancelled_takes_its_event_out(side, site, gate):
    """On asyncio; it is not sent any more."""
    site.patience.clear()
    client = await side.connected(gate.address, retries=5)
    await side.run(client.emit, "note", 1)
    waiting = asyncio.create_task(client.emit_with_ack("note", 2))
    await site.until("begins", 1)

    waiting.cancel()
    await asyncio.wait({waiting})
    site.patience.set()

    assert await side.run(client.emit_with_ack, "note", 3) == 3
    assert site.numbers("begins") == [1, 3]


async def test_shutdown_while_away_tells_who_waits(side, site, gate):
    """Nobody waits for ever."""
    client = await side.connected(gate.address, retries=5, **SLOW)
    lost = Heard()
    client.on("disconnect", lost)
    await gate.shut()
    assert await lost.next() == ("transport error",)
    waiting = side.begin(client.emit_with_ack, "note", 1)

    await side.run(client.shutdown)

    with pytest.raises(DisconnectedError):
        await waiting
