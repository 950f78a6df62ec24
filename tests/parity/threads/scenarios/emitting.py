"""What the server sends, to whom, and what rooms there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.parity.threads.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.threads.lab import Lab


@scenario
def binary_broadcast(lab: Lab) -> None:
    """An emitted payload with bytes reaches everybody."""
    sio = lab.server()
    ann, bob = lab.joined("ann"), lab.joined("bob")
    sio.emit("pic", {"a": b"\x01", "b": [b"\x02", "t"]})
    ann.fence()
    bob.fence()


@scenario
def emit_shapes(lab: Lab) -> None:
    """None, a value, a tuple, a list."""
    sio = lab.server()
    ann = lab.joined("ann")
    for data in (None, 1, "x", (1, 2), [1, 2], {"a": None}, ()):
        sio.emit("news", data)
    sio.send("hello")
    ann.fence()


@scenario
def emit_to_rooms(lab: Lab) -> None:
    """To a sid, a room, several rooms, with somebody left out."""
    sio = lab.server()
    people = [lab.joined(name) for name in ("ann", "bob", "cid")]
    sio.enter_room(lab.sid("ann"), "red")
    sio.enter_room(lab.sid("bob"), "red")
    sio.enter_room(lab.sid("bob"), "blue")
    sio.emit("sid", to=lab.sid("cid"))
    sio.emit("red", room="red")
    sio.emit("both", room=["red", "blue"])
    sio.emit("all", skip_sid=lab.sid("ann"))
    sio.emit("skip two", skip_sid=[lab.sid("ann"), lab.sid("bob")])
    sio.emit("nobody", room="green")
    for one in people:
        one.fence()


@scenario
def rooms_are_listed(lab: Lab) -> None:
    """In order, the sid first."""
    sio = lab.server()
    ann = lab.joined("ann")
    sid = lab.sid("ann")
    lab.do("rooms", lambda: sio.rooms(sid))
    sio.enter_room(sid, "red")
    lab.do("rooms", lambda: sorted(sio.rooms(sid)[1:], key=str))
    sio.leave_room(sid, "red")
    lab.do("rooms", lambda: len(sio.rooms(sid)))
    lab.do("unknown", lambda: sio.rooms("nobody"))
    ann.fence()


@scenario
def close_room(lab: Lab) -> None:
    """Everybody is out."""
    sio = lab.server()
    ann = lab.joined("ann")
    sio.enter_room(lab.sid("ann"), "red")
    lab.do("close", lambda: sio.close_room("red"))
    sio.emit("gone", room="red")
    ann.fence()


@scenario
def rooms_of_sids_are_protected(lab: Lab) -> None:
    """Nobody enters or closes the room of another."""
    sio = lab.server()
    ann, bob = lab.joined("ann"), lab.joined("bob")
    lab.do("enter", lambda: sio.enter_room(lab.sid("ann"), lab.sid("bob")))
    lab.do("close", lambda: sio.close_room(lab.sid("bob")))
    ann.fence()
    bob.fence()


@scenario
def enter_room_of_unknown(lab: Lab) -> None:
    """A sid that is not there."""
    sio = lab.server()
    lab.do("enter", lambda: sio.enter_room("nobody", "red"))
