"""Registration on servers and routers."""

from __future__ import annotations

from typing import Any

import pytest

from fastsio import Auth, Depends, RouterSIO, SocketID
from fastsio.exceptions import SetupError, SignatureError
from fastsio.routing import EventRegistrar, Registration, RoomRegistration, RouterScope, attach_router, check_rooms
from fastsio.routing.registration import check_namespace, check_namespaces, compose, room_registrations
from fastsio.state.room_names import NamedRoom


class Collector(EventRegistrar):
    """Stands for a server: keeps what it is handed."""

    def __init__(self) -> None:
        self.scope = RouterScope()
        self.taken: list[Registration] = []
        self.rooms: list[RoomRegistration] = []

    def exception_handler(self, exception_class):
        return self.scope.exception_handler(exception_class)

    def add_router(self, router: RouterSIO) -> None:
        attach_router(router, self._register, self._register_room)

    def add_routers(self, *routers: RouterSIO) -> None:
        for router in routers:
            self.add_router(router)

    def register_room(self, *room_classes, namespace: str | None = None) -> None:
        for registration in room_registrations(room_classes, namespace):
            self._register_room(registration)

    def _register(self, registration: Registration) -> None:
        self.taken.append(registration)

    def _register_room(self, registration: RoomRegistration) -> None:
        self.rooms.append(registration)

    @property
    def names(self) -> list[tuple[str, str | None]]:
        return [(registration.namespace, registration.event) for registration in self.taken]


@pytest.fixture
def server() -> Collector:
    """Return what stands for a server."""
    return Collector()


def handler(sid, data):
    """Do nothing."""


def test_on_registers_directly_or_as_a_decorator(server):
    """Both forms keep the function as it is."""
    assert server.on("a", handler) is None
    assert server.on("b", namespace="/x")(handler) is handler

    assert server.names == [("/", "a"), ("/x", "b")]


def test_event_takes_the_name_of_the_function(server):
    """@event and @event(...) both work."""
    assert server.event(handler) is handler
    server.event(namespace="/x")(handler)
    server.event()(handler)

    assert server.names == [("/", "handler"), ("/x", "handler"), ("/", "handler")]


@pytest.mark.parametrize("event", ["", None, True, float("nan"), ["a"]])
def test_an_event_name_is_text_or_a_number(server, event):
    """Anything else is a mistake of the developer."""
    server.on(5, handler)
    server.on(0, handler)
    with pytest.raises(SetupError, match="event name"):
        server.on(event, handler)


@pytest.mark.parametrize("namespace", ["chat", 5])
def test_a_namespace_begins_with_a_slash(server, namespace):
    """A namespace no client can name is refused."""
    with pytest.raises(SetupError, match="has no slash; write '/chat'" if namespace == "chat" else "write '/name'"):
        server.on("a", handler, namespace=namespace)


def test_the_namespaces_of_a_server_begin_with_a_slash():
    """One name or several; the object stays the application's own."""
    names = ["/a", "/b"]

    assert check_namespaces(names) is names
    assert check_namespaces("*") == "*"
    with pytest.raises(SetupError, match="namespace 'b' has no slash; write '/b'"):
        check_namespaces(["/a", "b"])


def test_event_has_no_name_to_take(server):
    """The error says which decorator has."""
    with pytest.raises(SetupError, match=r"event\(\) takes the name of the function; write on\('x'\)"):
        server.event("x")


def test_a_handler_can_be_called(server):
    """Anything else is refused when it is registered."""
    with pytest.raises(SetupError, match="the handler of 'x' is a function or coroutine function, not 5"):
        server.on("x", 5)


def test_namespace_names():
    """None and the empty text are the root."""
    assert check_namespace(None) == check_namespace("") == check_namespace("/") == "/"
    assert check_namespace("*") == "*"
    assert check_namespace("/chat") == "/chat"


@pytest.mark.parametrize(
    ("prefix", "namespace", "composed"),
    [
        ("/", "/chat", "/chat"),
        (None, "/chat", "/chat"),
        ("/admin", "/chat", "/admin/chat"),
        ("/admin", "/", "/admin"),
        ("/admin", "*", "*"),
    ],
)
def test_the_outer_namespace_comes_first(prefix, namespace, composed):
    """Nested routers put their namespaces one after the other."""
    assert compose(prefix, namespace) == composed


def test_a_router_hands_over_what_it_has_and_what_it_gets(server):
    """Handlers added after inclusion still arrive."""
    router = RouterSIO(namespace="/chat")
    router.on("before", handler)

    server.add_router(router)
    router.on("after", handler)

    assert server.names == [("/chat", "before"), ("/chat", "after")]
    assert router.namespace == "/chat"


