"""
The Engine.IO v4 protocol, spoken raw over HTTP and WebSocket to both transports under real web servers.

Source: Engine.IO protocol v4, "Test suite", and the lists of what the transport must do besides.
"""

from __future__ import annotations

import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.integration.engine_peers import closed, receive


@pytest.fixture(params=["aio", "aiohttp", "sync"])
def kind(request) -> str:
    """Which server."""
    return request.param


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
    async def test_a_bad_method_is_refused(self, peer, kind, method):
        """Only GET opens a session; aiohttp's router has its own answer to methods that no route is for."""
        response = await peer.http.request(method, f"{peer.url}?EIO=4&transport=polling")

        if kind == "aiohttp" and method != "POST":
            assert response.status_code == 405
            return

        assert response.status_code == 400
        assert response.json() == {"code": 2, "message": "Bad handshake method"}

    @pytest.mark.parametrize("query", ["transport=websocket", "EIO=abc&transport=websocket", "EIO=4&transport=abc"])
    async def test_a_websocket_with_a_bad_query_is_refused_with_a_status(self, peer, query):
        """The server offers to refuse a handshake with a response, and it is used."""
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"{peer.ws_url}?{query}"):
                pass

        assert refused.value.response.status_code == 400

    async def test_of_a_repeated_parameter_the_last_value_counts(self, peer):
        """Clients append theirs to what a URL has already."""
        response = await peer.get("EIO=3&transport=abc&EIO=4&transport=polling")

        assert response.text[0] == "0"

    async def test_an_offered_subprotocol_is_answered(self, peer):
        """With the first one; a client that offers none gets none."""
        async with peer.websocket(subprotocols=["my-v1", "my-v2"]) as websocket:
            assert websocket.subprotocol == "my-v1"
            assert (await receive(websocket))[0] == "0"
        async with peer.websocket() as websocket:
            assert websocket.subprotocol is None

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

    @pytest.mark.parametrize("body", ["abc", "9", "4a\x1e", "b%%", b"\xff", "2"])
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

    @pytest.mark.parametrize("frame", ["", "abc", "x", "2", "b%"])
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

    @pytest.mark.parametrize("frame", ["0", "5", "6"])
    async def test_packets_that_mean_nothing_are_ignored(self, patient, frame):
        """Over both transports: open, upgrade and noop do not end a session."""
        async with patient.websocket() as websocket:
            await receive(websocket)
            await websocket.send(frame)
            await websocket.send("4x")
            assert await receive(websocket) == "4x"
        sid = await patient.open_polling()
        assert (await patient.post(sid, f"{frame}\x1e4x")).status_code == 200
        assert (await patient.poll(sid)).text == "4x"

    async def test_binary_may_be_sent_as_base64_in_text_frames(self, patient):
        """A client that says ``b64=1`` gets it so too."""
        async with patient.websocket() as websocket:
            await receive(websocket)
            await websocket.send("bAQIDBA==")
            assert await receive(websocket) == b"\x01\x02\x03\x04"
        async with patient.websocket(query="&b64=1") as websocket:
            await receive(websocket)
            await websocket.send("bAQIDBA==")
            await websocket.send("4text")
            assert [await receive(websocket), await receive(websocket)] == ["bAQIDBA==", "4text"]

    async def test_messages_arrive_in_order(self, patient):
        """A burst of both kinds keeps its order."""
        burst: list[str | bytes] = [f"4{n}" if n % 3 else str(n).encode() for n in range(300)]
        async with patient.websocket() as websocket:
            await receive(websocket)

            for frame in burst:
                await websocket.send(frame)

            assert [await receive(websocket) for _ in burst] == burst
