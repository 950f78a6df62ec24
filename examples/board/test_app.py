"""The board, tested as an application is: clients in the test's own process, a database in a file of the test."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy.event

from fastsio import exceptions
from fastsio.testing import TestClient

from . import cards
from .accounts import User, make_token
from .app import api, app
from .database import Member, make_session
from .make_types import FILE, make_types
from .models import MoveCard
from .rooms import BoardRoom
from .seed import PASSWORD

TO_DO, DOING, DONE = 1, 2, 3
MOVES = 40


@pytest.fixture(autouse=True)
async def _database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setenv("BOARD_DATABASE", f"sqlite+aiosqlite:///{tmp_path}/board.sqlite")
    async with api.router.lifespan_context(api):
        yield


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board") as client:
        yield client


async def enter(client: TestClient, name: str) -> dict[str, Any]:
    """Connect with a token, and join the first board; return the board."""
    await client.connect(auth={"token": make_token(name)})
    board: dict[str, Any] = await client.call("join_board", {"board_id": 1})
    return board


@pytest.fixture
async def ada() -> AsyncIterator[TestClient]:
    async with TestClient(app) as client:
        await enter(client, "Ada")
        yield client


@pytest.fixture
async def ben() -> AsyncIterator[TestClient]:
    async with TestClient(app) as client:
        await enter(client, "Ben")
        yield client


async def read(client: TestClient, column_id: int | None = None) -> list[dict[str, Any]]:
    """Return the cards of a column, or of all, in their order."""
    board = await client.call("join_board", {"board_id": 1})
    return [card for card in board["cards"] if column_id in (None, card["column_id"])]


def titles(found: list[dict[str, Any]]) -> list[str]:
    return [card["title"] for card in found]


def moved(card: dict[str, Any], column_id: int, before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the payload that moves a card from where it is."""
    place = {"from_column_id": card["column_id"], "column_id": column_id, "before": before and before["id"]}
    return {"board_id": 1, "id": card["id"], **place}


async def add(client: TestClient, title: str, column_id: int = TO_DO) -> dict[str, Any]:
    payload = {"board_id": 1, "id": str(uuid4()), "column_id": column_id, "title": title}
    card: dict[str, Any] = await client.call("add_card", payload)
    return card


# Signing in


async def test_one_token_opens_routes_and_sockets(http: httpx.AsyncClient) -> None:
    answer = await http.post("/api/sign-in", json={"name": "Dora", "password": PASSWORD})
    token = answer.json()["token"]

    boards = await http.get("/api/boards", headers={"Authorization": f"Bearer {token}"})
    async with TestClient(app) as client:
        await client.connect(auth={"token": token})
        board = await client.call("join_board", {"board_id": 1})

    assert boards.json() == [{"id": 1, "title": "Launch of the new site", "may_edit": False}]
    assert (board["title"], board["may_edit"], len(board["cards"])) == ("Launch of the new site", False, 9)


@pytest.mark.parametrize("wrong", [{"name": "Ada", "password": "guess"}, {"name": "Eve", "password": PASSWORD}])
async def test_a_wrong_password_gives_no_token(http: httpx.AsyncClient, wrong: dict[str, str]) -> None:
    answer = await http.post("/api/sign-in", json=wrong)

    assert (answer.status_code, answer.json()) == (401, {"detail": "Wrong name or password."})


async def test_sockets_need_a_token_that_has_not_expired() -> None:
    for auth in (None, {}, {"token": "guess"}, {"token": make_token("Ada", timedelta(seconds=-1))}):
        with pytest.raises(exceptions.ConnectionRefusedError, match="Sign in first"):
            await TestClient(app).connect(auth=auth)


async def test_a_lost_client_comes_back_only_as_the_same_user(ben: TestClient) -> None:
    await ben.drop()

    with pytest.raises(exceptions.ConnectionRefusedError, match="Sign in first"):
        await ben.reconnect(auth={"token": make_token("Dora")})


# Who may do what


async def test_only_members_see_a_board(ben: TestClient) -> None:
    refused = [await ben.call("join_board", {"board_id": board_id}) for board_id in (2, 99)]
    refused.append(await ben.call("who", {"board_id": 2}))

    assert [answer["error"]["type"] for answer in refused] == ["forbidden"] * 3


async def test_a_reader_sees_changes_but_makes_none(ada: TestClient) -> None:
    async with TestClient(app) as dora:
        board = await enter(dora, "Dora")
        card = board["cards"][0]
        asked = [
            ("move_card", moved(card, DONE)),
            ("add_card", {"board_id": 1, "id": str(uuid4()), "column_id": TO_DO, "title": "mine"}),
            ("rename_card", {"board_id": 1, "id": card["id"], "old_title": card["title"], "title": "mine"}),
            ("remove_card", {"board_id": 1, "id": card["id"]}),
            ("drag", {"board_id": 1, "id": card["id"], "column_id": DONE}),
        ]
        refused = [await dora.call(event, payload) for event, payload in asked]
        now = await ada.call("move_card", moved(card, DONE))

        assert {answer["error"]["type"] for answer in refused} == {"forbidden"}
        assert (await dora.receive("card")).data == now


