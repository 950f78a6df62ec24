"""Injection: reading a handler's signature at registration, and making a plan to call it. Does no I/O."""

from __future__ import annotations

from fastsio.injection.compiler import compile_endpoint, reads_payload
from fastsio.injection.context import ClientView, ConnectionScope, Context, handshake_of
from fastsio.injection.endpoint import Endpoint, refuse_coroutine
from fastsio.injection.handshake import Handshake, scope_of
from fastsio.injection.markers import Cookie, Dependency, Depends, EventMarker, Header, Query, register_dependency
from fastsio.injection.parameters import HandlerKind
from fastsio.injection.validation import ResponseValidationError

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
    "refuse_coroutine",
    "register_dependency",
    "scope_of",
]
