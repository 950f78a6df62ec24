"""What clients do wrong, and what a transport adds to requests and responses, the same under every framework."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.integration.clients import OPENERS, http_client, open_polling, open_websocket
from tests.support.frameworks import ELSEWHERE, HERE, Sites
from tests.support.waiting import WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator


LIMIT = 10_000
ORIGIN = "https://app.example"
FOREIGN = "https://evil.example"
POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"

FRAMEWORKS = [*HERE, *ELSEWHERE]


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    """The application, with options that show."""
    sites = Sites(max_http_buffer_size=LIMIT, cookie="io", cors_allowed_origins=ORIGIN)
    yield sites
    sites.close()


@pytest.fixture(params=FRAMEWORKS)
async def site(sites, request):
    """The application under each framework."""
    async with sites.open(request.param) as opened:
        yield opened


@pytest.fixture
def name():
    """What the journal calls this test's client."""
    return {"client": uuid4().hex}


async def joined(client, name) -> None:
    """Connect to the namespace."""
    await client.join(auth=name)
    assert await client.receive() == '42["welcome"]'


@pytest.mark.parametrize(
    ("method", "query", "code", "message"),
    [
        ("GET", "EIO=4&transport=polling&sid=nobody", 1, "Session ID unknown"),
        ("POST", "EIO=4&transport=polling&sid=nobody", 1, "Session ID unknown"),
        ("GET", "EIO=4&transport=carrier-pigeon", 0, "Transport unknown"),
        ("GET", "EIO=4&transport=websocket", 3, "Bad request"),
        ("POST", "EIO=4&transport=polling", 2, "Bad handshake method"),
    ],
)
async def test_requests_that_cannot_be_meant_are_refused(site, method, query, code, message):
    """The refusal is the JavaScript server's, as JSON."""
    async with http_client() as http:
        answer = await http.request(method, f"{site.address.http}/socket.io/?{query}")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"code": code, "message": message}


