"""An application with fastapi-socketio, as its documentation writes one."""

from __future__ import annotations

import sys

import socketio
import uvicorn
from fastapi import FastAPI
from fastapi_socketio import SocketManager

app = FastAPI()
# A polling client of python-socketio that leaves waits until its last poll is answered, at the latest by a ping.
manager = SocketManager(app=app, ping_interval=1)


@app.get("/package")
async def package() -> str:
    """Say which package serves."""
    return socketio.AsyncServer.__module__.partition(".")[0]


@app.get("/announce/{text}")
async def announce(text: str) -> None:
    """Emit from a request."""
    await app.sio.emit("announcement", {"text": text})


@app.sio.on("join")
async def handle_join(sid, *args, **kwargs):
    """Enter a room."""
    await app.sio.enter_room(sid, args[0])
    await app.sio.emit("lobby", "User joined", room=args[0])


@manager.on("leave")
async def handle_leave(sid, room):
    """Leave a room."""
    await manager.leave_room(sid, room)
    await manager.send("User left", to=sid)
    return room


@manager.on("login")
async def handle_login(sid, name):
    """Use the session and ``call``."""
    await manager.save_session(sid, {"name": name})
    async with manager.session(sid) as session:
        session["answer"] = await manager.call("really", to=sid)
    return await manager.get_session(sid)


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
