"""Clients of redis and valkey."""

from __future__ import annotations

import pytest

from fastsio.brokers.redis import new_client, parts_of
from fastsio.cluster.broker_urls import redis_target

PLAIN = "redis://localhost:6379/3"
SENTINEL = "redis+sentinel://user:secret@localhost:1,localhost:2/3/main"


def options_of(client: object) -> dict:
    """Return what a client's connections are made with."""
    return client.connection_pool.connection_kwargs


@pytest.mark.parametrize("scheme", ["redis", "valkey"])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_client_is_of_the_package_that_the_url_names(scheme, is_async):
    """For asyncio and for threads; making one connects to nothing."""
    client = new_client(redis_target(PLAIN.replace("redis", scheme)), {}, timeout_s=5, is_async=is_async)

    module = type(client).__module__
    assert module.startswith(f"{scheme}.asyncio" if is_async else f"{scheme}.client")
    assert options_of(client)["db"] == 3


@pytest.mark.parametrize("is_async", [False, True])
def test_commands_are_bounded_and_sent_once(is_async):
    """Managers and layers try again by themselves."""
    options = options_of(new_client(redis_target(PLAIN), {}, timeout_s=5, is_async=is_async))

    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (5, 5)
    assert options["retry"]._retries == 0


@pytest.mark.parametrize("is_async", [False, True])
def test_options_come_before_defaults_but_never_decode(is_async):
    """MessagePack is no text, whatever the application asks for."""
    given = {"socket_timeout": 1, "client_name": "node", "decode_responses": True}

    options = options_of(new_client(redis_target(PLAIN), given, timeout_s=5, is_async=is_async))

    assert (options["socket_timeout"], options["client_name"]) == (1, "node")
    assert options["decode_responses"] is False


@pytest.mark.parametrize(("socket_timeout", "expected"), [(1, 3.5), (None, None)])
def test_commands_that_wait_may_take_longer(socket_timeout, expected):
    """By as much as they wait; a client without a timeout has none."""
    options = options_of(
        new_client(redis_target(PLAIN), {"socket_timeout": socket_timeout}, timeout_s=5, is_async=True, waits_s=2.5)
    )

    assert options["socket_timeout"] == expected


@pytest.mark.parametrize("is_async", [False, True])
def test_clients_behind_sentinels_are_closed_with_them(is_async):
    """A client of the URL has no other parts."""
    client = new_client(redis_target(SENTINEL), {}, timeout_s=5, is_async=is_async)
    alone = new_client(redis_target(PLAIN), {}, timeout_s=5, is_async=is_async)

    assert options_of(client)["username"] == "user"
    assert len(parts_of(client)) == 3
    assert parts_of(alone) == [alone]
