"""
Importing optional dependencies; all imports of modules that may be missing are made here.

This module knows the names of fastsio's extras, never what the modules are used for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fastsio.exceptions import MissingExtraError


def require(module: str, extra: str) -> Any:
    """Import an optional dependency; without it, raise MissingExtraError with the extra that installs it."""
    try:
        return import_module(module)
    except MissingExtraError:
        raise  # the module itself exists, and another one is missing
    except ImportError as error:
        raise MissingExtraError(module, extra) from error


def optional(module: str) -> Any | None:
    """Import a dependency without which fastsio works too; return None when it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        return None
