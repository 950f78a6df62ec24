"""Which handler an event finds."""

from __future__ import annotations

from typing import Annotated

import pytest

from fastsio import AsyncNamespace, BaseMiddleware, Depends, Joined, Room, RouterSIO, SocketID
from fastsio.exceptions import SetupError, SignatureError
from fastsio.injection.compiler import Recipe
from fastsio.routing import Registration, Registry, Scope, leading_arguments
from fastsio.routing.registry import MAX_MISSED
from fastsio.routing.route import Guard as Guarding
from tests.unit.injection.conftest import Harness


@pytest.fixture
def registry() -> Registry:
    """Return an empty registry."""
    return Registry(asynchronous=True)


def add(registry: Registry, namespace: str, event: str, function=None):
    """Register a handler."""

    def handler(*args): ...

    handler = function or handler
    registry.add(Registration(namespace, event, handler))
    return handler


def found(registry: Registry, namespace: str, event: str):
    """Return what an event finds."""
    route = registry.resolve(namespace, event)
    return None if route is None else (route.handler, route.prefix)


def test_lookup_follows_the_order_of_python_socketio(registry):
    """Exact, catch-all event, catch-all namespace, both, class, class of every namespace."""
    every_class = AsyncNamespace("*")
    every_class.on_e = lambda *args: None
    registry.add(Registration("*", None, every_class))
    assert found(registry, "/n", "e") == (every_class.on_e, ("namespace",))
    own_class = AsyncNamespace("/n")
    own_class.on_e = lambda *args: None
    registry.add(Registration("/n", None, own_class))
    assert found(registry, "/n", "e") == (own_class.on_e, ())
    both = add(registry, "*", "*")
    assert found(registry, "/n", "e") == (both, ("event", "namespace"))
    every_namespace = add(registry, "*", "e")
    assert found(registry, "/n", "e") == (every_namespace, ("namespace",))
    every_event = add(registry, "/n", "*")
    assert found(registry, "/n", "e") == (every_event, ("event",))
    exact = add(registry, "/n", "e")
    assert found(registry, "/n", "e") == (exact, ())


def test_the_last_registration_wins(registry):
    """A handler is replaced, and the route with it."""
    add(registry, "/", "e")
    registry.resolve("/", "e")
    second = add(registry, "/", "e")

    assert found(registry, "/", "e") == (second, ())
    assert registry.handlers == {"/": {"e": second}}


def test_reserved_events_reach_no_catch_all_event_handler(registry):
    """connect and disconnect go to their own handlers only."""
    add(registry, "/", "*")
    assert registry.resolve("/", "connect") is None
    everywhere = add(registry, "*", "connect", lambda namespace, sid, environ: None)

    assert found(registry, "/", "connect") == (everywhere, ("namespace",))


def test_an_unknown_event_has_no_route(registry):
    """A method that a class does not have is ignored, as in python-socketio: the client gets an empty answer."""
    registry.add(Registration("/n", None, AsyncNamespace("/n")))

    assert registry.resolve("/", "e") is None
    assert registry.resolve("/n", "connect") is None
    assert registry.resolve("/n", "e").handler("s1", 1) is None


def test_what_is_written_to_the_tables_is_called(registry):
    """python-socketio's tables are plain dicts, and applications write them."""
    add(registry, "/", "e")
    registry.resolve("/", "e")

    def other(sid): ...

    registry.handlers["/"]["e"] = other
    assert found(registry, "/", "e") == (other, ())
    del registry.handlers["/"]["e"]
    assert registry.resolve("/", "e") is None
    registry.handlers["/new"] = {"e": other}
    assert found(registry, "/new", "e") == (other, ())

    class Chat(AsyncNamespace):
        def on_e(self, sid): ...

    chat = Chat("/chat")
    registry.namespace_handlers["/chat"] = chat
    assert found(registry, "/chat", "e") == (chat.on_e, ())


def test_routes_of_names_out_of_the_wire_are_not_kept(registry):
    """A client cannot grow the table with event names."""
    add(registry, "/", "*")
    add(registry, "/", "known")
    for number in range(100):
        registry.resolve("/", f"e{number}")
    registry.resolve("/", "known")

    assert sum(len(routes) for routes in registry._routes.values()) == 1
    assert len(registry._built) == 2


