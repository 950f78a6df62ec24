"""Namespaces, authentication and refusals as the real JavaScript client sees them."""

from __future__ import annotations


async def test_namespaces_share_a_connection(world):
    """Each namespace has its own id and its own handlers for the same event."""
    result = await world.play("namespaces", "share_a_connection")

    assert result == {"ids": 3, "where": ["/news", "/admin"], "root": "where"}


async def test_leaving_one_namespace_keeps_the_others(world):
    """The root namespace still answers after the client has left another one."""
    assert await world.play("namespaces", "leaves_one") == {"echoed": "here", "news": False}


async def test_the_server_can_end_one_namespace(world):
    """disconnect(sid, namespace=) ends that namespace only, and the client can join it again."""
    result = await world.play("namespaces", "is_sent_away")

    assert result == {"reason": "io server disconnect", "echoed": "here", "back": "/news"}


async def test_a_broadcast_stays_in_its_namespace(world):
    """emit(namespace=) reaches the clients of that namespace and no other."""
    assert await world.play("namespaces", "broadcast_stays_inside") == [["extra"], ["extra"], []]


async def test_a_class_namespace_serves_the_client(world):
    """Methods of an AsyncNamespace handle events and keep a session."""
    assert await world.play("namespaces", "class_namespace") == [2, 5]


async def test_auth_may_be_an_object(world, transports):
    """The connect handler gets the client's auth object."""
    await world.play("namespaces", "auth_object", transports=transports)

    assert (await world.site.saw("connect"))["auth"] == {"token": "secret", "n": 1}


async def test_auth_may_be_a_function(world):
    """The connect handler gets what the client's auth function answered."""
    await world.play("namespaces", "auth_function")

    assert (await world.site.saw("connect"))["auth"] == {"token": "made by a function"}


async def test_no_auth_is_none(world):
    """Without auth the connect handler gets None."""
    await world.play("transports", "connects", transports=["websocket"])

    assert (await world.site.saw("connect"))["auth"] is None


async def test_a_refusal_carries_message_and_data(world, transports):
    """ConnectionRefusedError(message, data) becomes connect_error with both."""
    result = await world.play("namespaces", "refused_with_data", transports=transports)

    assert result == {"message": "not allowed", "data": {"code": 42}, "connected": False}


async def test_returning_false_refuses(world):
    """A connect handler that returns False refuses with the standard message."""
    result = await world.play("namespaces", "refused_by_false")

    assert result == {"message": "Connection rejected by server", "data": None, "connected": False}


async def test_a_failing_connect_handler_refuses(world):
    """An exception in the connect handler refuses the client and does not tell why."""
    result = await world.play("namespaces", "refused_by_a_failure")

    assert result["connected"] is False
    assert "only the server's log" not in result["message"]


async def test_an_unknown_namespace_is_refused(world):
    """A namespace that nobody serves is answered with the protocol's message."""
    result = await world.play("namespaces", "refused_unknown")

    assert result == {"message": "Invalid namespace", "data": None, "connected": False}


async def test_a_refused_client_can_try_again(world):
    """A refusal in one namespace leaves the connection, on which a better token is accepted."""
    assert await world.play("namespaces", "refused_then_accepted") == {"root": 1, "admin": "/admin"}
