"""
The names of namespaces as developers write them.

Checks names in the application's code; :mod:`fastsio.protocol` checks the names that clients send.
"""

from __future__ import annotations

from fastsio.exceptions import SetupError


def check_namespace(namespace: str | None) -> str:
    """
    Return the namespace's name, ``"/"`` for None.

    Raises:
        SetupError: It is neither ``"*"`` nor begins with ``"/"``.
    """
    if namespace is None or namespace in ("", "/"):
        return "/"
    if not isinstance(namespace, str):
        raise SetupError(f"namespace {namespace!r} is not valid; write '/name', or '*' for every namespace")
    if namespace != "*" and not namespace.startswith("/"):
        raise SetupError(f"namespace {namespace!r} has no slash; write '/{namespace}'")
    return namespace


def place_of(namespace: str | None) -> str:
    """
    Return the name of the one namespace that a call is about, ``"/"`` for None.

    Raises:
        SetupError: It does not begin with ``"/"``: no client is ever in it.
    """
    if not namespace:
        return "/"
    if type(namespace) is str and namespace[0] == "/":
        return namespace
    name = check_namespace(namespace)
    if name == "*":
        raise SetupError("namespace '*' is every namespace, for handlers to be registered in; name one of them here")
    return name
