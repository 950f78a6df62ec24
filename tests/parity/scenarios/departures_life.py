"""Where fastsio departs on purpose: connecting and disconnecting."""


from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def a_connect_handler_that_raises_is_answered(lab: Lab) -> None:
    """The client is refused, told so, and leaves nothing behind."""
    sio = lab.server()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        lab.note("connect", sid)
        raise RuntimeError("secret")

    client = await lab.client("/")
    await lab.do("broadcast", sio.emit, "x", 1)
    await client.close()
    await lab.do("participants", lambda: list(sio.manager.get_participants("/", None)))


@scenario()
async def a_handler_of_two_parameters_serves_clients_with_auth(lab: Lab) -> None:
    """The auth payload is left out when the signature has no place for it."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: Any) -> None:
        lab.note("connect", sid, environ)

    client = await lab.client()

    await client.join(auth='{"token":1}')


@scenario()
async def a_client_that_vanishes_while_connecting_leaves_nothing(lab: Lab) -> None:
    """It is not connected afterwards."""
    sio = lab.server()
    gate = lab.gate()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        lab.note("connect", sid)
        await gate.wait()
        lab.note("accepted")

    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")
    await client.drop()
    await lab.do("accept", gate.set)
    await lab.do("participants", lambda: list(sio.manager.get_participants("/", None)))


@scenario()
async def a_polling_client_that_closes_while_connecting_leaves_nothing(lab: Lab) -> None:
    """The same over HTTP, where the close arrives while the connect handler is running."""
    sio = lab.server()
    gate = lab.gate()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        lab.note("connect", sid)
        await gate.wait()

    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client(polling=True)
    joining = await lab.begin("the client joins", client.join())
    await client.close()
    await lab.do("accept", gate.set)
    await lab.finish(joining)
    await lab.do("participants", lambda: list(sio.manager.get_participants("/", None)))


@scenario()
async def a_type_error_inside_connect_runs_it_once(lab: Lab) -> None:
    """The arity is read from the signature, not guessed from a TypeError."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: Any, auth: Any = None) -> None:
        lab.note("connect", sid, auth)
        raise TypeError("from inside")

    await lab.client("/")


@scenario()
async def a_type_error_inside_disconnect_runs_it_once(lab: Lab) -> None:
    """The same for the reason of a disconnect handler."""
    sio = lab.server()

    @sio.event
    def disconnect(sid: str, reason: str = "none") -> None:
        lab.note("disconnect", sid, reason)
        raise TypeError("from inside")

    client = await lab.client("/")

    await client.send("1")


@scenario()
async def emits_inside_connect_follow_the_answer(lab: Lab) -> None:
    """A client reads CONNECT before the events that its connect handler emitted."""
    sio = lab.server()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        await sio.emit("welcome", 1, to=sid)
        await sio.enter_room(sid, "lobby")
        await sio.emit("joined", 2, room="lobby")

    await lab.client("/")


@scenario()
async def disconnecting_inside_connect_counts(lab: Lab) -> None:
    """``disconnect(sid)`` in the connect handler ends the client."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    sio.on("x", lab.noting("x"))

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        await sio.disconnect(sid)

    client = await lab.client("/")

    await client.send('2["x"]')


@scenario()
async def a_disconnect_handler_that_raises_leaves_nothing_behind(lab: Lab) -> None:
    """The client is removed whatever its handler does."""
    sio = lab.server()

    @sio.event
    def disconnect(sid: str, reason: str) -> None:
        lab.note("disconnect", sid)
        raise RuntimeError("secret")

    client = await lab.client("/")
    await client.send("1")

    await lab.do("participants", lambda: list(sio.manager.get_participants("/", None)))


@scenario()
async def a_namespace_is_not_connected_twice(lab: Lab) -> None:
    """A second CONNECT for a namespace that is joined."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    sio.on("x", lab.noting("x", returns=1))
    client = await lab.client("/", "/")

    await client.send('21["x"]')


@scenario()
async def an_unknown_namespace_is_named_invalid(lab: Lab) -> None:
    """CONNECT_ERROR carries the message of the protocol, and the connection lives on."""
    sio = lab.server()
    sio.on("x", lab.noting("x"), namespace="*")

    await lab.client("/unknown", "/")


@scenario()
async def a_list_without_the_default_namespace_closes_it(lab: Lab) -> None:
    """With ``namespaces=["/a"]`` nobody can join "/"."""
    lab.server(namespaces=["/a"])

    await lab.client("/", "/a")


@scenario()
async def a_refusal_with_always_connect(lab: Lab) -> None:
    """A client that was told it is connected is disconnected, without a payload."""
    sio = lab.server(always_connect=True)

    @sio.event
    def connect(sid: str, environ: Any) -> None:
        lab.note("connect", sid)
        raise lab.exceptions.ConnectionRefusedError("no", 1)

    await lab.client("/")


@scenario()
async def nothing_follows_a_disconnect(lab: Lab) -> None:
    """A handler that ended its own client is not acknowledged."""
    sio = lab.server()

    @sio.event
    async def quit(sid: str) -> str:  # noqa: A001 - the function's name is the event's
        await sio.emit("bye", to=sid)
        await sio.disconnect(sid)
        await sio.emit("too late", to=sid)
        return "never read"

    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")

    await client.send('21["quit"]')


@scenario()
async def shutdown_says_goodbye(lab: Lab) -> None:
    """``shutdown()`` disconnects the clients and runs their handlers."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    await lab.client("/")

    await lab.do("shutdown", sio.shutdown)
