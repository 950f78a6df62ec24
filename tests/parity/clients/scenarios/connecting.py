"""How a client connects: handshakes, namespaces, auth, handlers, packets it did not ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.parity.clients.lab import described
from tests.parity.clients.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.clients.lab import Lab


@scenario()
async def a_websocket_client_joins_the_root(lab: Lab) -> None:
    """It sends CONNECT with an empty object."""
    client, _ = await lab.connected()

    lab.note("then", *described(client), client.get_sid(), client.get_sid("/chat"))


@scenario()
async def a_polling_client_joins_the_root(lab: Lab) -> None:
    """The same over HTTP."""
    client = lab.client()
    client.on("news", lab.noting("news"))

    await lab.do("connect", client.connect, lab.url, transports=["polling"])
    await lab.session.send('2["news",1]', '51-["news",{"_placeholder":true,"num":0}]', b"ab")
    await lab.do("emit", client.emit, "x", (1, b"cd"))
    lab.note("then", *described(client))


@scenario()
async def a_client_upgrades_to_websocket(lab: Lab) -> None:
    """Polling first, then the probe."""
    lab.upgrades = True
    client = lab.client()

    await lab.do("connect", client.connect, lab.url)
    lab.note("then", *described(client))


@scenario()
async def transports_may_be_text(lab: Lab) -> None:
    """One transport needs no list."""
    client = lab.client()

    await lab.do("connect", client.connect, lab.url, transports="websocket")


@scenario()
async def the_query_and_the_path_are_kept(lab: Lab) -> None:
    """The URL's query goes into the handshake."""
    client = lab.client()

    await lab.do(
        "connect", client.connect, f"{lab.url}/ignored?token=1", transports=["websocket"], socketio_path="/a/b/"
    )
    lab.note("then", client.connection_url.removeprefix(lab.url), client.socketio_path, client.connection_transports)


@scenario()
async def headers_and_auth_are_sent(lab: Lab) -> None:
    """Headers go into the handshake, auth into CONNECT."""
    client = lab.client()

    await lab.connected(client, headers={"X-One": "1"}, auth={"token": "t"})
    lab.note("then", client.connection_headers, client.connection_auth)


@scenario()
async def auth_may_be_any_value(lab: Lab) -> None:
    """What is falsy counts as nothing."""
    for auth in ("text", [1], 0, {}, ""):
        await lab.connected(auth=auth)


@scenario()
async def url_headers_and_auth_may_be_functions(lab: Lab) -> None:
    """They are called when they are needed."""
    client = lab.client()

    def auth() -> dict[str, int]:
        lab.note("auth is asked for")
        return {"n": 1}

    def headers() -> dict[str, str]:
        lab.note("headers are asked for")
        return {"X-Two": "2"}

    def url() -> str:
        lab.note("url is asked for")
        return lab.url

    await lab.do("connect", client.connect, url, headers=headers, auth=auth, transports=["websocket"])
    lab.note("then", client.connection_url is url, client.connection_auth is auth)


@scenario(halves=("aio",))
async def url_headers_and_auth_may_be_coroutine_functions(lab: Lab) -> None:
    """On asyncio they may be awaited."""
    client = lab.client()

    async def auth() -> dict[str, int]:
        return {"n": 1}

    async def headers() -> dict[str, str]:
        return {"X-Two": "2"}

    async def url() -> str:
        return lab.url

    await lab.do("connect", client.connect, url, headers=headers, auth=auth, transports=["websocket"])


@scenario()
async def namespaces_with_handlers_are_joined(lab: Lab) -> None:
    """Without a list the namespaces that have handlers are joined, but not "*"."""
    client = lab.client()
    client.on("news", lab.noting("news"), namespace="/chat")
    client.on("news", lab.noting("news"), namespace="*")

    await lab.do("connect", client.connect, lab.url, transports=["websocket"])
    lab.note("then", client.connection_namespaces, client.namespaces, client.sid)


@scenario()
async def namespaces_with_classes_are_joined(lab: Lab) -> None:
    """As those with functions."""
    client = lab.client()
    client.register_namespace(lab.class_named("ClientNamespace")("/admin"))

    await lab.do("connect", client.connect, lab.url, transports=["websocket"])
    lab.note("then", client.connection_namespaces, client.namespaces)


