"""Polling, the upgrade to a websocket, and the options of the handshake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def a_polling_client_is_served_like_any_other(lab: Lab) -> None:
    """Connect, event, ack, emit and leaving over HTTP."""
    sio = lab.server()
    for event in ("connect", "disconnect"):
        sio.on(event, lab.noting(event))
    sio.on("ask", lab.noting("ask", returns="answer"))
    client = await lab.client("/", polling=True)

    await client.send('21["ask",{"a":1}]')
    await lab.do("emit", sio.emit, "x", "grüße")
    await client.send("1")


@scenario()
async def several_packets_travel_in_one_post(lab: Lab) -> None:
    """Packets of one body are handled in order."""
    sio = lab.server(async_handlers=False)
    sio.on("x", lab.noting("x", returns=1))
    client = await lab.client("/", polling=True)

    await client.send('21["x",1]', '22["x",2]', '23["x",3]')


@scenario()
async def binary_payloads_travel_over_polling(lab: Lab) -> None:
    """Attachments are base64 in both directions."""
    sio = lab.server()
    sio.on("x", lab.noting("x", returns=b"back"))
    client = await lab.client("/", polling=True)

    await client.send('51-1["x",{"_placeholder":true,"num":0}]', b"\x00\xff")
    await lab.do("emit", sio.emit, "y", {"a": b"1", "b": b""})


@scenario()
async def a_polling_client_upgrades(lab: Lab) -> None:
    """After the upgrade events go over the websocket, and the session is the same."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect"))
    sio.on("disconnect", lab.noting("disconnect"))
    sio.on("ask", lab.noting("ask", returns="answer"))
    client = await lab.client("/", polling=True)
    await client.send('21["ask","polling"]')

    await client.upgrade()
    await client.send('22["ask","websocket"]')
    await lab.do("emit", sio.emit, "x", b"\x01")
    await client.close()


@scenario()
async def the_server_disconnects_a_polling_client(lab: Lab) -> None:
    """DISCONNECT reaches the pending poll."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/", polling=True)

    await lab.do("disconnect", sio.disconnect, client.sid)


@scenario()
async def the_handshake_tells_the_options(lab: Lab) -> None:
    """Ping interval and timeout in milliseconds, and the size limit."""
    lab.server(ping_interval=7, ping_timeout=3, max_http_buffer_size=12345)

    await lab.client("/")
    await lab.client("/", polling=True)


@scenario()
async def upgrades_may_be_switched_off(lab: Lab) -> None:
    """``allow_upgrades=False`` offers none."""
    lab.server(allow_upgrades=False)

    await lab.client("/", polling=True)


@scenario()
async def options_of_the_engine_may_change_later(lab: Lab) -> None:
    """Attributes written after construction count for the next client."""
    sio = lab.server()

    sio.eio.ping_interval = 11
    sio.eio.ping_timeout = 5
    sio.eio.allow_upgrades = False

    await lab.client("/", polling=True)


@scenario()
async def a_ping_is_answered_by_the_client(lab: Lab) -> None:
    """The server pings after the interval, and a client that answers stays connected."""
    sio = lab.server(ping_interval=1, ping_timeout=20)
    sio.on("x", lab.noting("x", returns=1))
    client = await lab.client("/")
    lab.step("the server pings")
    await lab.finish(client.received("PING"))

    await client.send_frames("3")
    await client.send('21["x"]')


@scenario()
async def an_event_of_many_kilobytes(lab: Lab) -> None:
    """A payload larger than one read arrives whole, over both transports."""
    sio = lab.server()
    sio.on("x", lambda _sid, data: len(data))
    long = "grün" * 20_000

    for polling in (False, True):
        client = await lab.client("/", polling=polling)
        lab.step("a long event")
        await client.write_quietly(f'21["x","{long}"]')


@scenario()
async def handlers_see_one_client_at_a_time_in_order(lab: Lab) -> None:
    """A burst of events of one client reaches sync handlers in the order of sending."""
    sio = lab.server()
    sio.on("x", lab.noting("x"))
    client = await lab.client("/")

    await client.send(*[f'2["x",{number}]' for number in range(10)])


@scenario()
async def background_tasks_and_sleep_belong_to_the_server(lab: Lab) -> None:
    """``start_background_task`` gives something to await; ``sleep`` lets others run."""
    sio = lab.server()

    async def work(first: Any, *, second: Any) -> Any:
        await sio.sleep(0.001)
        await sio.emit("x", [first, second])
        return "done"

    @sio.event
    async def start(sid: str) -> str:
        task = sio.start_background_task(work, 1, second=2)
        lab.note("result", await task)
        return "started"

    client = await lab.client("/")

    await client.send('21["start"]')
    await lab.finish(client.received("ACK"))


@scenario()
async def emitting_before_anybody_came_is_no_error(lab: Lab) -> None:
    """A server without clients takes all calls."""
    sio = lab.server()

    await lab.do("emit", sio.emit, "x", 1)
    await lab.do("emit to a room", sio.emit, "x", 1, room="r", namespace="/n")
    await lab.do("close a room", sio.close_room, "r")
    await lab.do("leave a room", sio.leave_room, "nobody", "r")
    await lab.do("is it asyncio", sio.is_asyncio_based)
