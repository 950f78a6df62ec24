"""The cookie with the session's id."""

from __future__ import annotations

import pytest

from fastsio.engine.cookies import sid_cookie


@pytest.mark.parametrize(
    ("option", "cookie"),
    [
        ("io", "io=abc; path=/; HttpOnly; SameSite=Lax"),
        ({}, "io=abc; path=/; HttpOnly; SameSite=Lax"),
        ({"name": "sio", "Secure": True}, "sio=abc; Secure; path=/; HttpOnly; SameSite=Lax"),
        ({"name": "sio", "Path": lambda: "/x", "samesite": "None"}, "sio=abc; Path=/x; samesite=None; HttpOnly"),
        ({"name": "sio", "httpOnly": False, "SameSite": None}, "sio=abc; path=/"),
        ({"name": "sio", "Max-Age": 60}, "sio=abc; Max-Age=60; path=/; HttpOnly; SameSite=Lax"),
    ],
)
def test_scripts_and_other_sites_do_not_get_the_cookie_unless_it_says_so(option, cookie):
    """HttpOnly and SameSite are there unless the option has others."""
    assert sid_cookie("abc", option) == cookie
