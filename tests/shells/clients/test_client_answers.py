"""What a client answers to an event whose handler has failed."""

from __future__ import annotations

import inspect

import pytest

import fastsio
from fastsio.exceptions import EventError


@pytest.mark.parametrize("kind", [fastsio.AsyncClient, fastsio.Client])
async def test_an_error_that_cannot_be_written_does_not_end_the_connection(kind, caplog):
    """The engine ends the connection when the method for its messages raises; the failure is logged instead."""
    client = kind(handle_sigint=False, async_handlers=False)

    @client.event
    def ask() -> None:
        raise EventError("conflict", "Not now.", object())

    handling = client._dispatcher.handle_frame('21["ask"]')
    if inspect.isawaitable(handling):
        await handling

    assert "the failure of ask could not be answered" in caplog.text
