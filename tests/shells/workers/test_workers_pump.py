"""A connection that goes through this process."""

from __future__ import annotations

from fastsio.integrations.workers.passing import PumpEnd
from tests.shells.fast.transport import FakeTransport


class Pump:
    """Two ends that are joined as :mod:`fastsio.integrations.workers.passing` does."""

    def __init__(self) -> None:
        self.near, self.far = FakeTransport(), FakeTransport()
        self.ended: list[PumpEnd] = []
        self.begun: list[PumpEnd] = []

        def begin(end, transport):
            self.begun.append(end)
            self.back = PumpEnd(transport, lambda *_: None, lambda _: None)

        self.end = PumpEnd(self.near, begin, self.ended.append)
        self.end.connection_made(self.far)


async def test_what_one_end_reads_the_other_writes():
    """In both directions."""
    pump = Pump()

    pump.end.data_received(b"from far")
    pump.back.data_received(b"from near")

    assert (pump.near.writes, pump.far.writes) == ([b"from far"], [b"from near"])
    assert pump.begun == [pump.end]


async def test_an_end_that_does_not_keep_up_holds_the_other():
    """Until it has caught up."""
    pump = Pump()

    pump.end.pause_writing()
    assert not pump.near.is_reading_
    pump.end.resume_writing()

    assert pump.near.is_reading_


async def test_a_closed_end_is_not_held():
    """uvloop refuses to pause it."""
    pump = Pump()
    pump.near.close()

    pump.end.pause_writing()
    pump.end.resume_writing()

    assert pump.near.is_reading_


async def test_the_end_of_one_is_the_end_of_the_other():
    """Whatever ended it."""
    pump = Pump()

    pump.end.connection_lost(None)

    assert pump.near.closed
    assert pump.ended == [pump.end]


async def test_a_server_that_stops_closes_the_connection():
    """uvicorn asks for it."""
    pump = Pump()

    pump.end.shutdown()

    assert pump.far.closed
