"""How a connection begins and ends: accepting, refusing, authenticating, leaving, being left."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from fastsio import Depends, Header
from fastsio.consumers import (
    AcceptConnection,
    AsyncConsumer,
    AsyncJsonWebsocketConsumer,
    AsyncWebsocketConsumer,
    BaseAuthenticator,
    DenyConnection,
    StopConsumer,
    ws_handler,
)
from fastsio.exceptions import BusError, DisconnectedError, EventError, SetupError, SignatureError
from fastsio.layers import InMemoryChannelLayer, override
from fastsio.messages import AuthenticationMessage, AuthenticationPayload, PingMessage, PongMessage
from tests.support.rooms import Person, present


class Pinged(AsyncJsonWebsocketConsumer):
    @ws_handler
    async def ping(self, _message: PingMessage) -> PongMessage:
        return PongMessage()


class TokenAuthenticator(BaseAuthenticator):
    async def authenticate(self, scope):
        self.user = {"1": "ada", "2": "banned"}.get(self.get_query_param("token") or "")
        if self.user == "banned":
            self.status_code = 403
            message = AuthenticationMessage(payload=AuthenticationPayload(status_code=403, status_text="Forbidden"))
            await self.send_message(message)
        return self.user == "ada"


class Guarded(Pinged):
    authenticator_class = TokenAuthenticator
    authenticator: TokenAuthenticator

    async def post_authentication(self) -> None:
        await self.send_json(f"welcome {self.authenticator.user}")


async def test_an_authenticator_lets_in_whom_it_knows():
    """What it found is there for the consumer."""
    async with present(Guarded.as_asgi(), "/?token=1") as (ada,):
        assert await ada.hears_json() == ["welcome ada"]
        await ada.send_json_to({"action": "ping"})
        assert await ada.hears_json() == [{"action": "pong", "payload": None}]


async def test_an_authenticator_closes_with_a_code_and_may_say_why():
    """4401 by default, 4000 and the status code otherwise; nothing that the client sends is handled."""
    stranger, banned = Person(Guarded.as_asgi(), "/"), Person(Guarded.as_asgi(), "/?token=2")
    for person in (stranger, banned):
        assert await person.connect() == (True, None)
        await person.send_json_to({"action": "ping"})

    await stranger.assert_closed(4401)
    assert (await banned.hears_json())[0]["payload"]["status_code"] == 403
    await banned.assert_closed(4403)
    for person in (stranger, banned):
        await person.disconnect()
        assert person.pending() == 0


async def test_authenticators_and_permissions_are_endpoints():
    """They take dependencies and values of the handshake; a permission knows the consumer."""

    def users() -> dict[str, str]:
        return {"key": "ada"}

    class Keyed(BaseAuthenticator):
        async def authenticate(self, scope, x_key: str = Header(), users: Any = Depends(users)):  # noqa: B008 - so it is written
            self.user = users.get(x_key)
            return self.user is not None

    async def is_open(consumer: Any, authenticator: Any, door: str = "open") -> bool:
        return authenticator.user == consumer.authenticator.user and door == "open"

    class Entrance(Pinged):
        authenticator_class = Keyed
        permissions = [lambda scope: scope["type"] == "websocket", is_open]

    async def door_is_open(door: str = Depends(lambda: "closed")) -> bool:
        return door == "open"

    class Dependent(Entrance):
        permissions = [door_is_open]

    for consumer, key, close in ((Entrance, b"key", None), (Entrance, b"no", 4401), (Dependent, b"key", 4403)):
        person = Person(consumer.as_asgi(), "/", headers=[(b"x-key", key)])
        await person.connect()
        if close is None:
            await person.send_json_to({"action": "ping"})
            assert (await person.hears_json())[0]["action"] == "pong"
        else:
            await person.assert_closed(close)
        await person.disconnect()


async def test_an_entrance_may_raise_what_the_client_is_to_read():
    """The error object, then the close code that goes with it."""

    class Raising(BaseAuthenticator):
        async def authenticate(self):
            raise EventError("rate_limited", "Too many attempts.")

    class Entrance(Pinged):
        authenticator_class = Raising

    person = Person(Entrance.as_asgi(), "/")
    await person.connect()

    assert (await person.hears_json())[0]["payload"]["msg"] == "Too many attempts."
    await person.assert_closed(4429)
    await person.wait()


def test_an_authenticator_that_cannot_be_called_is_found_at_registration():
    """Its parameters are read once, before the first client."""

    class Wrong(BaseAuthenticator):
        async def authenticate(self, scope, unknown):
            return True

    class Entrance(Pinged):
        authenticator_class = Wrong

    with pytest.raises(SignatureError, match=r"Wrong\.authenticate: parameter 'unknown'"):
        Entrance.as_asgi()


@pytest.mark.parametrize("consumer", [AsyncWebsocketConsumer, AsyncJsonWebsocketConsumer])
async def test_connect_may_raise_what_it_wants(consumer):
    """AcceptConnection takes the client, DenyConnection refuses it, for both kinds of consumer."""

    class Choosing(consumer):
        async def connect(self):
            raise AcceptConnection if self.scope["path"] == "/in" else DenyConnection

    async with present(Choosing.as_asgi(), "/in"):
        pass
    assert await Person(Choosing.as_asgi(), "/out").connect() == (False, 1000)


async def test_accept_and_close_pass_on_what_they_are_told():
    """Subprotocol and headers; code and reason, once."""

    class Polite(AsyncWebsocketConsumer):
        async def connect(self):
            await self.accept("v2", headers=[(b"x-served-by", b"test")])

        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            await self.send(bytes_data=b"bye", close=4000)
            await self.close(4001, "never sent")

    person = Person(Polite.as_asgi(), "/", subprotocols=["v1", "v2"])
    assert await person.connect() == (True, "v2")
    await person.send_to("leave")

    assert await person.receive_from() == b"bye"
    await person.assert_closed(4000)
    await person.send_to("too late")
    await person.disconnect()
    assert person.pending() == 0


async def test_sending_before_accepting_says_what_is_missing(caplog):
    """The client is refused, as after any failure to connect."""

    class Hasty(AsyncWebsocketConsumer):
        async def connect(self):
            await self.send("hello")

    assert await Person(Hasty.as_asgi(), "/").connect() == (False, 1011)
    assert "has not been accepted yet" in caplog.text


async def test_a_frame_has_text_or_bytes(caplog):
    """send() without either is a mistake."""

    class Empty(AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            await self.send()

    async with present(Empty.as_asgi(), "/") as (ada,):
        await ada.send_to("x")
        await ada.hears()

    assert "a frame has text or bytes" in caplog.text


async def test_a_failure_to_connect_closes_with_an_error_and_leaves_all_groups(layer, caplog):
    """disconnect() is not called: what connect() did not set, nobody misses."""

    class Broken(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def connect(self):
            await self.accept()
            raise RuntimeError("half way")

        async def disconnect(self, code):
            raise AssertionError("was never connected")

    person = Person(Broken.as_asgi(), "/")
    await person.connect()

    assert '"internal"' in (await person.hears())[0]
    await person.assert_closed(1011)
    await person.wait()
    assert await layer.group_channels("all") == []
    assert "half way" in caplog.text


async def test_groups_without_a_layer_are_a_mistake(caplog):
    """The log names the attribute to set."""

    class Nowhere(AsyncWebsocketConsumer):
        groups = ["all"]

    assert await Person(Nowhere.as_asgi(), "/").connect() == (False, 1011)
    assert "set channel_layer_alias" in caplog.text


async def test_a_consumer_works_without_a_layer():
    """Its channel layer is None, and its name tells it from others all the same."""
    names = set()

    class Alone(AsyncWebsocketConsumer):
        async def connect(self):
            assert self.channel_layer is None
            names.add(self.channel_name)
            await self.accept()

    async with present(Alone.as_asgi(), "/", "/"):
        assert len(names) == 2


async def test_events_need_a_layer_and_say_so():
    """send_event() of a class without an alias."""
    with pytest.raises(SetupError, match="set channel_layer_alias"):
        await Pinged.send_event(PingMessage(), "channel")
    with pytest.raises(SetupError, match="set channel_layer_alias"):
        Pinged.broadcast_event_sync(PingMessage(), ["all"])


async def test_handlers_may_join_and_leave_groups(layer):
    """join_group and leave_group keep the list of groups."""

    class Moving(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"

        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            for _ in range(2):
                await (self.join_group("a") if text_data == "join" else self.leave_group("a"))
            await self.send(",".join(self.groups))

    async with present(Moving.as_asgi(), "/") as (ada,):
        await ada.send_to("join")
        assert await ada.hears() == ["a"]
        assert len(await layer.group_channels("a")) == 1
        await ada.send_to("leave")
        assert await ada.hears() == [""]
        assert await layer.group_channels("a") == []


async def test_a_constructor_need_not_call_that_of_its_parent():
    """Each connection still has groups of its own."""

    class Headstrong(AsyncWebsocketConsumer):
        def __init__(self):
            self.mine = 1

        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            self.groups.append("x")
            await self.send(f"{self.mine} {self.groups}")

    async with present(Headstrong.as_asgi(), "/", "/") as people:
        for person in people:
            await person.send_to("x")
            assert await person.hears() == ["1 ['x']"]


async def test_initkwargs_reach_the_constructor():
    """as_asgi(name=...) makes each consumer with it."""

    class Named(AsyncWebsocketConsumer):
        def __init__(self, *args, name: str, **kwargs):
            super().__init__(*args, **kwargs)
            self.name = name

        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            await self.send(self.name)

    async with present(Named.as_asgi(name="ada"), "/") as (ada,):
        await ada.send_to("who")
        assert await ada.hears() == ["ada"]


async def test_stop_consumer_ends_it_without_further_calls(layer):
    """Whatever comes then is not handled, and the groups are left."""
    calls = []

    class Once(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            calls.append(text_data)
            raise StopConsumer

        async def disconnect(self, code):
            calls.append(code)

    async with present(Once.as_asgi(), "/") as (ada,):
        await ada.send_to("one")
        await ada.wait()

    assert calls == ["one"]
    assert await layer.group_channels("all") == []


@pytest.mark.parametrize(
    "error", [OSError("gone"), RuntimeError("Unexpected ASGI message, after the connection ended")]
)
async def test_sending_to_a_client_that_is_gone_is_no_failure_of_the_handler(layer, caplog, error):
    """It ends the handler that sends, is no line in the log, and the rest goes on."""
    caught = []

    class Talkative(AsyncJsonWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        @ws_handler
        async def ping(self, _message: PingMessage) -> None:
            try:
                await self.send_message(PongMessage())
            except DisconnectedError:
                caught.append("gone")
                raise

        async def disconnect(self, code):
            caught.append(code)

    person = Person(Talkative.as_asgi(), "/")
    fails = asyncio.Event()

    async def application(scope, receive, send):
        async def failing(message):
            if fails.is_set():
                raise error
            await send(message)

        await Talkative.as_asgi()(scope, receive, failing)

    person.application = application
    await person.connect()
    fails.set()
    await person.send_json_to({"action": "ping"})
    await layer.group_send("all", {"type": "fastsio.text", "text": "nobody hears it"})
    await person.disconnect(1006)

    assert caught == ["gone", 1006]
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_a_server_that_stops_leaves_nothing_behind(layer):
    """A connection that is cancelled leaves its groups and closes its dependencies."""
    log = []

    async def pool():
        yield
        log.append("closed")

    class Pooled(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def connect(self, _: None = Depends(pool, scope="connection")):
            await self.accept()

    person = Person(Pooled.as_asgi(), "/")
    await person.connect()
    await person.stop()

    assert log == ["closed"]
    assert await layer.group_channels("all") == []


async def test_a_broker_that_is_away_at_the_end_is_a_warning(caplog):
    """The connection ends in order; its channel expires by itself."""

    class Away(InMemoryChannelLayer):
        async def close_inbox(self, channel):
            raise BusError("away")

    class Member(AsyncWebsocketConsumer):
        channel_layer_alias = "away"

    with override("away", Away()):
        async with present(Member.as_asgi(), "/"):
            pass

    assert "is left to expire" in caplog.text


async def test_a_dependency_that_fails_to_close_keeps_nobody_in_a_group(layer, caplog):
    """It is logged, and the end goes on."""

    async def broken():
        yield
        raise RuntimeError("cannot close")

    class Pooled(AsyncWebsocketConsumer):
        channel_layer_alias = "chat"
        groups = ["all"]

        async def connect(self, _: None = Depends(broken, scope="connection")):
            await self.accept()

    async with present(Pooled.as_asgi(), "/"):
        pass

    assert await layer.group_channels("all") == []
    assert "cannot close" in caplog.text


async def test_a_plain_consumer_takes_any_protocol(layer):
    """A message a.b of the server goes to a_b, and one of the layer to the method it names."""
    sent: asyncio.Queue[Any] = asyncio.Queue()
    told = asyncio.Event()

    class Http(AsyncConsumer):
        channel_layer_alias = "chat"

        async def http_request(self, message):
            await self.send({"type": "http.response.start", "status": 200, "headers": []})
            await self.channel_layer.send(self.channel_name, {"type": "told.later"})

        async def told_later(self, event):
            await self.send({"type": "http.response.body", "body": b"later"})
            told.set()
            raise StopConsumer

        async def http_disconnect(self, message):
            sent.put_nowait(message)

    received: asyncio.Queue[Any] = asyncio.Queue()
    received.put_nowait({"type": "http.request", "body": b""})
    running = asyncio.create_task(Http.as_asgi()({"type": "http", "path": "/"}, received.get, sent.put))
    await asyncio.wait_for(told.wait(), 5)
    received.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(running, 5)

    assert [sent.get_nowait()["type"] for _ in range(sent.qsize())] == ["http.response.start", "http.response.body"]


async def test_a_plain_consumer_lets_its_failures_out():
    """What a server's message raises is the server's to report, and so is a message without a method."""

    class Http(AsyncConsumer):
        async def http_request(self, message):
            raise RuntimeError("on purpose")

    for scope, error in (("http", "on purpose"), ("lifespan", "has no method 'http_request'")):
        received: asyncio.Queue[Any] = asyncio.Queue()
        received.put_nowait({"type": "http.request"})
        consumer = Http if scope == "http" else AsyncConsumer
        with pytest.raises((RuntimeError, SetupError), match=error):
            await consumer.as_asgi()({"type": "http", "path": "/"}, received.get, received.put)
