"""The chat example, used by people in a real browser."""

from __future__ import annotations


async def test_two_people_talk(play):
    """Two tabs in one room see each other and read what the other says, as text."""
    result = await play("talk")

    said = [
        "Hello Ben, how is the weather?",
        "<b>Sunny</b> & warm",
        "And where you are?",
        "Raining since Tuesday.\nBut I have tea.",
    ]
    assert (result["ada"], result["ben"]) == (said, said)
    assert result["own"] == [said[0], said[3]]
    assert all(len(members) == 2 for members in result["members"])


async def test_rooms_are_isolated(play):
    """What is said in one room is not heard in another, with a tab for each."""
    result = await play("isolation")

    assert (result["tea"], result["coffee"]) == (["only for tea"], ["only for coffee"])
    assert len(result["members"]) == 1


async def test_people_can_move_to_another_room(play):
    """Choosing another room leaves the first, and the HTTP route tells the same."""
    result = await play("moving")

    rooms = {room["name"]: [member["name"] for member in room["members"]] for room in result["rooms"]}
    assert len(result["members"]) == 2
    assert rooms["upstairs"] == ["Ada", "Ben"]
    assert "downstairs" not in rooms


async def test_typing_is_shown_to_the_others(play):
    """Others read who types until the message arrives; the one who types does not."""
    assert await play("typing") == ""


async def test_refused_messages_are_explained(play):
    """An empty and a too long message are refused by the server, explained, and not lost."""
    result = await play("validation")

    assert result == {
        "empty": "Write something first.",
        "long": "That is too long: at most 500 characters.",
        "kept": 501,
        "messages": ["just right"],
        "error": False,
    }


async def test_the_rate_limit_is_shown(play):
    """The sixth message within ten seconds is refused with the time to wait; others may still talk."""
    result = await play("rateLimit")

    assert result["error"].startswith("Slow down: you can send again in ")
    assert result["disabled"]
    assert result["heard"] == [*(f"message {number}" for number in range(1, 6)), "I may still talk"]


async def test_leaving_is_noticed(play):
    """Those who stay read who left, by the button or with the tab."""
    result = await play("leaving")

    assert len(result["members"]) == 1
    assert result["welcome"]


async def test_a_refused_name_is_explained(play):
    """A name the connect handler refuses is explained on the welcome page."""
    assert await play("refusal") == {"chat": False}


async def test_the_page_survives_a_restart_of_the_server(browse, own_chat):
    """A banner tells that the server is away and that it is back; the room is joined again."""
    async with browse("reconnect", own_chat) as program:
        await program.step("talking")
        own_chat.stop()
        await program.tell()
        await program.step("offline")
        own_chat.start()
        await program.tell()

        result = await program.result()

    assert "reconnect" in result["offline"]["banner"] or "reached" in result["offline"]["banner"]
    assert result["offline"]["disabled"]
    assert (result["heard"], result["members"]) == (["before", "after"], 2)


async def test_nothing_is_missing_after_a_loss(play):
    """Who was offline reads what was said meanwhile, once, and how much that was."""
    result = await play("tunnel")

    said = ["before", "while away 2.1", "while away 2.2", "while away 1.1", "after", "and back"]
    assert (result["ada"], result["ben"]) == (said, said)
    texts = [", 2 messages caught up", ", nothing missed", ", 1 message caught up"]
    assert result["banners"] == [f"Back online{text}" for text in texts]
    assert result["notices"] == [f"You are back{text}." for text in texts]
    assert all(len(members) == 2 for members in result["members"])


async def test_many_people_with_long_names_fit_on_a_phone(play):
    """Buttons stay on the screen, long names end in an ellipsis; who comes late reads what was said before."""
    result = await play("crowd")

    assert result == {
        "wide": False,
        "leave": True,
        "send": True,
        "ellipsis": "ellipsis",
        "late": "said before the others came",
    }
