"""The tables, and a database session for each event and route."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends
from sqlalchemy import ForeignKey, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: Sessions of the database that is open.
make_session = async_sessionmaker(expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"
    name: Mapped[str] = mapped_column(primary_key=True)
    password: Mapped[str]


class Board(Base):
    __tablename__ = "boards"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    version: Mapped[int] = mapped_column(default=0)


class Member(Base):
    """A user who may see a board."""

    __tablename__ = "members"
    board_id: Mapped[int] = mapped_column(ForeignKey(Board.id), primary_key=True)
    name: Mapped[str] = mapped_column(ForeignKey(Account.name), primary_key=True)
    may_edit: Mapped[bool] = mapped_column(default=True)


class BoardColumn(Base):
    """A column of a board; its limit is how many cards it takes."""

    __tablename__ = "columns"
    id: Mapped[int] = mapped_column(primary_key=True)
    board_id: Mapped[int] = mapped_column(ForeignKey(Board.id))
    title: Mapped[str]
    limit: Mapped[int | None] = mapped_column(default=None)


class BoardCard(Base):
    """A card. One that was removed stays, so that its id is not taken again."""

    __tablename__ = "cards"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    column_id: Mapped[int] = mapped_column(ForeignKey(BoardColumn.id), index=True)
    position: Mapped[int]
    title: Mapped[str]
    added_by: Mapped[str]
    version: Mapped[int]
    removed: Mapped[bool] = mapped_column(default=False)


@asynccontextmanager
async def open_database() -> AsyncIterator[None]:
    """Open the database of the URL BOARD_DATABASE, or else a file that is deleted at the end."""
    with TemporaryDirectory(prefix="fastsio-board-") as folder:
        engine = _make_engine(os.environ.get("BOARD_DATABASE", f"sqlite+aiosqlite:///{folder}/board.sqlite"))
        make_session.configure(bind=engine)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(Base.metadata.create_all)
            yield
        finally:
            await engine.dispose()


def _make_engine(url: str) -> AsyncEngine:
    """
    Make an engine; on SQLite one whose transactions come one after the other.

    SQLite writes one transaction at a time, so a second connection would only wait for the first. And Python's sqlite3
    begins a transaction at its first change: another process could write between what it has read and that change.
    """
    if not url.startswith("sqlite"):
        return create_async_engine(url)
    engine = create_async_engine(url, pool_size=1, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def _leave_transactions_to_us(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


async def get_database() -> AsyncIterator[AsyncSession]:
    """Give routes and events a session of their own; each begins and ends its transactions itself."""
    async with make_session() as session:
        yield session


#: Works in FastAPI routes and in fastsio events alike.
Database = Annotated[AsyncSession, Depends(get_database)]
