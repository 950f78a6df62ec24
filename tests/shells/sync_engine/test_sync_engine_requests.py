"""The answers to requests, over an in-process WSGI wire: origins, cookies, malformed requests."""

from __future__ import annotations

import functools
import logging

import pytest

from fastsio.exceptions import SetupError


async def take_ours(origin):
    """Take one origin."""
    return origin == "http://ours"


def give_a_coroutine(origin):
    """Give something to await, which cannot be seen before."""
    return take_ours(origin)


class TakeOurs:
    """An object that is called."""

    async def __call__(self, origin):
        """Take one origin."""
        return origin == "http://ours"


@pytest.mark.parametrize("allowed", [take_ours, TakeOurs(), functools.partial(take_ours)])
def test_an_async_callable_for_origins_is_refused_by_a_sync_server(make_app, allowed):
    """Nothing could await it, and a coroutine is true: it would let every origin in."""
    with pytest.raises(SetupError, match=r"cors_allowed_origins: .* cannot await; give a plain function"):
        make_app(cors_allowed_origins=allowed)


def test_a_callable_that_gives_a_coroutine_lets_nobody_in(make_app, caplog):
    """What cannot be seen before the first request is refused then, and said once."""
    app = make_app(cors_allowed_origins=give_a_coroutine)
    app.engine.logger = logging.getLogger("origins")

    for _ in range(3):
        response = app.request(HTTP_ORIGIN="http://ours")
        assert (response.status, response.code) == (400, 4)

    assert len([record for record in caplog.records if "await" in record.message]) == 1


def test_a_callable_decides_about_origins(make_app):
    """One that raises lets nobody in."""
    app = make_app(cors_allowed_origins=lambda origin: {"http://ours": True, "http://theirs": False}[origin])

    ours = app.request(HTTP_ORIGIN="http://ours")
    others = [app.request(HTTP_ORIGIN=origin) for origin in ("http://theirs", "http://unheard-of")]

    assert (ours.status, ours.headers["access-control-allow-origin"]) == (200, "http://ours")
    assert ours.headers["vary"] == "Origin"
    assert [(other.status, other.code) for other in others] == [(400, 4)] * 2
    assert "access-control-allow-origin" not in others[0].headers
