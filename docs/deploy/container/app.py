"""The application of the container."""

import os

from fastapi import FastAPI, Response

from fastsio import ASGIApp, AsyncRedisStreamsManager, AsyncServer, SocketID

manager = AsyncRedisStreamsManager(os.environ["REDIS_URL"]) if "REDIS_URL" in os.environ else None
sio = AsyncServer(async_mode="asgi", client_manager=manager, connection_state_recovery=True)
api = FastAPI()


@api.get("/ready")
async def ready(response: Response) -> bool:
    response.status_code = 200 if sio.is_ready else 503
    return sio.is_ready


@api.get("/alive")
async def alive() -> bool:
    return True


@sio.event
async def say(sid: SocketID, text: str) -> None:
    await sio.emit("said", text)


app = ASGIApp(sio, api)
