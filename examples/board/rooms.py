"""The room of a board: its members may join it, and see who else is there."""

from typing import Any

from fastsio import Room, Session

from .accounts import CurrentUser
from .cards import get_member
from .database import Database
from .models import WhichBoard


class BoardRoom(Room):
    """Those who look at a board. Clients join with ``join_board``."""

    @classmethod
    async def extract_room_identifier(cls, which: WhichBoard) -> int:
        return which.board_id

    @classmethod
    async def can_join(cls, which: WhichBoard, user: CurrentUser, session: Session, database: Database) -> bool:
        """
        Let members in, and remember which of them may edit.

        It is asked when a client joins, and again for all who are there by ``BoardRoom(board_id).recheck()``: whatever
        changes members calls that after its commit.
        """
        async with database.begin():
            member = await get_member(database, which.board_id, user)
        session[_key(which.board_id)] = member is not None and member.may_edit
        return member is not None

    @classmethod
    async def presence_key(cls, user: CurrentUser) -> str:
        return user.name


def may_edit(session: dict[str, Any], board_id: int) -> bool:
    """Return what was found when the client joined the board. A change of the board asks the database once more."""
    return bool(session.get(_key(board_id)))


def _key(board_id: int) -> str:
    return f"may edit board {board_id}"
