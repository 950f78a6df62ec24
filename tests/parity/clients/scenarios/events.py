"""What the server sends and which handlers are called with what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.parity.clients.scenario import scenario
from tests.parity.scenario import Difference

if TYPE_CHECKING:
    from tests.parity.clients.lab import Lab


@scenario()
async def arguments_are_spread(lab: Lab) -> None:
    """Each argument of an event is one of the handler."""
    client = lab.client()
    client.on("news", lab.noting("news"))
    _, session = await lab.connected(client)

    for packet in ('2["news"]', '2["news",null]', '2["news",1,"two",{"a":[3]}]', '2["news",[1,2]]'):
        await session.send(packet)


@scenario()
async def binary_arguments_are_put_together(lab: Lab) -> None:
    """Attachments arrive in their places."""
    client = lab.client()
    client.on("news", lab.noting("news"))
    _, session = await lab.connected(client)

    await session.send('51-["news",{"_placeholder":true,"num":0}]', b"\x00\x01")
    await session.send(
        '52-["news",{"a":{"_placeholder":true,"num":1}},{"_placeholder":true,"num":0}]', b"first", b"second"
    )


@scenario()
async def results_are_acknowledged(lab: Lab) -> None:
    """None is no argument, a tuple several, anything else one."""
    client = lab.client()
    results = [None, 1, "", (), (1, 2), [1, 2], {"a": b"x"}, b"y"]
    client.on("ask", lambda index: results[index])
    client.on("ask async", lab.handler(lambda index: results[index]))
    _, session = await lab.connected(client)

    for index in range(len(results)):
        await session.send(f'2{index}["ask",{index}]')
    await session.send('217["ask async",4]')


@scenario()
async def acknowledgements_carry_the_namespace(lab: Lab) -> None:
    """As the event did."""
    client = lab.client()
    client.on("ask", lab.noting("ask", returns="yes"), namespace="/a")
    _, session = await lab.connected(client)

    await session.send('2/a,7["ask"]')


@scenario()
async def events_without_a_handler_are_ignored(lab: Lab) -> None:
    """Without an answer, or with an empty one if one was asked for."""
    _, session = await lab.connected()

    await session.send('2["unknown",1]')
    await session.send('25["unknown",1]')


@scenario()
async def a_catch_all_handler_gets_the_event(lab: Lab) -> None:
    """It is called for events without a handler of their own, but not for connect and disconnect."""
    client = lab.client()
    client.on("*", lab.noting("any", returns="caught"))
    client.on("news", lab.noting("news", returns="own"))
    _, session = await lab.connected(client)

    await session.send('21["other",1,2]')
    await session.send('22["news",1]')
    await lab.do("disconnect", client.disconnect)


@scenario()
async def a_catch_all_namespace_gets_the_namespace(lab: Lab) -> None:
    """Before the arguments, after the event."""
    client = lab.client()
    client.on("news", lab.noting("news anywhere"), namespace="*")
    client.on("*", lab.noting("anything anywhere"), namespace="*")
    client.on("news", lab.noting("news in /a"), namespace="/a")
    _, session = await lab.connected(client, namespaces=["/a", "/b"])

    await session.send('2/a,["news",1]', '2/b,["news",1]', '2/a,["other",1]', '2/b,["other"]')


@scenario()
async def the_last_handler_wins(lab: Lab) -> None:
    """A second registration replaces the first."""
    client = lab.client()
    client.on("news", lab.noting("first"))
    client.on("news", lab.noting("second"))
    _, session = await lab.connected(client)

    await session.send('2["news"]')


@scenario()
async def decorators_register(lab: Lab) -> None:
    """on() and event() in all their forms; all return the function but for on() with a handler."""
    client = lab.client()

    @client.event
    def one() -> None:
        lab.note("one")

    @client.event(namespace="/a")
    def two() -> None:
        lab.note("two")

    @client.on("three", namespace="/a")
    def handler() -> None:
        lab.note("three")

    lab.note("registered", one.__name__, two.__name__, handler.__name__, client.on("four", lab.noting("four")))
    lab.note("handlers", {ns: sorted(events) for ns, events in client.handlers.items()})
    _, session = await lab.connected(client, namespaces=["/", "/a"])
    await session.send('2["one"]', '2/a,["two"]', '2/a,["three"]', '2["four"]')


@scenario()
async def events_of_a_namespace_that_is_not_connected(lab: Lab) -> None:
    """Their handlers are called all the same."""
    client = lab.client()
    client.on("news", lab.noting("news"), namespace="/b")
    _, session = await lab.connected(client, namespaces=["/a"])

    await session.send('2/b,1["news"]')


@scenario()
async def a_handler_that_raises_is_not_acknowledged(lab: Lab) -> None:
    """And changes nothing else."""
    client = lab.client()

    @client.event
    def ask() -> None:
        raise RuntimeError("defect")

    client.on("news", lab.noting("news", returns=1))
    _, session = await lab.connected(client)

    await session.send('21["ask"]')
    await session.send('22["news"]')


@scenario()
async def a_handler_of_the_wrong_arity_is_not_acknowledged(lab: Lab) -> None:
    """Nobody guesses what it takes."""
    client = lab.client()
    client.on("ask", lambda one: lab.note("ask", one))
    _, session = await lab.connected(client)

    await session.send('21["ask"]')
    await session.send('22["ask",1,2]')
    await session.send('23["ask",1]')


@scenario()
async def plain_handlers_run_in_order(lab: Lab) -> None:
    """One after the other, as the events came."""
    client = lab.client()
    client.on("news", lab.noting("news"))
    _, session = await lab.connected(client)

    await session.send(*[f'2["news",{n}]' for n in range(20)])


@scenario(halves=("aio",))
async def coroutine_handlers_overlap(lab: Lab) -> None:
    """A handler that waits lets the next one run."""
    client = lab.client()
    gate = asyncio.Event()

    @client.event
    async def slow(number: int) -> int:
        lab.note("slow begins", number)
        await gate.wait()
        lab.note("slow ends", number)
        return number

    client.on("quick", lab.noting("quick", returns="q"))
    _, session = await lab.connected(client)

    await session.send('21["slow",1]', '22["slow",2]', '23["quick"]')
    lab.step("the gate opens")
    gate.set()
    await lab.settle()


@scenario()
async def a_handler_may_emit_and_call(lab: Lab) -> None:
    """Its own answer comes last."""
    client = lab.client()

    if lab.asynchronous:

        async def ask() -> Any:
            await client.emit("side", 1)
            return await client.call("back", 2)
    else:

        def ask() -> Any:
            client.emit("side", 1)
            return client.call("back", 2)

    client.on("ask", ask)
    _, session = await lab.connected(client)

    await session.send('29["ask"]')
    await session.send('31["answer"]')


@scenario(
    differs=Difference(
        row="C-56",
        reason="Only what happens to the client calls these handlers.",
        socketio=[
            "app: disconnect 'x'",
            "app: then True",
        ],
        fastsio=[
            "app: disconnect 'transport error'",
            "app: then False",
            "s1: gone",
        ],
    )
)
async def connect_and_disconnect_events_of_the_server(lab: Lab) -> None:
    """A server that emits reserved names."""
    client = lab.client()
    client.on("connect", lab.noting("connect"))
    client.on("disconnect", lab.noting("disconnect"))
    client.on("connect_error", lab.noting("connect_error"))
    _, session = await lab.connected(client)

    lab.step("the server emits disconnect")
    await session.write('42["disconnect","x"]')
    await lab.settle()
    lab.note("then", client.connected)


@scenario(
    differs=Difference(
        row="C-56",
        reason="What the protocol does not have ends the connection, and the client comes back.",
        socketio=[
            "app: then True",
            "app: then True",
            "app: then True",
            "app: then True",
            "app: then True",
            "app: then True",
            "app: then True",
            "app: then True",
            "app: then True",
            "app: then True",
            "app: then True",
        ],
        fastsio=[
            "app: then False",
            "app: then False",
            "app: then False",
            "app: then False",
            "app: then False",
            "app: then False",
            "app: then False",
            "app: then False",
            "app: then False",
            "app: then False",
            "app: then False",
        ],
    )
)
async def malformed_packets(lab: Lab) -> None:
    """What no server sends."""
    for packet in ("", "x", "9", '2{"a":1}', "2[", '2["news"', "3", "3x[]", "2", "2[]", "2[{}]"):
        client = lab.client()
        _, session = await lab.connected(client)
        lab.step(f"the server sends {packet!r}")
        await session.write(f"4{packet}")
        await session.taken()
        lab.note("then", client.connected)
        await lab.quietly(client.disconnect)


@scenario(
    differs=Difference(
        row="C-56",
        reason="What the protocol does not have ends the connection, and the client comes back.",
        socketio=[
            "app: then True",
        ],
        fastsio=[
            "app: disconnect 'transport error'",
            "app: then False",
            "s1: gone",
        ],
    )
)
async def attachments_that_nobody_announced(lab: Lab) -> None:
    """A binary frame without its packet."""
    client = lab.client()
    client.on("disconnect", lab.noting("disconnect"))
    _, session = await lab.connected(client)

    await session.send_frames(b"surprise")
    lab.note("then", client.connected)


@scenario(
    differs=Difference(
        row="C-56",
        reason="An attachment is binary.",
        socketio=[
            "app: news '2[\"news\",1]'",
            "app: then True",
        ],
        fastsio=[
            "app: disconnect 'transport error'",
            "app: then False",
            "s1: gone",
        ],
    )
)
async def text_between_attachments(lab: Lab) -> None:
    """A text packet where an attachment is missing."""
    client = lab.client()
    client.on("disconnect", lab.noting("disconnect"))
    client.on("news", lab.noting("news"))
    _, session = await lab.connected(client)

    await session.send_frames('451-["news",{"_placeholder":true,"num":0}]', '42["news",1]')
    lab.note("then", client.connected)


@scenario()
async def msgpack_packets(lab: Lab) -> None:
    """serializer="msgpack" sends and reads binary frames."""
    lab.packed = True
    lab.answering = False
    client = lab.client(serializer="msgpack")
    client.on("news", lab.noting("news", returns=b"x"))
    client.on("disconnect", lab.noting("disconnect"))
    await lab.do("connect", client.connect, lab.url, transports=["websocket"], wait=False, auth={"a": 1})
    session = lab.session

    await session.send(b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x81\xa3sid\xa3one")
    await session.send(b"\x84\xa4type\x02\xa3nsp\xa1/\xa4data\x93\xa4news\x01\xc4\x02ab\xa2id\x07")
    await lab.do("emit", client.emit, "x", {"b": b"y"})
    lab.step("the server ends the namespace")
    await session.write(b"\x82\xa4type\x01\xa3nsp\xa1/")
    await lab.settle()
    lab.note("then", client.connected)