def test_methods_of_classes_are_found_again_and_replaced(registry):
    """The route is kept; a method set later is seen once something is registered."""
    namespace = AsyncNamespace("/n")
    namespace.on_e = lambda sid: 1
    registry.add(Registration("/n", None, namespace))
    first = registry.resolve("/n", "e")

    assert registry.resolve("/n", "e") is first
    assert registry.method_endpoint(namespace, "e").handler is namespace.on_e
    namespace.on_e = lambda sid: 2
    assert registry.method_endpoint(namespace, "e").handler is namespace.on_e
    assert registry.method_endpoint(namespace, "connect") is None


def test_a_class_with_its_own_dispatcher_gets_every_event(registry):
    """trigger_event is called with the event first."""

    class Own(AsyncNamespace):
        async def trigger_event(self, event, *args): ...

    namespace = Own("/n")
    registry.add(Registration("/n", None, namespace))

    for event in ("connect", "disconnect", "anything"):
        assert found(registry, "/n", event) == (namespace.trigger_event, ("event",))
    everywhere = Own("*")
    registry.add(Registration("*", None, everywhere))
    assert found(registry, "/m", "e") == (everywhere.trigger_event, ("event", "namespace"))


def test_namespaces_open_by_handlers_or_configuration(registry):
    """A handler for every namespace opens none."""
    add(registry, "*", "e")
    add(registry, "/a", "e")
    registry.add(Registration("/b", None, AsyncNamespace("/b")))

    assert registry.accepts("/a", ["/"])
    assert registry.accepts("/b", ["/"])
    assert registry.accepts("/", ["/"])
    assert not registry.accepts("/c", ["/"])
    assert registry.accepts("/c", "*")
    assert registry.accepts("/cat", "/cat")
    assert not registry.accepts("/c", "/cat")
    assert not registry.accepts("*", "*")
    assert not registry.accepts("*", ["/"])
    assert registry.namespaces("*") == {"/a", "/b"}
    assert registry.namespaces("/c") == {"/a", "/b", "/c"}
    assert registry.namespaces(["/", "*"]) == {"/", "/a", "/b"}


@pytest.mark.parametrize(
    ("event", "wrong"), [("connect", lambda sid: None), ("disconnect", lambda sid, reason, more: None)]
)
def test_handlers_that_cannot_be_called_are_refused(registry, event, wrong):
    """A connect handler of one argument would fail for every client."""
    with pytest.raises(SignatureError, match=f"a {event} handler is called with"):
        add(registry, "/", event, wrong)


def test_a_plain_handler_has_nothing_around_it(registry):
    """A marker, a dependency or a middleware makes a route of it."""
    add(registry, "/", "plain")
    add(registry, "/", "marked", lambda sid: None)

    def marked(sid: SocketID): ...

    add(registry, "/", "marked", marked)
    add(registry, "/", "connect", lambda sid, environ: None)

    assert registry.resolve("/", "plain").is_plain
    assert not registry.resolve("/", "marked").is_plain
    assert not registry.resolve("/", "connect").is_plain
    registry.add_middleware(BaseMiddleware(), Scope())
    assert not registry.resolve("/", "plain").is_plain


def test_middlewares_come_and_go(registry):
    """The hooks run for events in scope only; removing takes every registration away."""
    add(registry, "/", "a")
    add(registry, "/", "b")
    middleware = BaseMiddleware()
    registry.add_middleware(middleware, Scope(frozenset({"a"})))
    registry.add_middleware(middleware, Scope(frozenset({"b"}), "/other"))

    assert not registry.resolve("/", "a").is_plain
    assert registry.resolve("/", "b").is_plain
    assert registry.middlewares() == [middleware, middleware]

    registry.remove_middleware(middleware)

    assert registry.resolve("/", "a").is_plain
    assert registry.middlewares() == []
    with pytest.raises(SetupError, match="not a middleware"):
        registry.add_middleware(object(), Scope())


