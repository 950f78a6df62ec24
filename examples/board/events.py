"""The events of the page. A change is committed before anybody hears of it: first the others, then the answer."""

from typing import Annotated, Any

from fastsio import Event, Joined, Recovered, Room, RouterSIO, Session, SocketID, exceptions

from . import cards
from .accounts import CurrentUser
from .database import Database
from .models import AddCard, Card, Drag, MoveCard, OpenBoard, RemoveCard, RenameCard, SeenDrag, WhichBoard
from .rooms import BoardRoom, may_edit

router = RouterSIO()
router.register_room(BoardRoom)

Board = Annotated[BoardRoom, Joined(BoardRoom)]


@router.event
async def connect(user: CurrentUser, session: Session, recovered: Recovered) -> None:
    """Accept a client with a token; one that was lost comes back only as the user that it was."""
    if recovered and recovered.session["user"] != user.name:
        raise exceptions.ConnectionRefusedError("Sign in first.", {"code": 401})
    session["user"] = user.name


@router.on("join_board")
async def join_board(which: WhichBoard, user: CurrentUser, database: Database) -> OpenBoard:
    """Answer with the whole board. The client is in the room already, so it misses no change after it."""
    async with database.begin():
        return await cards.read_board(database, which.board_id, user)


@router.event
async def who(room: Board) -> list[str]:
    """Return the names of those who look at the board. The page asks after its join and after each ``presence``."""
    return sorted({member.user for member in await room.members() if member.user is not None})


@router.event
async def add_card(asked: AddCard, user: CurrentUser, room: Board, database: Database) -> Card:
    async with database.begin():
        changed = await cards.add(database, user, asked)
    return await tell(room, changed)


@router.event
async def move_card(asked: MoveCard, user: CurrentUser, room: Board, database: Database) -> Card:
    async with database.begin():
        changed = await cards.move(database, user, asked)
    return await tell(room, changed)


@router.event
async def rename_card(asked: RenameCard, user: CurrentUser, room: Board, database: Database) -> Card:
    async with database.begin():
        changed = await cards.rename(database, user, asked)
    return await tell(room, changed)


@router.event
async def remove_card(asked: RemoveCard, user: CurrentUser, room: Board, database: Database) -> Card:
    async with database.begin():
        changed = await cards.remove(database, user, asked)
    return await tell(room, changed)


@router.event
async def drag(held: Drag, sid: SocketID, user: CurrentUser, room: Board, session: Session) -> None:
    """Show the others where the user holds a card. It comes often and nothing is stored, so no database is asked."""
    cards.require_editor(may_edit=may_edit(session, held.board_id))
    await room.emit("drag", SeenDrag(user=user.name, **held.model_dump()), skip_sid=sid)


async def tell(room: Room, changed: list[Card]) -> Card:
    """
    Send each changed card to all who look at the board, and return the first.

    Two changes may arrive in the other order than they were committed: the versions of the cards tell which is newer.
    """
    for card in changed:
        await room.emit("card", card)
    return changed[0]


@router.exception_handler(cards.ConflictError)
async def conflict(error: cards.ConflictError, event: Event) -> dict[str, Any]:
    return {"error": {"type": "conflict", "event": event, "msg": str(error), "detail": error.card}}


@router.exception_handler(cards.NotThereError)
async def not_there(error: cards.NotThereError, event: Event) -> dict[str, Any]:
    return {"error": {"type": "not_found", "event": event, "msg": str(error), "detail": None}}
