"""What a handler returns and what the client gets as acknowledgement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


async def answering(lab: Lab, *results: Any) -> None:
    """Let one client ask for each of these results in turn."""
    sio = lab.server()
    sio.on("ask", lambda _sid, index: results[index])
    client = await lab.client("/")

    for index in range(len(results)):
        await client.send(f'2{index + 1}["ask",{index}]')


@scenario()
async def none_is_an_empty_acknowledgement(lab: Lab) -> None:
    """A handler without a result acknowledges with no arguments."""
    await answering(lab, None)


@scenario()
async def one_value_is_one_argument(lab: Lab) -> None:
    """Falsy values are values."""
    await answering(lab, "text", "", 7, 0, 1.5, True, False, {"a": None}, {})


@scenario()
async def a_tuple_is_several_arguments(lab: Lab) -> None:
    """A tuple spreads, also the empty one; inside a value it is a list."""
    await answering(lab, (1, "two"), (), (None,), ([1, 2],), ((1, 2), 3), {"a": (1, 2)})


class Pair(NamedTuple):
    """A tuple with names."""

    first: Any
    second: Any


@scenario()
async def a_named_tuple_is_several_arguments(lab: Lab) -> None:
    """It is a tuple; inside a value it is a list."""
    await answering(lab, Pair(1, "two"), Pair(b"1", Pair(2, 3)), {"a": Pair(1, 2)}, [Pair(1, 2)])


@scenario()
async def a_list_is_one_argument(lab: Lab) -> None:
    """A list does not spread."""
    await answering(lab, [], [1, 2], [[]], [(1, 2)])


@scenario()
async def binary_results_travel_as_attachments(lab: Lab) -> None:
    """Bytes anywhere in the result make a BINARY_ACK."""
    await answering(lab, b"\x00\xff", {"a": b"1", "b": [b"2"]}, (b"1", "x", b"2"), b"")


@scenario()
async def an_event_without_id_is_not_acknowledged(lab: Lab) -> None:
    """The result of a handler goes nowhere when the client asks for nothing."""
    sio = lab.server()
    sio.on("ask", lab.noting("ask", returns="unread"))
    client = await lab.client("/")

    await client.send('2["ask"]')


@scenario()
async def ids_are_echoed_as_they_came(lab: Lab) -> None:
    """Zero, large and repeated ids come back."""
    sio = lab.server()
    sio.on("ask", lab.noting("ask", returns="answer"))
    client = await lab.client("/")

    for ack_id in (0, 0, 7, 9007199254740991):
        await client.send(f'2{ack_id}["ask"]')


@scenario()
async def acknowledgements_carry_the_namespace(lab: Lab) -> None:
    """An event in a namespace is acknowledged there."""
    sio = lab.server()
    sio.on("ask", lab.noting("ask", returns="answer"), namespace="/chat")
    client = await lab.client("/chat")

    await client.send('2/chat,1["ask"]')


@scenario()
async def a_binary_event_is_acknowledged_like_any_other(lab: Lab) -> None:
    """The ack of a BINARY_EVENT is plain when the result is."""
    sio = lab.server()
    sio.on("ask", lab.noting("ask", returns="plain"))
    client = await lab.client("/")

    await client.send('51-1["ask",{"_placeholder":true,"num":0}]', b"\x01\x02")


@scenario()
async def a_class_namespace_answers_with_its_results(lab: Lab) -> None:
    """Sync and async methods acknowledge alike."""
    sio = lab.server()

    class Chat(lab.package.AsyncNamespace):
        async def on_slow(self, sid: str, data: Any) -> Any:
            return data, "slow"

        def on_fast(self, sid: str, data: Any) -> Any:
            return data

        def on_nothing(self, sid: str) -> None:
            return None

    sio.register_namespace(Chat("/chat"))
    client = await lab.client("/chat")

    for ack_id, event in enumerate(['"slow",1', '"fast",2', '"nothing"'], start=1):
        await client.send(f"2/chat,{ack_id}[{event}]")


@scenario()
async def the_ack_follows_what_the_handler_emitted(lab: Lab) -> None:
    """Emits of a handler reach the client before its acknowledgement."""
    sio = lab.server()

    @sio.event
    async def ask(sid: str) -> str:
        await sio.emit("first", 1, to=sid)
        await sio.emit("second", b"\x02", to=sid)
        await sio.emit("third", 3)
        return "done"

    client = await lab.client("/")

    await client.send('21["ask"]')


@scenario()
async def a_result_that_cannot_be_sent_is_no_acknowledgement(lab: Lab) -> None:
    """An object JSON does not know fails on the server; the client waits, and the connection lives on."""
    sio = lab.server()
    sio.on("bad", lambda _sid: object())
    sio.on("good", lambda _sid: "fine")
    client = await lab.client("/")

    await client.send('21["bad"]')
    await client.send('22["good"]')
