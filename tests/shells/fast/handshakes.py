"""What tests of handshakes have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastsio.integrations.fast.handshake import make_scope

if TYPE_CHECKING:
    from fastsio.integrations.fast.handshake import Handshake

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


def scope_of_handshake(handshake: Handshake, root_path: str = "/root") -> dict[str, Any]:
    """Return the scope of a request from 10.0.0.1."""
    return make_scope(
        handshake,
        scheme="ws",
        client=("10.0.0.1", 1),
        server=("x", 80),
        root_path=root_path,
        asgi_version="3.0",
        state={"a": 1},
    )
