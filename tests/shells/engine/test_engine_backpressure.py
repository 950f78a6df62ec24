"""Senders wait for a client that is behind and reads, and not for one that does not."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic

import pytest

from fastsio.aio.engine import MessagePacket
from fastsio.engine.congestion import CHECKS_PER_TIMEOUT
from fastsio.engine.session_tables import Transport
from tests.shells.engine.wire import (
    Application,
    connect_polling,
    connect_websocket,
    settle,
    soon,
    start_http,
    start_upgrade,
    until,
)
from tests.support.waiting import WAIT_S

#: A timeout for clients that read nothing, which tests wait for.
SHORT_S = 0.05


async def lagging(app):
    """Connect a client that does not read, and post what cannot be written."""
    client, sid = await connect_websocket(app)
    client.stall()
    app.post(sid, "0")
    return client, sid


async def test_sends_in_a_loop_reach_a_client_that_reads_slower():
    """No message is lost, and no more wait than the high-water mark and the one that crossed it."""
    app = Application(high_water_packets=4, max_buffer_packets=8)
    client, sid = await connect_websocket(app)
    socket = app.engine.sockets[sid]

    async def produce() -> None:
        for number in range(100):
            await app.engine.send(sid, str(number))

    producer = asyncio.create_task(produce())
    frames, waited = [], []
    for _ in range(100):
        client.stall()
        await settle()
        waited.append(socket.buffered_count)
        client.resume()
        frames.append(await client.frame())

    await soon(producer)
    assert frames == [f"4{number}" for number in range(100)]
    assert max(waited) == 5


async def test_sends_in_a_loop_reach_a_client_that_polls():
    """A poll that takes packets lets the sender go on."""
    app = Application(high_water_packets=4, max_buffer_packets=8)
    client = await connect_polling(app)

    async def produce() -> None:
        for number in range(50):
            await app.engine.send(client.sid, str(number))

    producer = asyncio.create_task(produce())
    packets: list[str] = []
    while len(packets) < 50:
        taken = (await client.poll()).packets
        assert len(taken) <= 6
        packets += taken

    await soon(producer)
    assert packets == [f"4{number}" for number in range(50)]


async def test_the_mark_is_in_bytes_too():
    """Few large messages make a sender wait as many small ones do."""
    app = Application(high_water_bytes=1000)
    client, sid = await lagging(app)

    await soon(app.engine.send(sid, "x" * 900))
    producer = asyncio.create_task(app.engine.send(sid, "x" * 200))
    await settle()

    assert not producer.done()
    client.resume()
    assert await soon(producer)


@pytest.mark.virtual_time
async def test_a_sender_waits_as_long_as_the_client_reads():
    """Each packet that is read starts the timeout anew, however long it takes altogether."""
    app = Application(high_water_packets=8, slow_client_timeout=0.3)
    client = await connect_polling(app)
    app.engine.max_http_buffer_size = 2  # one packet a poll
    app.post(client.sid, *"abcdefgh")

    producer = asyncio.create_task(app.engine.send(client.sid, "i"))
    begun = asyncio.get_running_loop().time()
    for _ in range(4):
        await asyncio.sleep(0.1)  # what must not happen meanwhile has no event
        assert not producer.done()
        await client.poll()
    took_s = asyncio.get_running_loop().time() - begun
    await client.poll()

    assert await soon(producer)
    assert took_s > 0.3
    assert app.disconnects.empty()


@pytest.mark.virtual_time
async def test_a_client_that_reads_nothing_is_closed_after_the_timeout(caplog):
    """Its session ends, the sender goes on, and the log says so once."""
    app = Application(high_water_packets=1, slow_client_timeout=SHORT_S)
    client, sid = await lagging(app)
    app.post(sid, "1")

    await soon(asyncio.gather(*(app.engine.send(sid, str(number)) for number in range(3))))

    assert await app.reason() == "transport error"
    await client.ended()
    assert caplog.text.count("too slow") == 1


@pytest.mark.virtual_time
async def test_a_client_that_does_not_poll_is_closed_after_the_timeout():
    """Polling is treated as a WebSocket is."""
    app = Application(high_water_packets=1, slow_client_timeout=SHORT_S)
    client = await connect_polling(app)

    await soon(app.engine.write(client.sid, [MessagePacket("1"), MessagePacket("2")]))

    assert await app.reason() == "transport error"


@pytest.mark.virtual_time
async def test_a_client_that_reads_nothing_loses_packets_until_it_has_caught_up():
    """With ``slow_client='drop'`` nobody waits for it again, and packets are taken again once it has read."""
    app = Application(high_water_packets=4, slow_client_timeout=SHORT_S, slow_client="drop")
    client, sid = await lagging(app)
    app.post(sid, "1", "2", "3", "4")
    await soon(app.engine.send(sid, "5"))

    sender = asyncio.create_task(app.engine.send(sid, "lost"))
    await settle()
    assert sender.done()
    assert not sender.result()
    assert not app.post(sid, "lost", "too")
    client.resume()

    assert [await client.frame() for _ in range(6)] == ["40", "41", "42", "43", "44", "45"]
    assert app.post(sid, "again")
    assert await client.frame() == "4again"


@pytest.mark.virtual_time
async def test_a_client_that_reads_nothing_delays_a_broadcast_once():
    """The next broadcast does not wait for it; whoever reads gets both at once."""
    app = Application(high_water_packets=1, slow_client_timeout=SHORT_S, slow_client="drop")
    _, stuck = await lagging(app)
    reader, reading = await connect_websocket(app)
    app.post(stuck, "1")

    app.engine.post_to_all([app.engine.sockets[each] for each in (stuck, reading)], [MessagePacket("a")], waits=True)
    delayed = asyncio.create_task(app.engine.let_read([stuck, reading]))
    assert await reader.frame() == "4a"
    assert not delayed.done()
    await soon(delayed)

    app.engine.post_to_all([app.engine.sockets[each] for each in (stuck, reading)], [MessagePacket("b")], waits=True)
    assert await reader.frame() == "4b"
    assert not app.engine.congested


@pytest.mark.virtual_time
async def test_a_client_that_reads_slowly_delays_broadcasts_no_longer_than_the_timeout():
    """One that reads a little now and then cannot hold up what is for others too."""
    app = Application(high_water_packets=2, slow_client_timeout=0.25)
    slow = await connect_polling(app)
    _, other = await connect_websocket(app)
    app.engine.max_http_buffer_size = 2  # one packet a poll
    app.post(slow.sid, *"abcdefgh")
    broadcast = asyncio.create_task(app.engine.let_read([slow.sid, other]))
    alone = asyncio.create_task(app.engine.let_read([slow.sid]))

    async def read_on() -> None:
        while not broadcast.done():
            app.post(slow.sid, "z")
            await slow.poll()
            await asyncio.sleep(0.02)

    await soon(read_on())

    assert not alone.done()
    following = asyncio.create_task(app.engine.let_read([slow.sid, other]))
    await settle()
    assert following.done()
    alone.cancel()


@pytest.mark.virtual_time
async def test_a_client_that_reads_in_bursts_delays_broadcasts_for_one_timeout_in_all():
    """However often it catches up in between; it is not ended for it, and gets everything."""
    app = Application(high_water_packets=2, slow_client_timeout=0.2)
    bursty = await connect_polling(app)
    _, other = await connect_websocket(app)
    loop = asyncio.get_running_loop()
    begun, delays, packets = loop.time(), [], []
    for _ in range(12):
        app.post(bursty.sid, *"abcd")
        asked = loop.time()
        broadcast = asyncio.create_task(app.engine.let_read([bursty.sid, other]))
        await asyncio.wait([broadcast], timeout=0.15)  # the client reads nothing meanwhile
        delays.append(loop.time() - asked)
        packets += (await bursty.poll()).packets
        await soon(broadcast)
    took_s = loop.time() - begun

    assert max(delays) > 0.1
    assert sum(delays) < 0.2 + took_s / 10 + 12 * 0.2 / CHECKS_PER_TIMEOUT + 0.3
    assert app.disconnects.empty()
    assert packets == ["4a", "4b", "4c", "4d"] * 12


async def test_a_sender_that_is_cancelled_leaves_a_whole_message_in_its_place():
    """Nothing is torn, and nothing overtakes."""
    app = Application(high_water_packets=1)
    client, sid = await lagging(app)
    app.post(sid, "1")
    waiting = asyncio.create_task(
        asyncio.wait_for(app.engine.write(sid, [MessagePacket("a"), MessagePacket(b"b")]), WAIT_S)
    )
    await settle()
    app.post(sid, "c")

    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    client.resume()

    assert [await client.frame() for _ in range(5)] == ["40", "41", "4a", b"b", "4c"]


async def test_messages_never_overtake_those_of_senders_that_wait():
    """The order is that of the calls, whoever waits for how long."""
    app = Application(high_water_packets=1)
    client, sid = await lagging(app)
    senders = [asyncio.create_task(app.engine.send(sid, str(number))) for number in range(1, 6)]
    await settle()

    app.post(sid, "late")
    client.resume()

    assert [await client.frame() for _ in range(7)] == ["40", "41", "42", "43", "44", "45", "4late"]
    await soon(asyncio.gather(*senders))


async def test_many_senders_that_wait_may_exceed_the_buffer():
    """A client that reads is not ended because many send to it at once."""
    app = Application(max_buffer_packets=4)
    client, sid = await lagging(app)
    senders = [asyncio.create_task(app.engine.send(sid, str(number))) for number in range(1, 17)]
    await settle()

    client.resume()

    assert [await client.frame() for _ in range(17)] == [f"4{number}" for number in range(17)]
    assert all(await soon(asyncio.gather(*senders)))


async def test_very_many_senders_that_wait_do_not_fill_the_memory():
    """Beyond four times the buffer the policy decides, for a client may ask for answers that it does not read."""
    app = Application(max_buffer_packets=4)
    _, sid = await lagging(app)

    sent = await soon(asyncio.gather(*(app.engine.send(sid, "x") for _ in range(20))))

    assert sent.count(True) == 16
    assert await app.reason() == "transport error"


async def test_senders_that_do_not_wait_find_the_buffer_full():
    """The limit of the buffer holds for them."""
    app = Application(max_buffer_packets=4)
    _, sid = await lagging(app)

    assert [app.post(sid, "x") for _ in range(5)] == [True, True, True, True, False]
    assert await app.reason() == "transport error"


@pytest.mark.virtual_time
async def test_a_client_that_has_been_behind_for_long_has_no_more_than_its_buffer():
    """Reading slowly for ever does not fill the memory, however many wait."""
    app = Application(max_buffer_packets=4, slow_client_timeout=SHORT_S)
    client = await connect_polling(app)
    app.engine.max_http_buffer_size = 2  # one packet a poll
    app.post(client.sid, *"abcd")
    loop = asyncio.get_running_loop()
    end = loop.time() + 2 * SHORT_S
    while loop.time() < end:
        app.post(client.sid, "x")
        await client.poll()

    results = [await app.engine.send(client.sid, "y") for _ in range(2)]

    assert False in results
    assert await app.reason() == "transport error"


async def test_a_sender_is_released_when_the_session_ends():
    """Nobody waits for a client that is gone, or about to go."""
    app = Application(high_water_packets=1)
    _, sid = await lagging(app)
    app.post(sid, "1")
    sender = asyncio.create_task(app.engine.send(sid, "2"))
    await settle()
    holding = asyncio.Event()
    app.on_disconnect = lambda sid, reason: holding.wait()

    ending = asyncio.create_task(app.engine.disconnect(sid))

    await soon(sender)
    assert not app.engine.congested
    holding.set()
    app.engine.sockets[sid].drop_link()
    await soon(ending)


async def test_a_sender_is_released_when_the_server_shuts_down():
    """Stopping does not wait for clients."""
    app = Application(high_water_packets=1)
    _, sid = await lagging(app)
    app.post(sid, "1")
    sender = asyncio.create_task(app.engine.send(sid, "2"))
    await settle()

    await app.engine.shutdown()

    assert await soon(sender)


async def test_a_message_handler_may_send_much_to_its_own_client():
    """Handlers run where the client is read from: polls and POSTs of the client go on."""
    app = Application(high_water_packets=2)
    client = await connect_polling(app)

    async def answer(sid: str, data: str | bytes) -> None:
        for number in range(10):
            await app.engine.send(sid, str(number))

    app.on_message = answer
    post = asyncio.create_task(client.send("4go"))
    packets: list[str] = []
    while len(packets) < 10:
        packets += (await client.poll()).packets

    assert (await soon(post)).status == 200
    assert packets == [f"4{number}" for number in range(10)]


async def test_an_upgrade_is_not_held_up_by_a_handler_that_sends():
    """A client upgrades when its POST is answered, so its handler does not wait for the upgrade."""
    app = Application(high_water_packets=1)
    client = await connect_polling(app)
    begun = asyncio.Event()

    async def answer(sid: str, data: str | bytes) -> None:
        begun.set()
        for number in range(5):
            await app.engine.send(sid, str(number))

    app.on_message = answer
    post = asyncio.create_task(client.send("4go"))
    await soon(begun.wait())
    assert not post.done()
    websocket = await start_upgrade(client)
    websocket.say("2probe")
    assert await websocket.frame() == "3probe"

    assert (await soon(post)).status == 200
    websocket.say("5")

    assert [await websocket.frame() for _ in range(5)] == [f"4{number}" for number in range(5)]


async def test_a_sender_waits_for_a_client_that_upgrades():
    """What is sent meanwhile arrives over the WebSocket, however much it is."""
    app = Application(high_water_packets=2, max_buffer_packets=4)
    client = await connect_polling(app)
    websocket = await start_upgrade(client)
    websocket.say("2probe")
    await websocket.frame()

    async def produce() -> None:
        for number in range(20):
            await app.engine.send(client.sid, str(number))

    producer = asyncio.create_task(produce())
    await settle()
    assert not producer.done()
    websocket.say("5")

    assert [await websocket.frame() for _ in range(20)] == [f"4{number}" for number in range(20)]
    await soon(producer)


@pytest.mark.virtual_time
async def test_a_failed_upgrade_is_no_fault_of_a_client_that_could_not_read():
    """The time of the upgrade does not count as reading nothing."""
    app = Application(high_water_packets=1, slow_client_timeout=WAIT_S, upgrade_timeout=SHORT_S)
    client = await connect_polling(app)
    websocket = await start_upgrade(client)
    websocket.say("2probe")
    await websocket.frame()
    writing = asyncio.create_task(app.engine.write(client.sid, [MessagePacket("1"), MessagePacket("2")]))
    socket = app.engine.sockets[client.sid]
    await until(lambda: socket.congestion)
    written = monotonic()
    await until(lambda: socket.transport is not Transport.UPGRADING)

    assert socket.congestion.left_s(written, is_shared=False) > WAIT_S
    assert app.post(client.sid, "3")
    assert (await client.poll()).packets == ["41", "42", "43"]
    await soon(writing)


async def test_a_connect_handler_does_not_wait_for_its_own_client():
    """It reads once it is connected."""
    app = Application(high_water_packets=1)

    async def greet(sid: str) -> None:
        for number in range(5):
            await app.engine.send(sid, str(number))

    app.on_connect = greet

    request = start_http(app, "GET", "EIO=4&transport=polling")

    assert (await request.response()).packets[1:] == [f"4{number}" for number in range(5)]

    async def greet_and_refuse(sid: str) -> bool:
        await greet(sid)
        return False

    app.on_connect = greet_and_refuse
    assert (await start_http(app, "GET", "EIO=4&transport=polling").response()).status == 401
    assert not app.engine.congested


async def test_a_client_that_still_reads_does_not_miss_its_heartbeat():
    """The ping stands behind what it is reading; a client that reads nothing is ended."""
    app = Application(high_water_packets=1, ping_interval=300, ping_timeout=300)
    client, sid = await lagging(app)
    app.post(sid, "1", "2")
    socket = app.engine.sockets[sid]
    socket.on_deadline()
    socket.on_deadline()
    await settle()
    assert app.disconnects.empty()

    assert socket.congestion is not None
    socket.congestion.record_progress(float("-inf"))
    socket.on_deadline()

    assert await app.reason() == "ping timeout"
    client.resume()


async def test_senders_wait_for_clients_of_engine_io_3():
    """They are bounded as others are."""
    app = Application(high_water_packets=2, allow_eio3=True)
    await start_http(app, "GET", "EIO=3&transport=polling").response()
    ((sid, socket),) = app.engine.sockets.items()
    app.post(sid, "a", b"b")
    sender = asyncio.create_task(app.engine.send(sid, "c"))
    await settle()

    assert not sender.done()
    assert len(socket.take(100, 16)) == 3
    assert await soon(sender)
