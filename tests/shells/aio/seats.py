"""Clients on the wire that can be lost and come back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.shells.aio.fake_engine import FakeClient, Wire


class Seat:
    """A client that can be lost and come back, in the root namespace."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.offset: str | None = None
        self.client: FakeClient
        self.pid = ""
        self.sid = ""

    async def connect(self, **auth: Any) -> Seat:
        """Connect as a new client."""
        assert await self._join(auth) == []
        return self

    async def back(self, **auth: Any) -> list[Any]:
        """Come back; return the events that came before the answer to CONNECT, without their offsets."""
        offset = {} if self.offset is None else {"offset": self.offset}
        return await self._join({"pid": self.pid, **offset, **auth})

    async def _join(self, auth: dict[str, Any]) -> list[Any]:
        self.client = await self.wire.open()
        await self.client.send(f"0{json.dumps(auth)}" if auth else "0")
        missed = []
        while not (frame := await self.client.receive()).startswith("0"):
            missed.append(self._read(frame))
        payload = json.loads(frame[1:])
        self.pid, self.sid = payload["pid"], payload["sid"]
        return missed

    async def event(self) -> list[Any]:
        """Return the next event, without its offset."""
        return self._read(await self.client.receive())

    def _read(self, frame: str) -> list[Any]:
        assert frame.startswith("2["), frame
        *event, self.offset = json.loads(frame[1:])
        return event


async def joined_with_offset(seat: Seat) -> None:
    """Join the room, and read the confirmation."""
    await seat.client.send('21["join_chat",{"id":5}]')
    assert await seat.event() == ["joined", {"room": "chat|5"}]
    assert (await seat.client.receive()).startswith("31")
