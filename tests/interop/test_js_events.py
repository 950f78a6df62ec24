"""Events and acknowledgements between the real JavaScript client and the server, in both directions."""

from __future__ import annotations


def hexed(*values: int) -> dict[str, str]:
    """Show binary as the JavaScript side reports it."""
    return {"bytes": bytes(values).hex()}


async def test_json_values_come_back_unchanged(world):
    """Every kind of JSON value survives the way there and back."""
    result = await world.play("events", "echoes_values")

    assert result["echoed"] == result["sent"]


async def test_several_arguments_stay_several(world):
    """Several arguments are several in events and in acknowledgements; none is none."""
    result = await world.play("events", "several_arguments")

    assert result == {"acknowledged": [1, "two", [3]], "mirrored": [1, "two", [3]], "none": []}


async def test_binary_goes_both_ways(world, transports):
    """Nested, several and empty attachments arrive in events and acknowledgements on every transport."""
    result = await world.play("events", "binary", transports=transports)

    payload = {
        "first": hexed(1, 2, 3),
        "empty": hexed(),
        "nested": [{"deep": hexed(4, 5)}, hexed(6), "text"],
        "text": "between",
    }
    assert result == {"acknowledged": payload, "mirrored": [payload, hexed(9)], "bare": hexed(0, 255)}


async def test_a_placeholder_lookalike_is_data(world):
    """An object shaped like a placeholder passes untouched in an event without binary."""
    assert await world.play("events", "placeholder_lookalike") == {"_placeholder": True, "num": 0}


async def test_call_returns_the_clients_acknowledgement(world, transports):
    """call() gives what the JavaScript client answered, text and binary."""
    result = await world.play("events", "answers_the_server", transports=transports)

    assert result == {"text": {"answered": "why?"}, "bytes": {"answered": hexed(1, 2)}}
    assert await world.site.saw("answer") == {"answered": "why?"}
    assert await world.site.saw("answer") == {"answered": b"\x01\x02"}


async def test_call_gives_up_on_a_silent_client(world):
    """call() raises TimeoutError when the client does not acknowledge."""
    assert await world.play("events", "leaves_the_server_waiting") == "timeout"


async def test_a_callback_gets_every_argument_of_the_acknowledgement(world):
    """emit(callback=) hands over the acknowledgement's arguments as they were sent."""
    await world.play("events", "answers_a_callback")

    assert await world.site.saw("callback") == ("several", 2, ["how?"])


async def test_the_clients_timeout_applies(world):
    """socket.timeout() ends the wait for an acknowledgement the server never sends."""
    assert await world.play("events", "client_timeout") == "operation has timed out"


async def test_the_catch_all_handler_answers(world):
    """An event without a handler reaches the handler of '*' with its name and its arguments."""
    assert await world.play("events", "catch_all") == {"event": "nobody knows me", "args": [1, {"two": 2}]}


async def test_on_any_hears_what_the_server_emits(world):
    """The client's onAny gets name and arguments of an emitted event."""
    assert await world.play("events", "hears_any") == ["mirrored", ["x"]]


async def test_send_is_the_message_event(world):
    """send() of either side arrives as 'message' at the other."""
    assert await world.play("events", "messages") == ["hello"]


async def test_many_events_keep_their_order(world, transports):
    """Hundreds of events arrive in the order they were sent, in both directions."""
    count = 300

    assert await world.play("events", "keeps_order", transports=transports, count=count) == list(range(count))
    assert [await world.site.saw("number") for _ in range(count)] == list(range(count))


async def test_volatile_events_are_not_kept(world):
    """A volatile event is dropped while not connected and sent while connected."""
    await world.play("events", "volatile_events")

    assert await world.site.saw("number") == "kept"


async def test_events_emitted_before_the_connection_arrive(world, transports):
    """What the client buffers until it is connected arrives then."""
    assert await world.play("events", "buffered_events", transports=transports) == "buffered too"
    assert await world.site.saw("number") == "buffered"


async def test_a_failing_handler_leaves_the_connection(world):
    """An exception in a handler closes nothing."""
    assert await world.play("events", "survives_a_failing_handler") == {"echoed": "still here", "connected": True}


async def test_an_emit_in_the_connect_handler_arrives(world, transports):
    """What the connect handler emits reaches the client that connects."""
    assert await world.play("events", "welcomed", transports=transports) == {"same": True}
