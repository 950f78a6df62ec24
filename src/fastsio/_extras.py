"""
Importing optional dependencies; all imports of modules that may be missing are made here.

This module knows the names of fastsio's extras, never what the modules are used for.
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
        raise  # the module itself exists, and another one is missing
    except ImportError as error:
        raise MissingExtraError(module, extra) from error


def optional(module: str) -> Any | None:
    """
    Import a dependency without which fastsio works too.

    Args:
        module: Dotted name of the module.

    Returns:
        The module, or None when it is not installed.
    """
    try:
        return import_module(module)
    except ImportError:
        return None
