"""Finding the handler of an event, with the middleware, guards and dependencies around it."""

from fastsio.routing.errors import Failure, describe, is_expected
from fastsio.routing.middleware import BaseMiddleware, MiddlewareChain, Scope, SyncMiddleware
from fastsio.routing.namespaces import check_namespace, own_trigger, single_namespace
from fastsio.routing.registration import (
    CLIENT,
    SERVER,
    EventRegistrar,
    Registration,
    Role,
    RoomRegistration,
    RouterScope,
    RouterSIO,
    attach_router,
    check_namespaces,
    check_rooms,
    refuse_same_key,
    room_registrations,
)
from fastsio.routing.registry import Registry
from fastsio.routing.route import Guard, Route, leading_arguments

__all__ = [
    "CLIENT",
    "SERVER",
    "BaseMiddleware",
    "EventRegistrar",
    "Failure",
    "Guard",
    "MiddlewareChain",
    "Registration",
    "Registry",
    "Role",
    "RoomRegistration",
    "Route",
    "RouterSIO",
    "RouterScope",
    "Scope",
    "SyncMiddleware",
    "attach_router",
    "check_namespace",
    "check_namespaces",
    "check_rooms",
    "describe",
    "is_expected",
    "leading_arguments",
    "own_trigger",
    "refuse_same_key",
    "room_registrations",
    "single_namespace",
]
