"""
The consumer of typed messages: a handler for each action, with validation, answers and error objects.

:mod:`rooms` lets clients join and leave rooms.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic

from typing_extensions import TypeVar

from fastsio.aio import concurrency
from fastsio.consumers.authorization import Admission
from fastsio.consumers.camel import from_wire, message_keys, to_wire
from fastsio.consumers.frames import (
    control_frame,
    event_envelope,
    plain_message,
    read_frame,
    read_message,
    result_message,
    shown,
    text_envelope,
    with_ref,
    without_position,
    write_frame,
    write_message,
)
from fastsio.consumers.rooms import ConsumerRooms, handlers_for
from fastsio.consumers.types import AcceptConnection, DenyConnection, StopConsumer, logger
from fastsio.consumers.websocket import AsyncWebsocketConsumer
from fastsio.exceptions import DisconnectedError, EventError, SetupError, ValidationFailed
from fastsio.injection import Context
from fastsio.layers.frames import EVENT
from fastsio.messages import EVENT_ACTION_COMPLETE, GROUP_ACTION_COMPLETE, MESSAGE_ACTION_COMPLETE, BaseMessage
from fastsio.routing import is_expected
from fastsio.routing.errors import find_exception_handler, is_websocket_exception

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from fastsio.base.rooms import Room
    from fastsio.consumers.authorization import BaseAuthenticator
    from fastsio.consumers.base import ConsumerApplication
    from fastsio.consumers.class_reader import HandlerPlan
    from fastsio.consumers.connection import Connection
    from fastsio.consumers.types import Scope, WebSocketConnectEvent
    from fastsio.layers import BaseChannelLayer


async def _send_to_groups(
    layer: BaseChannelLayer, groups: Sequence[str], envelope: dict[str, Any], *, wait: bool
) -> None:
    """Send to all groups, then wait for clients that have much to read."""
    for group in groups:
        await layer.group_send(group, envelope, wait=False)
    if wait:
        await layer.let_read(groups)


def _envelope(event: BaseMessage, groups: Sequence[str] = ()) -> dict[str, Any]:
    return event_envelope(event.model_dump(mode="json", by_alias=True), groups=groups)


def _names(groups: Collection[str] | str | None, otherwise: Iterable[str]) -> list[str]:
    """Return the groups, each once."""
    if groups is None:
        groups = list(otherwise)
    return [groups] if isinstance(groups, str) else list(dict.fromkeys(groups))


EventT = TypeVar("EventT", bound=BaseMessage, default=BaseMessage)

#: The consumer whose frame is handled in this context, and the ``ref`` of the frame.
REQUEST: ContextVar[tuple[Any, str | int] | None] = ContextVar("fastsio_consumer_request", default=None)

_MAX_REF_LENGTH: Final = 200
#: How many characters of an unknown action its error repeats.
_MAX_EVENT_LENGTH: Final = 100
#: Exceptions that a handler may raise without having failed.
_NOT_FAILURES: Final = (DisconnectedError, StopConsumer)


class AsyncJsonWebsocketConsumer(AsyncWebsocketConsumer, Generic[EventT]):
    """
    A consumer of JSON messages, each with a handler.

    A frame ``{"action": "chat", "payload": {...}}`` goes to the method with ``@ws_handler`` whose message class says
    ``action: Literal["chat"]``; the method's result is sent back. A frame that cannot be read, has no handler or does
    not validate, and a handler that fails, are answered with ``{"action": "error", "payload": {"type", "event",
    "msg", "detail"}}``; the connection stays open. A ``ref`` in a frame is repeated in the answers to it.

    The type argument is the class, or union, of its events, for type checkers only.
    """

    #: The authenticator; None lets all clients connect.
    authenticator_class: ClassVar[type[BaseAuthenticator] | None] = None
    #: Functions that must all return True for a client that connects. They may take dependencies, ``consumer``,
    #: ``authenticator`` and ``scope``.
    permissions: ClassVar[Sequence[Callable[..., Any]]] = ()
    #: How many characters a frame may have. 1,000,000; None is any number that the ASGI server allows.
    max_message_length: ClassVar[int | None] = 1_000_000

    #: Room classes whose rooms clients may enter with ``subscribe`` and leave with ``unsubscribe``.
    rooms: ClassVar[Sequence[type[Room]]] = ()
    #: The namespace of Socket.IO that these rooms are in.
    room_namespace: ClassVar[str] = "/"
    #: How many rooms a client may be in. 1,000; None is any number.
    max_rooms: ClassVar[int | None] = 1_000
    #: Whether to send ``complete``, ``group_complete`` and ``event_complete``; tests wait for them.
    send_completion: bool = False
    #: Whether other tasks get to run after each message that is sent.
    send_message_immediately: bool = False
    #: Whether to log messages, at INFO.
    log_websocket_message: bool = False
    #: Actions that are not logged.
    log_ignored_actions: Collection[str] = ()

    _is_typed = True
    _room_keeper: ClassVar[ConsumerRooms | None] = None
    _admission: ClassVar[Admission | None] = None

    #: The authenticator of this connection; None before it was made.
    authenticator: Any = None

    if not TYPE_CHECKING:

        def __class_getitem__(cls, events: Any) -> Any:
            """Return the class itself: the type argument is for type checkers only."""
            return cls

    def __init_subclass__(cls, **arguments: Any) -> None:
        cls._admission = None
        cls._room_keeper = None
        if {"rooms", "discriminator_field"} & vars(cls).keys():
            for name, handler in handlers_for(cls.discriminator_field).items():
                setattr(cls, name, handler if cls.rooms else None)
        super().__init_subclass__(**arguments)

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> ConsumerApplication:
        """
        Return the ASGI application, for a router.

        Raises:
            SetupError: A handler, authenticator or permission cannot be called, a room class has no hook that finds its
                rooms, or an attribute has nearly the name of one of the consumer's.
        """
        if isinstance(cls.authenticator, type):
            raise SetupError(f"{cls.__qualname__}.authenticator is what a connection gets; write 'authenticator_class'")
        cls.admission()
        cls.keeper()
        return super().as_asgi(**initkwargs)

    @classmethod
    def admission(cls) -> Admission:
        """Return the object that decides whether a client may connect."""
        admission = cls._admission
        if admission is None:
            admission = cls._admission = Admission(cls.authenticator_class, cls.permissions)
        return admission

    @classmethod
    def keeper(cls) -> ConsumerRooms | None:
        """Return the rooms of the class; None if it has no room classes."""
        if cls._room_keeper is None and cls.rooms:
            cls._room_keeper = ConsumerRooms(cls)
        return cls._room_keeper

    @property
    def __fastsio__(self) -> Any:
        """The consumer itself, which has the room keeper, for :func:`fastsio.Joined`."""
        return self

    @property
    def room_keeper(self) -> ConsumerRooms:
        """The rooms of the class, for ``Joined(...)``; SetupError if it has no rooms."""
        keeper = self.keeper()
        if keeper is None:
            raise SetupError(f"{type(self).__qualname__} has no rooms; write rooms = [...]")
        return keeper

    # What applications override.

    async def post_authentication(self) -> None:
        """Called once for each connection, after the client was accepted and authenticated."""

    # What applications call.

    async def enter_room(self, room: Room) -> None:
        """
        Let the client into a room without asking ``can_join``; ``on_join`` is called.

        Raises:
            SetupError: The class has no rooms.
            ValueError: The client is in ``max_rooms`` rooms already.
            BusError: The broker did not accept it.
        """
        await self.room_keeper.enter(self, room)

    async def leave_room(self, room: Room) -> None:
        """
        Take the client out of a room; ``on_leave`` is called.

        Raises:
            SetupError: The class has no rooms.
        """
        await self.room_keeper.leave(self, room)

    async def send_message(self, message: BaseMessage, *, validate: bool = False) -> None:
        """
        Send a message to the client.

        Args:
            message: The message.
            validate: Whether to check it against its class again, for messages that were changed after they were made.

        Raises:
            DisconnectedError: The client has left.
            pydantic.ValidationError: It is not valid.
        """
        if validate:
            type(message).model_validate(message.model_dump())
        await self._send_text(self.encode_message(message))

    async def broadcast_message(
        self,
        message: BaseMessage | dict[str, Any],
        groups: Collection[str] | str | None = None,
        *,
        exclude_current: bool = False,
        exclude: Collection[str] | str = (),
        wait: bool = True,
    ) -> None:
        """
        Send a message to the clients of groups, in this process and in others; a client in several gets it once.

        Args:
            message: The message. It is encoded once, as this consumer encodes it.
            groups: The groups; by default those of the connection.
            exclude_current: Whether to leave out this connection's client.
            exclude: Other clients to leave out: the ``channel_name`` of consumers, the sids of clients of Socket.IO.
            wait: Whether to wait while clients of this process have much to read.
        """
        text = self.encode_message(message) if isinstance(message, BaseMessage) else write_frame(message)
        left_out = [exclude] if isinstance(exclude, str) else [*exclude]
        if exclude_current:
            left_out.append(self.channel_name)
        names = _names(groups, self.groups)
        envelope = text_envelope(text, exclude=left_out, groups=names)
        await _send_to_groups(self._require_layer(), names, envelope, wait=wait)

    async def send_json(self, content: Any, close: bool = False) -> None:
        """Send anything JSON-compatible as a frame."""
        await self._send_text(self.encode_json(content))
        if close:
            await self.close()

    @classmethod
    async def send_event(cls, event: EventT, channel_name: str, *, wait: bool = True) -> None:
        """
        Send an event to one connection, from anywhere: another consumer, a route, a worker.

        Args:
            event: What an ``@event_handler`` of this class takes.
            channel_name: The connection's ``channel_name``.
            wait: As for :meth:`broadcast_message`.

        Raises:
            LayerNotFoundError: The class's layer is not registered in this process.
            BusError: The broker did not take it.
        """
        await cls._layer().send(channel_name, _envelope(event), wait=wait)

    @classmethod
    async def broadcast_event(
        cls, event: EventT, groups: Collection[str] | str | None = None, *, wait: bool = True
    ) -> None:
        """
        Send an event to the connections of groups, from anywhere.

        Args:
            event: What an ``@event_handler`` of this class takes.
            groups: The groups; by default those of the class.
            wait: As for :meth:`broadcast_message`.

        Raises:
            LayerNotFoundError: The class's layer is not registered in this process.
            BusError: The broker did not take it.
        """
        names = _names(groups, cls.groups)
        await _send_to_groups(cls._layer(), names, _envelope(event, names), wait=wait)

    @classmethod
    def send_event_sync(cls, event: EventT, channel_name: str) -> None:
        """Do what :meth:`send_event` does, from code that cannot await."""
        cls._layer().sync.send(channel_name, _envelope(event))

    @classmethod
    def broadcast_event_sync(cls, event: EventT, groups: Collection[str] | str | None = None) -> None:
        """Do what :meth:`broadcast_event` does, from code that cannot await."""
        layer, names = cls._layer().sync, _names(groups, cls.groups)
        envelope = _envelope(event, names)
        for group in names:
            layer.group_send(group, envelope)

    @classmethod
    def _layer(cls) -> BaseChannelLayer:
        """Return the class's layer; raise SetupError if it has none, LayerNotFoundError if that is not registered."""
        layer = cls.find_channel_layer()
        if layer is None:
            raise SetupError(f"{cls.__qualname__} has no channel layer; set channel_layer_alias to the alias of one")
        return layer

    @classmethod
    def encode_message(cls, message: BaseMessage) -> str:
        """Return a message as the text of a frame."""
        if cls.camelize:
            return write_frame(to_wire(plain_message(message), message_keys(type(message))))
        return write_message(message)

    @classmethod
    def decode_message(cls, content: dict[str, Any], *others: type[BaseMessage]) -> BaseMessage:
        """
        Return a frame of this consumer as a message, for tests and for clients in Python.

        Args:
            content: The frame, decoded.
            others: Message classes beside those that the handlers declare.

        Raises:
            ValueError: No handler declares such a message, or the message is not valid.
        """
        return read_message(cls.describe(), content, others)

    @classmethod
    def encode_json(cls, content: Any) -> str:
        """Encode a frame; override it for another JSON."""
        return write_frame(content)

    @classmethod
    def decode_json(cls, text_data: str) -> Any:
        """
        Decode a frame; override it for another JSON.

        Raises:
            ValueError: It is not JSON.
        """
        return read_frame(text_data)

    async def send_control(self, action: str, payload: Any) -> None:
        """Send a message of the consumer itself."""
        await self._send_text(control_frame(self.discriminator_field, action, payload))

    # Called by the server and the layer.

    async def websocket_connect(self, message: WebSocketConnectEvent) -> None:
        """Accept, authenticate, join the class's groups and call ``post_authentication``."""
        try:
            await self._hook("connect")
        except AcceptConnection:
            await self.accept()
        except DenyConnection:
            await self.close()
        if not self._is_accepted or self._is_closed:
            return
        refusal = await self.admission().refuse(self, self._peer)
        if refusal is not None:
            await self.close(*refusal)
            return
        await self._join_groups()
        await self._hook("post_authentication")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Decode a frame and call ``receive_json`` with it."""
        try:
            content = self.decode_json(self._require_frame(text_data))
        except (ValueError, EventError) as error:
            expected = error if isinstance(error, EventError | ValidationFailed) else _not_json(error)
            await self._send_failure(expected, "")
            await self._send_completion(MESSAGE_ACTION_COMPLETE)
            return
        await self.receive_json(content)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Find the handler of a decoded frame and call it."""
        ref = content.get("ref") if isinstance(content, dict) else None
        if ref is None:
            await self._receive_content(content)
        elif isinstance(ref, bool) or not isinstance(ref, str | int) or len(str(ref)) > _MAX_REF_LENGTH:
            await self._send_failure(_bad_ref(), "")
            await self._send_completion(MESSAGE_ACTION_COMPLETE)
        else:
            token = REQUEST.set((self, ref))
            try:
                await self._receive_content(content)
            finally:
                REQUEST.reset(token)

    async def handle_layer_message(self, message: Mapping[str, Any]) -> None:
        """Call the handler of an event, or of a plain message."""
        if message.get("type") != EVENT:
            await super().handle_layer_message(message)
            return
        event = message["event"]
        handler = self._compiled.events.get(event.get(self.discriminator_field))
        if handler is None:
            logger.warning(
                "%s: there is no @event_handler for %.100r",
                type(self).__qualname__,
                event.get(self.discriminator_field),
            )
            return
        await self._handle(handler, event)
        await self._send_completion(EVENT_ACTION_COMPLETE)

    async def pass_on(self, message: Mapping[str, Any]) -> None:
        """Pass on a frame that was broadcast."""
        text = message["text"]
        if self.log_websocket_message:
            self._log("sent", read_frame(text))
        await self.send(text)
        await self._send_completion(GROUP_ACTION_COMPLETE)

    def put_message(self, message: dict[str, Any]) -> None:
        """Queue a message of a room with a history like one that was sent to the consumer's channel."""
        self._connection.put(message)

    def answer_at_once(self, message: Mapping[str, Any]) -> bool:
        """Start answering a server's question for the members of a room; return False for any other message."""
        keeper = self.keeper()
        return keeper is not None and keeper.answer_at_once(message["socketio"], message.get("id"))

    async def handle_server_message(self, message: Mapping[str, Any]) -> None:
        """Carry out a server's message of the cluster: in the rooms first, then as any consumer does."""
        keeper = self.keeper()
        if keeper is not None:
            order = message["socketio"]
            if not keeper.allows(self, order):
                logger.warning("%s: cannot enter %r by its name", type(self).__qualname__, order["room"])
                return
            if await keeper.handle_server_message(self, order, message.get("id")):
                return
        await super().handle_server_message(message)

    def attach(self, scope: Scope, connection: Connection) -> None:
        """Begin to serve a connection."""
        super().attach(scope, connection)
        self._peer.namespace = self.room_namespace

    async def release(self) -> None:
        """Leave the rooms, and close what the connection's dependencies opened."""
        try:
            keeper = self.keeper()
            if keeper is not None:
                await keeper.remove_client(self)
        finally:
            await super().release()

    # Handling.

    def _require_frame(self, text: str | None) -> str:
        limit = self.max_message_length
        if text is None:
            raise EventError("validation_error", "Binary frames are not supported; send JSON as text.")
        if limit is not None and len(text) > limit:
            raise EventError("validation_error", f"The frame is too long ({len(text)} > {limit} characters); split it.")
        return text

    async def _receive_content(self, content: Any) -> None:
        action = content.get(self.discriminator_field) if isinstance(content, dict) else None
        if self.log_websocket_message:
            self._log("received", content)
        handler = self._compiled.actions.get(action) if isinstance(action, str) else None
        if handler is None:
            await self._send_failure(
                self._no_handler(content, action), action[:_MAX_EVENT_LENGTH] if isinstance(action, str) else ""
            )
        else:
            await self._handle(handler, content)
        await self._send_completion(MESSAGE_ACTION_COMPLETE)

    async def _handle(self, handler: HandlerPlan, content: Any) -> None:
        """Call a handler and send its answer, or an error if it fails."""
        try:
            if handler.keys is not None:
                content = from_wire(content, handler.keys)
            if handler.call is not None:
                await self._handle_in_context(handler, content)
                return
            message = content if handler.validate is None else handler.validate(content)
            result = handler.function(self, message)
            if handler.is_coroutine:
                result = await result
            if result is not None:
                await self._send_result(handler, result)
        except _NOT_FAILURES:
            raise
        except (Exception, concurrency.Cancelled) as exc:  # noqa: BLE001 - whatever it is, the client is answered
            error = concurrency.failure_of(exc)
            await self._answer_failure(handler, error, Context(self, self._peer, handler.action, (content,)))

    async def _handle_in_context(self, handler: HandlerPlan, content: Any) -> None:
        """Call a handler through its endpoint; dependencies are closed after the answer was sent."""
        if handler.takes_valid and handler.validate is not None:
            content = handler.validate(content)
        context = Context(self, self._peer, handler.action, (content,))
        failure: BaseException | None = None
        try:
            result = await handler.call(context)  # type: ignore[misc] # the caller has looked
            if result is not None:
                await self._send_result(handler, result)
        except _NOT_FAILURES as exc:
            failure = exc
            raise
        except (Exception, concurrency.Cancelled) as exc:  # noqa: BLE001 - as in _handle
            failure = exc
            failure = error = await context.afail(concurrency.failure_of(exc))
            await self._answer_failure(handler, error, context)
        except BaseException as exc:
            failure = exc
            raise
        finally:
            await self._close_context(context, failure)

    async def _close_context(self, context: Context, failure: BaseException | None) -> None:
        try:
            await concurrency.outcome(context.aclose(failure))
        except Exception:  # noqa: BLE001 - the client has its answer, and the connection lives on
            logger.exception("%s: a dependency of %s could not be closed", type(self).__qualname__, context.event)

    async def _send_result(self, handler: HandlerPlan, result: Any) -> None:
        await self.send_message(result_message(handler, result))

    async def _answer_failure(self, handler: HandlerPlan, exc: Exception, context: Context) -> None:
        """Answer a message whose handler failed: with the result of an exception handler, or with the error object."""
        if isinstance(exc, ValidationFailed):
            exc = without_position(exc)
        failures: Any = self._compiled.failures
        endpoint: Any = find_exception_handler(exc, [failures])
        if endpoint is not None:
            context.exc = exc
            try:
                result = await concurrency.outcome(endpoint.call(context))
                if result is not None:
                    await self._send_result(handler, result)
            except _NOT_FAILURES:
                raise
            except Exception as raised:  # noqa: BLE001 - as in _handle
                exc = raised
            else:
                return
        if is_websocket_exception(exc):
            await self._close_for(exc)
            return
        if not is_expected(exc):
            logger.error("%s: error in the handler of %s", handler.label, handler.action, exc_info=exc)
        await self._send_failure(exc, handler.action)

    async def _send_text(self, text: str) -> None:
        request = REQUEST.get()
        if request is not None and request[0] is self:
            text = with_ref(text, request[1])
        if self.log_websocket_message:
            self._log("sent", read_frame(text))
        await self.send(text)
        if self.send_message_immediately:
            await asyncio.sleep(0)

    def _log(self, what: str, content: Any) -> None:
        action = content.get(self.discriminator_field) if isinstance(content, dict) else None
        if not (isinstance(action, str) and action in self.log_ignored_actions):
            logger.info("%s %s %s", self.channel_name, what, shown(content))

    async def _send_failure(self, exc: Exception, event: str) -> None:
        await self._send_text(self._error_text(exc, event))

    def _no_handler(self, content: Any, action: Any) -> Exception:
        field = self.discriminator_field
        known = ", ".join(map(repr, self._compiled.actions)) or "none"
        if not isinstance(content, dict):
            return EventError("validation_error", f"The frame is no JSON object; send one with {field!r} in it.")
        if not isinstance(action, str):
            return EventError("validation_error", f"The frame does not say what it is: {field!r} is one of {known}.")
        return EventError("not_found", f"There is no {field} {shown(action)} here; there is {known}.")

    async def _send_completion(self, action: str) -> None:
        if self.send_completion:
            await self._send_text(control_frame(self.discriminator_field, action))

    @property
    def writes_broadcasts(self) -> bool:
        """Whether a frame that was broadcast may be written without ``pass_on`` and ``send``."""
        return not (self.send_completion or self.log_websocket_message) and super().writes_broadcasts


def _bad_ref() -> ValidationFailed:
    text = f"'ref' is a text or a number of at most {_MAX_REF_LENGTH} characters"
    return ValidationFailed([{"loc": ["ref"], "msg": text, "type": "ref"}])


def _not_json(error: ValueError) -> ValidationFailed:
    return ValidationFailed([{"loc": [], "msg": f"The frame cannot be decoded: {error}"[:200], "type": "json_invalid"}])
