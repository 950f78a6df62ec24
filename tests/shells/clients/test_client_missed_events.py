"""How clients take the events that they have missed, from a server whose every frame the test writes."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

import fastsio
from tests.shells.aio.fake_engine import settled


class Script:
    """
    A client, and what its server says.

    Attributes:
        client: The client.
        sent: What the client has sent.
        heard: What its handlers were called with.
    """

    def __init__(self, kind: type[Any], **options: Any) -> None:
        self.sent: list[Any] = []
        self.heard: list[tuple[Any, ...]] = []
        self.client = kind(handle_sigint=False, **options)
        self.client.connection_namespaces = ["/"]
        self.client.eio.post = lambda packets: self.sent.extend(packet.data for packet in packets)
        self.client.on("connect", lambda: self.heard.append(("connect", self.client.recovered)))
        self.client.on("news", lambda *args: self.heard.append((self.client.get_sid(), *args)))

    async def run(self, method: Any, *args: Any) -> None:
        """Call a method of the half under test."""
        result = method(*args)
        if inspect.isawaitable(result):
            await result

    async def open(self) -> str:
        """Let the client ask for its namespace; return what it asks with."""
        await self.run(self.client._handle_eio_connect)
        return str(self.sent.pop())

    async def says(self, *frames: str | bytes) -> None:
        """Let the server send frames."""
        for frame in frames:
            await self.run(self.client._dispatcher.handle_frame, frame)

    async def connected(self, count: int = 1) -> None:
        """Wait until the connect handler has run so often."""
        await settled(lambda: [entry[0] for entry in self.heard].count("connect") == count)

    async def lose(self) -> None:
        """Lose the connection."""
        await self.run(self.client._handle_eio_disconnect, "ping timeout")


@pytest.fixture(params=[fastsio.AsyncClient, fastsio.Client])
def make(request):
    """Make a client whose plain handlers are called one after the other."""
    return lambda **options: Script(request.param, **{"async_handlers": False, **options})


@pytest.fixture
async def script(make):
    """A client that has had one event with an offset, and has lost its connection."""
    script = make()
    await lost(script)
    return script


async def lost(script: Script) -> None:
    """Let a client have a session, an event with an offset, and a loss."""
    assert await script.open() == "0{}"
    await script.says('0{"sid":"s1","pid":"p1"}', '2["news",0,"o1"]')
    await script.connected()
    await script.lose()
    script.heard.clear()


async def test_missed_events_wait_for_the_answer(script):
    """They are handled in order, with the sid, before the connect handler; binary ones too."""
    assert await script.open() == '0{"pid":"p1","offset":"o1"}'
    await script.says('2["news",1,"o2"]', '51-["news",{"_placeholder":true,"num":0},"o3"]', b"\x01")
    assert script.heard == []

    await script.says('0{"sid":"s1","pid":"p1"}', '2["news",2,"o4"]')
    await script.connected()

    assert [entry for entry in script.heard if entry[0] == "s1"] == [
        ("s1", 1, "o2"),
        ("s1", b"\x01", "o3"),
        ("s1", 2, "o4"),
    ]
    assert ("connect", True) in script.heard[2:]


async def test_events_of_a_loss_in_between_come_again(script):
    """They have not been handled, and the offset is still the old one."""
    await script.open()
    await script.says('2["news",1,"o2"]')
    await script.lose()

    assert await script.open() == '0{"pid":"p1","offset":"o1"}'
    await script.says('2["news",1,"o2"]', '0{"sid":"s1","pid":"p1"}')
    await script.connected()

    assert script.heard == [("s1", 1, "o2"), ("connect", True)]


async def test_connect_waits_while_missed_events_come(script):
    """Each begins the time anew that it waits for an answer, also when no more are held."""
    answered = script.client._dispatcher.answered
    await script.open()

    for frame in ('2["news",1,"o2"]', '2["news",2,"o3"]'):
        answered.clear()
        await script.says(frame)
        assert answered.is_set()
    answered.clear()
    await script.says('2/chat,["news",1]')

    assert not answered.is_set()


async def test_handlers_that_wait_begin_in_order():
    """Those of missed events, then the connect handler; none waits for the end of another."""
    script = Script(fastsio.AsyncClient, async_handlers=True)
    over = asyncio.Event()

    async def news(number, _offset):
        script.heard.append(("begins", number))
        await over.wait()

    await lost(script)
    script.client.on("news", news)
    await script.open()
    await script.says('2["news",1,"o2"]', '2["news",2,"o3"]', '0{"sid":"s1","pid":"p1"}')
    await script.connected()
    over.set()

    assert script.heard == [("begins", 1), ("begins", 2), ("connect", True)]


async def test_too_many_missed_events_do_not_wait(make):
    """None is lost, and their order is kept; they come before the connect handler all the same."""
    script = make(max_held_packets=2)
    await lost(script)
    await script.open()

    await script.says(*[f'2["news",{number},"o"]' for number in range(4)])
    assert script.heard == [(None, number, "o") for number in range(4)]
    await script.says('0{"sid":"s1","pid":"p1"}')
    await script.connected()

    assert script.heard[4:] == [("connect", True)]


async def test_too_large_missed_events_do_not_wait(make):
    """Attachments count."""
    script = make(max_held_bytes=100)
    await lost(script)
    await script.open()

    await script.says('51-["news",{"_placeholder":true,"num":0},"o"]', bytes(20))
    assert script.heard == []
    await script.says('51-["news",{"_placeholder":true,"num":0},"o"]', bytes(20))

    assert len(script.heard) == 2


async def test_a_refused_session_is_named_again(script):
    """What was held is dropped: it comes again when the server lets the client in."""
    await script.open()
    await script.says('2["news",1,"o2"]', '4{"message":"not now"}')
    await script.lose()

    assert script.heard == []
    assert await script.open() == '0{"pid":"p1","offset":"o1"}'


async def test_a_new_session_has_no_offset(script):
    """The server has refused to recover the old one."""
    await script.open()
    await script.says('0{"sid":"s2","pid":"p2"}')
    await script.connected()
    assert script.heard == [("connect", False)]
    await script.lose()

    assert await script.open() == '0{"pid":"p2"}'


async def test_a_server_may_stop_to_recover(script):
    """Its events are as they are, and it is asked for nothing."""
    await script.open()
    await script.says('0{"sid":"s2"}', '2["news","text"]')
    await script.connected()
    await script.lose()

    assert ("s2", "text") in script.heard
    assert await script.open() == "0{}"


async def test_an_event_that_asks_has_no_offset(script):
    """Its last argument is the server's."""
    await script.open()
    await script.says('0{"sid":"s1","pid":"p1"}', '27["news","text"]')
    await script.connected()
    await script.lose()

    assert ("s1", "text") in script.heard
    assert await script.open() == '0{"pid":"p1","offset":"o1"}'


