"""A transport without a network: what is written is kept, what the wire asks for is noted."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from fastsio.integrations.fast.websocket import Wire

if TYPE_CHECKING:
    from collections.abc import Callable


class FakeTransport(asyncio.Transport):
    """What a wire needs of a transport."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_reading_ = True
        self.closed = self.aborted = False
        self.unread = 0
        self.protocol: Any = None

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.unread

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.is_reading_ = False

    def resume_reading(self) -> None:
        self.is_reading_ = True

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def arrive(self, data: bytes) -> None:
        """Hand data to the protocol as a transport does."""
        rest = memoryview(data)
        while rest:
            if isinstance(self.protocol, asyncio.BufferedProtocol):
                buffer = memoryview(self.protocol.get_buffer(-1))
                count = min(len(buffer), len(rest))
                buffer[:count] = rest[:count]
                self.protocol.buffer_updated(count)
            else:
                count = len(rest)
                self.protocol.data_received(bytes(rest))
            rest = rest[count:]


class FakeOwner:
    """Who has a wire: notes its loss and keeps its tasks."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.tasks: list[asyncio.Task[None]] = []

    def on_closed(self) -> None:
        self.notes.append("lost")

    def spawn(self, coroutine: Any, context: Any) -> asyncio.Task[None]:
        self.tasks.append(asyncio.get_running_loop().create_task(coroutine, context=context))
        return self.tasks[-1]


class Listening:
    """A listener of a wire that calls two functions."""

    def __init__(self, handle_frame: Callable[[Any], Any], stop_reading: Callable[[Exception], Any]) -> None:
        self.context = copy_context()
        self.handle_frame = handle_frame
        self.stop_reading = stop_reading


def make_wire(limit: int = 1000) -> tuple[Wire, FakeTransport, FakeOwner]:
    """Return a wire, its transport and its owner."""
    transport, owner = FakeTransport(), FakeOwner()
    return Wire(transport, asyncio.get_running_loop(), limit, owner), transport, owner
