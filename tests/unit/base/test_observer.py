"""What a server tells whoever watches it."""

from __future__ import annotations

import inspect

import pytest

from fastsio.aio.admin import InstrumentedAsyncServer
from fastsio.base.admin import Observer, SizedFrame
from fastsio.engine.packet import MessagePacket
from fastsio.sync.admin import InstrumentedServer

METHODS = [name for name in vars(Observer) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("panel", [InstrumentedAsyncServer, InstrumentedServer])
def test_the_admin_interface_hears_everything(panel, name):
    """It takes what the server tells, and never makes it wait."""
    told, taken = inspect.signature(getattr(Observer, name)), inspect.signature(getattr(panel, name))  # noqa: TID251 - of a class, not of a handler

    assert list(told.parameters) == list(taken.parameters)
    assert not inspect.iscoroutinefunction(getattr(panel, name))


def test_packets_have_the_size_that_is_counted():
    """In bytes on the wire."""
    frame: SizedFrame = MessagePacket("ü")

    assert frame.size == 3
