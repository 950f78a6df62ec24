"""What the runners of both servers share."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from fastsio.base.runner import BaseHandlerRunner
from fastsio.protocol import Decoder, Packet, PacketType
from fastsio.state import Client, Connection


class Runner(BaseHandlerRunner):
    """Keeps what it is told to start."""

    def _make_tables(self) -> None:
        self.started: list[Any] = []

    def _start_handler(self, connection, client, data, ack_id, size_bytes=0) -> None:
        self.started.append((connection, client, data, ack_id, size_bytes))


@pytest.mark.parametrize(("size_bytes", "is_logged"), [(0, False), (2000, True)])
def test_an_event_that_has_waited_counts_and_is_started(size_bytes, is_logged):
    """Its size counts whatever else is under way, and the log says that it has come."""
    told: list[Any] = []
    parts: Any = SimpleNamespace(find_route=None, run_event=None, resolve=None)
    log: Any = SimpleNamespace(received=lambda client, event: told.append(event)) if is_logged else None
    runner = Runner(parts, parts, parts, parts, log)
    connection = Connection("e1", {}, Decoder(), list)
    client = Client("s1", "/", connection, None)

    runner.start_held(client, Packet(PacketType.EVENT, ["news", 1], id=7), size_bytes)

    assert runner.started == [(connection, client, ["news", 1], 7, size_bytes)]
    assert connection.handler_bytes == size_bytes
    assert told == (["news"] if is_logged else [])
