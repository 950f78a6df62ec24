"""
The server's end of an open WebSocket, for every web framework: ``receive`` and ``send`` of ASGI events.

They are plain callables, so that those of an ASGI server are used as they are. A server that takes and gives whole
frames offers a :class:`DirectLink`, which needs no events.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from fastsio.engine.log_format import label, shown

if TYPE_CHECKING:
    from asyncio import Task
    from collections import deque
    from contextvars import Context
    from logging import Logger

Event: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Coroutine[Any, Any, None]]
Frame: TypeAlias = str | bytes

#: The extension of an ASGI scope that a server offers its direct link in.
DIRECT: Final = "fastsio.direct"


#: The packages whose ``send`` does not ask for its task, and those whose functions only pass events on to another one.
SERVERS: Final = frozenset({"fastsio", "granian", "hypercorn", "uvicorn"})
PASSING: Final = frozenset({"fastapi", "fastsio", "starlette"})


def needs_task(send: Any) -> bool:
    """
    Tell whether a ``send`` must be called in a task of its own, to its end.

    That of a middleware may: ``asyncio.timeout()`` cancels the task in which it is entered, and fails outside of tasks.
    """
    while True:
        # A builtin method has no module, but its object's class has.
        module = getattr(send, "__module__", None) or type(getattr(send, "__self__", None)).__module__
        package = module.partition(".")[0]
        names = getattr(getattr(send, "__code__", None), "co_freevars", ())
        if package not in PASSING or "send" not in names:
            return package not in SERVERS
        send = send.__closure__[names.index("send")].cell_contents


class Link:
    """An accepted WebSocket: ``receive`` waits for the next event, ``send`` writes one, see :func:`needs_task`."""

    __slots__ = ("needs_task", "receive", "send")

    def __init__(self, receive: Receive, send: Send) -> None:
        self.receive = receive
        self.send = send
        self.needs_task = needs_task(send)


class Listener(Protocol):
    """Gets the frames of a direct link, in its ``context``. Its methods run in no task and must not raise."""

    context: Context

    def handle_frame(self, frame: Frame) -> bool:
        """Take a frame the moment it arrives, while none waits; return whether it was taken."""
        ...

    def stop_reading(self, error: Exception) -> None:
        """Handle the end, once: LinkLost when the WebSocket is closed, PacketError when the peer passed a limit."""


class DirectLink(ABC):
    """
    A WebSocket whose server takes packets and gives frames as they are.

    Attributes:
        frames: The frames that have arrived and were not taken; None while there are none, to save memory.
    """

    __slots__ = ("frames",)

    def __init__(self) -> None:
        self.frames: deque[Frame] | None = None

    @abstractmethod
    async def receive(self) -> Event:
        """Wait for an event as with a :class:`Link`; for upgrades, which need no faster way."""

    @abstractmethod
    async def send(self, event: Event) -> None:
        """Write an event as with a :class:`Link`."""

    @abstractmethod
    def write(self, frames: bytes) -> bool:
        """
        Write frames with the others of this turn of the loop, without waiting.

        Returns:
            False if the peer lags, and nothing was written.
        """

    @abstractmethod
    def unsent(self) -> int:
        """Return how many bytes were written that the network has not taken yet."""

    @abstractmethod
    def write_at_once(self, frames: bytes) -> bool:
        """Write frames as :meth:`write` does, but at once if nothing else was written in this turn."""

    @abstractmethod
    def listen(self, listener: Listener) -> None:
        """
        Give frames to *listener* from now on. The link stays open until it is closed, even after the ASGI call.

        Frames that the listener does not take wait in ``frames``, and the peer is not read until :meth:`resume`.
        """

    @abstractmethod
    def resume(self) -> None:
        """Read from the peer again: what waited in ``frames`` is taken."""

    @abstractmethod
    def spawn(self, coroutine: Coroutine[Any, Any, None], context: Context) -> Task[None]:
        """Start a task that the server lets finish when it stops."""


AnyLink: TypeAlias = Link | DirectLink


def send_as_text(send: Send) -> Send:
    """Write binary messages as text, as in a polling payload, to a client of Engine.IO 4 that reads no binary."""

    async def send_event(event: Event) -> None:
        data = event.get("bytes")
        await send(event if data is None else {"type": event["type"], "text": "b" + b64encode(data).decode("ascii")})

    return send_event


def trace_frames(send: Send, sid: str, logger: Logger) -> Send:
    """Log each frame before it is written, as ``engineio_logger=True`` asks for."""

    async def traced(event: Event) -> None:
        if event["type"] == "websocket.send":
            logger.info("%s: Sending packet %s", label(sid), shown(event.get("text"), from_server=True))
        await send(event)

    return traced


def direct_link(scope: Event) -> DirectLink | None:
    """Remove the direct link from an ASGI scope, and return it; None if the server does not offer one."""
    link: DirectLink | None = (scope.get("extensions") or {}).pop(DIRECT, None)
    return link
