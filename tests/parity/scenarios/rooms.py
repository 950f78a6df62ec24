"""Rooms: who is in them, and whom an emit reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.client import Client
    from tests.parity.lab import Lab


async def three_clients(lab: Lab, **rooms: str) -> tuple[Any, list[Client]]:
    """Connect three clients; *rooms* says which of them is where: ``red="12"``."""
    sio = lab.server(namespaces=["/", "/chat"])
    clients = [await lab.client("/") for _ in range(3)]
    for room, members in rooms.items():
        for number in members:
            await sio.enter_room(clients[int(number) - 1].sid, room)
    return sio, clients


@scenario()
async def an_emit_reaches_everybody_in_the_namespace(lab: Lab) -> None:
    """Without a room an event goes to all clients of the namespace and to no other."""
    sio, clients = await three_clients(lab)
    await clients[0].join("/chat")

    await lab.do("to /", sio.emit, "x", 1)
    await lab.do("to /chat", sio.emit, "x", 2, namespace="/chat")
    await lab.do("to a namespace nobody knows", sio.emit, "x", 3, namespace="/nowhere")


@scenario()
async def an_emit_reaches_the_members_of_a_room(lab: Lab) -> None:
    """``room`` and ``to`` mean the same; a room nobody joined is no error."""
    sio, _ = await three_clients(lab, red="12")

    await lab.do("room", sio.emit, "x", 1, room="red")
    await lab.do("to", sio.emit, "x", 2, to="red")
    await lab.do("nobody", sio.emit, "x", 3, to="blue")


@scenario()
async def to_wins_over_room(lab: Lab) -> None:
    """Given both, ``to`` counts."""
    sio, _ = await three_clients(lab, red="1", blue="2")

    await lab.do("both", sio.emit, "x", 1, to="red", room="blue")


@scenario()
async def every_sid_is_a_room(lab: Lab) -> None:
    """``to=sid`` reaches that client alone."""
    sio, clients = await three_clients(lab)

    await lab.do("to", sio.emit, "x", 1, to=clients[1].sid)
    await lab.do("room", sio.emit, "x", 2, room=clients[2].sid)
    await lab.do("send", sio.send, "hi", to=clients[0].sid)


@scenario()
async def several_rooms_reach_each_client_once(lab: Lab) -> None:
    """A list of rooms is a union."""
    sio, clients = await three_clients(lab, red="12", blue="23")

    await lab.do("list", sio.emit, "x", 1, room=["red", "blue"])
    await lab.do("list as to", sio.emit, "x", 2, to=["red", clients[0].sid])
    await lab.do("one of them empty", sio.emit, "x", 3, to=["nobody", "blue"])


@scenario()
async def room_names_may_be_any_hashable(lab: Lab) -> None:
    """Numbers are names of rooms too."""
    sio, clients = await three_clients(lab)
    await lab.do("enter", sio.enter_room, clients[0].sid, 7)

    await lab.do("emit", sio.emit, "x", 1, room=7)
    await lab.do("as text", sio.emit, "x", 2, room="7")


@scenario()
async def skip_sid_leaves_out_one_or_several(lab: Lab) -> None:
    """``skip_sid`` takes a sid or a list of sids, with and without a room."""
    sio, clients = await three_clients(lab, red="12")
    one, two, three = (client.sid for client in clients)

    await lab.do("one", sio.emit, "x", 1, skip_sid=one)
    await lab.do("several", sio.emit, "x", 2, skip_sid=[one, three])
    await lab.do("in a room", sio.emit, "x", 3, room="red", skip_sid=two)
    await lab.do("unknown", sio.emit, "x", 4, skip_sid="nobody")
    await lab.do("empty list", sio.emit, "x", 5, skip_sid=[])
    await lab.do("everybody", sio.emit, "x", 6, skip_sid=[one, two, three])
    await lab.do("send", sio.send, "x", skip_sid=[one])


@scenario()
async def entering_twice_is_entering_once(lab: Lab) -> None:
    """A client is in a room or not."""
    sio, clients = await three_clients(lab, red="11")

    await lab.do("emit", sio.emit, "x", 1, room="red")
    await lab.do("leave", sio.leave_room, clients[0].sid, "red")
    await lab.do("emit", sio.emit, "x", 2, room="red")


@scenario()
async def leaving_takes_a_client_out_of_one_room(lab: Lab) -> None:
    """Leaving a room one is not in, or as nobody, is no error."""
    sio, clients = await three_clients(lab, red="12", blue="1")
    sid = clients[0].sid

    await lab.do("leave", sio.leave_room, sid, "red")
    await lab.do("emit", sio.emit, "x", 1, room=["red", "blue"])
    await lab.do("leave again", sio.leave_room, sid, "red")
    await lab.do("leave unknown room", sio.leave_room, sid, "green")
    await lab.do("leave as nobody", sio.leave_room, "nobody", "red")


@scenario()
async def rooms_lists_where_a_client_is(lab: Lab) -> None:
    """The client's own room is among them; a stranger has none."""
    sio, clients = await three_clients(lab, red="1", blue="1")

    await lab.do("rooms", lab.rooms, sio, clients[0].sid)
    await lab.do("the other", sio.rooms, clients[1].sid)
    await lab.do("a stranger", sio.rooms, "nobody")
    await lab.do("another namespace", sio.rooms, clients[0].sid, namespace="/chat")


