"""
A process that uses a channel layer: ``python -m tests.integration.layer_program KIND URL PREFIX ROLE [CHANNEL]``.

``member`` joins the group ``room``, writes ``channel NAME``, and writes each message it gets; ``worker`` sends to the
group and to the channel from a program without an event loop.
"""

from __future__ import annotations

import asyncio
import sys

from fastsio.layers import LocalChannelLayer, get_channel_layer, register_channel_layer
from fastsio.layers.nats import NatsChannelLayer
from tests.integration.layer_lab import REDIS


def write(text: str) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def setup_layers(kind: str, url: str, prefix: str) -> None:
    """Register the layer, as server and worker both do."""
    if kind == "local":
        register_channel_layer("chat", LocalChannelLayer(url, prefix))
        return
    options = {} if kind != "queue" else {"lease": 0.5}
    register_channel_layer("chat", {**REDIS, "nats": NatsChannelLayer}[kind](hosts=[url], prefix=prefix, **options))


async def member() -> None:
    """Listen until the end."""
    layer = get_channel_layer("chat")
    channel = await layer.new_channel()
    await layer.group_add("room", channel)
    write(f"channel {channel}")
    while True:
        write((await layer.receive(channel))["text"])


def worker(channel: str) -> None:
    """Send."""
    layer = get_channel_layer("chat").sync
    layer.send(channel, {"type": "job.done", "text": "💬 direct"})
    layer.group_send("room", {"type": "job.done", "text": "💬 all"})


if __name__ == "__main__":
    setup_layers(*sys.argv[1:4])
    if sys.argv[4] == "member":
        asyncio.run(member())
    else:
        worker(sys.argv[5])
