"""What clients get back after a loss, from fastsio's own server."""

from __future__ import annotations

from typing import Any

import pytest

from fastsio import Auth, Recovered, SocketID  # noqa: TC001 - handlers are read when they are registered
from tests.integration.client_sides import QUICK, Heard, Site, gated
from tests.support.waiting import WAIT_S


class Shop:
    """
    A server that recovers connections, behind a gate.

    Attributes:
        sio: The server.
        gate: The gate.
        joined: The clients that join: sid, whether recovered, and auth.
        left: Those that leave.
    """

    def __init__(self, site: Site, gate: Any) -> None:
        self.sio = site.sio
        self.gate = gate
        self.joined, self.left = Heard(), Heard()
        self.sio.on("connect", self._connect)
        self.sio.on("disconnect", self.left)

    async def _connect(self, sid: SocketID, auth: Auth, recovered: Recovered) -> None:
        self.joined(sid, bool(recovered), auth)
        await self.sio.enter_room(sid, "readers")

    async def lose(self, client: Any) -> None:
        """Cut the connections, and let no client in; wait until the client knows, as the server may not."""
        lost = Heard()
        client.on("disconnect", lost)
        await self.gate.shut()
        await lost.next()


@pytest.fixture
async def shop():
    """The server."""
    site = Site(connection_state_recovery=True)
    async with gated(site) as gate:
        yield Shop(site, gate)


@pytest.fixture(params=[["websocket"], ["polling"], None], ids=["websocket", "polling", "upgrade"])
def transports(request) -> list[str] | None:
    """Each way to connect."""
    return request.param


async def returning(side: Any, shop: Shop, transports: list[str] | None, **options: Any) -> tuple[Any, Heard, str]:
    """Connect a client that reconnects; return it, what its handlers are called with, and its sid."""
    client, heard = side.client(async_handlers=False, **QUICK, **options), Heard()
    client.on("connect", lambda: heard("connect", client.recovered))
    client.on("news", lambda *args: heard("news", *args))
    await side.run(
        client.connect, shop.gate.address.http, transports=transports, wait_timeout=WAIT_S, auth={"user": "Ada"}
    )
    sid, is_recovered, auth = await shop.joined.next()
    assert (is_recovered, auth) == (False, {"user": "Ada"})
    assert await heard.next() == ("connect", False)
    return client, heard, sid


@pytest.mark.parametrize("is_seen", [True, False], ids=["with", "without"])
async def test_missed_events_come_before_the_connect_handler(side, shop, transports, is_seen):
    """In order, each once, without their offsets: also if the client has had no event before."""
    client, heard, sid = await returning(side, shop, transports)
    if is_seen:
        await shop.sio.emit("news", (0, "text"), room="readers")
        assert await heard.next() == ("news", 0, "text")

    await shop.lose(client)
    await shop.sio.emit("news", (1, "text"), room="readers")
    await shop.sio.emit("news", b"\x02")
    await shop.sio.emit("news", to=sid)
    await shop.gate.open()
    told = [await heard.next() for _ in range(4)]
    await shop.sio.emit("news", 3, room="readers")

    assert told == [("news", 1, "text"), ("news", b"\x02"), ("news",), ("connect", True)]
    assert await heard.next() == ("news", 3)
    assert await shop.joined.next() == (sid, True, {"user": "Ada"})
    assert client.get_sid() == sid
    assert heard.is_empty


async def test_a_client_is_recovered_again_and_again(side, shop):
    """From the last offset each time."""
    client, heard, sid = await returning(side, shop, ["websocket"])
    for number in range(3):
        await shop.lose(client)
        await shop.sio.emit("news", number, to=sid)
        await shop.gate.open()

        assert [await heard.next() for _ in range(2)] == [("news", number), ("connect", True)]
        assert (await shop.joined.next())[:2] == (sid, True)

    assert client.recovered_namespaces == {"/"}


async def test_a_client_that_has_left_is_a_new_one(side, shop):
    """Its session is not asked for."""
    client, heard, sid = await returning(side, shop, ["websocket"])
    await side.run(client.disconnect)
    await shop.left.next()

    await side.run(client.connect, shop.gate.address.http, transports=["websocket"], wait_timeout=WAIT_S)

    assert await heard.next() == ("connect", False)
    assert await shop.joined.next() == (client.get_sid(), False, None)
    assert client.get_sid() != sid


async def test_a_client_may_want_no_recovery(side, shop):
    """It gets offsets as arguments, and comes back as a new client."""
    client, heard, sid = await returning(side, shop, ["websocket"], recovery=False)
    await shop.sio.emit("news", 1, to=sid)
    assert await heard.next() == ("news", 1, "~1~")

    await shop.lose(client)
    await shop.gate.open()

    assert await heard.next() == ("connect", False)
    assert (await shop.joined.next())[1] is False


async def test_the_simple_client_receives_what_it_has_missed(side, shop):
    """In order, without offsets."""
    simple = side.named("SimpleClient")(handle_sigint=False, **QUICK)
    try:
        await side.run(simple.connect, shop.gate.address.http, transports=["websocket"])
        await shop.joined.next()
        await shop.gate.shut()
        await shop.left.next()
        for number in (1, 2):
            await shop.sio.emit("news", (number, "text"), room="readers")
        await shop.gate.open()

        received = [await side.run(simple.receive, timeout=WAIT_S) for _ in range(2)]

        assert received == [["news", 1, "text"], ["news", 2, "text"]]
        assert (await shop.joined.next())[1]
        assert simple.recovered
    finally:
        await side.run(simple.disconnect)