def test_routers_bring_dependencies_and_middlewares(registry):
    """What a router was given surrounds its handlers."""
    router = RouterSIO(middleware=[BaseMiddleware(events="a")], dependencies=[Depends(lambda: 1)])
    router.on("a", lambda sid: None)
    router.on("b", lambda sid: None)
    router.attach(registry.add, [].append)

    assert not registry.resolve("/", "b").endpoint.plain
    assert registry.resolve("/", "a").scopes == registry.resolve("/", "b").scopes


def test_exception_handlers_are_found_and_compiled(registry):
    """The server's own scope comes last."""

    def on_error(exc): ...

    route_scopes = ()
    assert registry.exception_endpoint(ValueError(), route_scopes) is None
    registry.scope.add_exception_handler(ValueError, on_error)

    assert registry.exception_endpoint(ValueError(), route_scopes).handler is on_error


def test_leading_values_are_those_the_prefix_names():
    """A catch-all is told what it caught."""
    assert leading_arguments((), "e", "/n") == ()
    assert leading_arguments(("event", "namespace"), "e", "/n") == ("e", "/n")


def test_a_pending_handler_is_built_until_it_compiles(registry):
    """A forward reference that resolves later makes the route that was meant."""

    def later(sid: SocketID, data: Later): ...  # noqa: F821 - defined below, as applications do

    later.__globals__.pop("Later", None)
    add(registry, "/", "e", later)
    assert registry.resolve("/", "e").endpoint.pending
    assert not registry._built


def test_nothing_is_found_for_connect_where_nothing_is_scoped_to_it(registry):
    """A namespace without gates has no route to call: its clients pay nothing for them."""
    add(registry, "/", "say")
    assert registry.resolve("/", "connect") is None
    assert registry.resolve("/", "disconnect") is None
    registry.add_middleware(BaseMiddleware(), Scope(frozenset({"say"})))

    assert registry.resolve("/", "connect") is None


def test_the_gates_of_a_namespace_are_folded_once(registry):
    """The next client finds the route of the first, also in namespaces that only clients name."""
    registry.add_middleware(BaseMiddleware(), Scope())
    route = registry.resolve("/a", "connect")

    assert route is not None
    assert registry.resolve("/b", "connect") is route
    assert registry.resolve("/b", "disconnect") is not route


def test_a_connection_without_a_handler_is_looked_for_once(registry, monkeypatch):
    """Until something is registered; class-based namespaces, which may be given methods at any time, are asked again."""
    searches = []
    find = registry._find
    monkeypatch.setattr(
        registry, "_find", lambda namespace, event: searches.append(namespace) or find(namespace, event)
    )
    namespace = AsyncNamespace("/class")
    registry.add(Registration("/class", None, namespace))
    add(registry, "/named", "say")

    for place in ("/", "/named", "/option", "/class") * 2:
        assert registry.resolve(place, "connect") is None
    assert searches == ["/", "/named", "/option", "/class", "/class"]

    on_connect = add(registry, "/option", "connect")
    namespace.on_connect = lambda sid, environ: None
    assert registry.resolve("/option", "connect").handler is on_connect
    assert registry.resolve("/class", "connect").handler is namespace.on_connect


def test_connections_to_any_number_of_namespaces_are_remembered_up_to_a_bound(registry):
    """Clients choose the names of namespaces where ``"*"`` is accepted."""
    for number in range(2 * MAX_MISSED):
        assert registry.resolve(f"/{number}", "connect") is None

    assert registry.resolve("/", "connect") is None
    assert len(registry._absent) == MAX_MISSED + 1


async def test_the_dependencies_of_routers_run_outermost_first_for_connect(registry):
    """As for the handlers of the routers, each once, and those of every namespace outside."""
    order = []

    def note(name):
        def dependency():
            order.append(name)

        return Depends(dependency)

    outer = RouterSIO("/n", dependencies=[note("outer")])
    inner = RouterSIO("/", dependencies=[note("inner")])
    everywhere = RouterSIO("*", dependencies=[note("everywhere")])
    for router in (inner, everywhere):
        router.on("a", lambda *args: None)
        router.on("b", lambda *args: None)
    outer.add_router(inner)
    include(registry, outer)
    include(registry, everywhere)

    route = registry.resolve("/n", "connect")
    assert route is not None
    await route.call(Harness().context(event="connect"))

    assert order == ["everywhere", "outer", "inner"]


