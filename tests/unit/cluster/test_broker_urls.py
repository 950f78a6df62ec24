"""What the URLs of message brokers mean."""

from __future__ import annotations

import pytest

from fastsio.brokers import amqp
from fastsio.cluster.broker_urls import kafka_servers, require_scheme, zmq_addresses
from fastsio.exceptions import SetupError

EXAMPLE = "amqp://localhost:5672//"


def test_a_url_of_the_right_scheme_is_taken_as_it_is():
    """With its password, path and options."""
    url = "amqps://user:pass@host:5671/vhost?heartbeat=5"

    assert require_scheme(url, ("amqp", "amqps"), EXAMPLE) == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "not NoneType"),
        (b"amqp://h", "not bytes"),
        ("http://h", "got 'http://'"),
        ("localhost:5672", "got 'no scheme'"),
        ("amqp:h", "got 'no scheme'"),
        ("amqp://h:port", "no valid host and port"),
        ("amqp://[::1", "no valid host and port"),
        ("amqp://h:99999", "no valid host and port"),
    ],
)
def test_other_urls_are_refused_with_an_example(url, words):
    """The error says what is wrong and how it is written."""
    with pytest.raises(SetupError, match=words) as caught:
        require_scheme(url, ("amqp",), EXAMPLE)
    assert EXAMPLE in str(caught.value)


@pytest.mark.parametrize("url", ["http://user:hunter2@h", "user:hunter2@h"])
def test_passwords_are_not_shown(url):
    """Errors end up in logs."""
    with pytest.raises(SetupError) as caught:
        require_scheme(url, ("amqp",), EXAMPLE)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "servers"),
    [
        ("kafka://host:9093", ["host:9093"]),
        ("kafka://host", ["host:9092"]),
        ("kafka://host/", ["host:9092"]),
        ("kafka://", ["localhost:9092"]),
        ("kafka://[::1]:9093", ["[::1]:9093"]),
        (["kafka://a", "kafka://b:1"], ["a:9092", "b:1"]),
        (("kafka://a",), ["a:9092"]),
    ],
)
def test_kafka_urls_name_brokers(url, servers):
    """One or several of a cluster."""
    assert kafka_servers(url) == servers


@pytest.mark.parametrize("url", ["http://a", "a:9092", [], ["kafka://a", "b"], ["kafka://a", None]])
def test_other_kafka_urls_are_refused(url):
    """Also where only one of several is wrong."""
    with pytest.raises(SetupError, match="kafka://localhost:9092"):
        kafka_servers(url)


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("zmq+tcp://host:5555+5556", ("tcp://host:5555", "tcp://host:5556")),
        ("zmq+tcp://[::1]:1+2", ("tcp://[::1]:1", "tcp://[::1]:2")),
    ],
)
def test_zmq_urls_name_two_ports(url, addresses):
    """The one to push to, then the one to subscribe to."""
    assert zmq_addresses(url) == addresses


@pytest.mark.parametrize("url", [None, "", "tcp://a:1+2", "zmq+tcp://a:1", "zmq+tcp://a:1+b", "zmq+tcp://a:1+2/x"])
def test_other_zmq_urls_are_refused(url):
    """The error says how it is written."""
    with pytest.raises(SetupError, match=r"zmq\+tcp://localhost:5555\+5556"):
        zmq_addresses(url)


def test_rabbitmq_is_told_that_json_is_text_and_messagepack_is_not():
    """kombu's own JSON decoder would turn some payloads into other objects."""
    assert amqp.CONTENT["json"] == {"content_type": "text/plain", "content_encoding": "utf-8"}
    assert amqp.CONTENT["msgpack"]["content_encoding"] == "binary"
    assert 0 < amqp.PREFETCH < amqp.MAX_QUEUED
