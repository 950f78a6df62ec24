"""
The cookie with the session's id, which load balancers tell sessions by.

Source: RFC 6265, section 4.1; the defaults are the JavaScript server's, the form of the option is python-engineio's.
"""

from __future__ import annotations

from typing import Any, Final

NAME: Final = "name"
DEFAULT_NAME: Final = "io"
#: No script needs it: the id in the cookie opens the session to everyone who reads it.
DEFAULTS: Final[dict[str, Any]] = {"path": "/", "HttpOnly": True, "SameSite": "Lax"}


def sid_cookie(sid: str, option: str | dict[str, Any]) -> str:
    """
    Build the value of ``Set-Cookie``.

    Args:
        sid: The session's id.
        option: The cookie's name, or its name and attributes. Those that it does not have are the defaults; one that is
            False or None is left out, one that is True has no value, and a callable returns the value.
    """
    attributes = {NAME: option} if isinstance(option, str) else option
    given = {key.lower() for key in attributes}
    defaults = {key: value for key, value in DEFAULTS.items() if key.lower() not in given}
    parts = [f"{attributes.get(NAME, DEFAULT_NAME)}={sid}"]
    for key, value in {**attributes, **defaults}.items():
        if key != NAME:
            parts += _attribute(key, value() if callable(value) else value)
    return "; ".join(parts)


def _attribute(key: str, value: Any) -> list[str]:
    if value is False or value is None:
        return []
    return [key if value is True else f"{key}={value}"]
