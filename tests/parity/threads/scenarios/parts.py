"""Class namespaces, threads, serializers, and what the server tells about a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.threads.scenario import scenario
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.parity.threads.lab import Lab


@scenario
def class_namespace(lab: Lab) -> None:
    """Methods are handlers, and the server's methods know the namespace."""
    sio = lab.server()

    class Chat(lab.socketio.Namespace):  # type: ignore[name-defined, misc] # the package is an argument
        def on_connect(self, sid: str, environ: Any) -> None:
            self.enter_room(sid, "all")
            lab.app("connect", sid)

        def on_say(self, sid: str, data: Any) -> str:
            self.emit("said", data, room="all")
            return "done"

        def on_fence(self, sid: str) -> None:
            pass

        def on_disconnect(self, sid: str, reason: str) -> None:
            lab.app("left", sid, reason)

    sio.register_namespace(Chat("/chat"))
    ann = lab.joined("ann", "/chat")
    ann.send('2/chat,1["say","hi"]', '2/chat,2["unknown"]')
    ann.fence("/chat")
    ann.send("1/chat,")
    lab.wait_for("app: 'left'")


@scenario
def namespace_of_the_wrong_kind(lab: Lab) -> None:
    """An asyncio namespace is refused, so is what is none."""
    sio = lab.server()

    def said_of(given: Any) -> str:
        try:
            sio.register_namespace(given)
        except ValueError as error:
            return str(error).partition(":")[0]  # fastsio goes on with what to write
        return "registered"

    lab.do("asyncio", lambda: said_of(lab.socketio.AsyncNamespace("/x")))
    lab.do("none", lambda: said_of(object()))


@scenario
def facts_about_a_client(lab: Lab) -> None:
    """Transport and environ."""
    sio = lab.server()
    ann = lab.joined("ann")
    lab.do("transport", lambda: sio.transport(lab.sid("ann")))
    lab.do("environ", lambda: sio.get_environ(lab.sid("ann"))["QUERY_STRING"])
    lab.do("unknown", lambda: sio.get_environ("nobody"))
    lab.do("asyncio", sio.is_asyncio_based)
    ann.fence()


@scenario
def handlers_in_threads(lab: Lab) -> None:
    """With async_handlers each event has a thread of its own: one may wait for another."""
    sio = lab.server(async_handlers=True)
    event = sio.eio.create_event()

    @sio.event
    def wait(sid: str) -> str:
        return "woken" if event.wait(WAIT_S) else "not woken"

    @sio.event
    def wake(sid: str) -> None:
        event.set()

    ann = lab.joined("ann")
    ann.send('21["wait"]', '2["wake"]')
    ann.take()


@scenario
def msgpack_serializer(lab: Lab) -> None:
    """The other serializer refuses and serves alike."""
    sio = lab.server(serializer="msgpack")
    lab.do("packet class", lambda: sio.packet_class.__name__)
