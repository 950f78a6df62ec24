"""What the parts of servers and clients ask for is what these have."""

from __future__ import annotations

import pytest

import fastsio
from fastsio.base import parts


def asked(protocol: type) -> set[str]:
    """Return the names of a protocol's members."""
    bodies = [vars(base) for base in protocol.__mro__ if base.__module__ == parts.__name__]
    return {name for body in bodies for name in (*body, *body.get("__annotations__", ())) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("made", "options"), [(fastsio.AsyncServer, {"async_mode": "asgi"}), (fastsio.Server, {"async_mode": "threading"})]
)
def test_a_server_has_what_its_parts_ask_for(made, options):
    """Of itself, and of its dispatcher."""
    server = made(**options)

    asked_names = asked(parts.PartServer) | asked(parts.RoomServer)
    assert [name for name in asked_names if not hasattr(server, name)] == []
    assert [name for name in asked(parts.Handlers) if not hasattr(server._dispatcher, name)] == []


@pytest.mark.parametrize("made", [fastsio.AsyncClient, fastsio.Client])
def test_a_client_has_what_its_parts_ask_for(made):
    """Of itself, and of its dispatcher."""
    client = made()

    assert [name for name in asked(parts.PartClient) if not hasattr(client, name)] == []
    assert [name for name in asked(parts.ClientHandlers) if not hasattr(client._dispatcher, name)] == []
