"""The boards and people that the demo begins with."""

from uuid import uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from .accounts import hash_password
from .cards import STEP
from .database import Account, Board, BoardCard, BoardColumn, Member, make_session

PASSWORD = "kanban"  # noqa: S105 - the page says it, so that everybody can try the demo
EDITORS = ("Ada", "Ben", "Cleo")
READER = "Dora"

Columns = dict[tuple[str, int | None], list[tuple[str, str]]]
#: Title of a board -> its columns with their limits -> their cards, and who added them.
BOARDS: dict[str, Columns] = {
    "Launch of the new site": {
        ("To do", None): [
            ("Write the words of the home page", "Ada"),
            ("Ask three customers what they miss", "Ben"),
            ("Redirect the old addresses", "Cleo"),
            ("A page for what cannot be found", "Ben"),
        ],
        ("Doing", 3): [("Pictures in light and dark", "Cleo"), ("Measure the first second", "Ada")],
        ("Done", None): [
            ("Choose a typeface", "Ben"),
            ("Move the mail to the new host", "Ada"),
            ("Draw the logo", "Cleo"),
        ],
    },
    "The garden": {
        ("Spring", None): [("Sow tomatoes", "Ada")],
        ("Summer", None): [("Water, every evening", "Ada")],
    },
}


async def seed() -> None:
    """Fill a database that is empty."""
    async with make_session() as database, database.begin():
        if await database.scalar(select(Account).limit(1)):
            return
        password = hash_password(PASSWORD)
        database.add_all(Account(name=name, password=password) for name in (*EDITORS, READER))
        for board_id, (title, columns) in enumerate(BOARDS.items(), 1):
            database.add(Board(id=board_id, title=title))
            for (column, limit), cards in columns.items():
                await _add_column(database, BoardColumn(board_id=board_id, title=column, limit=limit), cards)
        database.add_all(Member(board_id=1, name=name) for name in EDITORS)
        database.add(Member(board_id=1, name=READER, may_edit=False))
        database.add(Member(board_id=2, name="Ada"))


async def _add_column(database: AsyncSession, column: BoardColumn, cards: list[tuple[str, str]]) -> None:
    database.add(column)
    await database.flush()  # gives it its id
    for number, (title, name) in enumerate(cards, 1):
        place = {"column_id": column.id, "position": number * STEP}
        database.add(BoardCard(id=uuid4(), title=title, added_by=name, version=0, **place))
