"""What a disconnect handler gets, when it runs, and what is still there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def a_disconnect_packet_is_reason_client_disconnect(lab: Lab) -> None:
    """The client leaves one namespace; the transport stays open."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")

    await client.send("1")
    await client.send('21["late"]')


@scenario()
async def a_closed_transport_is_reason_transport_close(lab: Lab) -> None:
    """Closing the websocket runs the disconnect handlers of all namespaces."""
    sio = lab.server()
    for namespace in ("/", "/chat"):
        sio.on("disconnect", lab.noting(f"disconnect {namespace}"), namespace=namespace)
    client = await lab.client("/", "/chat")

    await client.close()


@scenario()
async def a_cut_connection_is_reason_transport_close(lab: Lab) -> None:
    """A client that vanishes without a closing handshake has left all the same."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")

    await client.drop()


@scenario()
async def the_server_may_disconnect_a_client(lab: Lab) -> None:
    """``disconnect(sid)`` sends DISCONNECT and runs the handler with reason 'server disconnect'."""
    sio = lab.server()
    sio.on("disconnect", lab.noting("disconnect"))
    client = await lab.client("/")

    await lab.do("disconnect", sio.disconnect, client.sid)
    await lab.do("disconnect again", sio.disconnect, client.sid)


@scenario()
async def the_server_may_end_one_namespace_of_several(lab: Lab) -> None:
    """The other namespaces of the connection live on."""
    sio = lab.server()
    for namespace in ("/", "/chat"):
        sio.on("disconnect", lab.noting(f"disconnect {namespace}"), namespace=namespace)
    sio.on("news", lab.noting("news", returns="ok"))
    client = await lab.client("/", "/chat")

    await lab.do("disconnect", sio.disconnect, client.sids["/chat"], namespace="/chat")

    await client.send('21["news",1]')


@scenario()
async def disconnecting_an_unknown_sid_does_nothing(lab: Lab) -> None:
    """A sid that nobody has is no error, nor is one of another namespace."""
    sio = lab.server(namespaces=["/", "/chat"])
    client = await lab.client("/", "/chat")

    await lab.do("unknown", sio.disconnect, "nobody")
    await lab.do("other namespace", sio.disconnect, client.sid, namespace="/chat")
    await lab.do("unknown namespace", sio.disconnect, client.sid, namespace="/nowhere")


@scenario()
async def the_reason_is_optional(lab: Lab) -> None:
    """A handler may take the sid alone, the reason too, either with a default, or anything."""
    sio = lab.server(namespaces="*")

    @sio.on("disconnect", namespace="/one")
    def one(sid: str) -> None:
        lab.note("one", sid)

    @sio.on("disconnect", namespace="/two")
    async def two(sid: str, reason: str) -> None:
        lab.note("two", sid, reason)

    @sio.on("disconnect", namespace="/default")
    def default(sid: str, reason: str = "default") -> None:
        lab.note("default", sid, reason)

    @sio.on("disconnect", namespace="/star")
    def star(*args: Any) -> None:
        lab.note("star", *args)

    client = await lab.client("/one", "/two", "/default", "/star")

    for namespace in ("/one", "/two", "/default", "/star"):
        await client.send(f"1{namespace},")


@scenario()
async def rooms_session_and_environ_are_there_in_the_handler(lab: Lab) -> None:
    """A disconnect handler can still say goodbye; afterwards the client is gone."""
    sio = lab.server()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        await sio.enter_room(sid, "lobby")
        await sio.save_session(sid, {"user": "u"})

    @sio.event
    async def disconnect(sid: str, reason: str) -> None:
        lab.note("rooms", lab.rooms(sio, sid), await sio.get_session(sid), sio.get_environ(sid))
        await sio.emit("left", sid, room="lobby", skip_sid=sid)
        await sio.emit("lost", sid, to=sid)

    leaver = await lab.client("/")
    await lab.client("/")
    sid = leaver.sid

    await leaver.send("1")
    await lab.do("rooms afterwards", sio.rooms, sid)
    await lab.do("session afterwards", sio.get_session, sid)
    await lab.do("environ afterwards", sio.get_environ, sid)
    await lab.do("emit to the lobby", sio.emit, "news", 1, room="lobby")


@scenario()
async def rooms_are_there_in_the_handler_of_a_closed_transport(lab: Lab) -> None:
    """The same holds when the transport is already closed."""
    sio = lab.server()

    @sio.event
    async def disconnect(sid: str, reason: str) -> None:
        lab.note("rooms", lab.rooms(sio, sid), await sio.get_session(sid), sio.get_environ(sid), reason)

    client = await lab.client("/")
    await lab.do("enter", sio.enter_room, client.sid, "lobby")

    await client.close()


@scenario()
async def a_client_disconnected_by_the_server_may_come_back(lab: Lab) -> None:
    """The transport stays open after a DISCONNECT of the server."""
    sio = lab.server()
    sio.on("news", lab.noting("news", returns="ok"))
    client = await lab.client("/")

    await lab.do("disconnect", sio.disconnect, client.sid)
    await client.join()
    await client.send('21["news",1]')


@scenario()
async def leaving_a_namespace_frees_its_rooms(lab: Lab) -> None:
    """Rooms of a client that left are empty, also after it came back."""
    sio = lab.server()
    client = await lab.client("/")
    await lab.do("enter", sio.enter_room, client.sid, "lobby")

    await client.send("1")
    await client.join()
    await lab.do("emit to the lobby", sio.emit, "news", 1, room="lobby")
    await lab.do("rooms", sio.rooms, client.sid)


@scenario()
async def a_disconnect_for_a_namespace_not_joined_changes_nothing_elsewhere(lab: Lab) -> None:
    """The namespaces that are joined stay joined."""
    sio = lab.server(namespaces=["/", "/chat"])
    sio.on("disconnect", lab.noting("disconnect"), namespace="*")
    client = await lab.client("/")
    await client.send("1")

    await client.join("/chat")
    await client.send("1/chat,")


@scenario()
async def a_handler_may_disconnect_its_own_client(lab: Lab) -> None:
    """Its later emits do not reach the client; its acknowledgement does."""
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
