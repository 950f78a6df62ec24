"""The users, the chats and their readers, which a real application has in its database."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class User:
    """A user who has signed in."""

    name: str


@dataclass
class Chat:
    """A chat and its readers; the owner may remove the others."""

    title: str
    owner: str
    members: set[str] = field(default_factory=set)


USERS = {"ada-token": User("Ada"), "ben-token": User("Ben")}


def new_chats() -> dict[int, Chat]:
    """Return the chats as they are when the program starts."""
    return {1: Chat("Everybody", "Ada", {"Ada", "Ben"}), 2: Chat("Ada's own", "Ada", {"Ada"})}


CHATS = new_chats()
