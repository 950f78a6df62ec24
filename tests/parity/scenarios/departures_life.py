"""Where fastsio departs on purpose: namespaces, disconnecting, sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import Difference, scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario(
    differs=Difference(
        row="C-08",
        reason="The arity is read from the signature, so a TypeError from inside is an error like any other.",
        socketio=["app: disconnect '<c1/>' 'none'"],
        fastsio=[],
    )
)
async def a_type_error_inside_disconnect_runs_it_once(lab: Lab) -> None:
    """The same for the reason of a disconnect handler."""
    sio = lab.server()

    @sio.event
    def disconnect(sid: str, reason: str = "none") -> None:
        lab.note("disconnect", sid, reason)
        raise TypeError("from inside")

    client = await lab.client("/")

    await client.send("1")


@scenario(
    differs=Difference(
        row="C-22",
        reason="python-socketio keeps the client in all its rooms when its handler raises.",
        socketio=["app: participants gave [('<c1/>', '<c1 eio>',)]"],
        fastsio=["app: participants gave []"],
    )
)
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


@scenario(
    differs=Difference(
        row="C-140",
        reason="A client that is told to disconnect and to connect before it is answered says CONNECT twice.",
        socketio=['c1: CONNECT_ERROR / "Unable to connect"', "app: x '<c1/>'"],
        fastsio=["app: disconnect '<c1/>' 'client disconnect'", 'c1: CONNECT / {"sid": "<c1/ 2>"}', "app: x '<c1/ 2>'"],
    )
)
async def a_namespace_is_connected_anew(lab: Lab) -> None:
    """A second CONNECT for a namespace that is joined: what the client was has left, and it is let in again."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    sio.on("x", lab.noting("x", returns=1))
    client = await lab.client("/", "/")

    await client.send('21["x"]')


@scenario(
    differs=Difference(
        row="C-14",
        reason='The protocol gives the message "Invalid namespace" in an object.',
        socketio=['c1: CONNECT_ERROR /unknown "Unable to connect"'],
        fastsio=['c1: CONNECT_ERROR /unknown {"message": "Invalid namespace"}'],
    )
)
async def an_unknown_namespace_is_named_invalid(lab: Lab) -> None:
    """CONNECT_ERROR carries the message of the protocol, and the connection lives on."""
    sio = lab.server()
    sio.on("x", lab.noting("x"), namespace="*")

    await lab.client("/unknown", "/")


@scenario(
    differs=Difference(
        row="C-14",
        reason='The protocol gives the message "Invalid namespace" in an object.',
        socketio=['c1: CONNECT_ERROR / "Unable to connect"'],
        fastsio=['c1: CONNECT_ERROR / {"message": "Invalid namespace"}'],
    )
)
async def a_list_without_the_default_namespace_closes_it(lab: Lab) -> None:
    """With ``namespaces=["/a"]`` nobody can join "/"."""
    lab.server(namespaces=["/a"])

    await lab.client("/", "/a")


@scenario(
    differs=Difference(
        row="C-23",
        reason="shutdown() ends what the server began; python-socketio only stops its timer.",
        socketio=[],
        fastsio=["app: disconnect '<c1/>' 'server shutting down'", "c1: closed"],
    )
)
async def shutdown_ends_connections(lab: Lab) -> None:
    """``shutdown()`` ends the transports, so that clients connect again, and runs the disconnect handlers."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    await lab.client("/")

    await lab.do("shutdown", sio.shutdown)


@scenario(
    differs=Difference(
        row="C-24",
        reason="The reading of a client does not stop while its connect handler runs.",
        socketio=['c1: CONNECT / {"sid": "<c1/>"}'],
        fastsio=['c1: CONNECT / {"sid": "<c1/>"}'],
    )
)
async def a_client_may_join_while_another_namespace_is_connecting(lab: Lab) -> None:
    """One slow connect handler does not hold up the other namespaces of the connection."""
    sio = lab.server()
    gate = lab.gate()

    @sio.on("connect", namespace="/slow")
    async def connect(sid: str, environ: Any) -> None:
        lab.note("slow begins")
        await gate.wait()
        lab.note("slow ends")

    client = await lab.client("/slow")
    await client.join("/")

    await lab.do("accept", gate.set)


@scenario(
    differs=Difference(
        row="C-25",
        reason="A new sid begins with an empty session, whoever had the connection before.",
        socketio=["app: get gave {'a': 1}"],
        fastsio=["app: get gave {}"],
    )
)
async def a_session_ends_with_the_namespace(lab: Lab) -> None:
    """A client that leaves and joins again on the same connection."""
    sio = lab.server()
    client = await lab.client("/")
    await lab.do("save", sio.save_session, client.sid, {"a": 1})

    await client.send("1")
    await client.join()
    await lab.do("get", sio.get_session, client.sid)
