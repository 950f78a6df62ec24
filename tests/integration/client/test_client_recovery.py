"""What clients get back after a loss, from the JavaScript server with connection state recovery."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.client_sides import QUICK, Gate, Heard
from tests.support.node import node_program
from tests.support.ports import HOST, reserved_port
from tests.support.servers import Address
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.node import NodeProgram

SCRIPT = Path(__file__).with_name("recovery_server.mjs")


class Lab:
    """
    The JavaScript server behind a gate.

    Attributes:
        gate: The gate.
        address: Where clients connect.
    """

    def __init__(self, node: NodeProgram, gate: Gate) -> None:
        self._node = node
        self.gate = gate
        self.address = gate.address

    async def joined(self) -> dict[str, Any]:
        """Wait until the server reports a client that has joined; return what it says of it."""
        told: dict[str, Any] = await self._node.step("joined")
        return told

    async def lose(self, namespaces: int = 1) -> None:
        """Cut the connections and refuse new ones; wait until the server has noticed."""
        await self.gate.shut()
        await self.do("notice")
        for _ in range(namespaces):
            await self._node.step("left")

    async def left(self) -> dict[str, Any]:
        """Wait until the server reports a client that has left."""
        told: dict[str, Any] = await self._node.step("left")
        return told

    async def do(self, command: str, *args: Any) -> None:
        """Let the server do something."""
        await self._node.tell([command, *args])

    async def answers(self) -> Any:
        """Return what clients have acknowledged."""
        return await self._node.step("answers")


@asynccontextmanager
async def laboratory(duration_ms: int = 120_000) -> AsyncIterator[Lab]:
    """Run the server for the length of the block."""
    async with node_program(SCRIPT, str(duration_ms), packages=("socket.io",)) as node:
        with reserved_port() as port:
            gate = Gate(Address(HOST, await node.step("listens")), port)
            await gate.open()
            try:
                yield Lab(node, gate)
            finally:
                await gate.shut()


@pytest.fixture
async def lab():
    """The server; sessions outlast the test."""
    async with laboratory() as lab:
        yield lab


@pytest.fixture(params=[["websocket"], ["polling"], None], ids=["websocket", "polling", "upgrade"])
def transports(request) -> list[str] | None:
    """Each way to connect."""
    return request.param


def listening(client: Any, namespace: str = "/") -> Heard:
    """Keep, in their order, the events ``news`` and ``connect`` that handlers are called for."""
    heard = Heard()
    client.on("connect", lambda: heard("connect", client.recovered), namespace=namespace)
    client.on("news", lambda *args: heard("news", *args), namespace=namespace)
    return heard


async def test_missed_events_come_before_the_connect_handler(side, lab, transports):
    """Each once, in order, without their offsets, with the old sid; then the next ones."""
    client = side.client(async_handlers=False, **QUICK)
    heard = listening(client)
    await side.run(client.connect, lab.address.http, transports=transports, wait_timeout=WAIT_S, auth={"user": "Ada"})
    first = await lab.joined()
    assert await heard.next() == ("connect", False)
    await lab.do("emit", "/", "news", 1, "text")
    assert await heard.next() == ("news", 1, "text")

    await lab.lose()
    await lab.do("emit", "/", "news", 2, "text")
    await lab.do("binary", "/", "news", 3)
    await lab.do("emit", "/", "news")
    await lab.gate.open()
    back = await lab.joined()
    told = [await heard.next() for _ in range(4)]
    await lab.do("emit", "/", "news", 5)

    assert told == [("news", 2, "text"), ("news", 3, b"\x03"), ("news",), ("connect", True)]
    assert await heard.next() == ("news", 5)
    assert (back["recovered"], back["sid"]) == (True, first["sid"])
    assert "readers" in back["rooms"]
    assert back["auth"]["user"] == "Ada"
    assert client.get_sid() == first["sid"]
    assert client.recovered_namespaces == {"/"}
    assert heard.is_empty


async def test_a_client_is_recovered_again_and_again(side, lab, transports):
    """Also when nothing was missed; no event comes twice."""
    client = side.client(async_handlers=False, **QUICK)
    heard = listening(client)
    await side.run(client.connect, lab.address.http, transports=transports, wait_timeout=WAIT_S)
    await lab.joined()
    await heard.next()
    await lab.do("emit", "/", "news", 0)
    assert await heard.next() == ("news", 0)

    for number in range(1, 4):
        await lab.lose()
        if number != 2:
            await lab.do("emit", "/", "news", number)
        await lab.gate.open()
        assert (await lab.joined())["recovered"]
        if number != 2:
            assert await heard.next() == ("news", number)
        assert await heard.next() == ("connect", True)

    assert heard.is_empty


async def test_a_session_that_has_expired_is_a_new_one(side):
    """The server gives a new pid, and the client begins anew."""
    async with laboratory(duration_ms=1) as lab:
        client = side.client(async_handlers=False, **QUICK)
        heard = listening(client)
        await side.run(client.connect, lab.address.http, transports=["websocket"], wait_timeout=WAIT_S)
        first = await lab.joined()
        await heard.next()
        await lab.do("emit", "/", "news", 1)
        await heard.next()

        await lab.lose()
        await lab.do("emit", "/", "news", 2)
        await lab.gate.open()
        back = await lab.joined()

        assert await heard.next() == ("connect", False)
        assert not back["recovered"]
        assert "offset" in back["auth"]
        assert client.get_sid() == back["sid"] != first["sid"]


async def test_a_session_without_events_is_a_new_one_there(side, lab):
    """The JavaScript server needs an offset; the client names its session all the same."""
    client = side.client(async_handlers=False, **QUICK)
    heard = listening(client)
    await side.run(client.connect, lab.address.http, transports=["websocket"], wait_timeout=WAIT_S)
    await lab.joined()
    await heard.next()

    await lab.lose()
    await lab.gate.open()
    back = await lab.joined()

    assert await heard.next() == ("connect", False)
    assert set(back["auth"]) == {"pid"}


async def test_events_without_an_offset_do_not_spoil_it(side, lab):
    """Volatile ones that end in a text are handled whole, and recovery goes on from the last offset."""
    client = side.client(async_handlers=False, **QUICK)
    heard = listening(client)
    await side.run(client.connect, lab.address.http, transports=["websocket"], wait_timeout=WAIT_S)
    await lab.joined()
    await heard.next()
    await lab.do("emit", "/", "news", 1)
    assert await heard.next() == ("news", 1)
    await lab.do("volatile", "/", "news", "typing", "Ada")
    assert await heard.next() == ("news", "typing", "Ada")
    await lab.do("ack", "/", "news", "why?")
    assert await heard.next() == ("news", "why?")
    await lab.answers()

    await lab.lose()
    await lab.do("emit", "/", "news", 2)
    await lab.gate.open()

    assert (await lab.joined())["recovered"]
    assert [await heard.next() for _ in range(2)] == [("news", 2), ("connect", True)]


async def test_each_namespace_is_recovered_by_itself(side, lab):
    """One has had events, the other has not."""
    client = side.client(async_handlers=False, **QUICK)
    heard, chat = listening(client), listening(client, "/chat")
    await side.run(client.connect, lab.address.http, transports=["websocket"], wait_timeout=WAIT_S)
    await lab.joined()
    await lab.joined()
    await lab.do("emit", "/chat", "news", 1)
    assert [await chat.next() for _ in range(2)] == [("connect", False), ("news", 1)]
    await heard.next()

    await lab.lose(namespaces=2)
    await lab.do("emit", "/chat", "news", 2)
    await lab.gate.open()
    joined = {told["name"]: told["recovered"] for told in [await lab.joined(), await lab.joined()]}

    assert joined == {"/": False, "/chat": True}
    assert await heard.next() == ("connect", False)
    assert [await chat.next() for _ in range(2)] == [("news", 2), ("connect", False)]
    assert client.recovered_namespaces == {"/chat"}


@pytest.mark.parametrize("who", ["client", "server"])
async def test_who_has_left_is_not_recovered(side, lab, who):
    """Neither after disconnect() nor after the server's DISCONNECT does the client name its session again."""
    client = side.client(async_handlers=False, **QUICK)
    heard = listening(client)
    gone = Heard()
    client.on("__disconnect_final", gone)
    await side.run(client.connect, lab.address.http, transports=["websocket"], wait_timeout=WAIT_S)
    await lab.joined()
    await heard.next()
    await lab.do("emit", "/", "news", 1)
    await heard.next()

    if who == "client":
        await side.run(client.disconnect)
    else:
        await lab.do("dismiss", "/")
    await gone.next()
    await side.run(client.wait)
    await lab.left()
    await side.run(client.connect, lab.address.http, transports=["websocket"], wait_timeout=WAIT_S)

    assert (await lab.joined())["auth"] == {}
    assert await heard.next() == ("connect", False)


