"""
The names of namespaces as developers write them, and the methods of class-based namespaces.

Checks names in the application's code; :mod:`fastsio.protocol` checks the names that clients send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Callable

Function = TypeVar("Function", bound="Callable[..., Any]")

#: The methods ``trigger_event`` of the classes of fastsio.
_OWN_TRIGGERS: Final[set[Any]] = set()


def check_namespace(namespace: str | None) -> str:
    """Return the namespace's name, ``"/"`` for None; raise SetupError unless it is ``"*"`` or begins with ``"/"``."""
    if namespace is None or namespace in ("", "/"):
        return "/"
    if not isinstance(namespace, str):
        raise SetupError(f"namespace {namespace!r} is not valid; write '/name', or '*' for every namespace")
    if namespace != "*" and not namespace.startswith("/"):
        raise SetupError(f"namespace {namespace!r} has no slash; write '/{namespace}'")
    return namespace


def single_namespace(namespace: str | None) -> str:
    """Return the namespace that a call names, ``"/"`` for None; raise SetupError for ``"*"``, which is every one."""
    if not namespace:
        return "/"
    if type(namespace) is str and namespace[0] == "/":
        return namespace
    name = check_namespace(namespace)
    if name == "*":
        raise SetupError("namespace '*' is every namespace, for handlers to be registered in; name one of them here")
    return name


def own_trigger(function: Function) -> Function:
    """Mark a function as the ``trigger_event`` of a class of fastsio, in whose place handlers are called directly."""
    _OWN_TRIGGERS.add(function)
    return function


def overrides_trigger(handler: Any) -> bool:
    """Return whether a class-based namespace has a ``trigger_event`` of the application, in its class or itself."""
    function = getattr(type(handler), "trigger_event", None)
    return "trigger_event" in vars(handler) or (function is not None and function not in _OWN_TRIGGERS)


def find_method(handler: Any, event: str) -> Callable[..., Any] | None:
    """Return the method of a class-based namespace for *event*, or None."""
    method: Callable[..., Any] | None = getattr(handler, f"on_{event}", None)
    return method if callable(method) else None
