"""
A server with consumers, and the workers that answer its clients, each a process of its own.

    python -m tests.support.consumer_jobs serve PORT
    python -m tests.support.consumer_jobs work|work-sync CHANNEL TEXT
    python -m tests.support.consumer_jobs announce TEXT

REDIS_URL says where Redis is, LAYER which layer to use: ``pubsub`` or ``queue``.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any, Literal

import uvicorn

from fastsio.consumers import AsyncJsonWebsocketConsumer, event_handler, ws_handler
from fastsio.layers import get_channel_layer, register_channel_layer
from fastsio.layers.redis import RedisChannelLayer, RedisPubSubChannelLayer
from fastsio.messages import BaseMessage

LAYERS = {"pubsub": RedisPubSubChannelLayer, "queue": RedisChannelLayer}


class JobMessage(BaseMessage):
    action: Literal["job"] = "job"
    payload: str


class JobResult(BaseMessage):
    action: Literal["job_result"] = "job_result"
    payload: Any


class JobStatusMessage(BaseMessage):
    action: Literal["job_status"] = "job_status"
    payload: dict[str, Any]


class JobConsumer(AsyncJsonWebsocketConsumer[JobResult]):
    channel_layer_alias = "chat"
    groups = ["everybody"]

    @ws_handler(output_type=JobStatusMessage)
    async def handle_job(self, message: JobMessage) -> None:
        await self.send_message(JobStatusMessage(payload={"status": "queued", "channel": self.channel_name}))

    @ws_handler(action="announce")
    async def handle_announce(self, message: dict[str, Any]) -> None:
        status = JobStatusMessage(payload={"status": "said", "message": message["payload"]})
        await self.broadcast_message(status, exclude_current=True)

    @event_handler
    async def handle_job_result(self, event: JobResult) -> JobStatusMessage:
        return JobStatusMessage(payload={"status": "result", "message": event.payload})


def setup_layers() -> None:
    """Register the layer, as servers and workers must."""
    layer = LAYERS[os.environ["LAYER"]]
    register_channel_layer("chat", layer(hosts=[os.environ["REDIS_URL"]], prefix="jobs"))


async def work(channel: str, text: str) -> None:
    """Answer one client."""
    await JobConsumer.send_event(JobResult(payload=text), channel)
    await get_channel_layer("chat").close()


async def announce(text: str) -> None:
    """Tell all clients."""
    await JobConsumer.broadcast_event(JobResult(payload=text))
    await get_channel_layer("chat").close()


def main(mode: str, *arguments: str) -> None:
    """Run a server or a worker."""
    setup_layers()
    match mode:
        case "serve":
            uvicorn.run(JobConsumer.as_asgi(), port=int(arguments[0]), lifespan="off", timeout_graceful_shutdown=2)
        case "work":
            asyncio.run(work(*arguments))
        case "work-sync":
            JobConsumer.send_event_sync(JobResult(payload=arguments[1]), arguments[0])
        case "announce":
            asyncio.run(announce(*arguments))
        case _:
            raise SystemExit(f"unknown mode {mode!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
