"""
Forwards requests for sessions of other machines to the processes that have these sessions, over a broker.

Each process announces itself every two seconds. A request is sent only to a process that has announced itself, so a sid
that names an unknown process costs no message. The request and its response are one message each. WebSockets are not
forwarded: an upgrade at the wrong machine is refused, and the client goes on polling.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from fastsio.base.server import engine_of
from fastsio.brokers.forward_bus import bus_class
from fastsio.cluster.forwarding import (
    Announcement,
    Cancellation,
    ForwardedRequest,
    ForwardedResponse,
    Processes,
    Stopped,
    decode,
    encode,
)
from fastsio.engine.log_format import Reports
from fastsio.integrations.fast.app_lookup import find_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable

    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from fastsio.cluster.forwarding import Message

    Event = dict[str, Any]
    Receive = Callable[[], Awaitable[Event]]
    Send = Callable[[Event], Awaitable[None]]

logger = logging.getLogger("uvicorn.error")
#: The header that tells a client to try again after one second.
RETRY: Final = [(b"retry-after", b"1")]
#: The environment variable through which ``fastsio run --forward`` hands its settings to the workers.
FORWARD: Final = "FASTSIO_FORWARD"
#: Seconds between two announcements of a process; seconds without an announcement after which it counts as stopped.
ANNOUNCE_S: Final = 2.0
SILENT_S: Final = 7.0
#: Seconds that a request waits for the first announcement of an unknown process; how many requests may wait so.
UNKNOWN_S: Final = 0.5
MAX_UNKNOWN: Final = 1000
#: Seconds that a stopping process may take to finish its responses to requests of other processes.
LEAVE_S: Final = 2.0
#: The least that a request counts against the limit of bytes.
LEAST_BYTES: Final = 4096
#: The limits for an application without an engine of fastsio: bytes of a body, seconds of a response and of a body.
DEFAULT_BODY_BYTES: Final = 1_000_000
DEFAULT_ANSWER_S: Final = 45.0
DEFAULT_BODY_S: Final = 60.0
#: Headers of the responses to requests that could not be forwarded, by status.
HEADERS: Final = {503: RETRY, 408: [(b"connection", b"close")]}
#: The strings of an ASGI scope that are sent with a request.
HEAD: Final = ("method", "path", "root_path", "scheme", "http_version")


@dataclass(frozen=True, slots=True)
class Settings:
    """
    The settings of ``fastsio run --forward``.

    Args:
        url: The URL of the broker.
        channel: The prefix of the names of the channels on the broker.
        machine: The name of this machine, in small letters and digits.
        max_bytes: The most bytes of requests that a process forwards at once; as many may it serve for other processes.
    """

    url: str
    channel: str
    machine: str
    max_bytes: int

    @classmethod
    def of_environment(cls) -> Settings | None:
        """Return the settings in the environment variable ``FASTSIO_FORWARD``; None if it is not set."""
        text = os.environ.get(FORWARD)
        return cls(**json.loads(text)) if text else None


class Load:
    """The limit of the bytes of all requests in flight: *left* is what further ones may have."""

    def __init__(self, most: int) -> None:
        self.left = most


class Share:
    """The bytes that one request counts against a :class:`Load`."""

    __slots__ = ("_load", "_size")

    def __init__(self, load: Load) -> None:
        self._load = load
        self._size = 0

    def grow(self, size: int) -> bool:
        """Raise the bytes of the request to *size*; return False if the load has no room for them."""
        more = max(0, size - self._size)
        if more > self._load.left:
            return False
        self._load.left -= more
        self._size += more
        return True

    def free(self) -> None:
        """Give the bytes of the request back to the load."""
        self._load.left += self._size
        self._size = 0


class Refused(Exception):  # noqa: N818 - says what happened
    """A request cannot be forwarded; the client gets a response with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Forwarding:
    """
    Forwards the requests of one process's clients, and serves the requests that other processes forward to it.

    Args:
        settings: The settings of ``fastsio run --forward``.
        number: The number of the process on this machine.
        config: uvicorn's configuration; its application serves the requests of other processes.
        state: uvicorn's state; lists the task that ends the forwarding.
        app_state: The state that the application's lifespan has filled.

    Attributes:
        machine: The name of this machine.
        name: The name of this process among those of all machines: machine, dot, number.
        started: The event that is set once this process has announced itself, or could not reach the broker.
    """

    def __init__(
        self, settings: Settings, number: int, config: Config, state: ServerState, app_state: dict[str, Any]
    ) -> None:
        self.machine = settings.machine
        self.name = f"{settings.machine}.{number}"
        self.started = asyncio.Event()
        self._config = config
        self._state = state
        self._app_state = app_state
        self._channel = settings.channel
        self._processes = Processes()
        self._announcement_came = asyncio.Event()
        self._unknown = 0
        self._numbers = 0
        self._load, self._others_load = Load(settings.max_bytes), Load(settings.max_bytes)
        #: Number of a forwarded request -> the process that it was sent to, and the future of its response.
        self._waiting: dict[int, tuple[str, asyncio.Future[ForwardedResponse | None]]] = {}
        #: Sender and number of a request of another process -> its exchange.
        self._serving: dict[tuple[str, int], Exchange] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reports = Reports()
        engines = [engine_of(app.engineio_server) for app in find_all(config.loaded_app)]
        for engine in engines:
            engine.announced = self.started
        self._max_body = max((engine.max_http_buffer_size for engine in engines), default=DEFAULT_BODY_BYTES)
        self._body_timeout_s = max((each.body_timeout for each in engines), default=DEFAULT_BODY_S)
        # A poll is answered after ping_interval at the latest, and its session ends ping_timeout later.
        self._most_s = max((each.ping_interval + each.ping_timeout for each in engines), default=DEFAULT_ANSWER_S)
        channels = [self._channel, self._channel_of(self.name)]
        self._bus = bus_class(settings.url)(settings.url, channels, self._on_message, self._on_change)
        self._announcing = asyncio.create_task(self._keep_announcing())

    def shutdown(self) -> None:
        """Finish the requests of other processes, and tell these processes that this one stops."""
        self._announcing.cancel()
        task = asyncio.create_task(self._leave())
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    # -- requests of this process's clients

    async def forward(self, name: str, scope: Event, receive: Receive, send: Send) -> bool:
        """
        Forward a request for a session of process *name* of another machine, and answer with its response.

        Return False when that process does not run. The request is not answered then: its session is unknown.
        """
        await self.started.wait()
        if not await self._is_running(name):
            return False
        share = Share(self._load)
        try:
            body = await self._read(receive, share)
            return body is None or await self._exchange(name, scope, body, receive, send)
        except Refused as refused:
            await respond(send, refused.status, HEADERS.get(refused.status, ()))
            return True
        finally:
            share.free()

    async def _is_running(self, name: str) -> bool:
        known = self._processes.is_running(name)
        if known is not None or self._unknown >= MAX_UNKNOWN:
            return bool(known)
        # This process or the other one may have started a moment ago, before the other's announcement arrived.
        self._unknown += 1
        try:
            async with asyncio.timeout(UNKNOWN_S):
                while not self._processes.is_running(name):
                    self._announcement_came.clear()
                    await self._announcement_came.wait()
        except TimeoutError:
            return False
        finally:
            self._unknown -= 1
        return True

    async def _read(self, receive: Receive, share: Share) -> bytes | None:
        """
        Read the body of a request; return None when the client has left.

        Raise Refused if the body is too long or takes too long, or the load has no room for it.
        """
        body, is_complete = bytearray(), False
        try:
            async with asyncio.timeout(self._body_timeout_s):
                while not is_complete:
                    if not share.grow(max(LEAST_BYTES, len(body))):
                        self._report("full", "Too many requests are forwarded to other machines; some get 503")
                        raise Refused(503)
                    event = await receive()
                    if event["type"] != "http.request":
                        return None
                    body += event.get("body", b"")
                    if len(body) > self._max_body:
                        raise Refused(413)
                    is_complete = not event.get("more_body", False)
        except TimeoutError:
            raise Refused(408) from None
        if not share.grow(len(body)):
            raise Refused(503)
        return bytes(body)

    async def _exchange(self, name: str, scope: Event, body: bytes, receive: Receive, send: Send) -> bool:
        self._numbers += 1
        number = self._numbers
        answer: asyncio.Future[ForwardedResponse | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = name, answer
        leaving = asyncio.create_task(wait_for_disconnect(receive))
        try:
            if not await self._publish(name, _request_of(self.name, number, scope, body)):
                self._on_stopped(name)
                return False
            waits: set[asyncio.Future[Any]] = {answer, leaving}
            await asyncio.wait(waits, timeout=self._most_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._waiting[number]
            leaving.cancel()
        if answer.done():
            return await _answer_client(answer.result(), send)
        has_left = leaving.done()
        await self._publish(name, Cancellation(self.name, number))
        if not has_left:
            raise Refused(504)
        return True

    async def _publish(self, name: str, message: Message) -> bool:
        """
        Send a message to a process; return whether the process listens, as far as the broker can tell.

        Raise Refused if the broker did not take the message.
        """
        try:
            return await self._bus.publish(self._channel_of(name), encode(message))
        except Exception as error:
            self._report("bus", f"A request could not be forwarded to another machine: {error!r}")
            raise Refused(503) from error

    # -- requests of others

    async def _serve(self, request: ForwardedRequest) -> None:
        exchange = self._serving[request.sender, request.number]
        try:
            app: Any = self._config.loaded_app
            await app(_scope(request, self._app_state), exchange.receive, exchange.send)
        except Exception:
            logger.exception("Exception in ASGI application, with a request that another machine has forwarded")
        finally:
            del self._serving[request.sender, request.number]
            exchange.share.free()
        if not exchange.left.is_set():
            await self._answer(request, exchange.status, exchange.headers, bytes(exchange.body))

    async def _answer(
        self, request: ForwardedRequest, status: int, headers: list[list[str]], body: bytes = b""
    ) -> None:
        channel = self._channel_of(request.sender)
        try:
            await self._bus.publish(channel, encode(ForwardedResponse(request.number, status, headers, body)))
        except Exception as error:  # noqa: BLE001 - the broker's client may raise anything
            self._report("answer", f"The response to a forwarded request could not be sent: {error!r}")
            if body:  # the message may be larger than the broker allows
                await self._answer(request, 503, [])

    # -- messages of other processes

    async def _on_message(self, _channel: str, data: bytes) -> None:
        try:
            message = decode(data)
        except ValueError as error:
            self._report("message", f"A message about forwarded requests could not be read: {error}")
            return
        if not isinstance(message, ForwardedResponse) and message.sender == self.name:
            return
        self._handle(message)

    def _handle(self, message: Message) -> None:
        match message:
            case ForwardedResponse():
                waiting = self._waiting.get(message.number)
                if waiting is not None and not waiting[1].done():
                    waiting[1].set_result(message)
            case ForwardedRequest():
                self._accept(message)
            case Cancellation():
                exchange = self._serving.get((message.sender, message.number))
                if exchange is not None:
                    exchange.left.set()
            case Stopped():
                self._on_stopped(message.sender)
            case Announcement():
                self._processes.announced(message.sender, monotonic())
                self._announcement_came.set()
                if message.asks:
                    self._run(self._announce(self._channel_of(message.sender)))

    def _accept(self, request: ForwardedRequest) -> None:
        share = Share(self._others_load)
        if not share.grow(max(LEAST_BYTES, len(request.body))):
            self._report("others", "Other machines forward too many requests; some get 503")
            self._run(self._answer(request, 503, [["retry-after", "1"]]))
            return
        self._serving[request.sender, request.number] = Exchange(request.body, share)
        self._run(self._serve(request))

    def _on_stopped(self, name: str) -> None:
        """Stop waiting for responses of a process that has stopped, and abandon the requests that it has forwarded."""
        self._processes.stopped(name)
        for receiver, answer in self._waiting.values():
            if receiver == name and not answer.done():
                answer.set_result(None)
        for (sender, _), exchange in self._serving.items():
            if sender == name:
                exchange.left.set()

    def _on_change(self) -> None:
        """Answer the requests in flight with 503: the broker was lost or is back, so their responses may be lost."""
        for _, answer in self._waiting.values():
            if not answer.done():
                answer.set_result(ForwardedResponse(0, 503, [["retry-after", "1"]]))
        self._run(self._announce(self._channel, asks=True))

    async def _keep_announcing(self) -> None:
        try:
            await self._bus.wait_until_listening()
            await self._announce(self._channel, asks=True)
        finally:
            self.started.set()
        while True:
            await asyncio.sleep(ANNOUNCE_S)
            await self._announce(self._channel)
            for name in self._processes.silent_since(monotonic() - SILENT_S):
                self._on_stopped(name)

    async def _announce(self, channel: str, *, asks: bool = False) -> None:
        try:
            await self._bus.publish(channel, encode(Announcement(self.name, asks)))
        except Exception as error:  # noqa: BLE001 - the broker's client may raise anything
            self._report("announce", f"This process could not be announced to other machines: {error!r}")

    async def _leave(self) -> None:
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=LEAVE_S)
        try:
            await self._bus.publish(self._channel, encode(Stopped(self.name)))
        except Exception as error:  # noqa: BLE001 - the broker's client may raise anything
            logger.debug("Other machines could not be told that this process ends: %r", error)
        await self._bus.close()

    def _channel_of(self, name: str) -> str:
        return f"{self._channel}.{name}"

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _report(self, kind: str, message: str) -> None:
        self._reports.warn(logger, kind, monotonic(), message)


class Exchange:
    """
    A request of another process and the response to it, with ``receive`` and ``send`` of an ASGI application.

    The status is 500 until the application begins a response.

    The event *left* is set when the other process does not wait for the response any more.
    """

    def __init__(self, body: bytes, share: Share) -> None:
        self.share = share
        self.left = asyncio.Event()
        self.status = 500
        self.headers: list[list[str]] = []
        self.body = bytearray()
        self._request: bytes | None = body

    async def receive(self) -> Event:
        """Return the body of the request; on the next call wait, and return that the client has left."""
        body, self._request = self._request, None
        if body is not None:
            return {"type": "http.request", "body": body, "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: Event) -> None:
        """Collect the response of the application."""
        if event["type"] == "http.response.start":
            self.status = event["status"]
            self.headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in event["headers"]]
        elif event["type"] == "http.response.body":
            self.body += event.get("body", b"")


def _request_of(sender: str, number: int, scope: Event, body: bytes) -> ForwardedRequest:
    head = {key: scope[key] for key in HEAD}
    head.update({key: scope[key].decode("latin-1") for key in ("raw_path", "query_string")})
    headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]]
    client = scope.get("client")
    return ForwardedRequest(sender, number, head, headers, None if client is None else list(client), body)


def _scope(request: ForwardedRequest, app_state: dict[str, Any]) -> Event:
    head: Event = dict(request.head)
    head.update({key: head[key].encode("latin-1") for key in ("raw_path", "query_string")})
    return {
        **head,
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers],
        "client": None if request.client is None else tuple(request.client),
        "server": None,
        "state": app_state.copy(),
    }


async def _answer_client(response: ForwardedResponse | None, send: Send) -> bool:
    """Send a response to the client; return False if it is None, because the other process has stopped."""
    if response is None:
        return False
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await respond(send, response.status, headers, response.body)
    return True


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client of a request has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def respond(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]] = (), body: bytes = b"") -> None:
    """Send a whole response; add the header ``content-length`` unless *headers* have it."""
    headers = list(headers)
    if not any(name.lower() == b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
