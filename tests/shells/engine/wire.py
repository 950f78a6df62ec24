"""An ASGI server without a network: what a client does is called, what the application sends is kept."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from fastsio.aio.engine import EngineServer, MessagePacket
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: What a handler waits for.
Gate = asyncio.Event


async def soon(awaitable: Any) -> Any:
    """Wait for what must happen, but not for ever."""
    return await asyncio.wait_for(awaitable, WAIT_S)


async def settle() -> None:
    """Let tasks that are ready run until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells, such as a timer that was set anew."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)


def scope_of(kind: str, query: str, **extra: Any) -> dict[str, Any]:
    """Build a scope; *extra* goes over the defaults."""
    return {
        "type": kind,
        "method": "GET",
        "path": "/engine.io/",
        "query_string": query.encode(),
        "headers": [(b"host", b"testserver")],
        "client": ("192.0.2.7", 4711),
        "server": ("testserver", 8443),
        "scheme": "https" if kind == "http" else "wss",
        "http_version": "1.1",
        **extra,
    }


class Application:
    """An engine server whose handlers keep what they get and do what a test sets."""

    def __init__(self, **options: Any) -> None:
        self.engine = EngineServer(async_mode="asgi", **options)
        self.environs: list[dict[str, Any]] = []
        self.messages: asyncio.Queue[str | bytes] = asyncio.Queue()
        self.disconnects: asyncio.Queue[str] = asyncio.Queue()
        self.engine.on("connect", self._connect)
        self.engine.on("message", self._message)
        self.engine.on("disconnect", self._disconnect)

    async def on_connect(self, sid: str) -> Any:
        """Accept; tests replace it."""

    async def on_message(self, sid: str, data: str | bytes) -> None:
        """Do nothing; tests replace it."""

    async def on_disconnect(self, sid: str, reason: str) -> None:
        """Do nothing; tests replace it."""

    async def _connect(self, sid: str, environ: dict[str, Any]) -> Any:
        self.environs.append(environ)
        return await self.on_connect(sid)

    async def _message(self, sid: str, data: str | bytes) -> None:
        self.messages.put_nowait(data)
        await self.on_message(sid, data)

    async def _disconnect(self, sid: str, reason: str) -> None:
        self.disconnects.put_nowait(reason)
        await self.on_disconnect(sid, reason)

    def start(self, function: Callable[..., Any], *args: Any) -> asyncio.Task[Any]:
        """Begin what is waited for with :func:`soon`."""
        return asyncio.create_task(function(*args))

    def post(self, sid: str, *data: str | bytes) -> bool:
        """Post messages as one."""
        return self.engine.post(sid, [MessagePacket(item) for item in data])

    async def reason(self) -> str:
        """Wait for the disconnect handler."""
        return await soon(self.disconnects.get())

    async def message(self) -> str | bytes:
        """Wait for the message handler."""
        return await soon(self.messages.get())


class Response:
    """What a request got."""

    def __init__(self, events: Sequence[dict[str, Any]]) -> None:
        start = events[0]
        self.status: int = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}
        self.body: bytes = b"".join(event.get("body", b"") for event in events[1:])

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def packets(self) -> list[str]:
        """The packets of a polling payload."""
        return self.text.split("\x1e")

    @property
    def code(self) -> int:
        """The code of a refusal."""
        return json.loads(self.body)["code"]


class HttpRequest:
    """A request in flight."""

    def __init__(self, app: Application, scope: dict[str, Any], body: Sequence[bytes]) -> None:
        self._body = list(body)
        self._gone = asyncio.Event()
        self._events: list[dict[str, Any]] = []
        self.task = asyncio.create_task(app.engine.handle_request(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._body:
            chunk = self._body.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(self._body)}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, event: dict[str, Any]) -> None:
        self._events.append(event)

    def abort(self) -> None:
        """Leave, as a client does that closes its connection."""
        self._gone.set()

    async def response(self) -> Response:
        """Wait for the response."""
        await soon(self.task)
        return Response(self._events)


def start_http(
    app: Application, method: str, query: str, *body: bytes, headers: Sequence[tuple[str, str]] = (), **extra: Any
) -> HttpRequest:
    """Begin a request."""
    raw = [(b"host", b"testserver"), *[(name.encode(), value.encode()) for name, value in headers]]
    scope = scope_of("http", query, method=method, headers=raw, **extra)
    return HttpRequest(app, scope, body or (b"",))


