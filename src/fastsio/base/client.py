"""
The base class of both clients: options, attributes, registration, the table of callbacks.

This module owns the options beyond python-socketio's, with their defaults and their validation, and the meaning of a
server's answers to CONNECT. It has all code that neither sends nor waits, and must not know asyncio, threads or
Engine.IO.
"""

from __future__ import annotations

import signal
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from fastsio.base.client_recovery import RecoverableSessions
from fastsio.base.event_log import event_log
from fastsio.base.internals import ClientInternals
from fastsio.base.namespace import BaseClientNamespace, no_namespace, other_namespace
from fastsio.base.options import (
    CLIENT_NAMES,
    ClientOptions,
    ClientPacket,
    choose_logger,
    choose_packet_class,
    known_options,
    limits_of,
    parameters_of,
    take_fields,
)
from fastsio.base.seams import CLIENT_REFUSED, CLIENT_SEAMS, Seams, refuse, refuse_class, refuse_coroutines
from fastsio.exceptions import ConnectionError as ConnectFailed
from fastsio.exceptions import SetupError
from fastsio.protocol.lifecycle import Reasons
from fastsio.protocol.limits import Limits
from fastsio.routing import CLIENT, EventRegistrar, Registration, Registry, check_namespace, single_namespace
from fastsio.types import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Unpack

    from fastsio.base.options import ClientKeywords
    from fastsio.injection import ConnectionScope
    from fastsio.protocol import Packet


#: The limits of a client that are higher than those of a server, because a client trusts the server that it has chosen.
_LIMITS: Final[dict[str, int]] = {"max_attachments": 1000, "max_binary_bytes": 100_000_000}
#: The clients that have lost their connection and try to reconnect.
reconnecting_clients: Final[list[Any]] = []
#: The function that :func:`signal_handler` calls last; None is Python's own handler.
original_signal_handler: Any = None


def signal_handler(sig: int, frame: Any) -> Any:
    """
    Stop the attempts of all clients to reconnect, then call the handler that the signal had before.

    A program may install it for SIGINT, as python-socketio does.
    """
    for client in reconnecting_clients:
        client.__fastsio__.reconnecting.aborted.set()
    if callable(original_signal_handler):
        return original_signal_handler(sig, frame)
    return signal.default_int_handler(sig, frame)