async def test_a_permission_that_changes_counts_for_those_who_are_there(ada: TestClient, ben: TestClient) -> None:
    """After `recheck()`, which whatever changes members calls."""
    card = (await read(ada))[0]
    payload = {"board_id": 1, "id": card["id"], "column_id": DONE}
    for now in (False, True):
        async with make_session() as database, database.begin():
            (await database.get_one(Member, (1, "Ben"))).may_edit = now
        assert await BoardRoom(1).recheck() == []

        answers = [await ben.call("drag", payload), await ben.call("move_card", moved(card, card["column_id"]))]

        assert [answer is None or "error" not in answer for answer in answers] == [now, now]

    async with make_session() as database, database.begin():
        await database.delete(await database.get_one(Member, (1, "Ben")))
    assert await BoardRoom(1).recheck() == [ben.sid]
    await ben.receive("kicked")
    assert (await ben.call("drag", payload))["error"]["type"] == "forbidden"


# Changes


async def test_all_who_look_at_the_board_see_a_card_move(ada: TestClient, ben: TestClient) -> None:
    first, second, third, *_ = await read(ada, TO_DO)

    now = await ada.call("move_card", moved(third, TO_DO, before=second))

    assert (await ben.receive("card")).data == now == {**third, "position": now["position"], "version": 1}
    assert (await read(ben, TO_DO))[:3] == [first, now, second]


async def test_a_card_that_was_to_stand_before_one_that_is_gone_goes_to_the_end(ada: TestClient) -> None:
    first, second, *rest = await read(ada, TO_DO)
    await ada.call("move_card", moved(second, DOING))

    await ada.call("move_card", moved(first, TO_DO, before=second))

    assert titles(await read(ada, TO_DO)) == titles([*rest, first])


async def test_a_column_is_numbered_anew_when_no_position_is_left(ada: TestClient, ben: TestClient) -> None:
    """Two cards change places at the end of a column, until the gap between the others is used up."""
    *others, third, fourth = await read(ada, TO_DO)
    last = [third, fourth]
    for turn in range(24):
        await ada.call("move_card", moved(last[turn % 2], TO_DO, before=last[1 - turn % 2]))

    changed = {event.data["id"]: event.data for event in ben.received if event.event == "card"}
    seen = sorted(
        ({card["id"]: card for card in (*others, *last)} | changed).values(), key=lambda card: card["position"]
    )
    assert others[0]["id"] in changed
    assert [card["id"] for card in seen] == [card["id"] for card in await read(ada, TO_DO)]
    assert len({card["position"] for card in seen}) == len(seen)


async def test_the_second_of_two_who_move_a_card_is_told_where_it_is_now(ada: TestClient, ben: TestClient) -> None:
    card = (await read(ada, TO_DO))[0]

    answers = await asyncio.gather(
        ada.call("move_card", moved(card, DOING)),
        ben.call("move_card", moved(card, DONE)),
    )

    (done,) = [answer for answer in answers if "error" not in answer]
    (refused,) = [answer["error"] for answer in answers if "error" in answer]
    assert (refused["type"], refused["msg"]) == ("conflict", "Somebody else has moved this card meanwhile.")
    assert refused["detail"] == done
    assert [each for each in await read(ada) if each["id"] == card["id"]] == [done]


async def test_a_full_column_takes_one_of_two_cards_that_come_at_once(ada: TestClient, ben: TestClient) -> None:
    first, second, *_ = await read(ada, TO_DO)  # two of three places in the column are taken

    answers = await asyncio.gather(
        ada.call("move_card", moved(first, DOING)),
        ben.call("move_card", moved(second, DOING)),
    )

    (refused,) = [answer["error"] for answer in answers if "error" in answer]
    assert (refused["type"], refused["msg"]) == ("conflict", "“Doing” takes at most 3 cards.")
    (accepted,) = [answer for answer in answers if "error" not in answer]
    assert (await read(ada, DOING))[-1] == accepted
    assert (await add(ada, "one more", DOING))["error"]["type"] == "conflict"


async def test_two_who_order_one_column_at_once_get_one_order() -> None:
    """Many moves at the same time, each in a session of its own: each card is there once, on a position of its own."""
    async with make_session() as database:
        board = await cards.read_board(database, 1, User(name="Ada"))
    ids = [card.id for card in board.cards if card.column_id == TO_DO]

    async def move(number: int) -> None:
        card, before = ids[number % len(ids)], ids[(number + 1) % len(ids)]
        asked = MoveCard(board_id=1, id=card, from_column_id=TO_DO, column_id=TO_DO, before=before)
        async with make_session() as database, database.begin():
            await cards.move(database, User(name="Ada"), asked)

    await asyncio.gather(*(move(number) for number in range(MOVES)))

    async with make_session() as database:
        after = await cards.read_board(database, 1, User(name="Ada"))
    found = [card for card in after.cards if card.column_id == TO_DO]
    assert {card.id for card in found} == set(ids)
    assert len({card.position for card in found}) == len(ids)
    assert after.version == MOVES