def test_nested_routers_compose_namespaces_and_scopes(server):
    """The innermost router's scope comes first."""
    outer = RouterSIO(namespace="/admin", dependencies=[Depends(lambda: 1)])
    inner = RouterSIO(namespace="/chat")
    outer.add_router(inner)
    server.add_routers(outer)

    inner.on("e", handler)
    inner.on("x", handler, namespace="/other")

    assert server.names == [("/admin/chat", "e"), ("/admin/other", "x")]
    assert [len(scope.dependencies) for scope in server.taken[0].scopes] == [0, 1]


def test_one_router_may_be_included_in_two_servers():
    """A router keeps nothing of its server."""
    first, second, router = Collector(), Collector(), RouterSIO()
    first.add_router(router)
    second.add_router(router)

    router.event(handler)

    assert first.names == second.names == [("/", "handler")]


def test_a_router_cannot_include_itself():
    """Neither directly nor through another one."""
    outer, inner = RouterSIO(), RouterSIO()
    outer.add_router(inner)

    with pytest.raises(SetupError, match="itself"):
        outer.add_router(outer)
    with pytest.raises(SetupError, match="itself"):
        inner.add_router(outer)
    with pytest.raises(SetupError, match="not a RouterSIO"):
        outer.add_router(handler)


def test_class_based_namespaces_pass_through_routers(server):
    """register_namespace on a router reaches the server; an outer namespace comes before its own."""

    class Chat:
        namespace = "/chat"

    router = RouterSIO(namespace="/admin")
    outer = RouterSIO(namespace="/v1")
    outer.add_router(router)
    server.add_router(outer)

    router.register_namespace(Chat())

    assert server.names == [("/v1/chat", None)]
    with pytest.raises(SetupError, match="not a namespace"):
        router.register_namespace(object())


def test_mistakes_are_found_when_a_router_registers(server):
    """The router does not wait for a server to say what is wrong."""

    def wrong(sid: SocketID, auth: Auth): ...

    with pytest.raises(SignatureError, match="auth"):
        RouterSIO().on("message", wrong)


def test_exception_handlers_belong_to_their_scope(server):
    """Each registrar keeps its own."""
    router = RouterSIO()
    router.exception_handler(KeyError)(handler)

    @server.exception_handler(ValueError)
    def on_value(exc: ValueError) -> Any: ...

    assert server.scope.exception_handlers == {ValueError: on_value}
    assert router._scope.exception_handlers == {KeyError: handler}
    with pytest.raises(SetupError, match="not an exception class"):
        server.exception_handler("ValueError")


def room_class(key: str) -> type[NamedRoom]:
    """Return what stands for a room class."""
    return type(key.title(), (NamedRoom,), {"key": key})


def test_rooms_reach_the_server_through_routers(server):
    """Before and after a router is included, below the namespaces of those on the way."""
    chat, hall = room_class("chat"), room_class("hall")
    outer, inner = RouterSIO(namespace="/v1"), RouterSIO(namespace="/n")

    inner.register_room(chat)
    outer.add_router(inner)
    server.add_router(outer)
    inner.register_room(hall, chat, namespace="/other")
    outer.register_room(hall)

    assert [(room.namespace, room.room_class) for room in server.rooms] == [
        ("/v1/n", chat),
        ("/v1/other", hall),
        ("/v1/other", chat),
        ("/v1", hall),
    ]
    assert [len(room.scopes) for room in server.rooms] == [2, 2, 2, 1]


def test_room_classes_have_keys_of_their_own():
    """One may be named twice, two may not answer to one event."""
    chat = room_class("chat")

    assert check_rooms([chat, chat]) == (chat,)
    with pytest.raises(SetupError, match="Chat and Chat have the same key 'chat'; give one of them another 'key'"):
        check_rooms([chat, room_class("chat")])


@pytest.mark.parametrize("registrar", [Collector, RouterSIO])
def test_the_channel_of_an_event_is_kept_with_its_handler(registrar):
    """Given to on() and event(), as in 0.3.6; without it there is none."""
    collector = Collector()
    owner = collector if registrar is Collector else RouterSIO()

    @owner.on("message.send", channel="messages")
    def send(sid, data): ...

    @owner.event(channel="typing")
    def typing(sid): ...

    owner.on("plain", lambda sid: None)
    if owner is not collector:
        collector.add_router(owner)

    assert {one.event: one.channel for one in collector.taken} == {
        "message.send": "messages",
        "typing": "typing",
        "plain": None,
    }
