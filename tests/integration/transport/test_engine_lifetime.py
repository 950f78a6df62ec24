"""
The life of an Engine.IO v4 session, spoken raw to both transports under real web servers: heartbeat, upgrade, end.

Source: Engine.IO protocol v4, "Test suite", and the lists of what the transport must do besides.
"""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from tests.integration.engine_peers import PING_INTERVAL_S, Peer, closed, pending_poll, polled, receive, running
from tests.support.waiting import WAIT_S


@pytest.fixture(params=["aio", "aiohttp", "sync"])
def kind(request) -> str:
    """Which server."""
    return request.param


class TestHeartbeat:
    """Pings and pongs."""

    async def test_polling_is_pinged(self, pinging):
        """Each poll waits for the next ping."""
        sid = await pinging.open_polling()

        for _ in range(3):
            assert (await pinging.poll(sid)).text == "2"
            assert (await pinging.post(sid, "3")).text == "ok"

    async def test_polling_without_pongs_ends(self, peer):
        """After the timeout any request with the sid gets 400."""
        sid = await peer.open_polling()

        assert await peer.reason() == "ping timeout"

        assert (await peer.poll(sid)).status_code == 400
        assert (await peer.post(sid, "3")).status_code == 400

    async def test_a_request_at_the_moment_of_the_timeout_gets_400(self, kind):
        """Each time: the session is over when the timeout is, not a little later."""
        ping_timeout_s = 1.5  # in which each has to poll

        async def status(peer: Peer) -> int:
            sid = await peer.open_polling()
            clock = asyncio.get_running_loop().time
            due = clock() + PING_INTERVAL_S
            assert (await peer.poll(sid)).text == "2"
            # The time is what this is about: it begins with the ping, which may come a little early, or late on a busy
            # machine. The server has counted both from before the client knew of its session, and of the ping.
            await asyncio.sleep(max(due, clock()) + ping_timeout_s - clock())
            return (await peer.poll(sid)).status_code

        async with running(kind, ping_timeout=ping_timeout_s) as peer:
            assert await asyncio.gather(*[status(peer) for _ in range(10)]) == [400] * 10

    async def test_a_websocket_is_pinged(self, pinging):
        """The server pings, the client answers."""
        async with pinging.websocket() as websocket:
            await receive(websocket)

            for _ in range(3):
                assert await receive(websocket) == "2"
                await websocket.send("3")

    async def test_a_websocket_without_pongs_is_closed(self, peer):
        """The reason is 'ping timeout'."""
        async with peer.websocket() as websocket:
            await receive(websocket)

            assert await closed(websocket) == ["2", "1"]
        assert await peer.reason() == "ping timeout"

    async def test_unasked_pongs_are_ignored(self, patient):
        """A flood of them neither ends the session nor starts anything."""
        async with patient.websocket() as websocket:
            await receive(websocket)

            for _ in range(200):
                await websocket.send("3")
            await websocket.send("4x")

            assert await receive(websocket) == "4x"
            assert patient.background() == 0


class TestClose:
    """The end of a session."""

    async def test_a_polling_client_says_goodbye(self, patient):
        """The pending poll ends with a noop, then the sid is unknown."""
        sid = await patient.open_polling()
        poll = asyncio.create_task(patient.poll(sid))
        await pending_poll(patient, sid)

        response = await patient.post(sid, "1")

        assert response.text == "ok"
        assert (await poll).text == "6"
        assert await patient.reason() == "client disconnect"
        assert (await patient.poll(sid)).status_code == 400

    async def test_a_websocket_client_says_goodbye(self, patient):
        """The server closes the connection."""
        async with patient.websocket() as websocket:
            await receive(websocket)

            await websocket.send("1")

            assert await closed(websocket) == []
        assert await patient.reason() == "client disconnect"

    async def test_a_websocket_client_vanishes(self, patient):
        """A connection that is cut runs the disconnect handler at once."""
        async with patient.websocket() as websocket:
            await receive(websocket)
            websocket.transport.abort()

            assert await patient.reason() == "transport close"

    @pytest.mark.parametrize("kind", ["aio"], indirect=True)
    async def test_a_polling_client_vanishes_during_a_poll(self, patient):
        """So does a poll whose connection is closed; WSGI does not tell."""
        sid = await patient.open_polling()
        async with httpx.AsyncClient() as leaving:
            poll = asyncio.create_task(leaving.get(f"{patient.url}?EIO=4&transport=polling&sid={sid}", timeout=WAIT_S))
            await pending_poll(patient, sid)
            poll.cancel()
            await asyncio.wait({poll})

        assert await patient.reason() == "transport error"

    async def test_the_server_ends_a_websocket(self, patient):
        """The close packet comes before the close."""
        async with patient.websocket() as websocket:
            sid = json.loads((await receive(websocket))[1:])["sid"]

            await patient.close_client(sid)

            assert await closed(websocket) == ["1"]
        assert await patient.reason() == "server disconnect"

    async def test_a_second_poll_ends_the_session(self, patient):
        """The older poll gets ``1``, the newer 400."""
        sid = await patient.open_polling()
        first = asyncio.create_task(patient.poll(sid))
        await pending_poll(patient, sid)

        second = await patient.poll(sid)

        assert second.status_code == 400
        assert (await first).text == "1"
        assert await patient.reason() == "transport error"


