"""What is compared on the sync servers: each function is a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.parity.threads.lab import Lab

SCENARIOS: list[Callable[[Lab], None]] = []


def scenario(function: Callable[[Lab], None]) -> Callable[[Lab], None]:
    """List a scenario."""
    SCENARIOS.append(function)
    return function


@scenario
def connect_without_handler(lab: Lab) -> None:
    """A client joins the root namespace."""
    lab.server()
    lab.joined("ann").fence()


@scenario
def connect_handler_gets_environ_and_auth(lab: Lab) -> None:
    """Three arguments."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        lab.app("connect", sid, environ["REQUEST_METHOD"], environ["PATH_INFO"], auth)

    lab.joined("ann", auth='{"token":1}').fence()


@scenario
def connect_handler_without_auth(lab: Lab) -> None:
    """Two arguments."""
    sio = lab.server()
    sio.on("connect", lambda sid, environ: lab.app("connect", sid, "HTTP_HOST" in environ))
    lab.joined("ann").fence()


@scenario
def connect_refused_by_false(lab: Lab) -> None:
    """The client is told."""
    sio = lab.server()
    sio.on("connect", lambda sid, environ, auth: False)
    lab.joined("ann")


@scenario
def connect_refused_by_error(lab: Lab) -> None:
    """Message and data reach the client."""
    sio = lab.server()

    @sio.event
    def connect(sid: str, environ: Any, auth: Any) -> None:
        raise lab.socketio.exceptions.ConnectionRefusedError("not today", {"code": 7})

    lab.joined("ann")


@scenario
def connect_refused_in_a_namespace(lab: Lab) -> None:
    """The other namespace lives on."""
    sio = lab.server("/admin")
    sio.on("connect", lambda sid, environ, auth: False, namespace="/admin")
    ann = lab.joined("ann")
    ann.join("/admin")
    ann.fence()


@scenario
def always_connect_refusal(lab: Lab) -> None:
    """CONNECT comes first, DISCONNECT after it."""
    sio = lab.server(always_connect=True)
    sio.on("connect", lambda sid, environ, auth: lab.app("connect", sid))
    lab.joined("ann").fence()


@scenario
def two_namespaces(lab: Lab) -> None:
    """A sid each."""
    sio = lab.server("/chat")
    sio.on("who", lambda sid: sid)
    sio.on("who", lambda sid: sid, namespace="/chat")
    ann = lab.joined("ann")
    ann.join("/chat")
    ann.send('21["who"]', '2/chat,1["who"]')
    ann.fence()
    ann.fence("/chat")


@scenario
def payload_shapes(lab: Lab) -> None:
    """Each JSON value arrives as one argument."""
    sio = lab.server()
    sio.on("take", lambda sid, *args: lab.app("take", *args))
    ann = lab.joined("ann")
    for payload in ("", ",1", ',"x"', ",null", ",[1,2]", ',{"a":[true]}', ",1,2,3"):
        ann.send(f'2["take"{payload}]')
    ann.fence()


@scenario
def acknowledgements(lab: Lab) -> None:
    """What a handler returns is what is acknowledged."""
    sio = lab.server()
    answers: list[Any] = [None, 0, "", "x", [1, 2], (), (1,), (1, "two"), {"a": 1}, True, b"\x01\x02"]
    sio.on("answer", lambda sid, index: answers[index])
    ann = lab.joined("ann")
    for index in range(len(answers)):
        ann.send(f'2{index + 1}["answer",{index}]')
    ann.fence()


@scenario
def handler_that_raises(lab: Lab) -> None:
    """The client gets no answer and lives on."""
    sio = lab.server()

    @sio.event
    def fail(sid: str) -> None:
        raise RuntimeError("secret")

    ann = lab.joined("ann")
    ann.send('21["fail"]')
    ann.fence()


@scenario
def unknown_event_is_not_acknowledged(lab: Lab) -> None:
    """Nobody handles it."""
    lab.server()
    ann = lab.joined("ann")
    ann.send('21["nothing",1]')
    ann.fence()


