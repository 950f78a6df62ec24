"""
The base classes of fastsio's applications; ``engineio_apps.pyi`` has their types.

python-engineio is untyped, so these imports are a module of their own.
"""

from __future__ import annotations

from engineio.async_drivers.asgi import ASGIApp
from engineio.middleware import WSGIApp

__all__ = ["ASGIApp", "WSGIApp"]
