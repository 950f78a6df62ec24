"""python-socketio's ``base_namespace`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.base.namespace import BaseNamespace, BaseServerNamespace

__all__ = ["BaseNamespace", "BaseServerNamespace"]
