"""
Relays single requests for sessions of other workers, where the connection cannot be passed.

A connection stays here while its earlier requests are not answered. This module sends the request to the other worker
over HTTP, and answers with its response through ASGI. This module must not know what request and response contain.

Source: RFC 9112, section 9.3.2; RFC 9110, section 7.6.1.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import h11

from fastsio.integrations.workers.channel import ENDED, ParcelsFull
from fastsio.integrations.workers.forwarding import RETRY, respond, wait_for_disconnect
from fastsio.integrations.workers.origin import describe_scope
from fastsio.integrations.workers.sids import foreign_process, worker_of_query

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from fastsio.integrations.workers.forwarding import Forwarding
    from fastsio.integrations.workers.passing import Passing

    Event = dict[str, Any]
    Receive = Callable[[], Awaitable[Event]]
    Send = Callable[[Event], Awaitable[None]]
    Headers = list[tuple[bytes, bytes]]

#: Headers of one connection, and those that uvicorn writes itself.
OF_CONNECTION: Final = frozenset({b"connection", b"keep-alive", b"expect", b"upgrade", b"date", b"server"})
READ_BYTES: Final = 65_536


class RelayingApp:
    """
    An ASGI application that sends requests for sessions of other workers to them, and calls *app* for all others.

    Requests for sessions of other machines are forwarded over a broker, under ``fastsio run --forward``.
    """

    def __init__(self, app: Any, passing: Passing) -> None:
        self._app = app
        self._passing = passing

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        number, passing = None, self._passing
        if passing.forwarding is not None and await _forward(passing.forwarding, scope, receive, send):
            return
        if scope["type"] == "http" and b"sid=" in scope["query_string"]:
            number = passing.other_worker(worker_of_query(scope["query_string"], passing.machine))
        if number is None:
            await self._app(scope, receive, send)
            return
        try:
            connection = passing.relay(number, describe_scope(scope))
        except ParcelsFull:
            await respond(send, 503, RETRY)
            return
        except ENDED:  # the worker has ended since it was looked up
            await self._app(scope, receive, send)
            return
        except OSError as error:
            passing.report_failure(error)
            await respond(send, 503, RETRY)
            return
        with connection:
            await _relay(scope, receive, send, connection)


async def _forward(forwarding: Forwarding, scope: Event, receive: Receive, send: Send) -> bool:
    """Forward a request if its sid names a running process of another machine; return whether it was answered."""
    if scope["type"] != "http":
        return False
    name = foreign_process(scope["query_string"], forwarding.machine) if b"sid=" in scope["query_string"] else None
    return name is not None and await forwarding.forward(name, scope, receive, send)


async def _relay(scope: Event, receive: Receive, send: Send, connection: socket.socket) -> None:
    peer = h11.Connection(h11.CLIENT)
    try:
        head = peer.send(_request_of(scope)) or b""
    except h11.LocalProtocolError:
        await respond(send, 400)
        return
    # Sending and reading run at once: the worker may answer before it has the whole body.
    tasks = {
        asyncio.ensure_future(_answer(peer, connection, send)),
        asyncio.ensure_future(_send_request(peer, head, receive, connection)),
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _request_of(scope: Event) -> h11.Request:
    headers: Headers = [(name, value) for name, value in scope["headers"] if name not in OF_CONNECTION]
    if not any(name == b"host" for name, _ in headers):  # HTTP/1.0
        headers.append((b"host", b""))
    headers.append((b"connection", b"close"))
    target = scope["raw_path"].removeprefix(scope["root_path"].encode()) + b"?" + scope["query_string"]
    return h11.Request(method=scope["method"], target=target, headers=headers)


async def _send_request(peer: h11.Connection, head: bytes, receive: Receive, connection: socket.socket) -> None:
    """Send a request, and return when its client has left."""
    loop = asyncio.get_running_loop()
    # No transport: it stops reading once a write fails, and would lose a response that has arrived by then.
    with suppress(ConnectionError):
        await loop.sock_sendall(connection, head)
        while (event := await receive())["type"] == "http.request":
            body = event.get("body", b"")
            if body:
                await loop.sock_sendall(connection, peer.send(h11.Data(data=body)) or b"")
            if not event.get("more_body", False):
                await loop.sock_sendall(connection, peer.send(h11.EndOfMessage()) or b"")
                break
    await wait_for_disconnect(receive)


async def _answer(peer: h11.Connection, connection: socket.socket, send: Send) -> None:
    loop, is_begun = asyncio.get_running_loop(), False
    try:
        while True:
            event = peer.next_event()
            if event is h11.NEED_DATA:
                peer.receive_data(await loop.sock_recv(connection, READ_BYTES))
            elif isinstance(event, h11.Response):
                is_begun = True
                headers = [(name, value) for name, value in event.headers if name not in OF_CONNECTION]
                if event.status_code == HTTPStatus.REQUEST_TIMEOUT:  # the worker has given up on the rest of the body
                    headers.append((b"connection", b"close"))
                await send({"type": "http.response.start", "status": event.status_code, "headers": headers})
            elif isinstance(event, h11.Data):
                await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
            elif isinstance(event, h11.EndOfMessage):
                await send({"type": "http.response.body", "body": b""})
                return
            elif isinstance(event, h11.ConnectionClosed):
                break
    except (h11.RemoteProtocolError, ConnectionError):
        pass
    if is_begun:
        raise ConnectionError("another worker has ended in the middle of its response")
    await respond(send, 503, RETRY)
