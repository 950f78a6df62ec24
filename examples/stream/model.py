"""What stands for a language model: it answers every question with the same few words, one after the other."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated

from fastsio import Depends

PACE_S = 0.05
ANSWER = """You asked: “{question}”

I am no language model, only a program that pretends to be one. I have read nothing, and I know one text by heart. \
I say it word by word, at the pace at which people read.

Reload this page now, in the middle of my answer. Each word is an event in the room of this answer, and the room \
keeps its events for ten minutes. The page remembers what it has read, and the offset of the last word. When it comes \
back, it joins the room with that offset, and gets the words that it has missed, each of them once and in their order. \
Then it goes on with me.

The same happens when a train goes through a tunnel, or a laptop sleeps. And if you send the link below my answer to a \
friend, the friend reads it from its first word, while I am still talking.

That is all I know. Ask me anything else, and I will say it again."""


class Model:
    """Says a text in pieces that add up to it."""

    def words(self, question: str) -> list[str]:
        """Return the pieces of an answer."""
        return re.findall(r"\s*\S+", ANSWER.format(question=question))

    async def answer(self, question: str) -> AsyncIterator[str]:
        """Yield the pieces of an answer, with a pause after each."""
        for word in self.words(question):
            yield word
            await asyncio.sleep(PACE_S)


def get_model() -> Model:
    """Return the model; tests put another in its place."""
    return Model()


ModelDep = Annotated[Model, Depends(get_model)]
