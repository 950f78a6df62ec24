"""The observer of a server: it never makes the server wait."""

from __future__ import annotations

import inspect

from fastsio.base.admin_watch import AdminWatch
from fastsio.engine.packet import MessagePacket


def test_the_server_does_not_wait_for_its_observer():
    """It calls plain functions while it handles packets."""
    assert not [name for name, method in vars(AdminWatch).items() if inspect.iscoroutinefunction(method)]


def test_packets_have_the_size_that_is_counted():
    """In bytes on the wire."""
    assert MessagePacket("ü").size == 3
