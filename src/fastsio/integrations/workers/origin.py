"""
The addresses and the scheme of a client whose connection stays in another worker.

The worker that serves the client has one end of a pair of sockets. The other end is in the worker that the client is
connected to, for example because that worker has the TLS session.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class RelayedTransport:
    """The transport of the socket of a pair, with the addresses and the scheme of the client's own connection."""

    def __init__(self, transport: Any, origin: bytes) -> None:
        self.inner = transport
        self.origin = origin
        scheme, peer, own = json.loads(origin)
        self._extra = {
            "socket": None,
            "peername": None if peer is None else tuple(peer),
            "sockname": tuple(own) if isinstance(own, list) else own,
            "sslcontext": scheme == "https" or None,
        }

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return an attribute of the client's connection."""
        return self._extra[name] if name in self._extra else self.inner.get_extra_info(name, default)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def describe(transport: Any) -> bytes:
    """Return the scheme and the addresses of a client's connection, for :class:`RelayedTransport`."""
    scheme = "https" if transport.get_extra_info("sslcontext") else "http"
    return _write(scheme, transport.get_extra_info("peername"), transport.get_extra_info("sockname"))


def describe_scope(scope: Mapping[str, Any]) -> bytes:
    """Return the scheme and the addresses that an ASGI scope names, in the form of :func:`describe`."""
    path, port = scope.get("server") or (None, None)
    return _write(scope.get("scheme", "http"), scope.get("client"), path if port is None else (path, port))


def _write(scheme: str, *ends: Any) -> bytes:
    plain = [list(end[:2]) if isinstance(end, tuple) else end if isinstance(end, str) else None for end in ends]
    return json.dumps([scheme, *plain]).encode()
