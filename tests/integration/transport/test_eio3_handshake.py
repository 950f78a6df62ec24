"""Engine.IO 3 on the wire of the asyncio server: who is let in, what the handshake says, and what it is bound to."""

from __future__ import annotations

import pytest

from tests.integration.eio3_clients import open_polling
from tests.shells.engine.wire import Application, connect_polling, start_http


@pytest.fixture
def app() -> Application:
    """A server that allows Engine.IO 3."""
    return Application(allow_eio3=True)


async def test_the_handshake_is_a_payload_with_the_options():
    """C-78: the first answer is OPEN with its length; times are whole milliseconds; the environ says the protocol."""
    app = Application(allow_eio3=True, ping_interval=0.3, ping_timeout=0.25, max_http_buffer_size=1234)

    client = await open_polling(app)

    assert client.opened == {
        "sid": client.sid,
        "upgrades": ["websocket"],
        "pingInterval": 300,
        "pingTimeout": 250,
        "maxPayload": 1234,
    }
    assert app.environs[0]["engineio.protocol"] == 3


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_engine_io_3_is_refused_unless_allowed(transport):
    """It is off by default."""
    app = Application()
    kind = {"headers": [("upgrade", "websocket")]} if transport == "websocket" else {}

    response = await start_http(app, "GET", f"EIO=3&transport={transport}", **kind).response()

    assert (response.status, response.code) == (400, 5)


@pytest.mark.parametrize(
    "query", ["EIO=2&transport=polling", "EIO=3&EIO=5&transport=polling", "EIO=&transport=polling"]
)
async def test_other_revisions_are_refused(app, query):
    """Only 3 and 4 exist; a client that says neither speaks 3."""
    response = await start_http(app, "GET", query).response()

    assert (response.status, response.code) == (400, 5)


@pytest.mark.parametrize("query", ["transport=polling&b64=1", "EIO=4&transport=polling&EIO=3"])
async def test_a_client_need_not_say_that_it_speaks_revision_3(app, query):
    """As in the JavaScript server: what names no revision is of the one that did not have to."""
    response = await start_http(app, "GET", query).response()

    assert response.status == 200
    assert ':0{"sid":"' in response.text


async def test_clients_of_engine_io_4_are_served_as_ever(app):
    """C-78: what they get does not change, and their environ does not say anything."""
    client = await connect_polling(app)
    app.post(client.sid, "ü", b"\xff")

    assert (await client.poll()).packets == ["4ü", "b/w=="]
    assert "engineio.protocol" not in app.environs[0]
    assert (await client.send("x", content_type="application/octet-stream")).status == 400


@pytest.mark.parametrize("value", [1, "yes", None])
def test_the_option_is_true_or_false(value):
    """Anything else is an error at construction."""
    with pytest.raises(ValueError, match="allow_eio3 must be True or False"):
        Application(allow_eio3=value)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_does_not_change_the_protocol_of_its_session(app, method):
    """It is refused, and the session goes on."""
    client = await open_polling(app)
    app.post(client.sid, "hi")

    response = await start_http(app, method, f"EIO=4&transport=polling&sid={client.sid}", b"4hi").response()

    assert (response.status, response.code) == (400, 3)
    assert (await client.poll()).text == "3:4hi"