@scenario()
async def namespaces_may_be_named(lab: Lab) -> None:
    """Those of the list are joined, and no others."""
    client = lab.client()
    client.on("news", lab.noting("news"), namespace="/ignored")

    await lab.connected(client, namespaces=["/a", "/b"])
    lab.note("then", client.namespaces, client.sid, client.get_sid("/a"))


@scenario()
async def one_namespace_may_be_text(lab: Lab) -> None:
    """One namespace needs no list."""
    client, _ = await lab.connected(namespaces="/a")
    lab.note("then", client.namespaces, client.connection_namespaces)


@scenario()
async def an_empty_list_of_namespaces_joins_none(lab: Lab) -> None:
    """Nothing is sent."""
    client = lab.client()

    await lab.connected(client, namespaces=[], wait_timeout=0.05)
    lab.note("then", *described(client))


@scenario()
async def a_second_connect_is_an_error(lab: Lab) -> None:
    """A client has one connection."""
    client, _ = await lab.connected()

    await lab.do("connect again", client.connect, lab.url)
    lab.note("then", client.connected)


@scenario()
async def connect_need_not_wait(lab: Lab) -> None:
    """With wait=False it returns before the namespaces are joined."""
    client = lab.client()
    client.on("connect", lab.noting("connect"))
    client.on("connect_error", lab.noting("connect_error"), namespace="/a")
    lab.answering = False

    _, session = await lab.connected(client, wait=False, namespaces=["/", "/a"])
    lab.note("then", *described(client))
    await session.send('0{"sid":"one"}')
    await session.send('4/a,{"message":"no"}')
    lab.note("then", *described(client))


@scenario()
async def a_client_may_connect_again(lab: Lab) -> None:
    """After it has left."""
    client, _ = await lab.connected()
    await lab.do("disconnect", client.disconnect)
    lab.note("between", *described(client))

    await lab.connected(client, namespaces=["/a"])
    lab.note("then", *described(client))


@scenario()
async def connect_handlers_run(lab: Lab) -> None:
    """Without arguments, once for each namespace; with "*" the namespace comes first."""
    client = lab.client()
    client.on("connect", lab.noting("connect"))
    client.on("connect", lab.handler(lab.noting("connect anywhere")), namespace="*")

    await lab.connected(client, namespaces=["/", "/a"])


@scenario()
async def the_connect_handler_sees_its_namespace_connected(lab: Lab) -> None:
    """It may emit at once."""
    client = lab.client()

    if lab.asynchronous:

        async def connect() -> None:
            lab.note("in connect", client.connected, client.namespaces, client.sid)
            await client.emit("hello")
    else:

        def connect() -> None:
            lab.note("in connect", client.connected, client.namespaces, client.sid)
            client.emit("hello")

    client.on("connect", connect)
    await lab.connected(client)


@scenario()
async def a_connect_handler_that_raises_changes_nothing(lab: Lab) -> None:
    """The namespace is connected."""
    client = lab.client()

    @client.event
    def connect() -> None:
        raise RuntimeError("defect")

    client.on("news", lab.noting("news"))
    _, session = await lab.connected(client, wait_timeout=1)
    await session.send('2["news"]')
    lab.note("then", client.connected, client.namespaces)


@scenario()
async def a_second_connect_packet_is_ignored(lab: Lab) -> None:
    """The first sid stays and the handler is not called again."""
    client = lab.client()
    client.on("connect", lab.noting("connect"))
    _, session = await lab.connected(client)

    await session.send('0{"sid":"other"}')
    lab.note("then", client.sid, client.namespaces)


@scenario()
async def a_connect_packet_of_a_namespace_nobody_asked_for(lab: Lab) -> None:
    """It is taken."""
    client = lab.client()
    client.on("connect", lab.noting("connect"), namespace="/b")
    _, session = await lab.connected(client, namespaces=["/"])

    await session.send('0/b,{"sid":"b1"}')
    lab.note("then", client.namespaces)


@scenario()
async def a_connect_packet_without_a_sid(lab: Lab) -> None:
    """The Engine.IO sid stands in."""
    client = lab.client()
    client.on("connect", lab.noting("connect"))
    lab.answers["/"] = ["0"]

    await lab.connected(client)
    lab.note("then", client.namespaces)