@scenario()
async def closing_a_room_takes_everybody_out(lab: Lab) -> None:
    """The clients stay connected; closing an empty room is no error."""
    sio, clients = await three_clients(lab, red="12", blue="1")

    await lab.do("close", sio.close_room, "red")
    await lab.do("rooms", lab.rooms, sio, clients[0].sid)
    await lab.do("emit", sio.emit, "x", 1, room="red")
    await lab.do("close again", sio.close_room, "red")
    await lab.do("emit to all", sio.emit, "x", 2)


@scenario()
async def the_room_of_a_sid_cannot_be_entered(lab: Lab) -> None:
    """Nobody can listen in on the private room of another client."""
    sio, clients = await three_clients(lab)
    one, two = clients[0].sid, clients[1].sid

    await lab.do("enter", sio.enter_room, one, two)
    await lab.do("emit", sio.emit, "x", 1, to=two)


@scenario()
async def the_room_of_a_sid_cannot_be_closed(lab: Lab) -> None:
    """``close_room(sid)`` is an error."""
    sio, clients = await three_clients(lab)

    await lab.do("close", sio.close_room, clients[0].sid)
    await lab.do("emit", sio.emit, "x", 1, to=clients[0].sid)


@scenario()
async def a_client_may_enter_its_own_room(lab: Lab) -> None:
    """Entering the room one is always in changes nothing."""
    sio, clients = await three_clients(lab)
    sid = clients[0].sid

    await lab.do("enter", sio.enter_room, sid, sid)
    await lab.do("emit", sio.emit, "x", 1, to=sid)


@scenario()
async def only_connected_clients_enter_rooms(lab: Lab) -> None:
    """A stranger, a client that left, and a sid of another namespace cannot enter."""
    sio, clients = await three_clients(lab)
    await clients[0].send("1")

    await lab.do("nobody", sio.enter_room, "nobody", "red")
    await lab.do("left", sio.enter_room, clients[0].sid, "red")
    await lab.do("other namespace", sio.enter_room, clients[1].sid, "red", namespace="/chat")
    await lab.do("emit", sio.emit, "x", 1, room="red")


@scenario()
async def rooms_belong_to_a_namespace(lab: Lab) -> None:
    """Two namespaces may have rooms of the same name."""
    sio, clients = await three_clients(lab, red="1")
    await clients[1].join("/chat")
    await lab.do("enter", sio.enter_room, clients[1].sids["/chat"], "red", namespace="/chat")

    await lab.do("/", sio.emit, "x", 1, room="red")
    await lab.do("/chat", sio.emit, "x", 2, room="red", namespace="/chat")


@scenario()
async def emits_of_one_handler_arrive_in_order(lab: Lab) -> None:
    """Text and binary events to rooms and clients keep the order in which they were emitted."""
    sio, clients = await three_clients(lab, red="123")

    async def burst() -> None:
        for number in range(5):
            await sio.emit("room", number, room="red")
            await sio.emit("bytes", bytes([number]), to=clients[0].sid)
            await sio.emit("all", number)

    await lab.do("burst", burst)
