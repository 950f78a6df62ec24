"""Who is let in: authenticators, and what they and an entrance tell the client."""

from __future__ import annotations

from typing import Any

import pytest

from fastsio import Depends, Header
from fastsio.consumers import AsyncJsonWebsocketConsumer, BaseAuthenticator
from fastsio.exceptions import EventError, SetupError, SignatureError
from fastsio.messages import AuthenticationMessage, AuthenticationPayload
from tests.shells.consumers.messages import Pinged
from tests.support.rooms import Person, present


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


async def test_an_authenticator_reads_header_cookie_and_query():
    """Or nothing, where there is nothing; a header with an underscore passes for none."""
    found: list[Any] = []

    class Reading(BaseAuthenticator):
        async def authenticate(self, scope):
            found.append(
                (self.get_header("X_Key") or self.get_header("X-Key"), self.get_cookie("c"), self.get_query_param("q"))
            )
            return True

    class Entrance(AsyncJsonWebsocketConsumer):
        authenticator_class = Reading

    headers = [(b"x_key", b"forged"), (b"x-key", b"k"), (b"cookie", b"c=1")]
    async with present(Entrance.as_asgi(), "/?q=2", headers=headers), present(Entrance.as_asgi(), "/"):
        pass

    assert found == [("k", "1", "2"), (None, None, None)]


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


async def test_a_permission_that_gives_a_coroutine_is_awaited():
    """A plain function around a coroutine function refuses too, although the coroutine is true."""

    async def check() -> bool:
        return False

    class Entrance(Pinged):
        permissions = [lambda: check()]  # noqa: PLW0108 - so that it is no coroutine function

    person = Person(Entrance.as_asgi(), "/")
    await person.connect()
    await person.assert_closed(4403)


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


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("permission_classes", "permissions"),
        ("authentication_class", "authenticator_class"),
        ("middlewares", "middleware"),
        ("dependency", "dependencies"),
    ],
)
def test_an_attribute_that_is_nearly_called_like_a_guard_is_refused(name, meant):
    """It would let everybody in, and nobody would see it; the error comes when the consumer is mounted."""
    misspelt = type("Open", (Pinged,), {name: TokenAuthenticator if "class" in name else ()})

    with pytest.raises(SetupError, match=rf"^Open\.{name} does nothing; did you mean '{meant}'\?$"):
        misspelt.as_asgi()


def test_an_authenticator_class_in_the_place_of_the_authenticator_is_refused():
    """The attribute is what each connection gets."""

    class Open(Pinged):
        authenticator = TokenAuthenticator

    with pytest.raises(SetupError, match=r"Open\.authenticator is what a connection gets; write 'authenticator_class'"):
        Open.as_asgi()


def test_attributes_of_a_consumer_may_be_called_as_they_like():
    """One that a method reads is the application's own."""

    class Counted(Pinged):
        permission = "read"

        async def post_authentication(self) -> None:
            await self.send_json(self.permission)

    assert Counted.as_asgi() is not None
