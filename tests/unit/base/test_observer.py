"""What a server tells whoever watches it."""

from __future__ import annotations

import inspect

import pytest

from fastsio.base.admin import Observer, SizedFrame
from fastsio.base.admin_watch import AdminWatch
from fastsio.engine.packet import MessagePacket

METHODS = [name for name in vars(Observer) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_the_admin_interface_hears_everything(name):
    """It takes what the server tells, and never makes it wait."""
    told, taken = inspect.signature(getattr(Observer, name)), inspect.signature(getattr(AdminWatch, name))  # noqa: TID251 - of a class, not of a handler

    assert list(told.parameters) == list(taken.parameters)
    assert not inspect.iscoroutinefunction(getattr(AdminWatch, name))


def test_packets_have_the_size_that_is_counted():
    """In bytes on the wire."""
    frame: SizedFrame = MessagePacket("ü")

    assert frame.size == 3
