# Written by tools/facades.py; change the table there.
"""python-socketio's ``base_namespace`` module: applications import it by this name."""

from __future__ import annotations

from fastsio.base.namespace import BaseClientNamespace, BaseNamespace, BaseServerNamespace

__all__ = ["BaseClientNamespace", "BaseNamespace", "BaseServerNamespace"]
