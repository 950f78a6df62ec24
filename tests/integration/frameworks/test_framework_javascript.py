"""The real JavaScript clients, of today and of Engine.IO 3, against a server in each framework."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.interop.conftest import TRANSPORTS
from tests.interop.eio3.conftest import RUNNER as OLD_RUNNER
from tests.support.frameworks import Sites
from tests.support.node import node_program
from tests.support.tour import play_tour

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAMEWORKS = ["aiohttp", "sanic", "tornado"]
OLD_CLIENT = 2


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    """The application, with heartbeats that are seen in a test."""
    sites = Sites(ping_interval=0.25, ping_timeout=10, allow_eio3=True)
    yield sites
    sites.close()


@pytest.mark.parametrize("transports", TRANSPORTS.values(), ids=TRANSPORTS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_the_client_talks_over_every_transport(sites, framework, transports):
    """Upgrade, binary, acknowledgements both ways, large payloads, heartbeats; both ends of a connection are told."""
    async with sites.open(framework) as site:
        await play_tour(site.address, transports, "js", asking={})

        await site.journal.until(["disconnect", {"name": "js", "end": "leaves"}, "client disconnect"])
        await site.journal.until(["disconnect", {"name": "js", "end": "kicked"}, "server disconnect"])


@pytest.mark.parametrize(
    ("scenario", "transports"),
    [("exchanges_binary", ["websocket"]), ("exchanges_binary", ["polling"]), ("talks_through_an_upgrade", None)],
    ids=TRANSPORTS,
)
@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_clients_of_engine_io_3_talk_over_every_transport(sites, framework, scenario, transports):
    """socket.io-client 2 gets its binary back, and loses nothing while it upgrades."""
    settings = json.dumps({"version": OLD_CLIENT, "transports": transports})
    async with sites.open(framework) as site:
        arguments = (scenario, site.address.http, settings)
        async with node_program(OLD_RUNNER, *arguments, packages=(f"socket.io-client-{OLD_CLIENT}",)) as program:
            saw = await program.result()

        await site.journal.until(["connect", None, "127.0.0.1"])

    if transports:
        assert saw["acknowledged"] == saw["mirrored"] == saw["sent"]
    else:
        assert (saw["transport"], saw["received"]) == ("websocket", list(range(saw["sent"])))
