"""python-socketio's ``base_namespace`` module; written by tools/facades.py from its table."""

from fastsio.base.namespace import BaseClientNamespace, BaseNamespace, BaseServerNamespace

__all__ = ["BaseClientNamespace", "BaseNamespace", "BaseServerNamespace"]
