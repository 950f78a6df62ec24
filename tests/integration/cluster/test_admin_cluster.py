"""The admin interface of servers on one Redis: what an administrator of one of them can do to clients of another."""

from __future__ import annotations

import pytest

from tests.integration.clients import eventually
from tests.integration.redis_nodes import THREADS, Cluster
from tests.support.administrator import ADA, Administrator
from tests.support.brokers import redis_server


@pytest.fixture(scope="module")
def broker():
    """A Redis for all tests of this module."""
    with redis_server() as broker:
        yield broker


@pytest.fixture(params=["fastsio", THREADS])
async def pair(request, broker):
    """C-73: two instrumented servers in one process, an administrator connected to the first."""
    async with Cluster(broker.url, request.node.name) as cluster:
        a, b = await cluster.node(request.param), await cluster.node(request.param)
        for node in (a, b):
            node.server.instrument(auth=ADA, server_stats_interval=0.2)
            await cluster.client(node, "/other")  # the first connection that is seen
        admin = Administrator()
        await admin.client.connect(a.address.http, auth=ADA, namespaces=["/admin"], transports=["websocket"])
        await admin.until("all_sockets")
        yield a, b, admin
        await admin.client.disconnect()


async def ask(admin, command, *arguments):
    """Have an administrator ask for something in the root namespace."""
    await admin.client.emit(command, ("/", *arguments), namespace="/admin")


async def test_clients_of_another_server_are_listed(pair):
    """C-93: also those that were there before the administrator."""
    _, b, admin = pair

    await eventually(lambda: b.sid in [told[1]["id"] for told in admin.told if told[0] == "socket_connected"])


async def test_a_client_of_another_server_is_put_into_a_room_and_out_of_it(pair):
    """C-93: administrators are shown it, so they can do something about it."""
    _, b, admin = pair

    await ask(admin, "join", "tea", b.sid)
    await admin.until("room_joined", "/", "tea", b.sid)
    assert b.server.rooms(b.sid) == [b.sid, "tea"]
    await ask(admin, "leave", "tea", b.sid)
    await admin.until("room_left", "/", "tea", b.sid)

    assert b.server.rooms(b.sid) == [b.sid]


@pytest.mark.parametrize("close", [False, True])
async def test_a_client_of_another_server_is_disconnected(pair, close):
    """C-93: from its namespace; its connection is nothing that servers can end for each other."""
    _, b, admin = pair

    await ask(admin, "_disconnect", close, b.sid)

    assert await b.client.receive() == "41"
    await admin.until("socket_disconnected", "/", b.sid, "server disconnect")


async def test_commands_for_many_are_for_the_clients_of_this_server(pair):
    """Of a room or of the namespace; emits reach everybody."""
    a, b, admin = pair
    await b.server.enter_room(b.sid, "tea")

    await ask(admin, "join", "cake", "tea")
    await ask(admin, "join", "tea")
    await ask(admin, "emit", "tea", "news", 1)

    assert await a.client.receive() == await b.client.receive() == '42["news",1]'
    await eventually(lambda: a.server.rooms(a.sid) == [a.sid, "tea"])
    assert b.server.rooms(b.sid) == [b.sid, "tea"]


@pytest.mark.parametrize("command", ["join", "leave", "_disconnect"])
async def test_a_client_that_is_nowhere_is_no_error(pair, command, caplog):
    """It may have gone meanwhile."""
    a, _, admin = pair

    await ask(admin, command, "tea", "nobody")
    await ask(admin, "join", "cake", a.sid)

    await admin.until("room_joined", "/", "cake", a.sid)
    assert "Traceback" not in caplog.text
