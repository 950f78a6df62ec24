"""
A client's place in one namespace, as injection sees it.

Exists from the server's CONNECT, or the first event before it, until one side leaves: the code that removes it from the
client's table runs the disconnect handlers, so that they run once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastsio.injection import ConnectionScope


class Membership:
    """
    One namespace of a client.

    Args:
        namespace: Its name.
        sids: Namespace -> sid of the client.
        scope_store: What lives as long as the membership.
    """

    __slots__ = ("_sids", "namespace", "scope_store")

    def __init__(self, namespace: str, sids: Mapping[str, str], scope_store: ConnectionScope) -> None:
        self.namespace = namespace
        self._sids = sids
        self.scope_store = scope_store

    @property
    def sid(self) -> str:
        """The client's sid in the namespace; empty before the server has told it."""
        return self._sids.get(self.namespace, "")
