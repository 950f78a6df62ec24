"""The example of authorised rooms, used by real clients."""

from __future__ import annotations

import pytest
import socketio
from examples.authorised_chat.accounts import CHATS, new_chats
from examples.authorised_chat.app import app, sio

from tests.acceptance.peers import connected
from tests.support.peer_clients import LEAVE_CONNECTIONS
from tests.support.servers import serve

pytestmark = LEAVE_CONNECTIONS
EVERYBODY = {"title": "Everybody", "owner": "Ada"}


@pytest.fixture(autouse=True)
def chats():
    """The chats as they are when the example starts."""
    CHATS.update(new_chats())


def presence(user: str, state: str, count: int) -> tuple[str, object]:
    """What the members of chat 1 are told."""
    return "presence", {"room": "chat|1", "user": user, "state": state, "count": count}


async def test_two_users_talk_where_they_may():
    """Ada and Ben share a chat; Ben cannot enter Ada's; she removes him, and he is out at once."""
    ada_auth, ben_auth = ({"auth": {"token": f"{name}-token"}} for name in ("ada", "ben"))
    async with serve(app) as address:
        with pytest.raises(socketio.exceptions.ConnectionError):
            async with connected(address.http, auth={"token": "guess"}):
                pass
        async with connected(address.http, **ada_auth) as ada, connected(address.http, **ben_auth) as ben:
            assert await ada.call("join_chat", {"chat_id": 1}) == EVERYBODY
            assert await ben.call("join_chat", {"chat_id": 1}) == EVERYBODY
            assert (await ben.call("join_chat", {"chat_id": 3}))["error"]["msg"] == "There is no such chat."
            assert (await ben.call("join_chat", {"chat_id": 2}))["error"]["type"] == "forbidden"
            assert (await ben.call("say", {"chat_id": 2, "text": "hi"}))["error"]["msg"] == "You are not in this room."
            assert (await ben.call("remove", {"chat_id": 1, "name": "Ada"}))["error"]["type"] == "forbidden"
            assert await ben.call("say", {"chat_id": 1, "text": " hi "}) is None
            assert await ada.call("remove", {"chat_id": 1, "name": "Ben"}) == ["Ada"]
            await ada.call("say", {"chat_id": 1, "text": "alone"})

            said = "message_posted", {"chat_id": 1, "author": "Ben", "text": "hi"}
            heard = await ben.heard_until_fence(sio)
            assert heard == [
                ("joined", {"room": "chat|1"}),
                presence("Ben", "joined", 2),
                said,
                ("kicked", {"room": "chat|1", "reason": "You may not be in this room any more."}),
            ]
            heard = await ada.heard_until_fence(sio)
            assert heard == [
                ("joined", {"room": "chat|1"}),
                presence("Ada", "joined", 1),
                presence("Ben", "joined", 2),
                said,
                presence("Ben", "left", 1),
                ("message_posted", {"chat_id": 1, "author": "Ada", "text": "alone"}),
            ]
            assert (await ben.call("join_chat", {"chat_id": 1}))["error"]["type"] == "forbidden"
