"""The consumer of typed messages: a handler for each action, validated, with answers and errors in one vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final

from fastsio.aio import concurrency
from fastsio.consumers.admission import Admission
from fastsio.consumers.camel import from_wire
from fastsio.consumers.envelopes import EVENT
from fastsio.consumers.exceptions import AcceptConnection, DenyConnection, StopConsumer
from fastsio.consumers.frames import control_frame, read_frame, shown
from fastsio.consumers.logs import logger
from fastsio.consumers.results import result_message, without_position
from fastsio.consumers.speaking import REQUEST, EventT, SpeakingConsumer
from fastsio.exceptions import DisconnectedError, EventError, SetupError, ValidationFailed
from fastsio.injection import Context
from fastsio.messages import EVENT_ACTION_COMPLETE, GROUP_ACTION_COMPLETE, MESSAGE_ACTION_COMPLETE
from fastsio.routing import describe, is_expected
from fastsio.routing.failures import find_exception_handler, is_websocket_exception

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fastsio.consumers.authentication import BaseAuthenticator
    from fastsio.consumers.base import ConsumerApplication
    from fastsio.consumers.plan import HandlerPlan
    from fastsio.consumers.types import WebSocketConnectEvent

_MAX_REF_LENGTH: Final = 200
#: Characters of an unknown action that its error repeats.
_MAX_EVENT_LENGTH: Final = 100
#: What passes through a handler without being its failure.
_NOT_FAILURES: Final = (DisconnectedError, StopConsumer)


class AsyncJsonWebsocketConsumer(SpeakingConsumer[EventT]):
    """
    A consumer of JSON messages, each with a handler.

    A frame ``{"action": "chat", "payload": {...}}`` goes to the method with ``@ws_handler`` whose message class says
    ``action: Literal["chat"]``; what that returns is sent back. A frame that cannot be read, has no handler or does
    not validate, and a handler that fails, are answered with ``{"action": "error", "payload": {"type", "event",
    "msg", "detail"}}``; the connection lives on. A ``ref`` in a frame is repeated in the answers to it.

    The type argument is the class, or union, of its events, for type checkers only.
    """

    #: Who finds out who connects; None lets everybody in.
    authenticator_class: ClassVar[type[BaseAuthenticator] | None] = None
    #: What must be true for a client that connects: functions that may take dependencies, ``consumer``,
    #: ``authenticator`` and ``scope``, and return a bool.
    permissions: ClassVar[Sequence[Callable[..., Any]]] = ()
    #: Characters that a frame may have. 1,000,000; None is any number that the server lets through.
    max_message_length: ClassVar[int | None] = 1_000_000

    _is_typed = True
    _admission: ClassVar[Admission | None] = None

    #: Who connected, once that is known.
    authenticator: Any = None

    if not TYPE_CHECKING:

        def __class_getitem__(cls, events: Any) -> Any:
            """Return the class itself: what it is subscripted with is for type checkers."""
            return cls

    def __init_subclass__(cls, **arguments: Any) -> None:
        cls._admission = None
        super().__init_subclass__(**arguments)

    @classmethod
    def as_asgi(cls, **initkwargs: Any) -> ConsumerApplication:
        """
        Return the ASGI application, for a router.

        Raises:
            SetupError: A handler, authenticator or permission cannot be called, nobody can enter a room, or an
                attribute is nearly called like one of the consumer's.
        """
        if isinstance(cls.authenticator, type):
            raise SetupError(f"{cls.__qualname__}.authenticator is what a connection gets; write 'authenticator_class'")
        cls.admission()
        cls.keeper()
        return super().as_asgi(**initkwargs)

    @classmethod
    def admission(cls) -> Admission:
        """Return how to find out whether a client may connect."""
        admission = cls._admission
        if admission is None:
            admission = cls._admission = Admission(cls.authenticator_class, cls.permissions)
        return admission

    # What applications override.

    async def post_authentication(self) -> None:
        """Welcome a client: once for each connection, after it was accepted and authenticated."""

    # What the server and the layer call.

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
            await self.close(refusal.close_code, refusal.reason)
            return
        await self._join_groups()
        await self._hook("post_authentication")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Decode a frame and hand it to ``receive_json``."""
        try:
            content = self.decode_json(self._require_frame(text_data))
        except (ValueError, EventError) as error:
            expected = error if isinstance(error, EventError | ValidationFailed) else _not_json(error)
            await self._send_failure(expected, "")
            await self._complete(MESSAGE_ACTION_COMPLETE)
            return
        await self.receive_json(content)

    async def receive_json(self, content: Any, **kwargs: Any) -> None:
        """Find the handler of a decoded frame and call it."""
        ref = content.get("ref") if isinstance(content, dict) else None
        if ref is None:
            await self._receive_content(content)
        elif isinstance(ref, bool) or not isinstance(ref, str | int) or len(str(ref)) > _MAX_REF_LENGTH:
            await self._send_failure(_bad_ref(), "")
            await self._complete(MESSAGE_ACTION_COMPLETE)
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
        await self._complete(EVENT_ACTION_COMPLETE)

    async def pass_on(self, message: Mapping[str, Any]) -> None:
        """Pass on a frame that was broadcast."""
        text = message["text"]
        if self.log_websocket_message:
            self._log("sent", read_frame(text))
        await self.send(text)
        await self._complete(GROUP_ACTION_COMPLETE)

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
        await self._complete(MESSAGE_ACTION_COMPLETE)

    async def _handle(self, handler: HandlerPlan, content: Any) -> None:
        """Call a handler and send its answer, or what its failure means."""
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
                await self._answer(handler, result)
        except _NOT_FAILURES:
            raise
        except (Exception, concurrency.Cancelled) as exc:  # noqa: BLE001 - whatever it is, the client is answered
            error = concurrency.failure_of(exc)
            await self._fail(handler, error, Context(self, self._peer, handler.action, (content,)))

    async def _handle_in_context(self, handler: HandlerPlan, content: Any) -> None:
        """Call a handler through its endpoint; dependencies are closed after the answer was sent."""
        if handler.takes_valid and handler.validate is not None:
            content = handler.validate(content)
        context = Context(self, self._peer, handler.action, (content,))
        failure: BaseException | None = None
        try:
            result = await handler.call(context)  # type: ignore[misc] # the caller has looked
            if result is not None:
                await self._answer(handler, result)
        except _NOT_FAILURES as exc:
            failure = exc
            raise
        except (Exception, concurrency.Cancelled) as exc:  # noqa: BLE001 - as in _handle
            failure = exc
            failure = error = await context.afail(concurrency.failure_of(exc))
            await self._fail(handler, error, context)
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

    async def _answer(self, handler: HandlerPlan, result: Any) -> None:
        await self.send_message(result_message(handler, result))

    async def _fail(self, handler: HandlerPlan, exc: Exception, context: Context) -> None:
        """Answer for a failed handler: by an exception handler, else with the error object."""
        if isinstance(exc, ValidationFailed):
            exc = without_position(exc)
        failures: Any = self._compiled.failures
        endpoint: Any = find_exception_handler(exc, [failures])
        if endpoint is not None:
            context.exc = exc
            try:
                result = await concurrency.outcome(endpoint.call(context))
                if result is not None:
                    await self._answer(handler, result)
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

    async def _send_failure(self, exc: Exception, event: str) -> None:
        await self._send_text(self._error_text(exc, event))

    def _error_text(self, exc: Exception, event: str) -> str:
        return control_frame(self.discriminator_field, "error", describe(exc, event).as_dict())

    def _no_handler(self, content: Any, action: Any) -> Exception:
        field = self.discriminator_field
        known = ", ".join(map(repr, self._compiled.actions)) or "none"
        if not isinstance(content, dict):
            return EventError("validation_error", f"The frame is no JSON object; send one with {field!r} in it.")
        if not isinstance(action, str):
            return EventError("validation_error", f"The frame does not say what it is: {field!r} is one of {known}.")
        return EventError("not_found", f"There is no {field} {shown(action)} here; there is {known}.")

    async def _complete(self, action: str) -> None:
        if self.send_completion:
            await self._send_text(control_frame(self.discriminator_field, action))

    @property
    def writes_broadcasts(self) -> bool:
        """Whether a frame that was broadcast may be written without ``pass_on`` and ``send``."""
        return not (self.send_completion or self.log_websocket_message) and super().writes_broadcasts


def _bad_ref() -> ValidationFailed:
    said = f"'ref' is a text or a number of at most {_MAX_REF_LENGTH} characters"
    return ValidationFailed([{"loc": ["ref"], "msg": said, "type": "ref"}])


def _not_json(error: ValueError) -> ValidationFailed:
    return ValidationFailed([{"loc": [], "msg": f"The frame cannot be decoded: {error}"[:200], "type": "json_invalid"}])
