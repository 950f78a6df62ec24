"""
The Engine.IO v4 protocol, spoken raw over HTTP and WebSocket to both transports under real web servers.

Source: Engine.IO protocol v4, "Test suite", and the lists of what the transport must do besides.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.engine_peers import closed, patiently, pending_poll, polled, receive, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.engine_peers import Peer


@pytest.fixture(params=["aio", "sync"])
def kind(request) -> str:
    """The transport."""
    return request.param


@pytest.fixture
async def peer(kind) -> AsyncIterator[Peer]:
    """Run the echo server with the short intervals of the protocol's test suite."""
    async with running(kind) as started:
        yield started


@pytest.fixture
async def patient(kind) -> AsyncIterator[Peer]:
    """Run the echo server with intervals that play no part."""
    async with patiently(kind) as started:
        yield started


class TestHandshake:
    """Opening a session."""

    async def test_polling_opens_a_session(self, peer):
        """The response is one open packet with the server's options."""
        response = await peer.get("EIO=4&transport=polling")

        assert response.status_code == 200
        assert response.text[0] == "0"
        assert json.loads(response.text[1:]) == {
            "sid": next(iter(peer.engine.sockets)),
            "upgrades": ["websocket"],
            "pingInterval": 300,
            "pingTimeout": 200,
            "maxPayload": 1_000_000,
        }

    async def test_websocket_opens_a_session(self, peer):
        """The first frame is the open packet; there is nothing to upgrade to."""
        async with peer.websocket() as websocket:
            frame = await receive(websocket)

        assert frame[0] == "0"
        assert json.loads(frame[1:])["upgrades"] == []
        assert json.loads(frame[1:])["pingInterval"] == 300

    @pytest.mark.parametrize(
        ("query", "code", "message"),
        [
            ("transport=polling", 5, "Unsupported protocol version"),
            ("EIO=abc&transport=polling", 5, "Unsupported protocol version"),
            ("EIO=3&transport=polling", 5, "Unsupported protocol version"),
            ("EIO=4", 0, "Transport unknown"),
            ("EIO=4&transport=abc", 0, "Transport unknown"),
            ("EIO=4&transport=polling&sid=abc", 1, "Session ID unknown"),
            ("EIO=4&transport=websocket", 3, "Bad request"),
        ],
    )
    async def test_a_bad_query_is_refused(self, peer, query, code, message):
        """The status is 400, the body says why."""
        response = await peer.get(query)

        assert response.status_code == 400
        assert response.json() == {"code": code, "message": message}

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    async def test_a_bad_method_is_refused(self, peer, method):
        """Only GET opens a session."""
        response = await peer.http.request(method, f"{peer.url}?EIO=4&transport=polling")

        assert response.status_code == 400
        assert response.json() == {"code": 2, "message": "Bad handshake method"}

    @pytest.mark.parametrize("query", ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4&transport=abc"])
    async def test_a_websocket_with_a_bad_query_is_refused_with_a_status(self, peer, query):
        """The server offers to refuse a handshake with a response, and it is used."""
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{peer.ws_url}?{query}"):
                pass

        assert refused.value.response.status_code == 400

    async def test_the_environ_holds_the_real_addresses(self, peer):
        """The peer is not 127.0.0.1 with port 0 by convention but what the server accepted."""
        await peer.open_polling()

        environ = peer.environs[0]
        assert environ["REMOTE_ADDR"] == "127.0.0.1"
        assert int(environ["REMOTE_PORT"]) > 0
        assert f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}" in peer.url


