"""
Import optional dependencies: the one place where a module may be missing.

Knows the names of fastsio's extras, never what the modules are used for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from fastsio.exceptions import MissingExtraError


def require(module: str, extra: str) -> Any:
    """
    Import an optional dependency.

    Args:
        module: Dotted name of the module.
        extra: The extra of fastsio that installs it.

    Returns:
        The module, untyped: which of its versions is installed is the user's choice.

    Raises:
        MissingExtraError: The module is not installed.
    """
    try:
        return import_module(module)
    except MissingExtraError:
        raise  # the module is there, and says itself what it misses
    except ImportError as error:
        raise MissingExtraError(module, extra) from error


def optional(module: str) -> Any | None:
    """
    Import a dependency that only makes things faster.

    Args:
        module: Dotted name of the module.

    Returns:
        The module, or None when it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        return None
