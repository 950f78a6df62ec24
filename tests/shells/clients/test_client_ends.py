"""How a client decides what the end of a connection means."""

from __future__ import annotations

from typing import Any

import pytest

import fastsio


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
