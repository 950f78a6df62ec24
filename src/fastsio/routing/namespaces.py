"""
The names of namespaces as developers write them.

Pure: what clients send is judged by the protocol.
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
