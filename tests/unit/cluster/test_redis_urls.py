"""What the URLs of Redis and Valkey mean."""

from __future__ import annotations

import pytest
from socketio.redis_manager import parse_redis_sentinel_url as their_parse

from fastsio.cluster import broker_urls
from fastsio.cluster.broker_urls import (
    at_master,
    may_be_cluster,
    parse_redis_sentinel_url,
    redis_target,
    require_cluster,
)
from fastsio.exceptions import MissingExtraError, SetupError


@pytest.mark.parametrize(
    ("url", "package"),
    [
        ("redis://localhost:6379/0", "redis"),
        ("rediss://u:p@h/1", "redis"),
        ("unix:///tmp/redis.sock", "redis"),
        ("valkey://h", "valkey"),
        ("valkeys://h", "valkey"),
    ],
)
def test_a_url_names_its_package(url, package):
    """And is handed to it as it is."""
    target = redis_target(url)

    assert (target.url, target.package, target.sentinels) == (url, package, ())


@pytest.mark.parametrize(("url", "ours"), [("valkey://valkey:1", "redis://valkey:1"), ("valkeys://h", "rediss://h")])
def test_redis_connects_to_valkey(monkeypatch, url, ours):
    """Under its own name, where the package valkey is missing."""
    monkeypatch.setattr(broker_urls, "optional", lambda name: name if name == "redis" else None)

    assert (redis_target(url).url, redis_target(url).package) == (ours, "redis")


def test_valkey_connects_to_redis(monkeypatch):
    """Where the package redis is missing."""
    monkeypatch.setattr(broker_urls, "optional", lambda name: name if name == "valkey" else None)

    assert redis_target("redis://h").package == "valkey"


def test_one_of_the_packages_is_needed(monkeypatch):
    """The error names the extra."""
    monkeypatch.setattr(broker_urls, "optional", lambda name: None)

    with pytest.raises(MissingExtraError, match=r"fastsio\[redis\]"):
        redis_target("redis://h")


def test_sentinels_know_the_master():
    """Credentials are the master's."""
    target = redis_target("valkey+sentinel://user:pass@h1:1,h2:2/3/main")

    assert target.package == "valkey"
    assert target.sentinels == (("h1", 1), ("h2", 2))
    assert target.service == "main"
    assert dict(target.credentials) == {"username": "user", "password": "pass", "db": 3}


@pytest.mark.parametrize(
    "url", ["localhost:6379", "http://h", "amqp://user:secret@h", "", None, 5, "redis+sentinel://h:1/0"]
)
def test_other_urls_are_refused_without_telling_secrets(url):
    """C-88: the error says what is expected."""
    with pytest.raises(SetupError) as caught:
        redis_target(url)

    assert "://" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://h1:1,h2:2/0/myservice",
        "valkey+sentinel://h1:1/0/s",
        "redis+sentinel://h1:1",
        "redis+sentinel://h1:1/0",
        "redis+sentinel://user:pw@h1:1,h2:2/3/svc",
        "redis+sentinel://:pw@h1:1/0/s",
    ],
)
def test_sentinel_urls_mean_what_they_mean_to_python_socketio(url):
    """The function is public there."""
    assert parse_redis_sentinel_url(url) == their_parse(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis+sentinel://h1,h2/svc", ([("h1", 26379), ("h2", 26379)], "svc", {})),
        ("redis+sentinel://[::1]:5/1/svc", ([("::1", 5)], "svc", {"db": 1})),
        ("redis+sentinel://a%40b:p%2Fw@h:1/0/s", ([("h", 1)], "s", {"username": "a@b", "password": "p/w", "db": 0})),
    ],
)
def test_sentinel_urls_that_fail_there(url, expected):
    """Hosts without a port, IPv6, and passwords with any character."""
    assert parse_redis_sentinel_url(url) == expected


@pytest.mark.parametrize(
    "url", ["redis://h", "redis+sentinel://", "redis+sentinel://h:x/0/s", "redis+sentinel://h1,,h2"]
)
def test_what_is_no_sentinel_url_is_refused(url):
    """With python-socketio's error."""
    with pytest.raises(ValueError, match="Invalid Redis Sentinel URL"):
        parse_redis_sentinel_url(url)


@pytest.mark.parametrize(
    ("url", "is_possible"),
    [("redis://h:1", True), ("rediss://h", True), ("unix:///run/redis.sock", False), ("redis+sentinel://h/0/m", False)],
)
def test_what_may_be_a_cluster_is_told_from_the_url(url, is_possible):
    """Sentinels and unix sockets lead to one server."""
    assert may_be_cluster(redis_target(url)) is is_possible


@pytest.mark.parametrize(
    ("url", "address", "there"),
    [
        ("redis://h:1/0", ("other", 7000), "redis://other:7000/0"),
        (
            "rediss://u:p%40@h/0?ssl_ca_certs=/ca.pem",
            ("::1", 7000),
            "rediss://u:p%40@[::1]:7000/0?ssl_ca_certs=/ca.pem",
        ),
        ("redis://:p@h:1", ("", 7000), "redis://:p@h:7000"),
        ("redis://", ("", 7000), "redis://localhost:7000"),
    ],
)
def test_another_node_is_reached_in_the_same_way(url, address, there):
    """With the same credentials and options; without a host, on the same one."""
    assert at_master(redis_target(url), address).url == there


@pytest.mark.parametrize("url", ["redis://host:6379", "rediss://user:secret@host/0", "redis://host:6379/"])
def test_a_node_of_a_cluster_has_host_and_port(url):
    """A cluster has the first database only, which need not be named."""
    require_cluster(redis_target(url))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("unix:///tmp/redis.sock", "a node of a Redis Cluster"),
        ("redis+sentinel://host:26379/0/mymaster", "a node of a Redis Cluster"),
        ("redis://host:6379/1", "database 0 only"),
    ],
)
def test_what_is_no_node_of_a_cluster(url, words):
    """The error says what to write, and has no password in it."""
    with pytest.raises(SetupError, match=words):
        require_cluster(redis_target(url))
