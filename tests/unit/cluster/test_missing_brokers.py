"""Managers whose broker's client is not installed."""

from __future__ import annotations

import sys

import pytest

import fastsio
from fastsio.exceptions import MissingExtraError

MANAGERS = [
    ("AsyncRedisManager", ["redis", "valkey"], "redis"),
    ("RedisManager", ["redis", "valkey"], "redis"),
    ("AsyncAioPikaManager", ["aio_pika"], "rabbitmq"),
    ("KombuManager", ["kombu"], "rabbitmq"),
    ("AsyncKafkaManager", ["aiokafka"], "kafka"),
    ("KafkaManager", ["kafka"], "kafka"),
    ("AsyncNatsManager", ["nats"], "nats"),
    ("ZmqManager", ["zmq"], "zmq"),
]


@pytest.mark.parametrize(("name", "modules", "extra"), MANAGERS, ids=[name for name, _, _ in MANAGERS])
def test_the_error_says_what_to_install(monkeypatch, name, modules, extra):
    """When the manager is made, not when it is used."""
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(MissingExtraError, match=rf"fastsio\[{extra}\]") as caught:
        getattr(fastsio, name)()

    assert isinstance(caught.value, ImportError)
    assert (caught.value.module, caught.value.extra) == (modules[0], extra)