class TestUpgrade:
    """From polling to WebSocket."""

    async def test_a_session_is_upgraded(self, patient):
        """The pending poll ends with a noop; the WebSocket carries on."""
        sid = await patient.open_polling()
        poll = asyncio.create_task(patient.poll(sid))
        await pending_poll(patient, sid)
        async with patient.websocket(sid) as websocket:
            await websocket.send("2probe")
            assert await receive(websocket) == "3probe"
            assert (await poll).text == "6"
            await websocket.send("5")
            await websocket.send("4hello")
            assert await receive(websocket) == "4hello"

    async def test_messages_of_an_upgrade_are_sent_once_and_in_order(self, patient):
        """What was posted between probe and upgrade goes over the WebSocket, with no noop after it."""
        sid = await patient.open_polling()
        async with patient.websocket(sid) as websocket:
            await websocket.send("2probe")
            await receive(websocket)
            assert (await patient.post(sid, "4a\x1e4b")).status_code == 200
            assert (await patient.poll(sid)).text == "6"

            await websocket.send("5")
            await websocket.send("4c")

            assert [await receive(websocket) for _ in range(3)] == ["4a", "4b", "4c"]

    async def test_an_upgraded_session_refuses_other_transports(self, patient):
        """HTTP gets 400, a second WebSocket is accepted and closed, the first goes on."""
        sid = await patient.open_polling()
        async with patient.websocket(sid) as websocket:
            await websocket.send("2probe")
            await receive(websocket)
            await websocket.send("5")
            await websocket.send("4up")
            await receive(websocket)

            assert (await patient.poll(sid)).status_code == 400
            assert (await patient.post(sid, "4x")).status_code == 400
            async with patient.websocket(sid) as second:
                assert await closed(second) == []
            await websocket.send("4alive")
            assert await receive(websocket) == "4alive"
        assert await patient.reason() == "transport close"

    async def test_an_upgrade_needs_no_probe(self, patient):
        """``5`` alone moves the session, as the C# client sends it."""
        sid = await patient.open_polling()
        async with patient.websocket(sid) as websocket:
            await websocket.send("5")
            await websocket.send("4hello")

            assert await receive(websocket) == "4hello"
            assert (await patient.poll(sid)).status_code == 400

    async def test_a_poll_right_after_the_upgrade_is_refused(self, patient):
        """Even when it arrives together with the frame that completes the upgrade; the WebSocket goes on."""
        for _ in range(10):
            sid = await patient.open_polling()
            async with patient.websocket(sid) as websocket:
                await websocket.send("2probe")
                assert await receive(websocket) == "3probe"

                await websocket.send("5")
                assert (await patient.poll(sid)).status_code == 400

                await websocket.send("4hello")
                assert await receive(websocket) == "4hello"

    @pytest.mark.parametrize("frames", [["4hello"], ["2"], ["2probe", "4hello"], ["2probe", "2probe"]], ids="-".join)
    async def test_a_websocket_that_probes_wrongly_is_closed_and_polling_goes_on(self, patient, frames):
        """The session is not that connection's to end."""
        sid = await patient.open_polling()
        async with patient.websocket(sid) as websocket:
            for frame in frames:
                await websocket.send(frame)

            assert await closed(websocket) == ["3probe"] * (len(frames) - 1)

        assert (await patient.post(sid, "4still here")).status_code == 200
        assert await polled(patient, sid) == "4still here"
        assert patient.disconnects.empty()

    async def test_a_failed_upgrade_leaves_the_session_on_polling(self, patient):
        """A WebSocket that closes after its probe is no loss."""
        sid = await patient.open_polling()
        async with patient.websocket(sid) as websocket:
            await websocket.send("2probe")
            await receive(websocket)
        await patient.post(sid, "4x")

        assert await polled(patient, sid) == "4x"
