"""What the application sends: emit, send, call, callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tests.parity.clients.scenario import scenario
from tests.parity.scenario import Difference

if TYPE_CHECKING:
    from tests.parity.clients.lab import Lab


@scenario()
async def data_becomes_arguments(lab: Lab) -> None:
    """None is no argument, a tuple several, anything else one."""
    client, _ = await lab.connected()

    for data in (None, 1, "", 0, False, (), (1, "two"), [1, 2], {"a": {"b": None}}, ([1], (2,))):
        await lab.do(f"emit {data!r}", client.emit, "x", data)


class Pair(NamedTuple):
    """A tuple with names."""

    first: Any
    second: Any


@scenario()
async def a_named_tuple_is_several_arguments(lab: Lab) -> None:
    """When sent, when asked with, and when returned by a handler."""
    client, session = await lab.connected()
    client.on("ask", lambda: Pair(1, b"2"))

    for data in (Pair(1, "two"), Pair(b"1", {"a": Pair(2, 3)}), [Pair(1, 2)]):
        await lab.do(f"emit {data!r}", client.emit, "x", data)
    await session.send('27["ask"]')


@scenario()
async def numbers_are_names_of_events(lab: Lab) -> None:
    """In both directions, with white space before a payload too."""
    client, session = await lab.connected()
    for name in (5, 5.5, "5"):
        client.on(name, lab.noting(f"event {name!r}", returns=1))

    await lab.do("emit", client.emit, 7, "seven")
    await lab.do("emit with bytes", client.emit, 7.5, b"x")
    for packet in ("2[5]", '21 [5.5,"a"]', '2 ["5"]'):
        await session.send(packet)


@scenario()
async def bytes_travel_as_attachments(lab: Lab) -> None:
    """Wherever they are."""
    client, _ = await lab.connected()

    for data in (b"", b"abc", {"a": [b"1", b"2"]}, (b"1", "x", b"2")):
        await lab.do(f"emit {data!r}", client.emit, "x", data)


@scenario()
async def send_is_the_event_message(lab: Lab) -> None:
    """With the same arguments."""
    client, _ = await lab.connected(namespaces=["/", "/a"])

    await lab.do("send", client.send, "text")
    await lab.do("send in /a", client.send, (1, 2), namespace="/a")
    await lab.do("send with callback", client.send, None, callback=lab.noting("callback"))


@scenario()
async def emit_returns_none_at_once(lab: Lab) -> None:
    """Positional arguments are event, data, namespace, callback."""
    client, session = await lab.connected(namespaces=["/", "/a"])

    await lab.do("emit", client.emit, "x", {"a": 1}, "/a", lab.noting("callback"))
    await session.send('3/a,1["ok",2]')


@scenario()
async def callbacks_get_the_arguments(lab: Lab) -> None:
    """Ids count from 1 in each namespace; each callback is called once."""
    client, session = await lab.connected(namespaces=["/", "/a"])
    for number in (1, 2):
        await lab.do(f"emit {number}", client.emit, "x", callback=lab.noting(f"callback {number}"))
    await lab.do("emit in /a", client.emit, "x", namespace="/a", callback=lab.noting("callback /a"))

    await session.send('32["two"]')
    await session.send("31[]")
    await session.send('3/a,1["a",[1]]')
    await session.send('32["again"]')


@scenario()
async def a_callback_may_be_a_coroutine_function(lab: Lab) -> None:
    """On asyncio it is awaited."""
    client, session = await lab.connected()

    await lab.do("emit", client.emit, "x", callback=lab.handler(lab.noting("callback")))
    await session.send('31["ok"]')


@scenario()
async def binary_acknowledgements_are_put_together(lab: Lab) -> None:
    """As events are."""
    client, session = await lab.connected()

    await lab.do("emit", client.emit, "x", callback=lab.noting("callback"))
    await session.send('61-1[{"_placeholder":true,"num":0}]', b"abc")


@scenario()
async def unknown_acknowledgements_are_ignored(lab: Lab) -> None:
    """Ids nobody waits for, zero among them."""
    client, session = await lab.connected()

    for packet in ("30[]", '399["x"]', '3/b,1["x"]'):
        await session.send(packet)
    await lab.do("emit", client.emit, "x", callback=lab.noting("callback"))
    await session.send('31["ok"]')


@scenario()
async def a_callback_that_raises_changes_nothing(lab: Lab) -> None:
    """The connection lives on."""
    client, session = await lab.connected()

    def callback() -> None:
        raise RuntimeError("defect")

    await lab.do("emit", client.emit, "x", callback=callback)
    await session.send("31[]")
    await lab.do("emit again", client.emit, "x")


@scenario()
async def call_returns_the_answer(lab: Lab) -> None:
    """None for no argument, one value, or a tuple of several."""
    client, session = await lab.connected()

    for number, answer in enumerate(("[]", '["one"]', "[null]", "[1,2]", '[{"a":1}]', "[[1,2]]"), 1):
        task = await lab.begin(f"call {answer}", client.call, "ask", 1)
        await session.send(f"3{number}{answer}")
        await lab.finish(task)


@scenario()
async def call_times_out(lab: Lab) -> None:
    """The late answer is ignored."""
    client, session = await lab.connected()

    await lab.do("call", client.call, "ask", timeout=0.02)
    await session.send('31["late"]')


@scenario()
async def calls_in_namespaces(lab: Lab) -> None:
    """Ids count in each."""
    client, session = await lab.connected(namespaces=["/", "/a"])

    task = await lab.begin("call", client.call, "ask", (1, 2), namespace="/a")
    await session.send('3/a,1["a"]')
    await lab.finish(task)


@scenario()
async def an_unconnected_namespace_is_an_error(lab: Lab) -> None:
    """emit, send and call raise BadNamespaceError."""
    client, _ = await lab.connected()

    for name in ("emit", "call"):
        await lab.do(name, getattr(client, name), "x", namespace="/b")
    await lab.do("send", client.send, "x", namespace="/b")


@scenario()
async def an_unconnected_client_is_an_error(lab: Lab) -> None:
    """Before connect and after disconnect."""
    client = lab.client()
    await lab.do("emit", client.emit, "x")
    await lab.connected(client)
    await lab.do("disconnect", client.disconnect)

    await lab.do("emit", client.emit, "x")
    await lab.do("call", client.call, "x")


@scenario(
    differs=Difference(
        row="C-03",
        reason="Servers refuse reserved names and close the connection, so the mistake is told to the caller.",
        socketio=[
            "app: emit connect gave None",
            's1: EVENT / ["connect", 1]',
            "app: emit disconnect gave None",
            's1: EVENT / ["disconnect", 1]',
            "app: emit connect_error gave None",
            's1: EVENT / ["connect_error", 1]',
        ],
        fastsio=[
            "app: emit connect raised ValueError: event name 'connect' is reserved, clients refuse it; choose another name",
            "app: emit disconnect raised ValueError: event name 'disconnect' is reserved, clients refuse it; choose another name",
            "app: emit connect_error raised ValueError: event name 'connect_error' is reserved, clients refuse it; choose another name",
        ],
    )
)
async def event_names_are_not_checked(lab: Lab) -> None:
    """Reserved names."""
    client, _ = await lab.connected()

    for name in ("connect", "disconnect", "connect_error"):
        await lab.do(f"emit {name}", client.emit, name, 1)


@scenario()
async def payloads_without_json(lab: Lab) -> None:
    """TypeError, and the connection lives on."""
    client, _ = await lab.connected()

    async def emit(payload: Any) -> str:
        try:
            await lab.run_action(client.emit, "x", payload)
        except TypeError:
            return "TypeError"
        return "no error"

    await lab.do("emit an object", emit, object())
    await lab.do("emit", client.emit, "x")


@scenario()
async def many_emits_keep_their_order(lab: Lab) -> None:
    """Attachments stay with their packets."""
    client, session = await lab.connected()

    async def emit_many() -> None:
        for number in range(10):
            await lab.run_action(client.emit, "x", b"%d" % number if number % 3 == 0 else number)

    await lab.do("emit many", emit_many)
    await session.barrier()
