"""Class-based namespaces of clients, what both kinds share."""

from __future__ import annotations

from typing import Any

from fastsio.base.namespace import BaseNamespace


class BaseClientNamespace(BaseNamespace):
    """A class-based namespace of a client; :attr:`client` is set when it is registered."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__(namespace)
        self.client: Any = None

    def _set_client(self, client: Any) -> None:
        self.client = client
