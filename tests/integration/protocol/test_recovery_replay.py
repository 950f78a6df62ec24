"""Connection state recovery over real sockets: more events than may wait for one client."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

COUNT = 1_500


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_more_was_missed_than_may_wait_for_a_client(make_server, running, transport):
    """The client gets all of it, as fast as it reads, the answer to its CONNECT soon."""
    sio = make_server(connection_state_recovery=True, max_buffer_packets=100, max_buffer_bytes=100_000)
    has_left = asyncio.Event()
    sio.on("disconnect", lambda sid: has_left.set())
    async with running(sio) as address, aiohttp.ClientSession() as http:
        url = f"{address.http}/socket.io/?EIO=4&transport="
        async with http.ws_connect(url + "websocket") as link:
            await link.receive()
            await link.send_str("40")
            session = json.loads((await link.receive()).data[2:])
        await has_left.wait()
        for number in range(COUNT):
            await sio.emit("news", (number, "x" * 200))
        connect = "40" + json.dumps({"pid": session["pid"]})
        read = read_websocket if transport == "websocket" else read_polling
        frames = await read(http, url, connect)

    (answer,) = [frame for frame in frames if frame.startswith("40")]
    assert json.loads(answer[2:]) == session
    assert frames.index(answer) <= 100
    assert [json.loads(frame[2:])[1] for frame in frames if frame != answer] == list(range(COUNT))


def is_last(frame: str) -> bool:
    """Whether a frame has the last event."""
    return frame.startswith(f'42["news",{COUNT - 1},')


async def read_websocket(http: aiohttp.ClientSession, url: str, connect: str) -> list[str]:
    """Connect over a WebSocket; return what arrives, up to the last event."""
    async with http.ws_connect(url + "websocket") as link:
        await link.receive()
        await link.send_str(connect)
        frames = [(await link.receive()).data]
        while not is_last(frames[-1]):
            frames.append((await link.receive()).data)
        return frames


async def read_polling(http: aiohttp.ClientSession, url: str, connect: str) -> list[str]:
    """Connect with requests; return what arrives, up to the last event."""
    async with http.get(url + "polling") as response:
        url += "polling&sid=" + json.loads((await response.text())[1:])["sid"]
    posting = asyncio.ensure_future(http.post(url, data=connect))
    frames = [""]
    while not is_last(frames[-1]):
        async with http.get(url) as response:
            assert response.status == 200
            frames += (await response.text()).split("\x1e")
    (await posting).release()
    return frames[1:]