@pytest.mark.parametrize("auth", [None, {"user": "Bob"}])
async def test_connect_recovers_what_was_lost_with_the_same_arguments(side, lab, auth):
    """A client that does not reconnect by itself is recovered by connect(), unless it connects as somebody else."""
    client = side.client(async_handlers=False, reconnection=False)
    heard, gone = listening(client), Heard()
    client.on("__disconnect_final", gone)
    await side.run(client.connect, lab.address.http, transports=["websocket"], wait_timeout=WAIT_S)
    await lab.joined()
    await heard.next()
    await lab.do("emit", "/", "news", 1)
    await heard.next()
    await lab.lose()
    await gone.next()
    await side.run(client.wait)
    await lab.do("emit", "/", "news", 2)
    await lab.gate.open()

    await side.run(client.connect, lab.address.http, auth=auth, transports=["websocket"], wait_timeout=WAIT_S)

    assert (await lab.joined())["recovered"] is client.recovered is (auth is None)
    assert await heard.next() == (("news", 2) if auth is None else ("connect", False))


async def test_a_client_that_wants_none_gets_the_events_as_they_are(side, lab):
    """With recovery=False offsets are arguments, and nothing is named."""
    client = side.client(async_handlers=False, recovery=False, **QUICK)
    heard = listening(client)
    await side.run(client.connect, lab.address.http, transports=["websocket"], wait_timeout=WAIT_S)
    await lab.joined()
    await heard.next()
    await lab.do("emit", "/", "news", 1)
    name, number, offset = await heard.next()

    await lab.lose()
    await lab.gate.open()

    assert (name, number, type(offset)) == ("news", 1, str)
    assert (await lab.joined())["auth"] == {}
    assert await heard.next() == ("connect", False)


async def test_the_simple_client_receives_what_it_has_missed(side, lab):
    """In order, before what comes later."""
    simple = side.named("SimpleClient")(handle_sigint=False, **QUICK)
    try:
        await side.run(simple.connect, lab.address.http, transports=["websocket"])
        await lab.joined()
        await lab.do("emit", "/", "news", 0, "text")
        assert await side.run(simple.receive, timeout=WAIT_S) == ["news", 0, "text"]
        assert not simple.recovered

        await lab.lose()
        for number in (1, 2):
            await lab.do("emit", "/", "news", number)
        await lab.gate.open()
        await lab.joined()
        await lab.do("emit", "/", "news", 3)

        assert [await side.run(simple.receive, timeout=WAIT_S) for _ in range(3)] == [
            ["news", 1],
            ["news", 2],
            ["news", 3],
        ]
        assert simple.recovered
    finally:
        await side.run(simple.disconnect)
