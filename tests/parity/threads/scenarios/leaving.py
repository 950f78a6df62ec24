"""How a client's part ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.parity.threads.scenario import scenario

if TYPE_CHECKING:
    from tests.parity.threads.lab import Lab


@scenario
def client_leaves(lab: Lab) -> None:
    """A DISCONNECT packet runs the handler with its reason; rooms and session are readable."""
    sio = lab.server()

    @sio.event
    def disconnect(sid: str, reason: str) -> None:
        lab.app("left", sid, reason, len(sio.rooms(sid)), sio.get_session(sid))

    ann = lab.joined("ann")
    sio.save_session(lab.sid("ann"), {"x": 1})
    ann.send("1")
    lab.wait_for("app: 'left'")


@scenario
def client_vanishes(lab: Lab) -> None:
    """A closed connection runs the handlers of every namespace."""
    sio = lab.server("/chat")
    ended = []
    for namespace in ("/", "/chat"):
        sio.on("disconnect", lambda sid, reason: ended.append(reason), namespace=namespace)
    ann = lab.joined("ann")
    ann.join("/chat")
    bob = lab.joined("bob")
    ann.close()
    while len(ended) < 2:
        bob.fence()
    lab.app("left", *ended)


@scenario
def old_disconnect_handler(lab: Lab) -> None:
    """One argument."""
    sio = lab.server()
    sio.on("disconnect", lambda sid: lab.app("left", sid))
    lab.joined("ann").send("1")
    lab.wait_for("app: 'left'")


@scenario
def server_disconnects(lab: Lab) -> None:
    """The client gets DISCONNECT, the handler runs before disconnect() returns."""
    sio = lab.server()
    sio.on("disconnect", lambda sid, reason: lab.app("left", sid, reason))
    ann = lab.joined("ann")
    lab.do("disconnect", lambda: sio.disconnect(lab.sid("ann")))
    ann.take()
    lab.do("again", lambda: sio.disconnect(lab.sid("ann")))
