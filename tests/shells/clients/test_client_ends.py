"""How a client decides what the end of a connection means."""

from __future__ import annotations

from typing import Any

import pytest

import fastsio
from fastsio.aio import concurrency
from fastsio.base.client import reconnecting_clients


@pytest.fixture(params=[fastsio.AsyncClient, fastsio.Client])
def client(request) -> Any:
    """A client that is not connected."""
    return request.param()


def test_a_namespace_is_claimed_once(client):
    """Its disconnect handlers run once."""
    client._dispatcher._joined.add("/")

    assert client._dispatcher.claim("/")
    assert not client._dispatcher.claim("/")


@pytest.mark.parametrize(
    ("reason", "part", "changes", "expected"),
    [
        ("transport error", "", {}, True),
        ("client disconnect", "", {}, False),
        ("server disconnect", "", {}, False),
        ("transport error", "", {"reconnection": False}, False),
        ("transport error", "", {"_is_opening": True}, False),
        ("transport error", "_dispatcher", {"is_dismissed": True}, False),
        ("transport error", "_reconnecting", {"has_left": True}, False),
    ],
)
def test_only_a_loss_is_followed_by_attempts(client, reason, part, changes, expected):
    """Unless somebody wants the client to stay away."""
    for name, value in changes.items():
        setattr(getattr(client, part) if part else client, name, value)

    assert client._will_reconnect(reason) is expected


async def test_a_client_without_a_thread_for_its_attempts_is_not_waited_for(client, monkeypatch):
    """The loss is final: the connection is not made again, and nobody waits for it."""
    client.connection_namespaces, ended = ["/"], []
    client.on("__disconnect_final", lambda: ended.append("/"))

    def refuse(*_args: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(client, "start_background_task", refuse)
    with pytest.raises(RuntimeError, match="thread"):
        await concurrency.resolved(client._reconnecting.start())

    assert not client._reconnecting.is_active
    assert ended == ["/"]
    assert client not in reconnecting_clients
