"""The WebSocket client of tests: what it sends, what it reads, and how it says that something is amiss."""

from __future__ import annotations

from typing import Any

import pytest

from fastsio.consumers import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer, ws_handler
from fastsio.messages import ErrorMessage, PingMessage, PongMessage
from fastsio.testing import WebsocketCommunicator


class Fatal(BaseException):
    """What no consumer answers for."""


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None, **kwargs):
        if text_data == "fail":
            raise Fatal("fatal")
        await self.send(text_data, bytes_data)


class Pinged(AsyncJsonWebsocketConsumer):
    send_completion = True

    @ws_handler
    async def ping(self, _message: PingMessage) -> PongMessage:
        return PongMessage()

    async def post_authentication(self) -> None:
        if self.scope["path"] == "/undeclared":
            await self.send_json({"action": "undeclared"})


async def failing(scope: Any, receive: Any, send: Any) -> None:
    """Fail at once."""
    raise RuntimeError("on purpose")


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Listen, and say nothing."""
    await receive()
    await receive()


async def test_frames_of_both_kinds_go_both_ways():
    """Text, bytes and JSON, by both names."""
    communicator = WebsocketCommunicator(Echo.as_asgi(), "/")
    assert await communicator.connect() == (True, None)

    await communicator.send_to("text")
    await communicator.send_to(bytes_data=b"bytes")
    await communicator.send_json_to({"a": [1]})
    await communicator.send_json("again")

    assert [await communicator.receive_from() for _ in range(2)] == ["text", b"bytes"]
    assert [await communicator.receive_json_from(), await communicator.receive_json()] == [{"a": [1]}, "again"]
    await communicator.disconnect()


async def test_the_scope_is_that_of_the_handshake():
    """Path, query, headers and subprotocols; a test may add to it before it connects."""
    seen = {}

    class Looking(AsyncWebsocketConsumer):
        async def connect(self):
            seen.update(self.scope)
            await self.accept("v1")

    communicator = WebsocketCommunicator(
        Looking.as_asgi(), "/a%20b?x=1&y=2", headers=[(b"cookie", b"c=1")], subprotocols=["v1"]
    )
    communicator.scope["user"] = "ada"

    assert await communicator.connect() == (True, "v1")
    await communicator.disconnect()
    assert (seen["type"], seen["path"], seen["query_string"]) == ("websocket", "/a b", b"x=1&y=2")
    assert (seen["headers"], seen["subprotocols"], seen["user"]) == ([(b"cookie", b"c=1")], ["v1"], "ada")


async def test_messages_are_those_of_the_consumer():
    """send_message and receive_all_messages know its classes, and stop at what says it is complete."""
    async with WebsocketCommunicator(Pinged.as_asgi(), "/", consumer=Pinged) as communicator:
        await communicator.send_message(PingMessage())
        assert await communicator.receive_all_messages() == [PongMessage()]
        await communicator.send_message(PingMessage(), ref="1")
        assert await communicator.receive_message() == PongMessage()
        assert await communicator.receive_json_from() == {"action": "complete", "payload": None, "ref": "1"}
        await communicator.send_json_to({"action": "ping"})
        assert await communicator.receive_all_json() == [{"action": "pong", "payload": None}]
        await communicator.send_json_to({"action": "nope"})
        (error,) = await communicator.receive_all_messages(stop_action="error")
        assert isinstance(error, ErrorMessage)


async def test_receive_nothing_takes_nothing_away():
    """What came while it waited is still to be received."""
    async with WebsocketCommunicator(Echo.as_asgi(), "/") as communicator:
        assert await communicator.receive_nothing(0.01)
        for text in ("1", "2"):
            await communicator.send_to(text)
        assert not await communicator.receive_nothing(5)
        assert not await communicator.receive_nothing()

        assert [await communicator.receive_from() for _ in range(2)] == ["1", "2"]


async def test_a_message_without_a_declared_class_is_an_error_of_the_test():
    """It names what the handlers say they send."""
    async with WebsocketCommunicator(Pinged.as_asgi(), "/undeclared", consumer=Pinged) as communicator:
        with pytest.raises(ValueError, match=r"'undeclared'.*they say: PongMessage"):
            await communicator.receive_message()
    async with WebsocketCommunicator(Echo.as_asgi(), "/") as communicator:
        await communicator.send_to("{}")
        with pytest.raises(TypeError, match="consumer="):
            await communicator.receive_message()


async def test_what_ends_the_application_is_raised():
    """By connect, and by whatever waits or sends afterwards."""
    with pytest.raises(RuntimeError, match="on purpose"):
        await WebsocketCommunicator(failing, "/").connect()
    communicator = WebsocketCommunicator(Echo.as_asgi(), "/")
    await communicator.connect()
    await communicator.send_to("fail")
    with pytest.raises(Fatal, match="fatal"):
        await communicator.receive_from()
    with pytest.raises(Fatal, match="fatal"):
        await communicator.send_to("more")
    with pytest.raises(Fatal, match="fatal"):
        await communicator.wait()


async def test_waiting_in_vain_is_a_timeout():
    """The application goes on, and can be waited for again or stopped."""
    communicator = WebsocketCommunicator(silent, "/")
    with pytest.raises(TimeoutError, match=r"nothing within 0\.01 s"):
        await communicator.connect(timeout=0.01)
    with pytest.raises(TimeoutError, match=r"did not end within 0\.01 s"):
        await communicator.wait(0.01)
    await communicator.stop()


async def test_stopping_raises_what_went_wrong_on_the_way():
    """Unless that is not wanted; one that never ran has nothing to stop."""

    async def untidy(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        try:
            await receive()
            await receive()
        finally:
            raise RuntimeError("untidy")

    await WebsocketCommunicator(untidy, "/").stop()
    await WebsocketCommunicator(untidy, "/").wait()
    for wanted in (True, False):
        communicator = WebsocketCommunicator(untidy, "/")
        await communicator.connect()
        if wanted:
            with pytest.raises(RuntimeError, match="untidy"):
                await communicator.stop()
        else:
            await communicator.stop(exceptions=False)


async def test_a_refusal_is_a_close_code():
    """connect() returns it; the context manager raises it."""

    class Closed(AsyncWebsocketConsumer):
        async def connect(self):
            await self.close(4003)

    assert await WebsocketCommunicator(Closed.as_asgi(), "/").connect() == (False, 4003)
    with pytest.raises(ConnectionRefusedError, match="code 4003"):
        async with WebsocketCommunicator(Closed.as_asgi(), "/"):
            pass


async def test_assertions_say_what_came_instead():
    """A frame where the end was expected, and the end where a frame was."""

    class Leaving(AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None, **kwargs):
            await self.send("bye")
            await self.close(4001)

    for code in (4002, 4001, None):
        async with WebsocketCommunicator(Leaving.as_asgi(), "/") as communicator:
            await communicator.send_to("x")
            with pytest.raises(AssertionError, match="expected the connection to be closed"):
                await communicator.assert_closed()
            if code == 4002:
                with pytest.raises(AssertionError, match="4002"):
                    await communicator.assert_closed(code)
            else:
                await communicator.assert_closed(code)
    async with WebsocketCommunicator(Leaving.as_asgi(), "/") as communicator:
        await communicator.send_to("x")
        await communicator.receive_from()
        with pytest.raises(AssertionError, match="expected a frame"):
            await communicator.receive_from()


async def test_mistakes_of_the_test_are_said():
    """A path that is none, and a frame of both kinds."""
    with pytest.raises(TypeError, match="path is a str"):
        WebsocketCommunicator(Echo.as_asgi(), b"/")  # type: ignore[arg-type] # that is the mistake
    communicator = WebsocketCommunicator(Echo.as_asgi(), "/")
    with pytest.raises(ValueError, match="either text_data or bytes_data"):
        await communicator.send_to("x", b"x")
    await communicator.stop()


async def test_an_application_that_answers_out_of_order_is_told():
    """A frame before the handshake was answered."""

    async def hasty(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.send", "text": "x"})

    with pytest.raises(AssertionError, match=r"answered the handshake with 'websocket\.send'"):
        await WebsocketCommunicator(hasty, "/").connect()