class PollingClient:
    """A client on the polling transport."""

    def __init__(self, app: Application, opened: Response) -> None:
        self.app = app
        self.opened: dict[str, Any] = json.loads(opened.packets[0][1:])
        self.first = opened
        self.sid: str = self.opened["sid"]

    @property
    def query(self) -> str:
        """The query of this session's requests."""
        return f"EIO=4&transport=polling&sid={self.sid}"

    def start_poll(self) -> HttpRequest:
        """Begin a poll."""
        return start_http(self.app, "GET", self.query)

    async def poll(self) -> Response:
        """Poll, and wait for the response."""
        return await self.start_poll().response()

    async def send(self, body: str | bytes, **headers: str) -> Response:
        """Post a body."""
        raw = body.encode() if isinstance(body, str) else body
        given = {"content-length": str(len(raw)), **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await start_http(self.app, "POST", self.query, raw, headers=list(given.items())).response()


class WebSocketClient:
    """A client on the WebSocket transport."""

    def __init__(self, app: Application, query: str = "EIO=4&transport=websocket", **extra: Any) -> None:
        self.app = app
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.broken: Exception | None = None
        self.code: int | None = None
        self.events: list[dict[str, Any]] = []
        self._incoming.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(
            app.engine.handle_request(scope_of("websocket", query, **extra), self._incoming.get, self._send)
        )

    async def _send(self, event: dict[str, Any]) -> None:
        if self.broken is not None:
            raise self.broken
        self.events.append(event)
        if event["type"] == "websocket.send":
            await self._flowing.wait()
        self._outgoing.put_nowait(event)

    _send.__module__ = "uvicorn"  # it stands for that server's, which needs no task

    def stall(self) -> None:
        """Stop reading: writes wait from now on."""
        self._flowing.clear()

    def resume(self) -> None:
        """Read again."""
        self._flowing.set()

    def say(self, frame: str | bytes) -> None:
        """Send a frame."""
        kind = "text" if isinstance(frame, str) else "bytes"
        self._incoming.put_nowait({"type": "websocket.receive", kind: frame})

    def leave(self) -> None:
        """Close the connection."""
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1006})

    async def frame(self) -> str | bytes:
        """Wait for the next frame; anything else in its place is an error."""
        event = await soon(self._outgoing.get())
        assert event["type"] == "websocket.send", event
        return event["text"] if event.get("text") is not None else event["bytes"]

    async def ended(self) -> None:
        """Wait until the application has returned."""
        await soon(self.task)

    async def closed(self) -> list[str | bytes]:
        """Wait for the close; return the frames before it."""
        frames: list[str | bytes] = []
        while (event := await soon(self._outgoing.get()))["type"] != "websocket.close":
            if event["type"] == "websocket.send":
                frames.append(event["text"] if event.get("text") is not None else event["bytes"])
        self.code = event["code"]
        return frames

    async def opened(self) -> str:
        """Wait for the accepted handshake; return the sid."""
        event = await soon(self._outgoing.get())
        assert event["type"] == "websocket.accept", event
        data = await self.frame()
        assert isinstance(data, str)
        assert data[0] == "0"
        return json.loads(data[1:])["sid"]


async def connect_polling(app: Application, query: str = "EIO=4&transport=polling") -> PollingClient:
    """Open a session on the polling transport."""
    return PollingClient(app, await start_http(app, "GET", query).response())


async def connect_websocket(app: Application) -> tuple[WebSocketClient, str]:
    """Open a session on the WebSocket transport."""
    client = WebSocketClient(app)
    return client, await client.opened()


async def start_upgrade(client: PollingClient) -> WebSocketClient:
    """Open a WebSocket for a polling session and wait until it is accepted."""
    websocket = WebSocketClient(client.app, f"EIO=4&transport=websocket&sid={client.sid}")
    event = await soon(websocket._outgoing.get())
    assert event["type"] == "websocket.accept", event
    return websocket


async def upgrade(client: PollingClient) -> WebSocketClient:
    """Upgrade a polling session that has no poll pending."""
    websocket = await start_upgrade(client)
    websocket.say("2probe")
    assert await websocket.frame() == "3probe"
    websocket.say("5")
    return websocket
