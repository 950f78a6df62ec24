"""
The consumer: one object for each connection, with a method for each kind of message.

This module knows ASGI and channel layers, but no protocol; :mod:`websocket` and :mod:`typed` do.
"""

from __future__ import annotations

from inspect import isroutine
from typing import TYPE_CHECKING, Any, ClassVar

from fastsio.consumers.class_reader import (
    ClassReader,
    ConsumerInfo,
    ConsumerPlan,
    HandlerPlan,
    MethodCache,
)
from fastsio.consumers.connection import Connection, Peer
from fastsio.consumers.decorators import ChannelInfo, own_docstring
from fastsio.consumers.types import logger
from fastsio.exceptions import SetupError, SignatureError
from fastsio.injection import Context
from fastsio.injection.signature import UnresolvedError
from fastsio.layers import get_channel_layer
from fastsio.routing.slips import misspelt_settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastsio.consumers.types import Receive, Scope, Send
    from fastsio.layers import BaseChannelLayer


class ConsumerApplication:
    """An ASGI application that makes a consumer, with *arguments* by keyword, for each connection."""

    def __init__(self, consumer_class: type[AsyncConsumer], arguments: Mapping[str, Any]) -> None:
        self.consumer_class = consumer_class
        self.consumer_initkwargs = dict(arguments)
        self.__name__ = consumer_class.__name__
        self.__doc__ = consumer_class.__doc__

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; raise SetupError for a lifespan without methods for it, as ASGI 3 asks."""
        if scope["type"] == "lifespan" and not hasattr(self.consumer_class, "lifespan_startup"):
            raise SetupError(f"{self.__name__} has nothing to do at startup and shutdown")
        await Connection(self.consumer_class(**self.consumer_initkwargs), scope, receive, send).run()


class AsyncConsumer:
    """
    A consumer of any ASGI protocol: a message of type ``a.b`` goes to the method ``a_b``.

    Attributes:
        scope: The connection's ASGI scope.
        channel_layer: The channel layer, from ``connect`` on; None without an alias.
        channel_name: The connection's channel in the layer; without a layer it is random.
        session: A dict in which handlers store data for the length of the connection.
    """

    #: The alias of the registered layer to use, which is looked up when a client connects; None uses no layer.
    channel_layer_alias: ClassVar[str | None] = None
    #: How many handlers of one connection may run at a time.
    concurrency: ClassVar[int] = 1
    #: Seconds that running handlers have to end after the client has left; then they are cancelled.
    handler_grace: ClassVar[float] = 1.0
    #: How many messages of the layer may wait for one connection; None is the layer's number.
    inbox_capacity: ClassVar[int | None] = None
    #: Seconds that a frame may wait for a client that does not read; then the connection is closed with 1013. None is
    #: any time.
    slow_client_timeout: ClassVar[float | None] = 20.0
    #: Middlewares around the handlers, the first outermost.
    middleware: ClassVar[Sequence[Any]] = ()
    #: ``Depends(...)`` to resolve before each handler with an endpoint.
    dependencies: ClassVar[Sequence[Any]] = ()
    #: Dependency -> the function that is called in its place, for tests.
    dependency_overrides: ClassVar[dict[Any, Any]] = {}
    #: The field that tells messages apart.
    discriminator_field: ClassVar[str] = "action"
    #: Whether the fields of messages are camelCase on the wire.
    camelize: ClassVar[bool] = False
    #: The arguments of ``@channel``.
    channel_info: ClassVar[ChannelInfo | None] = None

    #: Whether only methods with a decorator can be called from the channel layer.
    _is_typed: ClassVar[bool] = False
    _plan: ClassVar[ConsumerPlan | None] = None
    _method_cache: ClassVar[MethodCache] = MethodCache()

    #: The FastAPI application that the consumer is mounted in: its ``dependency_overrides`` count too.
    host_app: Any = None
    scope: Scope
    channel_layer: BaseChannelLayer
    channel_name: str

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if not isinstance(cls.concurrency, int) or cls.concurrency < 1:
            raise SetupError(f"{cls.__qualname__}.concurrency is a positive whole number, not {cls.concurrency!r}")
        if "channel_info" not in vars(cls):
            cls.channel_info = None
        cls._method_cache = MethodCache.of_parents(cls)
        cls._plan = None
        try:
            cls._plan = ClassReader(cls, cls._method_cache).read(is_typed=cls._is_typed)
        except UnresolvedError:
            return  # an annotation names a class that is defined later; the plan is made at the first use

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        self.is_stopped = False

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> ConsumerApplication:
        """
        Return the ASGI application, for a router.

        A warning in the log names each action that a middleware is for and that has no handler.

        Args:
            initkwargs: The arguments for the consumer's constructor, which is called for each connection.

        Raises:
            SetupError: A handler cannot be called, or an attribute has nearly the name of one of the consumer's.
        """
        for name, known in misspelt_settings(cls, _settings(cls)).items():
            raise SetupError(f"{cls.__qualname__}.{name} does nothing; did you mean {known!r}?")
        for text in cls.plan().unreached:
            logger.warning("%s", text)
        return ConsumerApplication(cls, initkwargs)

    @classmethod
    def plan(cls) -> ConsumerPlan:
        """Return the plan of the class; raise SignatureError if an annotation names what does not exist."""
        plan = cls._plan
        if plan is None:
            try:
                plan = cls._plan = ClassReader(cls, cls._method_cache).read(is_typed=cls._is_typed)
            except UnresolvedError as error:
                cure = "import it, outside of TYPE_CHECKING"
                raise SignatureError(f"{cls.__qualname__}: {error.fault}; {cure}") from error
        return plan

    @classmethod
    def describe(cls) -> ConsumerInfo:
        """Return the description of the class: channel, handlers, messages."""
        channel = cls.channel_info or ChannelInfo(cls.__name__, own_docstring(cls))
        return ConsumerInfo(channel, cls.plan().handlers, cls.discriminator_field, cls.camelize)

    async def dispatch(self, message: Mapping[str, Any]) -> None:
        """
        Call the method for a message of the server.

        Raises:
            SetupError: The class has no such method.
        """
        name = message["type"].replace(".", "_")
        handler = getattr(self, name, None)
        if handler is None:
            raise SetupError(f"{type(self).__qualname__} has no method {name!r} for {message['type']!r}")
        await handler(message)

    async def handle_layer_message(self, message: Mapping[str, Any]) -> None:
        """Call the method that a message of the channel layer names."""
        kind = message.get("type")
        handler = self._compiled.methods.get(kind.replace(".", "_")) if isinstance(kind, str) else None
        if handler is None:
            logger.warning(
                "%s: a message of type %.100r came over the channel layer, and no method takes it; %s",
                type(self).__qualname__,
                kind,
                "decorate one with @event_handler" if self._is_typed else "add one of that name",
            )
            return
        await self._call(handler, message)

    async def send(self, message: Mapping[str, Any]) -> None:
        """
        Send a message of ASGI to the server.

        Raises:
            DisconnectedError: The client has left.
        """
        await self._connection.write(dict(message))

    async def on_failure(self, exc: Exception, message: Mapping[str, Any]) -> None:
        """
        Handle an exception that a handler raised.

        Args:
            exc: The exception.
            message: The message that the handler was called for.

        Raises:
            Exception: *exc*, when the server sent the message: the server ends the connection.
        """
        if str(message.get("type")).startswith(self._protocol):
            raise exc
        logger.error("%s: error while handling %s", type(self).__qualname__, message.get("type"), exc_info=exc)

    @property
    def session(self) -> dict[str, Any]:
        """A dict in which handlers store data for the length of the connection."""
        return self._peer.session

    @property
    def peer(self) -> Peer:
        """The client."""
        return self._peer

    # Called by the connection.

    @property
    def writes_broadcasts(self) -> bool:
        """Whether a frame that was broadcast may be written to the connection without asking the consumer."""
        return False

    def attach(self, scope: Scope, connection: Connection) -> None:
        """Start serving a connection."""
        self.scope = scope
        if hasattr(scope.get("app"), "dependency_overrides"):
            self.host_app = scope["app"]
        self.is_stopped = False
        self._protocol = f"{scope['type']}."
        self._connection = connection
        self._compiled = self.plan()
        self._peer = Peer(scope)
        self.channel_name = self._peer.sid
        self.channel_layer = None  # type: ignore[assignment] # consumers without a layer do not ask for it

    def enter_channel(self, layer: BaseChannelLayer, channel: str) -> None:
        """Set the consumer's channel in a layer."""
        self.channel_layer = layer
        self.channel_name = self._peer.sid = channel

    @classmethod
    def find_channel_layer(cls) -> BaseChannelLayer | None:
        """Return the class's layer, or None; raise LayerNotFoundError if none is registered with its alias."""
        return None if cls.channel_layer_alias is None else get_channel_layer(cls.channel_layer_alias)

    async def pass_on(self, message: Mapping[str, Any]) -> None:
        """Pass on a frame that was broadcast."""
        logger.warning("%s: a frame came over the channel layer, and the consumer has no WebSocket", type(self))

    def answer_at_once(self, message: Mapping[str, Any]) -> bool:
        """Start to answer a server's question that need not wait for a handler; return False for any other message."""
        return False

    async def handle_server_message(self, message: Mapping[str, Any]) -> None:
        """Carry out a server's message of the cluster; without a WebSocket there is nothing to carry out."""

    async def release(self) -> None:
        """Close the dependencies that live as long as the connection."""
        try:
            await self._peer.scope_store.aclose()
        except Exception:  # noqa: BLE001 - the connection has ended, and the groups are still to be left
            logger.exception("%s: a dependency of the connection could not be closed", type(self).__qualname__)

    # Calling handlers.

    async def _call(self, handler: HandlerPlan, content: Any) -> Any:
        """Call a handler without a message class."""
        if handler.call is None:
            result = handler.function(self, content)
            return await result if handler.is_coroutine else result
        return await Context(self, self._peer, handler.action, (content,)).arun(handler.call)

    async def _hook(self, name: str, *args: Any, **offered: Any) -> None:
        """Call a method of the connection, with its dependencies if it has any."""
        hook = self._compiled.hooks.get(name)
        if hook is None:
            await getattr(self, name)(*args, **({} if args else offered))
            return
        context = Context(self, self._peer, name, named={hook.self_name: self, **offered})
        await context.arun(hook.endpoint.call)


def _settings(consumer: type) -> set[str]:
    """Return the attributes that the classes of fastsio have for an application to set."""
    kinds = [kind for kind in consumer.__mro__ if kind.__module__.startswith("fastsio.")]
    entries = [entry for kind in kinds for entry in vars(kind).items() if not entry[0].startswith("_")]
    return {name for name, value in entries if not (isroutine(value) or isinstance(value, property))}
