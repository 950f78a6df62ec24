"""Injection: from a handler to a call plan. Reads functions at registration; does no I/O."""

from __future__ import annotations

from fastsio.injection.compiler import compile_endpoint, reads_payload
from fastsio.injection.context import ClientView, Context
from fastsio.injection.endpoint import Endpoint
from fastsio.injection.handshake import Handshake, handshake_of, scope_of
from fastsio.injection.kinds import HandlerKind
from fastsio.injection.markers import Cookie, Dependency, Depends, EventMarker, Header, Query, register_dependency
from fastsio.injection.response import ResponseValidationError
from fastsio.injection.scope import ConnectionScope

__all__ = [
    "ClientView",
    "ConnectionScope",
    "Context",
    "Cookie",
    "Dependency",
    "Depends",
    "Endpoint",
    "EventMarker",
    "HandlerKind",
    "Handshake",
    "Header",
    "Query",
    "ResponseValidationError",
    "compile_endpoint",
    "handshake_of",
    "reads_payload",
    "register_dependency",
    "scope_of",
]
