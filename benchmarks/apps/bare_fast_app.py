"""
The floor of connecting on the fast transport: uvicorn, its HTTP parser, and picows behind fastsio's handshake.

The application is ``bare_asgi_app``. It is taken for one of fastsio's, which alone are served this way.
"""

from __future__ import annotations

from typing import Any

from bare_asgi_app import app

import fastsio
from fastsio.integrations import uvicorn

__all__ = ["app"]

TAKEN_FOR = fastsio.ASGIApp(fastsio.AsyncServer(async_mode="asgi"))


def find(_loaded: Any, _scope: Any) -> fastsio.ASGIApp:
    """Find the application to take this one for."""
    return TAKEN_FOR


uvicorn.find_application = find