async def test_asking_twice_changes_once(ada: TestClient, ben: TestClient) -> None:
    """A page that has lost its connection before the answer asks again."""
    payload = {"board_id": 1, "id": str(uuid4()), "column_id": TO_DO, "title": "new"}
    added = await ada.call("add_card", payload)
    assert await ada.call("add_card", payload) == added

    move = moved(added, DONE)
    for _ in range(2):
        assert (await ada.call("move_card", move))["column_id"] == DONE

    for _ in range(2):
        assert (await ada.call("remove_card", {"board_id": 1, "id": added["id"]}))["removed"]

    assert titles(await read(ben)).count("new") == 0
    assert (await ada.call("move_card", move))["error"]["type"] == "not_found"


async def test_a_new_title_does_not_overwrite_another(ada: TestClient, ben: TestClient) -> None:
    card = (await read(ada, TO_DO))[0]
    rename = {"board_id": 1, "id": card["id"], "old_title": card["title"]}

    assert (await ada.call("rename_card", {**rename, "title": " Ada's "}))["title"] == "Ada's"
    refused = await ben.call("rename_card", {**rename, "title": "Ben's"})

    assert (refused["error"]["type"], refused["error"]["detail"]["title"]) == ("conflict", "Ada's")


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        ("add_card", {"title": " "}),
        ("add_card", {"title": "x" * 201}),
        ("add_card", {"id": "1"}),
        ("move_card", {"before": "00000000-0000-4000-8000-000000000000"}),
        ("move_card", {"column_id": "Doing"}),
        ("move_card", {"from_column_id": None}),
        ("rename_card", {"title": ""}),
        ("drag", {"board_id": "all"}),
    ],
)
async def test_what_is_not_valid_is_refused(ada: TestClient, event: str, wrong: dict[str, Any]) -> None:
    valid = {"board_id": 1, "id": "00000000-0000-4000-8000-000000000000", "column_id": TO_DO, "title": "new"}
    valid |= {"from_column_id": TO_DO, "before": None, "old_title": "old"}

    answer = await ada.call(event, valid | wrong)

    assert answer["error"]["type"] == "validation_error"


@pytest.mark.parametrize("column_id", [4, 99])
async def test_a_column_of_another_board_is_not_there(ada: TestClient, column_id: int) -> None:
    answers = [await add(ada, "new", column_id), await ada.call("move_card", moved((await read(ada))[0], column_id))]

    assert [answer["error"]["type"] for answer in answers] == ["not_found", "not_found"]


# Who is there, and what they do


async def test_who_is_there(ada: TestClient, ben: TestClient) -> None:
    async with TestClient(app) as second_window:
        await enter(second_window, "Ben")

        assert await ada.call("who", {"board_id": 1}) == ["Ada", "Ben"]

    assert await ada.call("who", {"board_id": 1}) == ["Ada", "Ben"]
    await ben.disconnect()
    assert await ada.call("who", {"board_id": 1}) == ["Ada"]
    states = [(event.data["user"], event.data["state"]) for event in ada.received if event.event == "presence"]
    assert states == [("Ada", "joined"), ("Ben", "joined"), ("Ben", "left")]


async def test_others_see_where_a_card_is_held(ada: TestClient, ben: TestClient) -> None:
    card = (await read(ada, TO_DO))[0]

    await ada.call("drag", {"board_id": 1, "id": card["id"], "column_id": DOING, "before": None})
    await ada.call("drag", {"board_id": 1, "id": card["id"], "column_id": None})

    seen = [(await ben.receive("drag")).data for _ in range(2)]
    assert [(drag["user"], drag["id"], drag["column_id"]) for drag in seen] == [
        ("Ada", card["id"], DOING),
        ("Ada", card["id"], None),
    ]
    assert "drag" not in [event.event for event in ada.received]


async def test_a_drag_asks_no_database(ada: TestClient) -> None:
    """A page sends one for each place that a card is held over."""
    card = (await read(ada))[0]
    asked: list[str] = []
    engine = make_session.kw["bind"].sync_engine
    sqlalchemy.event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append(arguments[2]))

    for column_id in (DOING, DONE, None):
        assert await ada.call("drag", {"board_id": 1, "id": card["id"], "column_id": column_id}) is None
    assert asked == []

    await ada.call("who", {"board_id": 1})
    assert await ada.call("move_card", moved(card, DONE))
    assert asked != []


async def test_a_page_that_was_offline_gets_what_was_changed(ada: TestClient, ben: TestClient) -> None:
    first, second, *_ = await read(ada, TO_DO)
    await ben.drop()

    changes = [
        await ada.call("move_card", moved(first, DOING)),
        await ada.call("move_card", moved(second, DONE)),
        await add(ada, "while Ben was away"),
    ]
    await ben.reconnect()

    assert ben.recovered
    assert [(await ben.receive("card")).data for _ in changes] == changes
    assert await ben.call("who", {"board_id": 1}) == ["Ada", "Ben"]


# The page


def test_the_types_of_the_page_are_those_of_the_models() -> None:
    """`python -m board.make_types` was run after the last change of the models."""
    assert FILE.read_text(encoding="utf-8") == make_types()
