"""Callbacks of emit(), and what reaches them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def a_callback_gets_the_acknowledged_arguments(lab: Lab) -> None:
    """No argument, one and several arrive as positional arguments."""
    sio = lab.server()
    client = await lab.client("/")

    for ack in ("[]", "[1]", '["a",{"b":2},null]', "[[1,2]]"):
        await lab.do("emit", sio.emit, "ask", 1, to=client.sid, callback=lab.noting("callback"))
        await client.send(f"3{client.last_ack_id}{ack}")


@scenario()
async def a_callback_may_be_a_coroutine_function(lab: Lab) -> None:
    """An async callback is awaited."""
    sio = lab.server()
    client = await lab.client("/")

    async def callback(*args: Any) -> None:
        await sio.sleep(0)
        lab.note("callback", *args)

    await lab.do("emit", sio.emit, "ask", 1, to=client.sid, callback=callback)

    await client.send('31["answer"]')


@scenario()
async def binary_acknowledgements_reach_the_callback(lab: Lab) -> None:
    """A BINARY_ACK is put together before the callback runs."""
    sio = lab.server()
    client = await lab.client("/")
    await lab.do("emit", sio.emit, "ask", b"\x01", to=client.sid, callback=lab.noting("callback"))

    await client.send('62-1[{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}]', b"\x01", b"")


@scenario()
async def ids_count_up_from_one_for_each_client(lab: Lab) -> None:
    """Every emit with a callback takes the next id of its client."""
    sio = lab.server()
    first = await lab.client("/")
    second = await lab.client("/")

    for client in (first, first, second):
        await lab.do("emit", sio.emit, "ask", to=client.sid, callback=lab.noting("callback"))
    await lab.do("emit", sio.emit, "tell", to=first.sid)

    await first.send('32["second"]')
    await first.send('31["first"]')
    await second.send('31["other"]')


@scenario()
async def an_acknowledgement_counts_once(lab: Lab) -> None:
    """A repeated ack, an unknown id and an ack of another client reach no callback."""
    sio = lab.server()
    client = await lab.client("/")
    other = await lab.client("/")
    await lab.do("emit", sio.emit, "ask", to=client.sid, callback=lab.noting("callback"))

    await other.send('31["not yours"]')
    await client.send('399["unknown"]')
    await client.send('31["once"]')
    await client.send('31["twice"]')


@scenario()
async def a_callback_of_a_broadcast_runs_for_every_client(lab: Lab) -> None:
    """Emitting to everybody with a callback asks each client."""
    sio = lab.server()
    clients = [await lab.client("/"), await lab.client("/")]
    await lab.do("emit", sio.emit, "ask", callback=lab.noting("callback"))

    for number, client in enumerate(clients):
        await client.send(f"3{client.last_ack_id}[{number}]")


@scenario()
async def a_callback_in_a_namespace(lab: Lab) -> None:
    """The ack must come in the namespace of the emit."""
    sio = lab.server(namespaces=["/", "/chat"])
    client = await lab.client("/", "/chat")
    sid = client.sids["/chat"]
    await lab.do("emit", sio.emit, "ask", to=sid, namespace="/chat", callback=lab.noting("callback"))

    await client.send('31["wrong namespace"]')
    await client.send('3/chat,1["right"]')


@scenario()
async def a_callback_that_raises_harms_nobody(lab: Lab) -> None:
    """The connection lives on."""
    sio = lab.server()
    sio.on("news", lab.noting("news", returns="ok"))
    client = await lab.client("/")

    def callback(*args: Any) -> None:
        lab.note("callback", *args)
        raise RuntimeError("secret")

    await lab.do("emit", sio.emit, "ask", to=client.sid, callback=callback)

    await client.send("31[1]")
    await client.send('21["news"]')


@scenario()
async def a_handler_may_emit_with_a_callback_to_its_caller(lab: Lab) -> None:
    """Question and counter-question use separate ids."""
    sio = lab.server()

    @sio.event
    async def ask(sid: str) -> str:
        await sio.emit("counter", to=sid, callback=lab.noting("callback"))
        return "answer"

    client = await lab.client("/")

    await client.send('21["ask"]')
    await client.send('31["counter answer"]')


@scenario()
async def send_takes_a_callback_too(lab: Lab) -> None:
    """``send()`` is emit of the event "message"."""
    sio = lab.server()
    client = await lab.client("/")
    await lab.do("send", sio.send, "hi", to=client.sid, callback=lab.noting("callback"))

    await client.send('31["got it"]')
