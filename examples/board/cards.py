"""
What may be done with cards, in transactions of the database, without sockets.

**Order.** Cards of a column stand in the order of their positions. These have gaps, so that a card that is moved takes
a number between those of its neighbours. Where none is left, the column is numbered anew, in the same transaction.

**Conflicts.** A transaction locks the board, so changes of a board come one after the other. A change says what the
page saw; if others have moved or renamed that card since, it is refused, and the page shows theirs. Two who order the
cards of one column do not conflict. A column with a limit takes no card beyond it, however many people drag at once.

**Twice.** A page whose connection broke asks again without knowing whether it was heard. A change that is done already
is answered as if it had just been done.
"""

from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from .accounts import User
from .database import Board, BoardCard, BoardColumn, Member
from .models import AddCard, Card, Column, MoveCard, OpenBoard, RemoveCard, RenameCard

STEP = 1024
MAX_CARDS = 200


class NotThereError(Exception):
    """What the change is about is not on the board."""


class ConflictError(Exception):
    """The change does not fit the board as it is now; `card` is the card as it is now, if there is one."""

    def __init__(self, message: str, card: BoardCard | None = None) -> None:
        super().__init__(message)
        self.card = None if card is None else Card.model_validate(card)


async def get_member(database: AsyncSession, board_id: int, user: User) -> Member | None:
    """Return what the user may do on a board; None is not even see it."""
    return await database.get(Member, (board_id, user.name))


def require_editor(*, may_edit: bool) -> None:
    """
    Let editors of a board through.

    Raises:
        PermissionError: The user may not change the board.
    """
    if not may_edit:
        raise PermissionError("You may read this board, but not change it.")


async def read_board(database: AsyncSession, board_id: int, user: User) -> OpenBoard:
    """Return everything that a member sees."""
    board = await database.get_one(Board, board_id)
    member = await database.get_one(Member, (board_id, user.name))
    columns = (await database.scalars(_columns(board_id).order_by(BoardColumn.id))).all()
    cards = (await database.scalars(_cards(board_id).order_by(BoardCard.position))).all()
    return OpenBoard(
        id=board.id,
        title=board.title,
        may_edit=member.may_edit,
        version=board.version,
        columns=[Column.model_validate(column) for column in columns],
        cards=[Card.model_validate(card) for card in cards],
    )


async def add(database: AsyncSession, user: User, asked: AddCard) -> list[Card]:
    """Put a new card at the end of a column; return the cards that have changed, the one that was asked for first."""
    board = await _lock(database, asked.board_id, user)
    column = await _column(database, asked.board_id, asked.column_id)
    card = await database.get(BoardCard, asked.id)
    if card is not None:
        await _column(database, asked.board_id, card.column_id)  # raises for a card of another board
        return [Card.model_validate(card)]
    count = await database.scalar(_cards(asked.board_id).with_only_columns(func.count())) or 0
    if count >= MAX_CARDS:
        raise ConflictError(f"A board takes at most {MAX_CARDS} cards.")
    others = await _in_column(database, column)
    _require_space(column, others)
    position = others[-1].position + STEP if others else STEP
    card = BoardCard(id=asked.id, column_id=column.id, position=position, title=asked.title, added_by=user.name)
    database.add(card)
    return await _changed(database, board, [card])


async def move(database: AsyncSession, user: User, asked: MoveCard) -> list[Card]:
    """Move a card; return the cards that have changed, the one that was asked for first."""
    board = await _lock(database, asked.board_id, user)
    card = await _card(database, asked.board_id, asked.id)
    column = await _column(database, asked.board_id, asked.column_id)
    if card.column_id not in (asked.from_column_id, asked.column_id):
        raise ConflictError("Somebody else has moved this card meanwhile.", card)
    others = [other for other in await _in_column(database, column) if other is not card]
    if card.column_id != column.id:
        _require_space(column, others, card)
    # Where the other card is gone, the end of the column is as good a place as any.
    index = next((index for index, other in enumerate(others) if other.id == asked.before), len(others))
    card.column_id = column.id
    return await _changed(database, board, [card, *_place(card, others, index)])


async def rename(database: AsyncSession, user: User, asked: RenameCard) -> list[Card]:
    """Give a card another title; return the cards that have changed."""
    board = await _lock(database, asked.board_id, user)
    card = await _card(database, asked.board_id, asked.id)
    if card.title not in (asked.old_title, asked.title):
        raise ConflictError("Somebody else has renamed this card meanwhile.", card)
    card.title = asked.title
    return await _changed(database, board, [card])


async def remove(database: AsyncSession, user: User, asked: RemoveCard) -> list[Card]:
    """Take a card off the board; return the cards that have changed."""
    board = await _lock(database, asked.board_id, user)
    card = await _card(database, asked.board_id, asked.id, even_removed=True)
    card.removed = True
    return await _changed(database, board, [card])


def _place(card: BoardCard, others: list[BoardCard], index: int) -> list[BoardCard]:
    """Give the card a position at an index among the others; return those others that got new positions for it."""
    low = others[index - 1].position if index > 0 else 0
    high = others[index].position if index < len(others) else low + 2 * STEP
    if high - low > 1:
        card.position = (low + high) // 2
        return []
    for number, each in enumerate([*others[:index], card, *others[index:]], 1):
        each.position = number * STEP
    return others


def _require_space(column: BoardColumn, others: list[BoardCard], card: BoardCard | None = None) -> None:
    if column.limit is not None and len(others) >= column.limit:
        raise ConflictError(f"“{column.title}” takes at most {column.limit} cards.", card)


async def _lock(database: AsyncSession, board_id: int, user: User) -> Board:
    """Let one transaction after the other change the board. SQLite locks the whole file already, others this row."""
    member = await get_member(database, board_id, user)
    require_editor(may_edit=member is not None and member.may_edit)
    return (await database.scalars(select(Board).where(Board.id == board_id).with_for_update())).one()


async def _changed(database: AsyncSession, board: Board, cards: list[BoardCard]) -> list[Card]:
    board.version += 1
    for card in cards:
        card.version = board.version
    await database.flush()
    return [Card.model_validate(card) for card in cards]


async def _column(database: AsyncSession, board_id: int, column_id: int) -> BoardColumn:
    column = await database.get(BoardColumn, column_id)
    if column is None or column.board_id != board_id:
        raise NotThereError("There is no such column on this board.")
    return column


async def _card(database: AsyncSession, board_id: int, card_id: UUID, *, even_removed: bool = False) -> BoardCard:
    query = select(BoardCard).join(BoardColumn).where(BoardCard.id == card_id, BoardColumn.board_id == board_id)
    card = (await database.scalars(query)).one_or_none()
    if card is None or (card.removed and not even_removed):
        raise NotThereError("This card is not on the board any more.")
    return card


async def _in_column(database: AsyncSession, column: BoardColumn) -> list[BoardCard]:
    query = _cards(column.board_id).where(BoardCard.column_id == column.id).order_by(BoardCard.position)
    return list(await database.scalars(query))


def _columns(board_id: int) -> Select[BoardColumn]:
    return select(BoardColumn).where(BoardColumn.board_id == board_id)


def _cards(board_id: int) -> Select[BoardCard]:
    """Select the cards of a board that were not removed."""
    return select(BoardCard).join(BoardColumn).where(BoardColumn.board_id == board_id, BoardCard.removed.is_(False))
