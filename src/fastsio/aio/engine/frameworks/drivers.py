"""
Which driver a server uses, and which one an application needs.

A framework is only looked for here, and imported with its first request.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any, Final

from fastsio.aio.engine.frameworks import aiohttp, asgi, sanic, tornado
from fastsio.exceptions import SetupError

#: The driver of each mode; no framework is imported before its first request.
DRIVERS: Final = {
    "aiohttp": aiohttp.DRIVER,
    "asgi": asgi.DRIVER,
    "sanic": sanic.DRIVER,
    "tornado": tornado.DRIVER,
}
#: Package and class of the applications a server can be attached to.
APPLICATIONS: Final = {("aiohttp", "Application"): "aiohttp", ("sanic", "Sanic"): "sanic"}


def is_installed(async_mode: str) -> bool:
    """Return whether the framework of a mode is installed; ASGI needs none."""
    return async_mode == "asgi" or sys.modules.get(async_mode) is not None or find_spec(async_mode) is not None


def async_mode_of(app: Any) -> str:
    """Tell which mode serves an application of aiohttp or Sanic, or of a derived class; else raise SetupError."""
    for kind in type(app).__mro__:
        mode = APPLICATIONS.get((kind.__module__.partition(".")[0], kind.__name__))
        if mode is not None:
            return mode
    raise SetupError(
        f"attach() takes an aiohttp or a Sanic application, not {type(app).__name__!r}; for ASGI frameworks (FastAPI, "
        "Starlette, Django) use ASGIApp(server, app), for Tornado get_tornado_handler(server)"
    )
