"""The room of a board: its members may join it, and see who else is there."""

from fastsio import Room

from .accounts import CurrentUser
from .cards import is_member
from .database import Database
from .models import WhichBoard


class BoardRoom(Room):
    """Those who look at a board. Clients join with ``join_board``."""

    @classmethod
    async def extract_room_identifier(cls, which: WhichBoard) -> int:
        return which.board_id

    @classmethod
    async def can_join(cls, which: WhichBoard, user: CurrentUser, database: Database) -> bool:
        async with database.begin():
            return await is_member(database, which.board_id, user)

    @classmethod
    async def presence_key(cls, user: CurrentUser) -> str:
        return user.name