@scenario
def catch_all_event(lab: Lab) -> None:
    """The name comes first; reserved events do not come."""
    sio = lab.server()
    sio.on("*", lambda event, sid, *args: (event, *args))
    ann = lab.joined("ann")
    ann.send('21["one"]', '22["two",1,2]')
    ann.fence()


@scenario
def catch_all_namespace(lab: Lab) -> None:
    """The namespace comes first."""
    sio = lab.server("/a", namespaces="*")
    sio.on("say", lambda namespace, sid, data: f"{namespace}:{data}", namespace="*")
    ann = lab.joined("ann", "/a")
    ann.send('2/a,1["say","hi"]')
    ann.fence("/a")


@scenario
def binary_both_ways(lab: Lab) -> None:
    """Attachments arrive in place and go out in place."""
    sio = lab.server()
    sio.on("bin", lambda sid, data: {"got": data["b"], "size": len(data["b"])})
    ann = lab.joined("ann")
    ann.send('51-1["bin",{"b":{"_placeholder":true,"num":0}}]', b"\x00\x01\x02")
    ann.fence()


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


@scenario
def callbacks(lab: Lab) -> None:
    """Each answer calls the callback with its arguments."""
    sio = lab.server()
    ann = lab.joined("ann")
    sio.emit("ask", 1, to=lab.sid("ann"), callback=lambda *args: lab.app("answered", *args))
    ann.take()
    ann.send('31["yes",2]')
    ann.fence()
    ann.send('31["again"]', '377["unknown"]')
    ann.fence()


@scenario
def callback_with_attachment(lab: Lab) -> None:
    """A binary acknowledgement."""
    sio = lab.server()
    ann = lab.joined("ann")
    sio.emit("ask", to=lab.sid("ann"), callback=lambda *args: lab.app("answered", *args))
    ann.take()
    ann.send('61-1[{"_placeholder":true,"num":0}]', b"abc")
    ann.fence()


@scenario
def call_and_its_answers(lab: Lab) -> None:
    """None, one value, several; called from a background task while the client answers."""
    sio = lab.server(async_handlers=True)
    ann = lab.joined("ann")
    for number, answer in enumerate(("[]", "[1]", '[1,"two"]', "[[1]]"), 1):
        task = sio.start_background_task(
            lambda: lab.do(f"call {number}", lambda: sio.call("ask", to=lab.sid("ann"), timeout=5))  # noqa: B023 - joined below
        )
        ann.take()
        ann.send(f"3{number}{answer}")
        task.join()


@scenario
def call_errors(lab: Lab) -> None:
    """Nobody named, no answer, handlers in line."""
    sio = lab.server(async_handlers=True)
    ann = lab.joined("ann")
    lab.do("nobody", lambda: sio.call("ask"))
    lab.do("timeout", lambda: sio.call("ask", to=lab.sid("ann"), timeout=0.01))
    ann.take()
    other = lab.server(async_handlers=False)
    lab.do("in line", lambda: other.call("ask", to="x"))


@scenario
def sessions(lab: Lab) -> None:
    """Saved, read, changed in a block, gone."""
    sio = lab.server("/chat")
    ann = lab.joined("ann")
    ann.join("/chat")
    sid = lab.sid("ann")
    lab.do("empty", lambda: sio.get_session(sid))
    sio.save_session(sid, {"name": "ann"})
    with sio.session(sid) as session:
        session["seen"] = 1
    lab.do("read", lambda: sio.get_session(sid))
    lab.do("other namespace", lambda: sio.get_session(lab.sid("ann", "/chat"), "/chat"))
    lab.do("unknown", lambda: type(_raised(lambda: sio.get_session("nobody"))).__name__)
    ann.fence()


def _raised(action: Callable[[], Any]) -> BaseException | None:
    try:
        action()
    except Exception as error:  # noqa: BLE001 - its kind is compared
        return error
    return None


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
    lab.do("asyncio", lambda: sio.register_namespace(lab.socketio.AsyncNamespace("/x")))
    lab.do("none", lambda: sio.register_namespace(object()))


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
        return "woken" if event.wait(5) else "not woken"

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
