"""
Answers of a language model, word by word, on a page that may be reloaded in the middle of one.

The page needs the JavaScript client that ``tools/setup_npm.sh examples/chat`` fetches. Then
``uvicorn stream.app:app --app-dir examples``, and open http://127.0.0.1:8000.
"""

from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, Field

from fastsio import ASGIApp, AsyncServer, History, Room

from .model import Model, ModelDep

HERE = Path(__file__).parent
CLIENT = HERE.parent / "chat" / "node_modules" / "socket.io-client" / "dist"
KEPT_S = 600.0
MAX_ANSWERS = 1_000

#: The id of each answer -> its question.
questions: dict[str, str] = {}


class Question(BaseModel):
    """What a client asks."""

    text: Annotated[str, Field(min_length=1, max_length=500)]


class Which(BaseModel):
    """The answer that a client wants to read."""

    id: str


class Asked(BaseModel):
    """An answer that is being written."""

    id: str
    question: str


class AnswerRoom(Room):
    """The readers of an answer. An id cannot be guessed, so everyone who has one may read."""

    history = History(size=2_000, ttl=KEPT_S)

    @classmethod
    def extract_room_identifier(cls, which: Which) -> str:
        if which.id not in questions:
            raise ValueError("This answer is not kept any more.")
        return which.id


sio = AsyncServer(async_mode="asgi")
sio.register_room(AnswerRoom)


@sio.event
async def ask(question: Question, model: ModelDep) -> Asked:
    """Begin an answer; it goes on whether anybody reads it or not."""
    while len(questions) >= MAX_ANSWERS:
        del questions[next(iter(questions))]
    asked = Asked(id=token_urlsafe(9), question=question.text)
    questions[asked.id] = question.text
    sio.start_background_task(write, AnswerRoom(asked.id), question.text, model)
    return asked


@sio.on("join_answer")
async def join_answer(which: Which) -> Asked:
    """Tell a reader what was asked; the words that it has missed were sent before."""
    return Asked(id=which.id, question=questions[which.id])


async def write(room: Room, question: str, model: Model) -> None:
    """Send the words of an answer as they come."""
    async for word in model.answer(question):
        await room.emit("word", word)
    await room.emit("end")


api = FastAPI(title="fastsio stream")
api.mount("/design", StaticFiles(directory=HERE.parent / "design"))
api.mount("/client", StaticFiles(directory=CLIENT, check_dir=False))
api.mount("/", StaticFiles(directory=HERE / "static", html=True))

app = ASGIApp(sio, api)