class TestMessages:
    """Messages in both directions."""

    async def test_polling_echoes_text_and_binary(self, patient):
        """A POST answers ``ok``; the poll brings what was echoed."""
        sid = await patient.open_polling()

        response = await patient.post(sid, "4hello\x1ebAQIDBA==")

        assert (response.status_code, response.text) == (200, "ok")
        assert (await patient.poll(sid)).text == "4hello\x1ebAQIDBA=="

    async def test_websocket_echoes_text_and_binary(self, patient):
        """Binary frames carry no prefix."""
        async with patient.websocket() as websocket:
            await receive(websocket)

            await websocket.send("4h\u00e9llo")
            await websocket.send(b"\x01\x02\x03\x04")

            assert await receive(websocket) == "4h\u00e9llo"
            assert await receive(websocket) == b"\x01\x02\x03\x04"

    @pytest.mark.parametrize("body", ["abc", "9", "4a\x1e", "b%%", b"\xff", "2", "\x1e".join(["4"] * 17)])
    async def test_a_bad_post_ends_the_session(self, patient, body):
        """The answer is 400, the disconnect handler runs, the sid is unknown."""
        sid = await patient.open_polling()

        response = await patient.post(sid, body)

        assert response.status_code == 400
        assert await patient.reason() == "transport error"
        assert (await patient.poll(sid)).json()["code"] == 1

    async def test_a_post_over_the_limit_ends_the_session(self, patient):
        """The answer is 413."""
        patient.engine.max_http_buffer_size = 100
        sid = await patient.open_polling()

        response = await patient.post(sid, "4" + "x" * 100)

        assert response.status_code == 413
        assert await patient.reason() == "transport error"

    async def test_a_chunked_post_over_the_limit_ends_the_session(self, patient):
        """A body without Content-Length is bounded as well."""
        patient.engine.max_http_buffer_size = 100
        sid = await patient.open_polling()

        async def chunks():
            yield b"4"
            for _ in range(20):
                yield b"x" * 10

        response = await patient.http.post(f"{patient.url}?EIO=4&transport=polling&sid={sid}", content=chunks())

        assert response.status_code == 413
        assert await patient.reason() == "transport error"

    async def test_an_octet_stream_ends_the_session(self, patient):
        """It is answered, not left hanging."""
        sid = await patient.open_polling()

        response = await patient.post(sid, "4a", **{"Content-Type": "application/octet-stream"})

        assert response.status_code == 400
        assert await patient.reason() == "transport error"

    @pytest.mark.parametrize("frame", ["", "abc", "x", "2", "6"])
    async def test_a_bad_frame_ends_the_session(self, patient, frame):
        """The connection is closed and the disconnect handler runs at once."""
        async with patient.websocket() as websocket:
            await receive(websocket)

            await websocket.send(frame)

            assert await patient.reason() == "transport error"
            assert await closed(websocket) == []

    async def test_a_frame_over_the_limit_ends_the_session(self, patient):
        """The limit holds on both transports."""
        patient.engine.max_http_buffer_size = 100
        async with patient.websocket() as websocket:
            await receive(websocket)

            await websocket.send("4" + "x" * 100)

            assert await patient.reason() == "transport error"
            await closed(websocket)

    async def test_messages_arrive_in_order(self, patient):
        """A burst of both kinds keeps its order."""
        burst: list[str | bytes] = [f"4{n}" if n % 3 else str(n).encode() for n in range(300)]
        async with patient.websocket() as websocket:
            await receive(websocket)

            for frame in burst:
                await websocket.send(frame)

            assert [await receive(websocket) for _ in burst] == burst


class TestHeartbeat:
    """Pings and pongs."""

    async def test_polling_is_pinged(self, peer):
        """Each poll waits for the next ping."""
        sid = await peer.open_polling()

        for _ in range(3):
            assert (await peer.poll(sid)).text == "2"
            assert (await peer.post(sid, "3")).text == "ok"

    async def test_polling_without_pongs_ends(self, peer):
        """After the timeout any request with the sid gets 400."""
        sid = await peer.open_polling()

        assert await peer.reason() == "ping timeout"

        assert (await peer.poll(sid)).status_code == 400
        assert (await peer.post(sid, "3")).status_code == 400

    async def test_a_websocket_is_pinged(self, peer):
        """The server pings, the client answers."""
        async with peer.websocket() as websocket:
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
        async with httpx.AsyncClient() as impatient:
            with pytest.raises(httpx.ReadTimeout):
                await impatient.get(f"{patient.url}?EIO=4&transport=polling&sid={sid}", timeout=0.2)

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
        """HTTP gets 400, a second WebSocket is refused, the first goes on."""
        sid = await patient.open_polling()
        async with patient.websocket(sid) as websocket:
            await websocket.send("2probe")
            await receive(websocket)
            await websocket.send("5")
            await websocket.send("4up")
            await receive(websocket)

            assert (await patient.poll(sid)).status_code == 400
            assert (await patient.post(sid, "4x")).status_code == 400
            with pytest.raises(InvalidStatus):
                async with patient.websocket(sid):
                    pass
            await websocket.send("4alive")
            assert await receive(websocket) == "4alive"
        assert await patient.reason() == "transport close"

    async def test_a_websocket_that_does_not_probe_is_closed(self, patient):
        """The disconnect handler runs at once."""
        sid = await patient.open_polling()
        async with patient.websocket(sid) as websocket:
            await websocket.send("4hello")

            assert await closed(websocket) == []
        assert await patient.reason() == "transport error"

    async def test_a_failed_upgrade_leaves_the_session_on_polling(self, patient):
        """A WebSocket that closes after its probe is no loss."""
        sid = await patient.open_polling()
        async with patient.websocket(sid) as websocket:
            await websocket.send("2probe")
            await receive(websocket)
        await patient.post(sid, "4x")

        assert await polled(patient, sid) == "4x"