def test_a_dependency_that_no_connection_can_fill_is_left_to_the_events(registry):
    """One that waits for a name to be registered is not: clients that come after that are asked."""

    def check(body: dict[str, int]): ...

    class Hall(Room):
        @classmethod
        def extract_room_identifier(cls, session, data): ...

    def member(room: Annotated[Hall, Joined(Hall)]): ...

    for namespace, dependency in (("/payload", check), ("/room", member), ("/later", "not yet there")):
        router = RouterSIO(namespace, dependencies=[Depends(dependency)])
        router.on("e", lambda sid: None)
        include(registry, router)

    assert registry.resolve("/payload", "connect") is None
    assert registry.resolve("/room", "connect") is None
    assert registry.resolve("/later", "connect") is not None


def include(registry: Registry, router: RouterSIO) -> None:
    """Add a router's handlers to a registry."""
    router.attach(registry.add, [].append)


def unresolved(event: str = "e", **registration) -> Registration:
    """Return the registration of an injected handler with an annotation that names nothing."""

    def handler(sid: SocketID, data: Missing): ...  # type: ignore[name-defined] # noqa: F821 - that is what is tested

    return Registration("/", event, handler, **registration)


def test_what_annotations_name_must_exist_when_the_server_starts(registry):
    """A program that starts has no handler that fails when its first event comes."""
    registry.add(unresolved())

    with pytest.raises(SignatureError, match=r"parameter 'data' refers to what does not exist .*'Missing'"):
        registry.compile_pending()


def test_every_kind_of_function_is_looked_at_when_the_server_starts():
    """Methods, hooks of middlewares, dependencies of routers and exception handlers."""

    def needs(what: Missing): ...  # type: ignore[name-defined] # noqa: F821 - that is what is tested

    class Chat(AsyncNamespace):
        async def on_say(self, sid: SocketID, data: Missing): ...  # type: ignore[name-defined] # noqa: F821 - as above

    class Late(BaseMiddleware):
        async def before_event(self, event, sid, data, value: Missing = None): ...  # type: ignore[name-defined] # noqa: F821 - as above

    def with_method(registry):
        registry.add(Registration("/chat", None, Chat("/chat")))

    def with_hook(registry):
        registry.add_middleware(Late(), Scope())

    def with_router(registry):
        router = RouterSIO(dependencies=[Depends(needs)])
        registry.add(Registration("/", "e", lambda sid: None, scopes=(router._scope,)))

    def with_router_hook(registry):
        router = RouterSIO(middleware=[Late()])
        registry.add(Registration("/", "e", lambda sid: None, scopes=(router._scope,)))

    def with_exception_handler(registry):
        registry.scope.add_exception_handler(ValueError, needs)

    for prepare in (with_method, with_hook, with_router, with_router_hook, with_exception_handler):
        registry = Registry(asynchronous=True)
        prepare(registry)
        with pytest.raises(SignatureError, match="refers to what does not exist"):
            registry.compile_pending()


def test_a_handler_whose_annotations_are_for_type_checkers_is_a_plain_one(registry):
    """It is called, and fails, as in python-socketio; one that takes too little is told of when the server starts."""

    def handler(sid: Missing, data: Missing): ...  # type: ignore[name-defined] # noqa: F821 - names under TYPE_CHECKING

    def connect(sid: Missing): ...  # type: ignore[name-defined] # noqa: F821 - as above

    add(registry, "/", "e", handler)
    registry.compile_pending()
    assert registry.resolve("/", "e").is_plain

    add(registry, "/", "late", handler)
    assert registry.resolve("/", "late").is_plain

    add(registry, "/", "connect", connect)
    with pytest.raises(SignatureError, match="is called with"):
        registry.compile_pending()


