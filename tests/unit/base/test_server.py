"""Registration, options and attributes that both servers share."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from fastsio import BaseMiddleware, RouterSIO
from fastsio.base import server as server_module
from fastsio.base.namespace import BaseServerNamespace, no_namespace
from fastsio.base.options import counted_bytes
from fastsio.base.rooms import Room, register_room
from fastsio.base.seams import SERVER_SEAMS
from fastsio.base.server import BaseServer, reopen, require_patched_sockets, require_server
from fastsio.exceptions import SetupError
from fastsio.protocol import LEGACY, Decoder, Packet
from fastsio.routing import Guard
from fastsio.state import Connection


@pytest.fixture
def server() -> BaseServer:
    """Return a server over a manager that knows one client."""
    return BaseServer(
        client_manager=SimpleNamespace(
            get_rooms=lambda sid, ns: [sid, ns], eio_sid_from_sid={"a": "e"}.get, set_server=lambda server: None
        )
    )


def test_attributes_have_python_socketios_names_and_defaults(server):
    """What applications read."""
    assert server.namespaces == ["/"]
    assert server.async_handlers is True
    assert server.always_connect is False
    assert server.handlers == {}
    assert server.namespace_handlers == {}
    assert server.packet_class is Packet
    assert server.reserved_events == ["connect", "disconnect"]
    assert server.reason.PING_TIMEOUT == "ping timeout"
    assert server.logger.name == "socketio.server"
    assert server.is_asyncio_based() is False


def test_namespaces_are_registered_and_told_their_server(server):
    """The class-based namespace gets its server and its place in the table."""
    namespace = BaseServerNamespace("/n")

    server.register_namespace(namespace)

    assert namespace.server is server
    assert server.namespace_handlers == {"/n": namespace}
    assert server._registry.namespaces(server.namespaces) == {"/", "/n"}


def test_a_namespace_may_have_methods_of_any_name(server):
    """Registering it calls none but ``_set_server()``, which python-socketio's namespaces have."""

    class Rooms(BaseServerNamespace):
        def set_owner(self, room):
            raise AssertionError("not the application's own")

        def _set_server(self, server):
            self.told = server
            super()._set_server(server)

    namespace = Rooms("/n")
    server.register_namespace(namespace)

    assert (namespace.told, namespace.server) == (server, server)


def test_a_namespace_of_the_other_kind_is_refused(server):
    """asyncio namespaces belong on asyncio servers."""

    class Other(BaseServerNamespace):
        def is_asyncio_based(self):
            return True

    with pytest.raises(ValueError, match="Not a valid namespace class for this server"):
        server.register_namespace(Other("/"))
    with pytest.raises(ValueError, match="Not a namespace instance"):
        server.register_namespace("/")


def test_a_router_renames_the_namespace_it_brings(server):
    """A namespace in a nested router emits where its clients are."""
    outer, inner, namespace = RouterSIO(namespace="/v1"), RouterSIO(), BaseServerNamespace("/n")
    inner.register_namespace(namespace)
    outer.add_router(inner)

    server.add_router(outer)

    assert namespace.namespace == "/v1/n"
    assert server.namespace_handlers == {"/v1/n": namespace}


def test_functions_and_exception_handlers_are_registered(server):
    """on() reaches the registry, exception_handler() its scope."""

    @server.event
    def hello(sid): ...

    @server.exception_handler(KeyError)
    def on_key(exc): ...

    assert server.handlers == {"/": {"hello": hello}}
    assert server._registry.scope.exception_handlers == {KeyError: on_key}


def test_middlewares_are_added_listed_and_removed(server):
    """One instance may be added twice; removing takes both away."""
    middleware = BaseMiddleware()
    server.add_middleware(middleware)
    server.add_middleware(middleware, events=["a"], namespace="/x")

    assert server.get_middlewares() == [middleware, middleware]
    server.remove_middleware(middleware)
    assert server.get_middlewares() == []


def test_rooms_and_environ_are_looked_up(server):
    """The manager knows rooms, the server environs."""
    server.environ["e"] = {"REQUEST_METHOD": "GET"}

    assert server.rooms("s1") == ["s1", "/"]
    assert server.get_environ("a") == {"REQUEST_METHOD": "GET"}
    assert server.get_environ("b") is None


def test_sids_of_old_clients_are_known_and_are_secrets(server):
    """Their protocol makes them of the session id; a log shows its start. Other clients get fresh sids."""
    shared = server.__fastsio__
    shared.connections |= {
        "oldclient": Connection("oldclient", {}, Decoder(), list, dialect=LEGACY),
        "newclient": Connection("newclient", {}, Decoder(), list),
    }

    assert shared.known_sid("oldclient", "/") == "oldclient"
    assert shared.known_sid("oldclient", "/n") == "/n#oldclient"
    assert shared.known_sid("newclient", "/") is None
    assert shared.known_sid("gone", "/") is None
    assert shared.label_of("oldclient") == "oldcli..."
    assert shared.label_of("/n#oldclient") == "/n#oldcli..."
    assert shared.label_of("a fresh sid") == "a fresh sid"