@pytest.mark.parametrize("query", ["&sid=nobody", "&EIO=9"])
async def test_a_websocket_handshake_that_cannot_be_meant_is_refused(site, query):
    """It gets an error status; which one, where the server does not let the application say, is the server's choice."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{site.address.ws}{WEBSOCKET}{query}", proxy=None)

    assert refused.value.response.status_code in {400, 403}


@pytest.mark.parametrize("is_declared", [True, False])
async def test_a_post_over_the_limit_ends_the_session(site, name, is_declared):
    """413 whether the length is declared or found out, and the disconnect handler runs."""
    body = b"4" + b"x" * 2 * LIMIT

    async def chunks():
        yield body[:LIMIT]
        yield body[LIMIT:]

    async with open_polling(site.address) as client:
        await joined(client, name)

        answer = await client.http.post(client.url, content=body if is_declared else chunks())

        assert answer.status_code == 413
        await site.journal.until(["disconnect", name, "transport error"])


async def test_a_post_of_the_limit_passes(site, name):
    """The limit itself is allowed, in as many pieces as it takes."""
    text = "x" * (LIMIT - len('42["echo",""]'))
    body = f'42["echo","{text}"]'

    async def bytewise():
        for start in range(0, LIMIT, 1000):
            yield body[start : start + 1000].encode()

    async with open_polling(site.address) as client:
        await joined(client, name)

        whole = await client.http.post(client.url, content=body)
        in_pieces = await client.http.post(client.url, content=bytewise())

        assert [(answer.status_code, answer.text) for answer in (whole, in_pieces)] == [(200, "ok")] * 2


async def test_a_malformed_post_ends_the_session(site, name):
    """400, and the disconnect handler runs."""
    async with open_polling(site.address) as client:
        await joined(client, name)

        answer = await client.post("9")

        assert (answer.status_code, answer.json()["code"]) == (400, 3)
        await site.journal.until(["disconnect", name, "transport error"])


@pytest.mark.parametrize("frame", ["9", "", "42[]", "4" + "x" * 4])
async def test_a_malformed_frame_ends_the_session(site, name, frame):
    """An unknown type, an empty frame and a broken packet close this WebSocket only, and the disconnect handler runs."""
    async with open_websocket(site.address) as bystander, open_websocket(site.address) as client:
        await joined(bystander, {"by": "stander"})
        await joined(client, name)

        await client.send(frame)

        await client.closed()
        await site.journal.until(["disconnect", name, "transport error"])
        assert await bystander.ask("echo", "here") == ["here"]


async def test_a_websocket_message_of_the_limit_passes(site, name):
    """The limit counts the whole message, its type included."""
    text = "x" * (LIMIT - len('421["echo", ""]'))
    async with open_websocket(site.address) as client:
        await joined(client, name)

        assert await client.ask("echo", text, ack_id=1) == [text]


@pytest.mark.parametrize("kind", [str, bytes])
@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_a_websocket_message_over_the_limit_ends_the_session(sites, framework, name, kind):
    """One byte more closes the WebSocket. Tornado does it by itself and does not say why."""
    message = "4" + "x" * LIMIT
    async with sites.open(framework) as site, open_websocket(site.address) as client:
        await joined(client, name)

        await client.send(message if kind is str else message.encode())

        await client.closed()
        reason = "transport close" if framework == "tornado" else "transport error"
        await site.journal.until(["disconnect", name, reason])


async def test_a_goodbye_is_heard(site, name):
    """A close packet that comes together with the closing frame of the WebSocket counts."""
    async with open_websocket(site.address) as client:
        await joined(client, name)

        await client.send("1")
        await client.close()

        await site.journal.until(["disconnect", name, "client disconnect"])


async def test_a_client_that_vanishes_is_noticed(site, name):
    """A cut connection ends the session of a WebSocket."""
    async with open_websocket(site.address) as client:
        await joined(client, name)

        await client.vanish()

        await site.journal.until(["disconnect", name, "transport close"])


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name != "tornado"])
async def test_a_post_that_is_cut_off_ends_the_session(sites, framework, name):
    """As in the JavaScript server. Tornado does not tell: there the next poll or the ping timeout finds out."""
    async with sites.open(framework) as site, open_polling(site.address) as client:
        await joined(client, name)
        reader, writer = await asyncio.open_connection(site.address.host, site.address.port)
        target = client.url.removeprefix(site.address.http)
        lines = [f"POST {target} HTTP/1.1", "Host: x", "Content-Length: 100", "Expect: 100-continue", "", ""]
        writer.write("\r\n".join(lines).encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 100")
        writer.write(b"42")
        await writer.drain()

        writer.close()

        await site.journal.until(["disconnect", name, "transport error"])


@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name != "aiohttp"])
async def test_a_poll_that_is_given_up_ends_the_session(sites, framework, name):
    """As in the JavaScript server. aiohttp does not say that a client is gone: there the ping timeout finds out."""
    async with sites.open(framework) as site, open_polling(site.address) as client:
        await joined(client, name)
        _, writer = await asyncio.open_connection(site.address.host, site.address.port)
        target = client.url.removeprefix(site.address.http)
        writer.write(f"GET {target} HTTP/1.1\r\nHost: {site.address.host}\r\n\r\n".encode())
        await writer.drain()

        writer.close()

        await site.journal.until(["disconnect", name, "transport error"])


async def test_the_cookie_is_set_by_the_handshake(site):
    """The attributes arrive as they were built."""
    async with http_client() as http:
        answer = await http.get(site.address.http + POLLING)

    sid = json.loads(answer.text[1:])["sid"]
    assert answer.headers.get_list("set-cookie") == [f"io={sid}; path=/; HttpOnly; SameSite=Lax"]


async def test_large_answers_are_compressed(site, name):
    """A poll of more than a kilobyte is sent as the client accepts it."""
    async with open_polling(site.address) as client:
        await joined(client, name)
        await client.post('421["echo","' + "x" * 5000 + '"]')

        answer = await client.http.get(client.url)

        assert answer.headers["content-encoding"] in {"gzip", "deflate"}
        assert answer.text == '431["' + "x" * 5000 + '"]'


async def test_cors_headers_are_the_servers(site, name):
    """Preflight, handshake, POST and poll carry the allowed origin once; another origin is refused."""
    header = "access-control-allow-origin"
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    async with open_polling(site.address, headers={"Origin": ORIGIN}) as client:
        answers = [
            await client.http.options(client.url, headers=preflight),
            await client.http.post(client.url, content="40"),
            await client.http.get(client.url),
        ]
        foreign = await client.http.get(site.address.http + POLLING, headers={"Origin": FOREIGN})

    assert [(answer.status_code, answer.headers.get_list(header)) for answer in answers] == [(200, [ORIGIN])] * 3
    assert answers[0].headers["access-control-allow-methods"] == "OPTIONS, GET, POST"
    assert (foreign.status_code, foreign.headers.get_list(header)) == (400, [])


async def test_the_origin_of_a_websocket_is_the_servers_to_check(site):
    """A page of the allowed origin may connect, one of another may not, whatever the framework thinks of them."""
    async with open_websocket(site.address, headers={"Origin": ORIGIN}) as client:
        await client.join()

    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{site.address.ws}{WEBSOCKET}", origin=FOREIGN, proxy=None)
    assert refused.value.response.status_code in {400, 403}


@pytest.mark.parametrize("transport", OPENERS)
async def test_the_address_of_a_client_is_known(site, name, transport):
    """REMOTE_ADDR is that of the peer."""
    async with OPENERS[transport](site.address, source="127.0.0.3") as client:
        await joined(client, name)

        await site.journal.until(["connect", name, "127.0.0.3"])


@pytest.mark.parametrize("transport", OPENERS)
async def test_a_header_with_an_underscore_passes_for_no_other(site, name, transport):
    """A proxy that sets or removes X-Remote-User does not know of X_Remote_User, which has the same name in an environ."""
    headers = {"X_Remote_User": "root", "X-Remote-Group": "users", "X_Remote_Group": "wheel", "Content_Length": "1"}
    async with OPENERS[transport](site.address, headers=headers) as client:
        await joined(client, name)

        asked = await client.ask("environ", "HTTP_X_REMOTE_USER", "HTTP_X_REMOTE_GROUP", "CONTENT_LENGTH")

        assert asked[0][:2] == [None, "users"]
        assert asked[0][2] in (None, "", "0")


@pytest.mark.parametrize("missing", ["Sec-WebSocket-Key", "Sec-WebSocket-Version"])
async def test_a_broken_websocket_handshake_leaves_nothing(site, missing):
    """The server refuses it, and goes on serving."""
    headers = {
        "Host": "x",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    del headers[missing]
    lines = [f"GET {WEBSOCKET} HTTP/1.1", *[f"{key}: {value}" for key, value in headers.items()], "", ""]
    reader, writer = await asyncio.open_connection(site.address.host, site.address.port)
    writer.write("\r\n".join(lines).encode())
    async with asyncio.timeout(WAIT_S):
        status = int((await reader.readline()).split()[1])
    writer.close()
    await writer.wait_closed()

    assert 400 <= status <= 500
    async with open_websocket(site.address) as client:
        await client.join()


@pytest.mark.parametrize("framework", HERE)
async def test_a_client_that_does_not_read_is_ended(framework, name):
    """What waits for it is bounded: the frameworks' own buffers fill first, then ours, then its session ends."""
    sites = Sites(max_buffer_bytes=1_000_000, slow_client_timeout=0.2)
    async with sites.open(framework) as site, open_websocket(site.address) as client:
        await joined(client, name)

        await client.send('42["flood",500]')

        await site.journal.until(["disconnect", name, "transport error"])


