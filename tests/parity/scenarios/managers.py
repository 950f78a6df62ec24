"""The client manager: its helpers, and managers of an application's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario()
async def participants_are_pairs_of_sids(lab: Lab) -> None:
    """``get_participants`` gives Socket.IO and Engine.IO sid of everybody in a room or namespace."""
    sio = lab.server(namespaces=["/", "/chat"])
    first = await lab.client("/", "/chat")
    await lab.client("/")
    await lab.do("enter", sio.enter_room, first.sid, "red")

    def participants(namespace: str, room: Any) -> Any:
        return list(sio.manager.get_participants(namespace, room))

    await lab.do("everybody", participants, "/", None)
    await lab.do("in a room", participants, "/", "red")
    await lab.do("in the room of a sid", participants, "/", first.sid)
    await lab.do("in the other namespace", participants, "/chat", None)


@scenario()
async def participants_of_an_unknown_room_are_nobody_or_an_error(lab: Lab) -> None:
    """What asking for rooms and namespaces that do not exist gives."""
    sio = lab.server()
    await lab.client("/")

    await lab.do("room", lambda: list(sio.manager.get_participants("/", "nobody")))
    await lab.do("namespace", lambda: list(sio.manager.get_participants("/nowhere", None)))


@scenario()
async def sids_are_translated_in_both_directions(lab: Lab) -> None:
    """``sid_from_eio_sid`` and ``eio_sid_from_sid`` know each namespace."""
    sio = lab.server(namespaces=["/", "/chat"])
    client = await lab.client("/", "/chat")
    manager, eio_sid, sid = sio.manager, client.sids["eio"], client.sid

    await lab.do("eio to sid", manager.sid_from_eio_sid, eio_sid, "/")
    await lab.do("eio to sid in /chat", manager.sid_from_eio_sid, eio_sid, "/chat")
    await lab.do("sid to eio", manager.eio_sid_from_sid, sid, "/")
    await lab.do("unknown eio", manager.sid_from_eio_sid, "nobody", "/")
    await lab.do("unknown sid", manager.eio_sid_from_sid, "nobody", "/")
    await lab.do("wrong namespace", manager.eio_sid_from_sid, sid, "/chat")
    await lab.do("unknown namespace", manager.sid_from_eio_sid, eio_sid, "/nowhere")


@scenario()
async def a_client_is_connected_or_not(lab: Lab) -> None:
    """``is_connected`` and ``can_disconnect`` follow the client's life."""
    sio = lab.server()
    client = await lab.client("/")
    sid = client.sid

    await lab.do("connected", sio.manager.is_connected, sid, "/")
    await lab.do("pre-connected", sio.manager.is_pre_connected, sid, "/")
    await lab.do("can disconnect", sio.manager.can_disconnect, sid, "/")
    await lab.do("nobody", sio.manager.is_connected, "nobody", "/")
    await lab.do("elsewhere", sio.manager.is_connected, sid, "/nowhere")
    await client.send("1")
    await lab.do("after leaving", sio.manager.is_connected, sid, "/")


@scenario()
async def namespaces_in_use_are_listed(lab: Lab) -> None:
    """``get_namespaces`` names the namespaces clients have joined."""
    sio = lab.server(namespaces="*")
    await lab.do("at first", lambda: sorted(sio.manager.get_namespaces()))

    client = await lab.client("/", "/chat")
    await lab.do("joined", lambda: sorted(sio.manager.get_namespaces()))
    await client.send("1/chat,")
    await lab.do("left", lambda: sorted(sio.manager.get_namespaces()))