class ChatRoom(Room):
    """A room that nobody is kept out of."""

    @classmethod
    def extract_room_identifier(cls, data):
        """Return the payload."""
        return data


@pytest.fixture
def keeping(server) -> BaseServer:
    """Return a server whose keeper of rooms guards one event for each class."""
    server.__fastsio__.room_keeper = SimpleNamespace(
        guards=lambda hooks: {hooks.join_event: Guard(lambda context, own: hooks.room_class)},
        keep_history=lambda namespace, hooks: None,
    )
    return server


def test_the_rooms_of_a_class_based_namespace_are_registered_with_it(keeping):
    """Their events are guarded, and room objects know where they are until the server is none any more."""

    @register_room(ChatRoom)
    class Chat(BaseServerNamespace):
        pass

    keeping.register_namespace(Chat("/chat"))

    assert keeping._registry.resolve("/chat", "join_chat") is not None
    assert keeping._registry.resolve("/", "join_chat") is None
    assert ChatRoom(5).where() == (keeping, "/chat")
    keeping._remove_room_homes()
    with pytest.raises(SetupError, match="registered on no server"):
        ChatRoom(5).where()


def test_rooms_have_a_namespace_and_a_key_of_their_own(keeping):
    """Every namespace is none, and two classes cannot answer to one event."""
    other = type("ChatRoom", (ChatRoom,), {})

    with pytest.raises(SetupError, match="ChatRoom cannot be registered in every namespace; name one"):
        keeping.register_room(ChatRoom, namespace="*")
    keeping.register_room(ChatRoom)
    with pytest.raises(SetupError, match="have the same key 'chat'"):
        keeping.register_room(other)
    keeping._remove_room_homes()


def test_a_server_knows_which_of_its_seams_are_replaced(server):
    """Until the attribute is taken away again; others are nobody's business."""
    assert server._seams.replaced == set()

    for seam in SERVER_SEAMS:
        setattr(server, seam, print)
    server.anything = 1
    assert server._seams.replaced == set(SERVER_SEAMS)

    del server.anything
    for seam in SERVER_SEAMS:
        delattr(server, seam)
    assert server._seams.replaced == set()


def test_a_server_knows_whose_rooms_a_name_is_among(keeping):
    """By namespace and key; a class without a key has all names of one part."""

    class Anything(Room):
        key = ""

        @classmethod
        def extract_room_identifier(cls, data):
            return data

    assert keeping.__fastsio__.room_class_of("/", "chat|5") is None
    keeping.register_room(ChatRoom)
    keeping.register_room(Anything, namespace="/open")

    assert keeping.__fastsio__.room_class_of("/", "chat|5") is ChatRoom
    assert [keeping.__fastsio__.room_class_of("/", room) for room in ("chat", "chats|5", 5, None)] == [None] * 4
    assert keeping.__fastsio__.room_class_of("/open", "hall") is Anything
    assert [keeping.__fastsio__.room_class_of("/open", room) for room in ("chat|5", 5)] == [None] * 2


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_server_that_was_shut_down_can_be_opened_again(keeping, is_closed):
    """Clients are admitted, and after a shutdown room objects find their server; one that runs is not started again."""
    steps = []
    shared = keeping.__fastsio__
    shared.lifecycle = SimpleNamespace(is_closed=is_closed, start=lambda: steps.append("started"))
    keeping.eio = SimpleNamespace(admit=lambda: steps.append("admitting"))
    keeping.register_room(ChatRoom, namespace="/chat")
    keeping.manager_initialized = True
    if is_closed:
        keeping._remove_room_homes()

    reopen(keeping)

    assert steps == (["admitting", "started"] if is_closed else ["admitting"])
    assert keeping.manager_initialized is not is_closed
    assert ChatRoom(5).where() == (keeping, "/chat")
    keeping._remove_room_homes()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (object(), r"App serves an AsyncServer, which is its first argument; this is <object"),
        (SimpleNamespace(is_asyncio_based=lambda: False), r"App serves an AsyncServer; serve a Server with WSGIApp"),
    ],
    ids=["no server", "the other kind"],
)
def test_an_application_says_what_it_serves(given, told):
    """When it is made, not with its first request."""
    with pytest.raises(SetupError, match=told):
        require_server(given, "App", asynchronous=True)


def test_an_event_counts_from_a_kilobyte_on():
    """The bytes of small ones are not worth counting."""
    assert [counted_bytes(size) for size in (1024, 1025)] == [0, 1025]


