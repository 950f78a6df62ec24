"""Where fastsio departs on purpose: connect handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import Difference, scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario(
    differs=Difference(
        row="C-01",
        reason="python-socketio does not answer and keeps the client as a target of broadcasts for ever.",
        socketio=['c1: EVENT / ["x", 1]', "app: participants gave [('<sid 1>', '<c1 eio>',)]"],
        fastsio=[
            'c1: CONNECT_ERROR / {"data": {"detail": null, "event": "connect", "msg": "The server could not process the event.", "type": "internal"}, "message": "The server could not process the event."}',
            "app: participants gave []",
        ],
    )
)
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


@scenario(
    differs=Difference(
        row="C-01",
        reason="The arity is read from the signature; python-socketio raises TypeError and never answers.",
        socketio=[],
        fastsio=["app: connect '<c1/>' <environ>", 'c1: CONNECT / {"sid": "<c1/>"}'],
    )
)
async def a_handler_of_two_parameters_serves_clients_with_auth(lab: Lab) -> None:
    """The auth payload is left out when the signature has no place for it."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: Any) -> None:
        lab.note("connect", sid, environ)

    client = await lab.client()

    await client.join(auth='{"token":1}')


@scenario(
    differs=Difference(
        row="C-02",
        reason="The connect handler is cancelled, so nothing happens for a client that is gone.",
        socketio=["app: accepted", "app: disconnect '<sid 1>' 'transport close'"],
        fastsio=[],
    )
)
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


@scenario(
    differs=Difference(
        row="C-02",
        reason="python-socketio connects the client after it has gone and never removes it.",
        socketio=["app: the client joins gave None", "app: participants gave [('<sid 1>', '<c1 eio>',)]"],
        fastsio=["app: the client joins gave None", "c1: NOOP", "app: participants gave []"],
    )
)
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


@scenario(
    differs=Difference(
        row="C-08",
        reason="The arity is read from the signature, so a TypeError from inside is an error like any other.",
        socketio=["app: connect '<sid 1>' None"],
        fastsio=[
            'c1: CONNECT_ERROR / {"data": {"detail": null, "event": "connect", "msg": "The server could not process the event.", "type": "internal"}, "message": "The server could not process the event."}'
        ],
    )
)
async def a_type_error_inside_connect_runs_it_once(lab: Lab) -> None:
    """The arity is read from the signature, not guessed from a TypeError."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: Any, auth: Any = None) -> None:
        lab.note("connect", sid, auth)
        raise TypeError("from inside")

    await lab.client("/")


@scenario(
    differs=Difference(
        row="C-09",
        reason="Clients ignore events of a namespace they have not yet been told they joined.",
        socketio=['c1: CONNECT / {"sid": "<c1/>"}'],
        fastsio=['c1: CONNECT / {"sid": "<c1/>"}'],
    )
)
async def emits_inside_connect_follow_the_answer(lab: Lab) -> None:
    """A client reads CONNECT before the events that its connect handler emitted."""
    sio = lab.server()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        await sio.emit("welcome", 1, to=sid)
        await sio.enter_room(sid, "lobby")
        await sio.emit("joined", 2, room="lobby")

    await lab.client("/")


@scenario(
    differs=Difference(
        row="C-09",
        reason="python-socketio ignores it in silence and serves the client.",
        socketio=['c1: CONNECT / {"sid": "<c1/>"}', "app: x '<c1/>'"],
        fastsio=['c1: CONNECT_ERROR / {"message": "Connection rejected by server"}'],
    )
)
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


@scenario(
    differs=Difference(
        row="C-13",
        reason="DISCONNECT has no payload; JavaScript clients close the connection on one.",
        socketio=['c1: DISCONNECT / {"data": 1, "message": "no"}'],
        fastsio=["c1: DISCONNECT /"],
    )
)
async def a_refusal_with_always_connect(lab: Lab) -> None:
    """A client that was told it is connected is disconnected, without a payload."""
    sio = lab.server(always_connect=True)

    @sio.event
    def connect(sid: str, environ: Any) -> None:
        lab.note("connect", sid)
        raise lab.exceptions.ConnectionRefusedError("no", 1)

    await lab.client("/")


@scenario(
    differs=Difference(
        row="C-24",
        reason="The reading of a client does not stop while its connect handler runs, so what it may not send yet is dropped.",
        socketio=["app: news '<c1/>' 1", 'c1: ACK / #1 ["done"]'],
        fastsio=[],
    )
)
async def events_sent_while_connecting_are_dropped(lab: Lab) -> None:
    """No handler runs before the connect handler accepted, and the manager does not count the client as connected."""
    sio = lab.server()
    gate = lab.gate()
    sids = []

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        sids.append(sid)
        lab.note("connected?", sio.manager.is_connected(sid, "/"))
        await gate.wait()

    sio.on("news", lab.noting("news", returns="done"))
    client = await lab.client("/")
    await client.send('21["news",1]')
    await lab.do("accept", gate.set)
    await lab.do("connected?", lambda: sio.manager.is_connected(sids[0], "/"))

    await client.send('22["news",2]')


@scenario()
async def the_builtin_refusal_counts_too(lab: Lab) -> None:
    """The builtin ConnectionRefusedError refuses without its text, subclasses of the package's with theirs."""
    sio = lab.server()

    class Custom(lab.exceptions.ConnectionRefusedError):
        pass

    refusals = {
        "/bare": ConnectionRefusedError(),
        "/text": ConnectionRefusedError("not today"),
        "/two": ConnectionRefusedError("not", "today"),
        "/system": ConnectionRefusedError(111, "Connect call failed ('10.0.0.7', 5432)"),
        "/custom": Custom("mine", 1),
    }
    for namespace, error in refusals.items():

        async def connect(sid: str, environ: Any, auth: Any, error: Exception = error) -> None:
            raise error

        sio.on("connect", connect, namespace=namespace)

    await lab.client(*refusals)


@scenario()
async def an_empty_auth_object_is_no_auth(lab: Lab) -> None:
    """Python clients send one when they have no auth payload."""
    sio = lab.server()
    sio.on("connect", lab.noting("connect"))
    client = await lab.client()

    await client.join(auth="{}")
