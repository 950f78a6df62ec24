"""A transport without a network: what is written is kept, what the wire asks for is noted."""

from __future__ import annotations

import asyncio
from typing import Any

from fastsio.integrations.fast.wire import Wire


class FakeTransport(asyncio.Transport):
    """What a wire needs of a transport."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_reading_ = True
        self.closed = self.aborted = False
        self.protocol: Any = None

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

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


def make_wire(limit: int = 1000) -> tuple[Wire, FakeTransport, list[str]]:
    """Return a wire, its transport, and the list that its loss is noted in."""
    transport, notes = FakeTransport(), []
    wire = Wire(transport, asyncio.get_running_loop(), limit, lambda: notes.append("lost"))
    return wire, transport, notes
