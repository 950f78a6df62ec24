"""
What a client gets when its event's handler failed.

Asks the exception handlers, then the one error vocabulary; must not let a failure out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.aio import concurrency
from fastsio.base.emission import acknowledgement
from fastsio.exceptions import EventError
from fastsio.protocol import PacketType
from fastsio.routing import describe, is_expected

if TYPE_CHECKING:
    from fastsio.aio.dispatch import PacketServer
    from fastsio.injection import Context, Endpoint
    from fastsio.routing import Route


async def answer_failure(
    server: PacketServer, exc: Exception, route: Route, context: Context, ack_id: int | None
) -> None:
    """
    Answer a failed event.

    What its dependencies opened is closed first: one of them may raise what the client is to read. An exception
    handler's result is the acknowledgement. Without one the client gets the error object, as acknowledgement if it
    asked for one and as ``error`` event otherwise; a plain handler, which python-socketio would leave without an
    answer, is left without one.

    Args:
        server: The server.
        exc: What was raised.
        route: What was called.
        context: The event.
        ack_id: The acknowledgement the client waits for, or None.

    Raises:
        Exception: *exc*, unanswered, where a test client plays the client: the test is to fail of it.
    """
    exc = await context.afail(exc)
    endpoint = server._registry.exception_endpoint(exc, route.scopes)
    client: Any = context.client
    try:
        if endpoint is not None:
            await _answer_by_handler(server, exc, endpoint, context, ack_id)
            return
        is_answered = await _answer_by_vocabulary(server, exc, route, context, ack_id)
    except Exception:
        server.logger.exception("%s: the failure of %s could not be answered", client.label, context.event)
        return
    if not is_answered and "_send_packet" in vars(server):
        raise exc


async def run_exception_handler(endpoint: Endpoint, context: Context, exc: Exception) -> Any:
    """Call an exception handler for *exc*."""
    context.exc = exc
    return await concurrency.outcome(endpoint.call(context))


async def _answer_by_handler(
    server: PacketServer, exc: Exception, endpoint: Endpoint, context: Context, ack_id: int | None
) -> None:
    try:
        result = await run_exception_handler(endpoint, context, exc)
    except Exception as raised:  # noqa: BLE001 - whatever it is, the client is answered
        _log(server, raised, context.event)
        await _send(server, describe(raised, context.event).as_dict(), context, ack_id)
        return
    if ack_id is not None:
        await _acknowledge(server, acknowledgement(result), context, ack_id)


async def _answer_by_vocabulary(
    server: PacketServer, exc: Exception, route: Route, context: Context, ack_id: int | None
) -> bool:
    """Answer with the error object, unless python-socketio would not answer; tell whether that was done."""
    if not is_expected(exc) or route.is_silent:
        _log(server, exc, context.event)
    if route.is_silent and not isinstance(exc, EventError):
        return False
    await _send(server, describe(exc, context.event).as_dict(), context, ack_id)
    return True


async def _send(server: PacketServer, error: dict[str, Any], context: Context, ack_id: int | None) -> None:
    if ack_id is not None:
        await _acknowledge(server, [{"error": error}], context, ack_id)
        return
    client: Any = context.client
    packet = server.packet_class(PacketType.EVENT, ["error", error], client.namespace)
    await server.reply(client.eio_sid, packet)


async def _acknowledge(server: PacketServer, arguments: list[Any], context: Context, ack_id: int) -> None:
    client: Any = context.client
    await server.reply(client.eio_sid, server.packet_class(PacketType.ACK, arguments, client.namespace, ack_id))


def _log(server: PacketServer, exc: BaseException, what: str) -> None:
    server.logger.error("error in the handler of %s", what, exc_info=exc)