def test_a_handler_registered_after_the_start_may_wait_for_its_names(registry):
    """It is asked again with each event."""
    registry.compile_pending()
    registry.add(unresolved("late"))

    assert not registry.resolve("/", "late").is_plain


def test_a_class_that_dispatches_its_events_itself_is_left_alone(registry):
    """Which of its methods are called, and with what, is its own affair."""

    class Own(AsyncNamespace):
        async def trigger_event(self, event, *args): ...

        async def on_e(self, sid: SocketID, data: Missing): ...  # type: ignore[name-defined] # noqa: F821 - as above

    registry.add(Registration("/", None, Own("/")))

    registry.compile_pending()


@pytest.fixture
def compilations(monkeypatch):
    """Return the labels of what is compiled during the test."""
    compiled = []
    compile_plan = Recipe.compile

    def recorded(recipe, *args, **kwargs):
        compiled.append(recipe.label.rpartition(".")[2])
        return compile_plan(recipe, *args, **kwargs)

    monkeypatch.setattr(Recipe, "compile", recorded)
    return compiled


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("is_late", [True, False])
def test_an_exception_handler_is_compiled_when_it_is_registered(compilations, asynchronous, is_late):
    """A failing event compiles nothing, whether the handler was registered before or after the router was included."""
    registry = Registry(asynchronous=asynchronous)
    router = RouterSIO()
    scopes = (router._scope,)

    def on_key(exc: KeyError): ...

    def on_value(exc: ValueError): ...

    def register():
        router.exception_handler(KeyError)(on_key)
        registry.scope.add_exception_handler(ValueError, on_value)

    if not is_late:
        register()
    registry.add(Registration("/", "e", lambda sid: None, scopes=scopes))
    if is_late:
        register()
    compilations.clear()

    assert registry.exception_endpoint(KeyError(), scopes).handler is on_key
    assert registry.exception_endpoint(ValueError(), scopes).handler is on_value
    assert compilations == []


def test_the_last_exception_handler_of_a_class_replaces_the_one_before(registry):
    """What was compiled of the first one is forgotten."""

    def first(exc: ValueError): ...

    def second(exc: ValueError): ...

    registry.scope.add_exception_handler(ValueError, first)
    registry.scope.add_exception_handler(ValueError, second)

    assert registry.exception_endpoint(ValueError(), ()).handler is second


def test_a_router_with_an_exception_handler_that_is_a_coroutine_function_needs_a_server_that_awaits():
    """A server without an event loop refuses it when the router is included."""
    router = RouterSIO()

    @router.exception_handler(ValueError)
    async def on_error(exc: ValueError): ...

    with pytest.raises(SignatureError, match="on_error: is a coroutine function"):
        Registry(asynchronous=False).add(Registration("/", "e", lambda sid: None, scopes=(router._scope,)))


@pytest.mark.parametrize(
    ("asynchronous", "outer", "expected"),
    [
        (True, RouterSIO("/outer"), 1),
        (True, RouterSIO("/outer", dependencies=[Depends(lambda: 1)]), 2),
        (False, RouterSIO("/outer"), 2),
    ],
)
def test_a_handler_of_a_router_is_compiled_once(compilations, asynchronous, outer, expected):
    """Another time only where an outer router adds dependencies, or the server does not await."""
    registry = Registry(asynchronous=asynchronous)

    router = RouterSIO("/inner")

    @router.event
    def hello(sid: SocketID): ...

    outer.add_router(router)
    outer.attach(registry.add, [].append)

    assert compilations.count("hello") == expected
    assert registry.resolve("/outer/inner", "hello").handler is hello


def test_a_server_without_an_event_loop_asks_the_routers_too():
    """Around nothing, and around a handler for every namespace; a refusal keeps both from running."""
    registry = Registry(asynchronous=False)
    order = []
    router = RouterSIO("/n", dependencies=[Depends(lambda: order.append("router"))])
    router.on("e", lambda sid: None)
    include(registry, router)
    alone = registry.resolve("/n", "connect")
    add(registry, "*", "connect", lambda namespace, sid, environ: order.append("handler"))
    around = registry.resolve("/n", "connect")

    assert alone is not None
    assert around is not None
    assert alone.call(Harness().context(event="connect")) is None
    around.call(Harness().context(None, event="connect"))
    assert order == ["router", "router", "handler"]