@pytest.mark.parametrize("frame", ["1", None])
async def test_a_session_ends_with_its_namespace(script, frame):
    """Whichever side leaves."""
    await script.open()
    await script.says('0{"sid":"s1","pid":"p1"}')
    await script.connected()
    if frame is None:
        await script.run(script.client.disconnect)
    else:
        await script.says(frame)
    await script.lose()

    assert await script.open() == "0{}"


async def test_a_handler_gets_what_it_can_take(make):
    """A plain one without the text that may be an offset, an injected one with what it asks for."""
    script = make()
    script.client.on("plain", lambda number: script.heard.append(("plain", number)))
    script.client.on("old", lambda number, offset: script.heard.append(("old", number, offset)))

    @script.client.on("injected")
    def injected(number: int, data: fastsio.Data) -> None:
        script.heard.append(("injected", number))

    await script.open()
    await script.says('0{"sid":"s1","pid":"p1"}')
    await script.connected()
    await script.says('2["plain",1,"o1"]', '2["old",2,"o2"]', '2["injected",3,"o3"]', '2["unheard",4,"o4"]')
    await settled(lambda: len(script.heard) == 4)

    assert sorted(script.heard[1:]) == [("injected", 3), ("old", 2, "o2"), ("plain", 1)]


async def test_what_the_application_puts_between_sees_the_arguments(make):
    """Its own ``_handle_event`` sees the event as it came, and passes it on."""
    script = make()
    own, seen = script.client._handle_event, []

    def passing(namespace, ack_id, data):
        seen.append(data)
        return own(namespace, ack_id, data)

    script.client._handle_event = passing
    script.client.on("plain", lambda number: script.heard.append(("plain", number)))
    await script.open()
    await script.says('0{"sid":"s1","pid":"p1"}', '2["plain",1,"o1"]')
    await script.connected()

    assert seen == [["plain", 1, "o1"]]
    assert ("plain", 1) in script.heard
