"""Signing in over HTTP, and the token that routes and sockets take."""

import hashlib
import hmac
import os
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

import jwt
from fastapi import APIRouter, HTTPException
from fastapi import Depends as RouteDepends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from fastsio import Auth, Depends, exceptions

from .database import Account, Board, Database, Member
from .models import ListedBoard, SignedIn, SignIn

LIFETIME = timedelta(hours=12)
#: Without BOARD_SECRET, tokens end with the process.
SECRET = os.environ.get("BOARD_SECRET") or secrets.token_urlsafe(32)

routes = APIRouter(prefix="/api")


class User(BaseModel):
    name: str


def hash_password(password: str) -> str:
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}:{_scrypt(password, salt)}"


def is_password(password: str, stored: str) -> bool:
    salt, _, expected = stored.partition(":")
    return hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)), expected)


def _scrypt(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1).hex()


def make_token(name: str, lifetime: timedelta = LIFETIME) -> str:
    return jwt.encode({"sub": name, "exp": datetime.now(UTC) + lifetime}, SECRET, algorithm="HS256")


def read_token(token: str) -> User:
    """Raise jwt.InvalidTokenError for a token that is not ours, or has expired."""
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"require": ["sub", "exp"]})
    return User(name=claims["sub"])


def route_user(credentials: Annotated[HTTPAuthorizationCredentials, RouteDepends(HTTPBearer())]) -> User:
    try:
        return read_token(credentials.credentials)
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Sign in first.") from None


def socket_user(auth: Auth) -> User:
    try:
        return read_token(auth["token"])
    except (jwt.InvalidTokenError, KeyError, TypeError):
        raise exceptions.ConnectionRefusedError("Sign in first.", {"code": 401}) from None


#: The user of a route.
RouteUser = Annotated[User, RouteDepends(route_user)]
#: The user of a socket, which is found once, when it connects.
CurrentUser = Annotated[User, Depends(socket_user, scope="connection")]


@routes.post("/sign-in")
async def sign_in(asked: SignIn, database: Database) -> SignedIn:
    async with database.begin():
        account = await database.get(Account, asked.name)
    if account is None or not await run_in_threadpool(is_password, asked.password, account.password):
        raise HTTPException(401, "Wrong name or password.")
    return SignedIn(name=account.name, token=make_token(account.name))


@routes.get("/boards")
async def boards(user: RouteUser, database: Database) -> list[ListedBoard]:
    """List the boards that the user may see."""
    query = select(Board, Member.may_edit).join(Member).where(Member.name == user.name).order_by(Board.id)
    async with database.begin():
        rows = await database.execute(query)
    return [ListedBoard(id=board.id, title=board.title, may_edit=may_edit) for board, may_edit in rows]
