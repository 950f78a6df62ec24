"""What is used of aiohttp and Tornado to refuse frames without a mask is tried out, and left alone where it misfits."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Any

import aiohttp.web
import pytest
import tornado.websocket

from fastsio.aio.engine.frameworks import aiohttp_masking, masking
from fastsio.integrations import tornado_handler
from tests.integration.limits.test_hostile_requests import under
from tests.integration.raw_websocket import FIN, TEXT, client_frame, open_raw

MODULES: dict[str, Any] = {"aiohttp": aiohttp_masking, "tornado": tornado_handler}
UNMASKED = client_frame(FIN | TEXT, b"40/nowhere,", masked=False)


class AiohttpThatHooksNothing(aiohttp.web.WebSocketResponse):
    """Never calls what a subclass has in place of the method that sets the parser."""

    async def prepare(self, request: Any) -> Any:
        self.__dict__["_post_start"] = partial(aiohttp.web_ws.WebSocketResponse._post_start, self)
        return await super().prepare(request)


class AiohttpWithoutParser(aiohttp.web.WebSocketResponse):
    """Keeps its parser elsewhere."""

    def _post_start(self, request: Any, *arguments: Any) -> None:
        super()._post_start(request, *arguments)
        request.protocol._payload_parser = None


class AiohttpThatHangs(aiohttp.web.WebSocketResponse):
    """Gives no message."""

    async def receive(self, *_arguments: Any) -> Any:
        await asyncio.Event().wait()


class TornadoThatReadsOtherwise(tornado.websocket.WebSocketProtocol13):
    """Never calls what a subclass reads with."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._read_bytes = partial(tornado.websocket.WebSocketProtocol13._read_bytes, self)  # type: ignore[method-assign]


class TornadoWithOtherArguments(tornado.websocket.WebSocketProtocol13):
    """Is made in another way."""

    def __init__(self, handler: Any, *, settings: Any) -> None:
        super().__init__(handler, False, settings)


OTHERS = {
    "aiohttp": ("aiohttp.web.WebSocketResponse", {
        "hooks nothing": (AiohttpThatHooksNothing, "frames are read in another way"),
        "other parser": (AiohttpWithoutParser, "AttributeError"),
    }),
    "tornado": ("tornado.websocket.WebSocketProtocol13", {
        "reads otherwise": (TornadoThatReadsOtherwise, "frames are read in another way"),
        "other arguments": (TornadoWithOtherArguments, "TypeError"),
    }),
}  # fmt: skip
CASES = [(kind, name) for kind, (_, others) in OTHERS.items() for name in others]


@pytest.fixture
def another(monkeypatch):
    """Replace a class of a framework, as if another version were installed."""

    def forget() -> None:
        for module in MODULES.values():
            module.trial.cache_clear()
        aiohttp_masking.masked_response.cache_clear()
        tornado_handler.masked_protocol.cache_clear()

    def replace(kind: str, name: str) -> str:
        forget()
        place, others = OTHERS[kind]
        made, complaint = others[name]
        monkeypatch.setattr(place, made)
        return complaint

    yield replace
    forget()


@pytest.mark.parametrize("kind", MODULES)
async def test_the_installed_versions_fit(kind):
    """The versions that are pinned do what is expected of them, and nothing of the trial is left."""
    before = asyncio.all_tasks()

    assert await MODULES[kind].find_problem() is None
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(("kind", "name"), CASES)
async def test_one_that_does_not_fit_is_found_out(another, kind, name, caplog):
    """Whatever another version does otherwise is said in the warning; it is neither raised nor logged as an error."""
    complaint = another(kind, name)

    trial = MODULES[kind].trial()

    assert not await trial.fits()
    assert not await trial.fits()
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.levelno == logging.WARNING
    assert complaint in record.getMessage()
    assert "not masked" in record.getMessage()


async def test_a_trial_has_an_end(another, monkeypatch, caplog):
    """A version under which nothing happens does not keep the first client waiting for ever."""
    another("aiohttp", "hooks nothing")
    monkeypatch.setattr("aiohttp.web.WebSocketResponse", AiohttpThatHangs)
    monkeypatch.setattr(masking, "TRIAL_S", 0.05)

    assert not await aiohttp_masking.trial().fits()
    assert "within 0.05 seconds" in caplog.text


@pytest.mark.parametrize(("kind", "name"), [("aiohttp", "hooks nothing"), ("tornado", "reads otherwise")])
async def test_connections_live_on_where_frames_cannot_be_looked_at(another, kind, name, caplog):
    """Clients are served by the framework's own WebSockets, which take frames without a mask; one warning says so."""
    another(kind, name)

    async with under(kind) as address:
        for _ in range(2):
            async with open_raw(address) as client:
                await client.join()
                await client.send(UNMASKED)
                assert (await client.text()).startswith("44/nowhere,")

    assert caplog.text.count("frames that are not masked are accepted") == 1
