"""The tutorial, read in a real browser: what each page says under "Try it" happens."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
from contextlib import asynccontextmanager
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

import pytest

from tests.docs.snippets import marked
from tests.support.chromium import FLAGS, require_chromium
from tests.support.node import TESTS, NodeProgram, node_program
from tests.support.tutorial import Site, page_path, site

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROGRAM = Path(__file__).parent / "tutorial.mjs"
CLIENT = TESTS / "node_modules/socket.io-client/dist/socket.io.min.js"


@pytest.fixture
def read(tmp_path):
    """Serve the application of a page, and start its reader; TUTORIAL_PICTURES=folder takes the tutorial's pictures."""

    @asynccontextmanager
    async def read_page(page: str) -> AsyncIterator[tuple[NodeProgram, Site]]:
        options = {
            "executable": require_chromium(),
            "flags": FLAGS,
            "client": str(CLIENT),
            "pictures": os.environ.get("TUTORIAL_PICTURES"),
        }
        packages = ("playwright-core", "socket.io-client")
        async with (
            node_program(PROGRAM, page, json.dumps(options), packages=packages) as program,
            site(page, tmp_path / "board") as served,
        ):
            await program.tell(served.url)
            yield program, served

    return read_page


async def restarted(program: NodeProgram, served: Site) -> None:
    """Stop the server when the reader says so, and start it again."""
    await program.step("stop")
    await served.stop()
    await program.tell()
    await program.step("start")
    await served.start()
    await program.tell()


async def test_a_question_is_in_all_tabs_also_after_a_restart(read):
    """Page 1. Markup is shown as it was typed."""
    async with read("first-events") as (program, served):
        await restarted(program, served)

        assert await program.result() == ["Are we back?", "Is <b>this</b> on?"]


async def test_mistakes_are_shown_below_the_field(read):
    """Page 2: those of the message, which stays in the field, and the one that the handler finds."""
    async with read("messages") as (program, served):
        await restarted(program, served)

        assert await program.result() == {"kept": "Hi", "errors": [""]}


async def test_each_topic_has_its_own_questions(read):
    """Page 3. A page that comes late has those that are there already."""
    async with read("rooms") as (program, _):
        assert await program.result() == [["Soup or salad?"], ["Who has the key?"]]


async def test_people_sign_in_and_see_who_is_there(read):
    """Page 4. A reload keeps a user signed in, and the questions on the page."""
    async with read("users") as (program, _):
        asked = ["Does somebody know how long the kitchen is open on Fridays?", "Soup or salad?"]
        assert await program.result() == asked


async def test_nobody_votes_for_a_question_of_their_own(read):
    """Page 5: the rule that began with its test."""
    async with read("tests") as (program, _):
        assert await program.result() == ["▲ 0"]


async def test_questions_are_in_a_database_and_come_over_http(read):
    """Page 6: after a restart the page has the newest five, and asks a route for the others."""
    async with read("fastapi") as (program, served):
        await restarted(program, served)
        await program.step("curl")
        await asyncio.to_thread(send_request_of_the_page, served.url)

        earlier = [f"Question {number}?" for number in range(6, 0, -1)]
        assert await program.result() == ["Who takes out the pizza?", *earlier]


def send_request_of_the_page(url: str) -> None:
    """Send what the command of curl on page 6 sends."""
    (snippet,) = marked(page_path("fastapi"), "curl")
    _, address, *options = [word for word in shlex.split(snippet.code) if word.strip()]
    headers = dict(value.split(": ") for option, value in pairwise(options) if option == "-H")
    (body,) = [value for option, value in pairwise(options) if option == "-d"]
    request = Request(address.replace("http://127.0.0.1:8000", url), body.encode(), headers)  # noqa: S310 - the site of the test
    with urlopen(request) as answer:  # noqa: S310 - as above
        assert answer.status == HTTPStatus.CREATED


async def test_a_client_that_comes_back_has_missed_nothing(read):
    """Page 7: a question of each side arrives while one is offline, and the other is not told that it left."""
    async with read("recovery") as (program, served):
        await restarted(program, served)

        asked = ["Is the train still in the tunnel?", "Soup or salad?", "Who brings the plates?"]
        assert await program.result() == {"people": ["Here: Ada, Ben"], "ada": asked, "ben": asked}


async def test_four_workers_serve_one_board(read):
    """Page 8: two people at two processes see each other, and one comes back to any of them."""
    async with read("workers") as (program, _):
        assert await program.result() == ["Who is back?", "Soup or salad?"]