@pytest.mark.parametrize("framework", HERE)
async def test_frames_after_the_end_are_nobodys(framework, name):
    """What a client sends behind a malformed frame is dropped, and the closing handshake still comes."""
    async with Sites().open(framework) as site, open_websocket(site.address) as client:
        await joined(client, name)

        await client.send("9", *['42["kick"]'] * 50)

        await client.closed()
        assert client.socket.close_code == 1000
        await site.journal.until(["disconnect", name, "transport error"])


async def test_an_offered_subprotocol_is_answered(site):
    """With the first one, as by the JavaScript server; a client that offers none gets none."""
    for offered, answer in ((["my-v1", "my-v2"], "my-v1"), (None, None)):
        async with connect(f"{site.address.ws}{WEBSOCKET}", subprotocols=offered, proxy=None) as websocket:
            assert websocket.subprotocol == answer
            assert (await websocket.recv())[0] == "0"


async def test_an_upgrade_is_the_javascript_servers(site, name):
    """A WebSocket that probes wrongly is closed and polling goes on, ``5`` alone upgrades, a second one is closed."""
    async with open_polling(site.address) as client:
        await joined(client, name)
        url = f"{site.address.ws}{WEBSOCKET}&sid={client.eio_sid}"

        async with connect(url, proxy=None) as wrong:
            await wrong.send("4hello")
            with pytest.raises(ConnectionClosed):
                await wrong.recv()
        assert await client.ask("echo", "polling") == ["polling"]

        async with connect(url, proxy=None) as websocket:
            await websocket.send("5")
            await websocket.send('421["echo","websocket"]')
            assert await websocket.recv() == '431["websocket"]'
            async with connect(url, proxy=None) as second:
                with pytest.raises(ConnectionClosed):
                    await second.recv()
            assert (await client.http.get(client.url)).status_code == 400
            await websocket.send('422["echo","still here"]')
            assert await websocket.recv() == '432["still here"]'
