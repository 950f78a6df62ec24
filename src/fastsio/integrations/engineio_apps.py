"""
The applications of python-engineio, which ours are instances of; ``engineio_apps.pyi`` says so to type checkers.

python-engineio is untyped, so these imports are a module of their own.
"""

from __future__ import annotations

from engineio.async_drivers.asgi import ASGIApp
from engineio.middleware import WSGIApp

__all__ = ["ASGIApp", "WSGIApp"]