async def test_a_dispatcher_of_the_application_stands_before_a_route(registry):
    """One route of it for each route; without a handler its failures are left without an answer."""
    add(registry, "/", "e")
    route = registry.resolve("/", "e")
    assert route is not None

    async def call(context):
        return context.event

    through = route.through(call)

    assert through is route.through(call)
    assert (through.is_plain, through.is_silent) == (False, True)
    assert await through.call(Harness().context(event="e")) == "e"
    assert registry.no_route.is_silent
    assert await registry.no_route.call(Harness().context(event="e")) is None


def test_what_is_missing_for_connect_is_remembered_until_something_is_registered(registry):
    """In namespaces that the application named; others come out of the wire, and classes may be given methods."""
    add(registry, "/n", "say")
    for namespace in ("/", "/n", "/wire", "/n"):
        assert registry.resolve(namespace, "connect") is None
    handler = add(registry, "/n", "connect")
    assert found(registry, "/n", "connect") == (handler, ())
    del registry.handlers["/n"]["connect"]
    assert registry.resolve("/n", "connect") is None
    registry.handlers["/n"]["connect"] = handler
    assert found(registry, "/n", "connect") == (handler, ())

    methods = AsyncNamespace("/class")
    registry.add(Registration("/class", None, methods))
    assert registry.resolve("/class", "connect") is None
    methods.on_connect = lambda sid, environ: None

    assert found(registry, "/class", "connect") == (methods.on_connect, ())


class Guard(BaseMiddleware):
    """Stands around everything it is for."""

    async def before_event(self, event, sid, data):
        return data


def test_a_middleware_for_what_does_not_exist_is_told_once(registry):
    """A namespace that no client can be in, and an event without a handler, with the names that were meant."""
    add(registry, "/chat", "message")
    for scope in ({"namespace": "/caht"}, {"events": "mesage"}, {"events": "message", "namespace": "/chat"}):
        registry.add_middleware(Guard(), Scope.of(Guard(), **scope))

    assert registry.unreached(["/"]) == [
        "Guard is for the namespace '/caht', which no client can be in; did you mean '/chat'?",
        "Guard is for the event 'mesage', which has no handler: it never runs for it; did you mean 'message'?",
    ]
    assert registry.unreached(["/"]) == []


def test_namespaces_that_are_configured_exist(registry):
    """Clients may be there without a handler, and in any where every one is allowed."""
    registry.add_middleware(Guard(), Scope(namespace="/quiet"))

    assert registry.unreached(["/quiet"]) == []
    assert registry.unreached("*") == []


@pytest.mark.parametrize("kind", ["method", "trigger", "getattr", "guard"])
def test_every_way_to_handle_an_event_counts(registry, kind):
    """A method of a class, a dispatcher of its own, methods made when they are asked for, what a room class answers."""

    class Chat(AsyncNamespace):
        async def on_message(self, sid): ...

    class Dispatching(AsyncNamespace):
        async def trigger_event(self, event, *args): ...

    class Making(AsyncNamespace):
        def __getattr__(self, name):
            return lambda *args: None

    classes = {"method": Chat, "trigger": Dispatching, "getattr": Making}
    if kind in classes:
        registry.add(Registration("/", None, classes[kind]("/")))
    else:
        registry.add_guard("/", "message", Guarding(lambda context, inner: None), ())
    registry.add_middleware(Guard(), Scope.of(Guard(), events="message"))

    assert registry.unreached(["/"]) == []


def test_a_router_is_around_its_own_handlers_only(registry):
    """An event that another router handles is not one that its middleware runs for."""
    other = RouterSIO()
    other.on("message", lambda sid: None)
    router = RouterSIO(middleware=[Guard(events=["message", "typing"])])
    router.on("typing", lambda sid: None)
    include(registry, other)
    include(registry, router)

    [text] = registry.unreached(["/"])
    assert text.startswith("Guard is for the event 'message', which has no handler")
