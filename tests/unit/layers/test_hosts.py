from __future__ import annotations

from collections import Counter

import pytest

from fastsio.exceptions import SetupError
from fastsio.layers.names import shard_of
from fastsio.layers.nats import NatsChannelLayer
from fastsio.layers.redis import RedisChannelLayer, RedisPubSubChannelLayer
from fastsio.layers.redis.hosts import quoted, read_hosts


@pytest.mark.parametrize(
    ("host", "label"),
    [
        ("redis://user:secret@example.com:7000/1", "example.com:7000"),
        (("example.com", 7000), "example.com:7000"),
        (["example.com", 7000], "example.com:7000"),
        (("::1", 7000), "[::1]:7000"),
        ({"address": "redis://:secret@example.com:7000", "db": 3}, "example.com:7000"),
        ({"address": ("example.com", 7000)}, "example.com:7000"),
        ({"host": "example.com", "port": 7000, "password": "secret"}, "example.com:7000"),
        ({"host": "example.com"}, "example.com:6379"),
        ({"path": "/run/redis.sock"}, "/run/redis.sock"),
        ("unix:///run/redis.sock", "/run/redis.sock"),
        ({"sentinels": [("a", 1), ("b", 2)], "master_name": "main"}, "main (a:1,b:2)"),
        ("redis+sentinel://a:1,b:2/0/main", "a:1,b:2"),
    ],
)
def test_a_host_may_be_written_in_many_ways(host, label):
    """What messages call it has no password."""
    (found,) = read_hosts([host])

    assert found.label == label


def test_the_default_is_a_redis_on_this_machine():
    """As for the servers."""
    assert [host.label for host in read_hosts(None)] == ["localhost:6379"]


@pytest.mark.parametrize(
    "hosts",
    [
        "redis://localhost",
        {"host": "localhost"},
        5,
        [],
        [5],
        ["http://localhost"],
        [("localhost",)],
        [("localhost", "port")],
        [("localhost", True)],
        [{}],
        [{"sentinels": [("a", 1)]}],
    ],
)
def test_what_is_no_host_is_refused(hosts):
    """The error shows how to write one."""
    with pytest.raises(SetupError, match=r"host|URL|port"):
        read_hosts(hosts)


def test_a_password_is_not_shown():
    """Not in an error either."""
    with pytest.raises(SetupError) as caught:
        read_hosts(["redsi://:secret@localhost"])
    assert "secret" not in str(caught.value)


def test_keys_are_spread_over_all_shards():
    """No shard is left out, and the same key always has the same."""
    spread = Counter(shard_of(f"key{number}", 3) for number in range(3000))

    assert set(spread) == {0, 1, 2}
    assert min(spread.values()) > 700
    assert shard_of("key", 3) == shard_of("key", 3)


def test_no_prefix_continues_another():
    """The delimiter cannot be part of one."""
    assert quoted("a:b") == "a%3Ab"
    assert quoted("a%3Ab") != quoted("a:b")


@pytest.mark.parametrize("layer", [RedisChannelLayer, RedisPubSubChannelLayer, NatsChannelLayer])
@pytest.mark.parametrize("prefix", ["", None, 5])
def test_a_prefix_is_a_string(layer, prefix):
    """An empty one would be everybody's."""
    with pytest.raises(SetupError, match="prefix is what"):
        layer(prefix=prefix)


@pytest.mark.parametrize("layer", [RedisChannelLayer, RedisPubSubChannelLayer, NatsChannelLayer])
def test_an_unknown_keyword_is_an_error(layer):
    """A typo is not swallowed."""
    with pytest.raises(TypeError, match="prefx"):
        layer(prefx="chat")


@pytest.mark.parametrize("hosts", ["nats://localhost", [], ["redis://localhost"], [5]])
def test_nats_has_urls_of_its_own(hosts):
    """A list of them."""
    with pytest.raises(SetupError):
        NatsChannelLayer(hosts=hosts)
