"""
A program without clients of its own that tells one user of a job that is done::

    python -m bridge.worker NAME TEXT
"""

import asyncio
import sys

from fastsio import broadcast
from fastsio.layers import get_channel_layer
from fastsio.layers.manager import LayerManager

from .layers import LAYER, REDIS_URL, setup_layers
from .rooms import JobDone


async def main(user: str, result: str) -> None:
    setup_layers()
    await broadcast(JobDone(user=user, result=result), via=LayerManager(LAYER, write_only=True))
    await get_channel_layer(LAYER).close()


if __name__ == "__main__":
    if REDIS_URL is None:
        raise SystemExit("Without REDIS_URL the servers' layer is in their memory, and a worker cannot reach them.")
    asyncio.run(main(*sys.argv[1:]))
