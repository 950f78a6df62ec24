"""The payloads between page and server. `make_types.py` makes the page's types from them."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class SignIn(BaseModel):
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
    password: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class SignedIn(BaseModel):
    name: str
    token: str


class ListedBoard(BaseModel):
    """A board in the list of those that a user may see."""

    id: int
    title: str
    may_edit: bool


class Card(BaseModel):
    """
    The newest state of a card, also of one that was removed.

    `version` rises with each change of the board: of two states of a card, the one with the higher version is newer.
    """

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    column_id: int
    position: int
    title: str
    added_by: str
    version: int
    removed: bool


class Column(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    limit: int | None


class OpenBoard(ListedBoard):
    """The answer to a join: the whole board, as of `version`."""

    version: int
    columns: list[Column]
    cards: list[Card]


class WhichBoard(BaseModel):
    board_id: int


class AddCard(WhichBoard):
    """A card for the end of a column. The page makes its id, so that asking twice adds one card."""

    id: UUID
    column_id: int
    title: Title


class MoveCard(WhichBoard):
    """A card's new place: before another card, or at the end of a column. `from_column_id` is where the page saw it."""

    id: UUID
    from_column_id: int
    column_id: int
    before: UUID | None

    @model_validator(mode="after")
    def _not_before_itself(self) -> Self:
        if self.before == self.id:
            raise ValueError("a card cannot stand before itself")
        return self


class RenameCard(WhichBoard):
    """A card's new title. `old_title` is what the page saw."""

    id: UUID
    old_title: str
    title: Title


class RemoveCard(WhichBoard):
    id: UUID


class Drag(WhichBoard):
    """Where somebody holds a card at the moment; nowhere, once it was let go."""

    id: UUID
    column_id: int | None
    before: UUID | None = None


class SeenDrag(Drag):
    """The same, as the others get it."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    user: str