def test_settings_of_a_document_that_is_not_served_are_a_warning():
    """They are kept all the same."""
    with pytest.warns(UserWarning, match="BaseServer takes asyncapi, and serves no document"):
        assert BaseServer(asyncapi={"title": "Chat"}).asyncapi_config.title == "Chat"


def test_what_is_no_namespace_is_named_by_its_type():
    """The error of a registration says what was given."""
    assert no_namespace(5, "server") == "Not a namespace instance: this is of type 'int'"
    assert no_namespace(BaseServerNamespace, "server") == (
        "Not a namespace instance: BaseServerNamespace is a class; register an object, BaseServerNamespace('/name')"
    )
    assert no_namespace(BaseServerNamespace("/n"), "client") == (
        "Not a namespace instance for a client: BaseServerNamespace is one for the other end"
    )


def test_a_server_that_logs_events_says_so_to_its_logger(caplog):
    """With ``logger=True`` there is a log of events, otherwise there is none."""
    logger = logging.getLogger("tests.events")
    logger.setLevel(logging.INFO)

    BaseServer(logger=logger)._event_log.emitting("news", None, "/")

    assert caplog.messages == ['emitting event "news" to all [/]']
    assert BaseServer()._event_log is None


def test_several_routers_are_added_at_once(server):
    """To a server, and to a router."""
    outer, routers = RouterSIO(), [RouterSIO("/a"), RouterSIO("/b")]
    for router in routers:
        router.on("hello", lambda sid: None)

    outer.add_routers(*routers)
    server.add_routers(outer)

    assert list(server.handlers) == ["/a", "/b"]


def test_a_server_that_starts_checks_its_handlers(keeping, caplog):
    """Hooks of rooms are compiled; of a middleware that nothing reaches is told, unless the application dispatches."""
    keeping.register_room(ChatRoom)
    keeping.add_middleware(BaseMiddleware(), namespace="/nowhere")
    keeping.logger = logging.getLogger("tests.checks")

    keeping._trigger_event = print
    keeping.check_handlers()
    assert not caplog.messages

    del keeping._trigger_event
    keeping.check_handlers()
    assert "is for the namespace '/nowhere', which no client can be in" in caplog.text
    keeping._remove_room_homes()


def test_a_call_about_a_room_is_about_the_namespace_of_its_class(keeping):
    """Unless it names one; plain rooms, and the first of several, are looked at alike."""
    keeping.register_room(ChatRoom, namespace="/chat")

    assert keeping._place(ChatRoom(5), None) == "/chat"
    assert keeping._place(ChatRoom(5), "/other") == "/other"
    assert keeping._place("hall", None) == "/"
    assert keeping._namespace_of([ChatRoom(5), "hall"]) == "/chat"
    assert keeping._namespace_of([]) == "/"
    keeping._remove_room_homes()


def test_a_client_that_is_not_there_has_no_session(server):
    """As in python-socketio, that is a KeyError."""
    server.manager.client_of = lambda sid, namespace: "client" if sid == "a" else None

    assert server._client("a", "/") == "client"
    with pytest.raises(KeyError, match="Session not found"):
        server._client("b", "/")


def test_what_the_engine_knows_is_asked_of_it(server):
    """The transport of a client, and whether new ones are admitted."""
    server.eio = SimpleNamespace(is_admitting=True, transport={"e1": "polling"}.__getitem__)
    server.manager = SimpleNamespace(
        client_of=lambda sid, _namespace: SimpleNamespace(eio_sid="e1") if sid == "s1" else None
    )

    assert server.is_ready
    assert server.transport("s1") == "polling"
    with pytest.raises(KeyError, match="Session not found"):
        server.transport("s2")


@pytest.mark.parametrize(
    ("mode", "question"), [("gevent_uwsgi", "is_module_patched"), ("eventlet", "is_monkey_patched")]
)
def test_a_manager_that_waits_on_sockets_needs_patched_ones_where_greenlets_run(monkeypatch, mode, question):
    """Its error names the manager, the mode and the cure."""
    for library in (None, SimpleNamespace(**{question: lambda _: False})):
        monkeypatch.setattr(server_module, "optional", lambda _, library=library: library)
        with pytest.raises(SetupError, match=f"SomeManager with async_mode={mode!r} needs patched sockets; call "):
            require_patched_sockets(mode, "SomeManager")

    monkeypatch.setattr(server_module, "optional", lambda _: SimpleNamespace(**{question: lambda _: True}))
    require_patched_sockets(mode, "SomeManager")


def test_a_manager_in_threads_may_wait_on_any_sockets(monkeypatch):
    """No library for greenlets is asked."""
    monkeypatch.delattr(server_module, "optional")

    require_patched_sockets("threading", "SomeManager")