class BaseClient(EventRegistrar):
    """
    The part of a Socket.IO client that does not wait for anything.

    Attributes:
        connected: Whether ``connect()`` has succeeded and the connection is not over.
        namespaces: Namespace -> sid of the client there.
        failed_namespaces: The namespaces that the server refused.
        recovered: Whether the server has recovered the client's session in ``"/"`` when that was joined last.
        recovered_namespaces: The namespaces of which the same is true.
        sid: The Engine.IO session id, None without a connection.
        handlers: Namespace -> event -> handler.
        namespace_handlers: Namespace -> class-based namespace.
        callbacks: Namespace -> id -> the callback that waits for the acknowledgement.
        dependency_overrides: Dependency -> the function to call in its place, for tests.
        packet_class: The class of this client's packets.
    """

    #: A client has no FastAPI application beside it.
    host_app: ClassVar[None] = None
    reserved_events: ClassVar[list[str]] = ["connect", "connect_error", "disconnect", "__disconnect_final"]
    reason = Reasons
    #: The arguments of the last ``connect()``.
    connection_url: Any = None
    connection_headers: Any = None
    connection_auth: Any = None
    connection_transports: Any = None
    recovered: bool = False
    recovered_namespaces: frozenset[str] = frozenset()
    __fastsio_source__ = Source.CLIENT
    #: The methods of python-socketio that applications override, as fastsio implements them.
    _own_seams: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        refuse_class(cls, CLIENT_REFUSED)

    def __setattr__(self, name: str, value: Any) -> None:
        refuse("a client was given", name, CLIENT_REFUSED)
        if name in CLIENT_SEAMS:
            refuse_coroutines(self, {name: value})
        super().__setattr__(name, value)
        if name in CLIENT_SEAMS:
            self._seams.add(name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name in CLIENT_SEAMS:
            self._seams.remove(name)

    def __init__(
        self,
        reconnection: bool = True,
        reconnection_attempts: int = 0,
        reconnection_delay: float = 1,
        reconnection_delay_max: float = 5,
        randomization_factor: float = 0.5,
        logger: Any = False,
        serializer: Any = "default",
        json: Any = None,
        handle_sigint: bool = True,
        **kwargs: Unpack[ClientKeywords],
    ) -> None:
        refuse_class(type(self), CLIENT_REFUSED)
        self._seams = Seams(self, self._own_seams)
        self.reconnection = reconnection
        self.reconnection_attempts = reconnection_attempts
        self.reconnection_delay = reconnection_delay
        self.reconnection_delay_max = reconnection_delay_max
        self.randomization_factor = randomization_factor
        self.handle_sigint = handle_sigint
        given = known_options(type(self).__name__, dict(kwargs), CLIENT_NAMES, parameters_of(BaseClient))
        self.async_handlers: bool = given.pop("async_handlers", True)
        options, limits, self._engine_options = split_client_options(given)
        self.logger = choose_logger(logger, "socketio.client")
        self._event_log = event_log(self.logger)
        self.packet_class: type[Packet] = choose_packet_class(serializer, json, ClientPacket)
        self.dependency_overrides: dict[Callable[..., Any], Callable[..., Any]] = {}
        self._registry = Registry(asynchronous=self.is_asyncio_based(), role=CLIENT)
        sessions = RecoverableSessions(
            is_wanted=options.recovery,
            max_held_packets=options.max_held_packets,
            max_held_bytes=options.max_held_bytes,
        )
        self.__fastsio__ = ClientInternals(options, limits, self._registry, self._seams, self._event_log, sessions)
        self.handlers = self._registry.handlers
        self.namespace_handlers = self._registry.namespace_handlers
        self.eio: Any = None
        self.failed_namespaces: list[str] = []
        self.connection_namespaces: list[str] = []
        self.socketio_path: str | None = None
        self._auth: Any = None
        self._wait_timeout_s = 1.0
        #: Whether connect() or an attempt to reconnect runs, which fails if the connection is lost now; and whether it
        #: has reached the server.
        self._is_opening = self._was_reached = False
        self._reset_state()
        self._make_parts()

    def _make_parts(self) -> None:
        """Make the parts of the client, which differ between asyncio and threads, and let the engine call them."""

    def _reset_state(self) -> None:
        """Forget a connection; the dicts are new ones, because other threads may still read the old ones."""
        self.connected = False
        self.sid: str | None = None
        self.namespaces: dict[str, str] = {}
        self.callbacks: dict[str, dict[int, Any]] = {}
        self._ack_ids: dict[str, count[int]] = {}

    def is_asyncio_based(self) -> bool:
        """Whether handlers may be coroutine functions."""
        return False

    def register_namespace(self, namespace_handler: Any) -> None:
        """
        Register a class-based namespace.

        Raises:
            ValueError: The object is not a namespace of a client, or one of the other kind of client.
        """
        if not isinstance(namespace_handler, BaseClientNamespace):
            raise SetupError(no_namespace(namespace_handler, "client"))
        if namespace_handler.is_asyncio_based() != self.is_asyncio_based():
            raise SetupError(other_namespace(self, namespace_handler, "client"))
        namespace_handler._set_client(self)  # noqa: SLF001 - as python-socketio's; other names are the user's
        self._register(Registration(namespace_handler.namespace, None, namespace_handler))

    def get_sid(self, namespace: str | None = None) -> str | None:
        """
        Return the client's sid in a namespace, None where it is not connected.

        Raises:
            ValueError: The namespace has no slash in front.
        """
        return self.namespaces.get(single_namespace(namespace))

    def transport(self) -> str | None:
        """Return the transport in use, ``"polling"`` or ``"websocket"``."""
        transport: str | None = self.eio.transport()
        return transport

    def _register(self, registration: Registration) -> None:
        self._registry.add(registration)

    def _will_reconnect(self, reason: str) -> bool:
        """Return whether the client tries to reconnect after the end of a connection for *reason*."""
        shared = self.__fastsio__
        is_lost = reason == self.reason.TRANSPORT_ERROR
        is_wanted = not (self._is_opening or shared.dispatcher.is_dismissed or shared.reconnecting.has_left)
        return self.reconnection and is_lost and is_wanted

    # The names of python-socketio that applications and add-ons use

    @property
    def _reconnect_task(self) -> Any:
        """The task or thread that reconnects, or None."""
        return self.__fastsio__.reconnecting.task

    @property
    def _reconnect_abort(self) -> Any:
        """Set to end the attempts to reconnect; each loss has its own."""
        return self.__fastsio__.reconnecting.aborted

    @_reconnect_abort.setter
    def _reconnect_abort(self, event: Any) -> None:
        self.__fastsio__.reconnecting.aborted = event

    def _generate_ack_id(self, namespace: str, callback: Any) -> int:
        """Add a callback for an acknowledgement; return the id to send, from 1 for each namespace of a connection."""
        # Each step is atomic: threads emit at the same time.
        ack_id = next(self._ack_ids.setdefault(namespace, count(1)))
        self.callbacks.setdefault(namespace, {})[ack_id] = callback
        return ack_id


def pop_callback(callbacks: dict[str, dict[int, Any]], namespace: str, ack_id: int | None) -> Any:
    """Remove and return the callback of an acknowledgement; None for an unknown id."""
    return callbacks.get(namespace, {}).pop(ack_id, None)  # type: ignore[arg-type] # None is no key


class Membership:
    """
    A client program in one namespace: what injection reads of it, as it reads a server's record of a client.

    It exists from the server's CONNECT, or the first event before it, until one side leaves: the code that removes it
    from the client's table runs the disconnect handlers, so that they run once.
    """

    __slots__ = ("_sids", "namespace", "scope_store")

    def __init__(self, namespace: str, sids: Mapping[str, str], scope_store: ConnectionScope) -> None:
        self.namespace = namespace
        self._sids = sids
        self.scope_store = scope_store

    @property
    def sid(self) -> str:
        """The client's sid in the namespace; empty before the server has told it."""
        return self._sids.get(self.namespace, "")


def split_client_options(options: dict[str, Any]) -> tuple[ClientOptions, Limits, dict[str, Any]]:
    """Split the keyword arguments of a client: its own options, the limits of its decoder, and those of Engine.IO."""
    rest = dict(options)
    own, limits = take_fields(ClientOptions, rest), take_fields(Limits, rest)
    rest["logger"] = rest.pop("engineio_logger", False)
    return ClientOptions(**own), limits_of({**_LIMITS, **limits}), rest


#: The schemes that the URL of a server may have; without one it is http.
SCHEMES: Final = ("http", "https", "ws", "wss")


def namespaces_to_join(named: str | Iterable[str] | None, handled: Iterable[str]) -> list[str]:
    """Return the namespaces that ``connect()`` joins: those it names, or all that have handlers, or the root."""
    if named is not None:
        names = [named] if isinstance(named, str) else list(named)
        for name in names:
            if check_namespace(name) == "*":
                raise SetupError("a client cannot join every namespace; write the names of those it joins")
        return names
    return sorted(set(handled) - {"*"}) or ["/"]


def refusal_arguments(answer: Any) -> tuple[Any, ...]:
    """Return the arguments of a ``connect_error`` handler: the items of a list, none for None, otherwise *answer*."""
    if answer is None:
        return ()
    return tuple(answer) if isinstance(answer, list) else (answer,)


def failure_text(failed: Collection[str]) -> str:
    """Return the text of the error for namespaces that could not be joined."""
    if not failed:
        return "Unexpected connection error"
    return "One or more namespaces failed to connect: " + ", ".join(failed)


def check_url(url: Any) -> None:
    """
    Make sure that a URL can be connected to; the error does not repeat all of it, because it may have a password in it.

    Raises:
        ConnectionError: It has no scheme or no host, or a scheme that is not in :data:`SCHEMES`.
    """
    parts = urlsplit(str(url))
    if not parts.netloc:
        known = parts.scheme in SCHEMES
        example = "http://localhost:5000" if known or "@" in str(url) or not url else f"http://{url}"
        raise ConnectFailed(f"the URL has no {'host' if known else 'scheme'}; write it like {example!r}")
    if parts.scheme not in ("", *SCHEMES):
        raise ConnectFailed(f"the URL's scheme {parts.scheme!r} is unknown; it is one of {', '.join(SCHEMES)}")


def not_connected(namespace: str) -> str:
    """Return the text of the error for an event in a namespace that is not connected, with the cure if it never is."""
    text = f"{namespace} is not a connected namespace."
    if namespace == "*":
        return f"{text} It is every namespace, for handlers to be registered in; name one of them"
    return text if namespace.startswith("/") else f"{text} It has no slash; write '/{namespace}'"
