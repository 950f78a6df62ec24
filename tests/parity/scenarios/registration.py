"""Errors of the developer: what the constructor, ``on`` and ``register_namespace`` refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.parity.scenario import Difference, scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


@scenario(
    differs=Difference(
        row="C-186",
        reason="Errors say what to write.",
        socketio=[
            "app: a synchronous one raised ValueError: Not a valid namespace class for this server",
            "app: an object raised ValueError: Not a namespace instance",
            "app: None raised ValueError: Not a namespace instance",
        ],
        fastsio=[
            (
                "app: a synchronous one raised ValueError: Not a valid namespace class for this server: AsyncServer takes "
                "subclasses of AsyncNamespace, Sync is one of Namespace"
            ),
            "app: an object raised ValueError: Not a namespace instance: this is of type 'object'",
            "app: None raised ValueError: Not a namespace instance: this is of type 'NoneType'",
        ],
    )
)
async def only_async_namespaces_are_taken(lab: Lab) -> None:
    """A synchronous class, a class instead of an instance, and anything else are refused."""
    sio = lab.server()

    class Sync(lab.package.AsyncNamespace):
        def is_asyncio_based(self) -> bool:
            return False

    await lab.attempt("a synchronous one", sio.register_namespace, Sync("/chat"))
    await lab.attempt("an object", sio.register_namespace, object())
    await lab.attempt("None", sio.register_namespace, None)
    await lab.attempt("a valid one", sio.register_namespace, lab.package.AsyncNamespace("/chat"))


@scenario()
async def the_event_decorator_has_three_forms(lab: Lab) -> None:
    """Bare, called without arguments, and called with a namespace."""
    sio = lab.server()

    def news(*args: Any) -> None:
        lab.note("news", *args)

    lab.note("bare", sio.event(news) is news)
    lab.note("called", sio.event()(news) is news)
    lab.note("with a namespace", sio.event(namespace="/chat")(news) is news)
    lab.note("registered", {namespace: sorted(events) for namespace, events in sio.handlers.items()})
    await lab.settle()


@scenario()
async def reserved_names_may_be_registered_but_not_caught(lab: Lab) -> None:
    """``reserved_events`` names connect and disconnect."""
    sio = lab.server()

    lab.note("reserved", sio.reserved_events)
    lab.note("connect", sio.on("connect", lambda *_: None))
    lab.note("disconnect", sio.on("disconnect", lambda *_: None))
    await lab.settle()


@scenario(
    differs=Difference(
        row="C-186",
        reason="Errors say what to write.",
        socketio=[
            "app: async_mode raised ValueError: Invalid async_mode specified",
            "app: transports raised ValueError: No valid transports provided",
        ],
        fastsio=[
            (
                "app: async_mode raised ValueError: Invalid async_mode 'carrier pigeon': AsyncServer has 'aiohttp', 'asgi', "
                "'sanic', 'tornado'"
            ),
            (
                "app: transports raised ValueError: No valid transports provided: give 'polling', 'websocket' or both, not "
                "['carrier pigeon']"
            ),
        ],
    )
)
async def options_with_wrong_values(lab: Lab) -> None:
    """What the constructor says to options it cannot use."""
    server = lab.package.AsyncServer

    async def build(**options: Any) -> str:
        server(**options)
        return "built"

    await lab.attempt("async_mode", build, async_mode="carrier pigeon")
    await lab.attempt("transports", build, transports=["carrier pigeon"])


@scenario()
async def attributes_applications_read(lab: Lab) -> None:
    """The attributes of a new server and their first values."""
    sio = lab.server(namespaces=["/", "/a"])

    lab.note("async", sio.async_mode, sio.async_handlers, sio.always_connect, sio.is_asyncio_based())
    lab.note("namespaces", sio.namespaces)
    lab.note("handlers", sio.handlers, sio.namespace_handlers, sio.environ)
    lab.note("logger", sio.logger.name)
    lab.note("manager", sio.manager.__class__.__name__)
    lab.note("engine", sio.eio.async_mode, sio.eio.async_handlers, sio.eio.cookie, sio.eio.allow_upgrades)
    lab.note("engine times", sio.eio.ping_interval, sio.eio.ping_timeout, sio.eio.max_http_buffer_size)
    reasons = "SERVER_DISCONNECT CLIENT_DISCONNECT PING_TIMEOUT TRANSPORT_CLOSE TRANSPORT_ERROR"
    lab.note("reasons", [getattr(sio.reason, name) for name in reasons.split()])
    await lab.settle()


@scenario()
async def namespaces_as_they_are_given(lab: Lab) -> None:
    """The attribute ``namespaces`` for every form of the option."""
    for given in (None, "*", ["/a"], ["/", "/a"]):
        lab.note("namespaces", given, lab.server(namespaces=given).namespaces)
    await lab.settle()


@scenario()
async def emits_with_wrong_arguments(lab: Lab) -> None:
    """Calls that do not fit the signature raise TypeError."""
    sio = lab.server()

    async def kind_of(action: Any, *args: Any, **options: Any) -> str:
        try:
            await action(*args, **options)
        except TypeError:
            return "TypeError"
        return "no error"

    await lab.attempt("emit without a name", kind_of, sio.emit)
    await lab.attempt("emit with an unknown option", kind_of, sio.emit, "x", colour="red")
    await lab.attempt("send without data", kind_of, sio.send)
    await lab.attempt("enter_room without a room", kind_of, sio.enter_room, "sid")


@scenario()
async def the_errors_form_the_same_tree(lab: Lab) -> None:
    """Names, bases and texts of the exceptions module."""
    errors = lab.exceptions
    for name in (
        "SocketIOError",
        "ConnectionError",
        "ConnectionRefusedError",
        "TimeoutError",
        "BadNamespaceError",
        "DisconnectedError",
    ):
        kind = getattr(errors, name)
        lab.note(name, [base.__name__ for base in kind.__mro__], str(kind()), str(kind("text")))
    for arguments in ((), ("m",), ("m", 1), ("m", 1, 2), (None,), ({"a": 1},)):
        lab.note("refused", arguments, errors.ConnectionRefusedError(*arguments).error_args)
    await lab.settle()
