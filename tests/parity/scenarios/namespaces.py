"""Which namespaces a client may join, and how they stay apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def the_default_namespace_is_always_open(lab: Lab) -> None:
    """A server without any handler accepts clients in "/"."""
    sio = lab.server()

    await lab.client("/")
    await lab.do("emit", sio.emit, "x", 1)


@scenario()
async def the_default_namespace_may_be_spelled_out(lab: Lab) -> None:
    """The packet "0/," is CONNECT for the default namespace."""
    sio = lab.server()
    sio.on("x", lab.noting("x", returns=1))
    client = await lab.client()

    await client.send("0/,")
    await client.send('2/,1["x"]')


@scenario()
async def handlers_open_their_namespace(lab: Lab) -> None:
    """A function or class registered for a namespace makes it connectable."""
    sio = lab.server()
    sio.on("x", lab.noting("x"), namespace="/function")
    sio.register_namespace(lab.package.AsyncNamespace("/class"))

    await lab.client("/function", "/class")


@scenario()
async def a_list_of_namespaces_opens_those(lab: Lab) -> None:
    """``namespaces=[...]`` lists what is accepted beside what has handlers."""
    sio = lab.server(namespaces=["/", "/a"])
    sio.on("x", lab.noting("x"), namespace="/b")

    client = await lab.client("/", "/a")

    await client.send('2/a,1["x"]')


@scenario()
async def a_star_opens_every_namespace(lab: Lab) -> None:
    """``namespaces="*"`` accepts any name, with and without catch-all handlers."""
    sio = lab.server(namespaces="*")
    sio.on("x", lab.noting("x", returns="caught"), namespace="*")

    client = await lab.client("/", "/any", "/any/thing")

    await client.send('2/any/thing,1["x",1]')
    await client.send('21["x",1]')


@scenario()
async def one_connection_carries_several_namespaces(lab: Lab) -> None:
    """Each namespace has its own sid, handlers and acknowledgements."""
    sio = lab.server()
    for namespace in ("/", "/chat", "/admin"):
        sio.on("connect", lab.noting(f"connect {namespace}"), namespace=namespace)
        sio.on("x", lab.noting(f"x {namespace}", returns=namespace), namespace=namespace)

    client = await lab.client("/", "/chat", "/admin")

    await client.send('21["x"]')
    await client.send('2/chat,1["x"]')
    await client.send('2/admin,1["x"]')


@scenario()
async def a_namespace_needs_no_default_namespace(lab: Lab) -> None:
    """A client may join "/chat" alone; nothing in "/" reaches it."""
    sio = lab.server(namespaces=["/", "/chat"])
    await lab.client("/chat")

    await lab.do("/", sio.emit, "x", 1)
    await lab.do("/chat", sio.emit, "x", 2, namespace="/chat")


@scenario()
async def the_query_of_a_namespace_is_not_part_of_its_name(lab: Lab) -> None:
    """The namespace "/chat?token=1" is "/chat"."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect"), namespace="/chat")
    sio.on("x", lab.noting("x", returns=1), namespace="/chat")
    client = await lab.client()

    await client.send("0/chat?token=1,")
    await client.send('2/chat,1["x"]')


@scenario()
async def a_namespace_may_end_the_packet_without_a_comma(lab: Lab) -> None:
    """The packet "0/chat" is CONNECT for "/chat"."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect"), namespace="/chat")
    client = await lab.client()

    await client.send("0/chat")


@scenario()
async def handlers_of_the_default_namespace_do_not_serve_others(lab: Lab) -> None:
    """There is no fallback from one namespace to another."""
    sio = lab.server(namespaces=["/", "/chat"])
    sio.on("x", lab.noting("x"))
    sio.on("*", lab.noting("*"))
    client = await lab.client("/chat")

    await client.send('2/chat,1["x"]')


@scenario()
async def refusing_one_namespace_leaves_the_others(lab: Lab) -> None:
    """A refusal in one namespace does not end the connection."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect", returns=False), namespace="/admin")
    sio.on("x", lab.noting("x", returns=1))

    client = await lab.client("/", "/admin")

    await client.send('21["x"]')


@scenario()
async def always_connect_answers_before_the_handler_runs(lab: Lab) -> None:
    """With ``always_connect=True`` the CONNECT answer does not wait for the handler."""
    sio = lab.server(always_connect=True)
    gate = lab.gate()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        lab.note("connecting", sid)
        await gate.wait()
        await sio.emit("welcome", to=sid)
        lab.note("connected", sid)

    await lab.client("/")

    await lab.do("accept", gate.set)
