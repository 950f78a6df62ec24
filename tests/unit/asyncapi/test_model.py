"""The settings of a server's document."""

from __future__ import annotations

import pytest

import fastsio
from fastsio.asyncapi import AsyncAPIConfig, asyncapi_config
from fastsio.exceptions import SetupError


def test_settings_are_taken_as_an_object_or_a_dict():
    """Without any there is no document."""
    settings = AsyncAPIConfig(title="Chat")

    assert asyncapi_config(settings) is settings
    assert asyncapi_config({"title": "Chat"}) == settings
    assert asyncapi_config(None).enabled is False


@pytest.mark.parametrize("given", [{"titel": "Chat"}, "chat"])
def test_settings_that_there_are_not_are_refused(given):
    """The message shows what was given."""
    with pytest.raises(SetupError, match="give an AsyncAPIConfig, or a dict of its fields"):
        asyncapi_config(given)


@pytest.mark.parametrize(("made", "mode"), [(fastsio.AsyncServer, "asgi"), (fastsio.Server, "threading")])
def test_a_server_keeps_its_settings_and_says_that_there_is_no_document_yet(made, mode):
    """Programs for fastsio 0.3.6 start as they are."""
    settings = fastsio.AsyncAPIConfig(url="/docs.json")

    with pytest.warns(UserWarning, match="takes asyncapi, and serves no document of its events yet"):
        server = made(async_mode=mode, asyncapi=settings)

    assert server.asyncapi_config is settings
