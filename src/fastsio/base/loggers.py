"""Which logger a server or client writes to, by python-socketio's rules for the ``logger`` argument."""

from __future__ import annotations

import logging
from typing import Any


def takes_information(logger: Any) -> bool:
    """Whether a logger writes what is logged at level INFO; those of other libraries may not be able to tell."""
    is_enabled = getattr(logger, "isEnabledFor", None)
    return is_enabled is None or bool(is_enabled(logging.INFO))


def heard(logger: Any) -> Any:
    """
    Return the logger for what a developer has to read when a program starts.

    Args:
        logger: That of a server. Where it takes no warnings, as with ``logger=False``, it is ``fastsio.server``.
    """
    is_enabled = getattr(logger, "isEnabledFor", None)
    takes_warnings = is_enabled is None or is_enabled(logging.WARNING)
    return logger if takes_warnings else logging.getLogger("fastsio.server")


def choose_logger(logger: Any, name: str) -> Any:
    """
    Return the logger for the ``logger`` argument.

    Args:
        logger: A logger object, used as it is; True logs from INFO on, False from ERROR on, unless the
            application has set a level for *name*.
        name: Name of the logger that True and False stand for.
    """
    if not isinstance(logger, bool):
        return logger
    chosen = logging.getLogger(name)
    if chosen.level == logging.NOTSET:
        chosen.setLevel(logging.INFO if logger else logging.ERROR)
        if logger and not chosen.hasHandlers():
            chosen.addHandler(logging.StreamHandler())
    return chosen