@scenario()
async def rooms_can_be_read_as_a_table(lab: Lab) -> None:
    """``manager.rooms[namespace][room]`` maps sids to Engine.IO sids; None is everybody."""
    sio = lab.server()
    client = await lab.client("/")
    sid = client.sid
    await lab.do("enter", sio.enter_room, sid, "red")
    rooms = sio.manager.rooms

    lab.step("reading")
    lab.note("membership", "/" in rooms, "red" in rooms["/"], None in rooms["/"], sid in rooms["/"]["red"])
    lab.note("everybody", dict(rooms["/"][None]))
    lab.note("red", dict(rooms["/"]["red"]), rooms["/"]["red"][sid] == client.sids["eio"])
    lab.note("sid rooms", sio.manager.is_sid_room("/", sid), sio.manager.is_sid_room("/", "red"))
    lab.note("rooms of", sorted(sio.manager.get_rooms(sid, "/"), key=lambda room: (room != sid, room)))


@scenario()
async def a_manager_of_ones_own_is_asked(lab: Lab) -> None:
    """A subclass given as ``client_manager`` sees emits and rooms with the arguments of the base class."""

    class Manager(lab.package.AsyncManager):
        async def emit(self, event: str, data: Any, namespace: str, **options: Any) -> Any:
            lab.note("emit", event, data, namespace, {key: value for key, value in options.items() if value})
            return await super().emit(event, data, namespace, **options)

        async def enter_room(self, sid: str, namespace: str, room: str, *args: Any, **options: Any) -> Any:
            lab.note("enter_room", sid, namespace, room)
            return await super().enter_room(sid, namespace, room, *args, **options)

        async def disconnect(self, sid: str, namespace: str, **options: Any) -> Any:
            lab.note("disconnect", sid, namespace)
            return await super().disconnect(sid, namespace, **options)

    sio = lab.server(client_manager=Manager())
    client = await lab.client("/")

    await lab.do("enter", sio.enter_room, client.sid, "red")
    await lab.do("emit", sio.emit, "x", 1, to="red", skip_sid="nobody")
    await lab.do("send", sio.send, "hi", to=client.sid)
    await client.send("1")


@scenario()
async def the_manager_takes_its_own_calls(lab: Lab) -> None:
    """Applications emit and move clients through ``server.manager`` too."""
    sio = lab.server()
    client = await lab.client("/")
    manager = sio.manager

    await lab.do("enter", manager.enter_room, client.sid, "/", "red")
    await lab.do("emit", manager.emit, "x", {"a": 1}, "/", room="red")
    await lab.do("emit to everybody but", manager.emit, "x", 2, namespace="/", skip_sid=client.sid)
    await lab.do("leave", manager.leave_room, client.sid, "/", "red")
    await lab.do("close", manager.close_room, "red", "/")
    await lab.do("rooms", manager.get_rooms, client.sid, "/")


@scenario()
async def the_events_of_a_server_can_be_watched(lab: Lab) -> None:
    """Add-ons replace ``_handle_event_internal`` on the instance."""
    sio = lab.server()
    sio.on("ask", lab.noting("ask", returns="answer"))
    original = sio._handle_event_internal

    async def watched(server: Any, sid: str, eio_sid: str, data: Any, namespace: str, ack_id: Any) -> Any:
        lab.note("watched", server, sid, eio_sid, data, namespace, ack_id)
        return await original(server, sid, eio_sid, data, namespace, ack_id)

    sio._handle_event_internal = watched
    client = await lab.client("/")

    await client.send('27["ask",1]')


@scenario()
async def the_packets_of_a_server_can_be_watched(lab: Lab) -> None:
    """Test clients replace ``_send_packet`` on the instance: every packet passes through it."""
    sio = lab.server()
    sio.on("ask", lab.noting("ask", returns="answer"))
    original = sio._send_packet

    async def watched(eio_sid: str, packet: Any) -> Any:
        lab.note("sent", eio_sid, packet.packet_type + 0, packet.data, packet.namespace, packet.id)
        return await original(eio_sid, packet)

    sio._send_packet = watched
    client = await lab.client("/")

    await client.send('27["ask",1]')
    await lab.do("emit", sio.emit, "x", 1, to=client.sid)
    await lab.do("disconnect", sio.disconnect, client.sid)
