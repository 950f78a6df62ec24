from __future__ import annotations

import subprocess
import sys

import pytest

from fastsio import layers
from fastsio.exceptions import SetupError
from fastsio.layers import (
    BaseChannelLayer,
    InMemoryChannelLayer,
    LayerNotFoundError,
    channel_layers,
    get_channel_layer,
    has_layers,
    register_channel_layer,
    unregister_channel_layer,
)
from fastsio.layers.redis import RedisChannelLayer, RedisPubSubChannelLayer
from tests.support.waiting import PROGRAM_S

NOBODY = "redis://127.0.0.1:1"


@pytest.fixture(autouse=True)
def _empty():
    """Begin and end without layers."""
    before = {alias: channel_layers[alias] for alias in channel_layers}
    for alias in before:
        unregister_channel_layer(alias)
    yield
    for alias in channel_layers:
        unregister_channel_layer(alias)
    for alias, layer in before.items():
        register_channel_layer(alias, layer)


def setup_layers(force: bool = False) -> None:
    """Set up as the tutorial does."""
    if has_layers() and not force:
        return
    layers_config: dict[str, BaseChannelLayer] = {
        "memory": InMemoryChannelLayer(),
        "chat": RedisPubSubChannelLayer(hosts=[NOBODY], prefix="chat"),
        "queue": RedisChannelLayer(hosts=[NOBODY], prefix="queue", expiry=900, capacity=1000),
        "notifications": RedisPubSubChannelLayer(hosts=[NOBODY], prefix="notify"),
        "analytics": RedisChannelLayer(hosts=[NOBODY], prefix="analytics", expiry=3600, capacity=5000),
    }
    for alias, layer in layers_config.items():
        register_channel_layer(alias, layer)


def test_layers_are_set_up_once_unless_forced():
    """Setting up connects to nothing: no Redis is running."""
    setup_layers()
    first = {alias: get_channel_layer(alias) for alias in channel_layers}
    setup_layers()
    assert {alias: get_channel_layer(alias) for alias in channel_layers} == first
    assert sorted(first) == ["analytics", "chat", "memory", "notifications", "queue"]

    setup_layers(force=True)

    assert all(get_channel_layer(alias) is not layer for alias, layer in first.items())
    assert len(channel_layers) == 5
    assert all(channel_layers[alias].is_closed for alias in channel_layers)


def test_there_are_layers_once_one_is_registered():
    """There is none again after the last one was removed."""
    assert not has_layers()
    register_channel_layer("a", InMemoryChannelLayer())
    assert has_layers()
    unregister_channel_layer("a")
    unregister_channel_layer("a")
    assert not has_layers()


def test_an_unknown_alias_is_named_with_those_there_are():
    """The error says what to do."""
    register_channel_layer("chat", InMemoryChannelLayer())
    register_channel_layer("queue", InMemoryChannelLayer())

    with pytest.raises(
        LayerNotFoundError, match=r"'chta' \(registered: 'chat', 'queue'\); call register_channel_layer"
    ):
        get_channel_layer("chta")
    with pytest.raises(SetupError):
        channel_layers["chta"]


@pytest.mark.parametrize("layer", [None, "redis://", InMemoryChannelLayer])
def test_only_layers_are_registered(layer):
    """Their class is no layer."""
    with pytest.raises(TypeError, match="channel layer 'chat' is an object"):
        register_channel_layer("chat", layer)


@pytest.mark.parametrize("alias", ["", None, 5])
def test_an_alias_is_a_string(alias):
    """Not an empty one."""
    with pytest.raises(TypeError, match="the alias of a channel layer is a str"):
        register_channel_layer(alias, InMemoryChannelLayer())


async def test_a_test_can_put_another_layer_in_place():
    """Whatever happens in the block, the one before is back."""
    before = InMemoryChannelLayer()
    register_channel_layer("chat", before)

    with layers.override("chat", InMemoryChannelLayer()) as layer:
        assert get_channel_layer("chat") is layer
        async with layers.override("chat", InMemoryChannelLayer()) as inner:
            assert get_channel_layer("chat") is inner
        assert get_channel_layer("chat") is layer
    assert get_channel_layer("chat") is before

    with pytest.raises(ZeroDivisionError), layers.override("new", InMemoryChannelLayer()):
        raise ZeroDivisionError
    assert "new" not in channel_layers


WITHOUT_EXTRAS = """
import sys
for name in ("redis", "valkey", "nats", "msgpack", "cryptography", "asgiref"):
    sys.modules[name] = None  # as if it were not installed
import asyncio
from fastsio.exceptions import MissingExtraError
from fastsio.layers import InMemoryChannelLayer
from fastsio.layers.nats import NatsChannelLayer
from fastsio.layers.redis import RedisChannelLayer, RedisPubSubChannelLayer

async def main():
    layer = InMemoryChannelLayer()
    await layer.send("a", {"type": "x"})
    return await layer.receive("a")

assert asyncio.run(main()) == {"type": "x"}
for make, extra in ((RedisChannelLayer, "redis"), (RedisPubSubChannelLayer, "redis"), (NatsChannelLayer, "nats")):
    try:
        make()
    except MissingExtraError as error:
        assert error.extra == extra, error
    else:
        raise AssertionError(make)
"""


def test_the_layer_of_one_process_needs_no_extra():
    """The layer in memory works without an extra; the others name theirs when they are made."""
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS], capture_output=True, text=True, check=False, timeout=PROGRAM_S
    )

    assert (ran.returncode, ran.stderr) == (0, "")
