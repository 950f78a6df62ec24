"""
The part of a consumer that is about room classes: which there are, and what the application does with them.

What clients ask for, and what follows, is done by :mod:`rooms`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from fastsio.consumers.frames import control_frame
from fastsio.consumers.logs import logger
from fastsio.consumers.rooms import ConsumerRooms, handlers_for
from fastsio.consumers.websocket import AsyncWebsocketConsumer
from fastsio.exceptions import SetupError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastsio.base.rooms import Room
    from fastsio.consumers.connection import Connection
    from fastsio.consumers.types import Scope


class JoiningConsumer(AsyncWebsocketConsumer):
    """A consumer whose clients may enter rooms; :class:`AsyncJsonWebsocketConsumer` is one."""

    #: Room classes whose rooms clients may enter with ``subscribe`` and leave with ``unsubscribe``.
    rooms: ClassVar[Sequence[type[Room]]] = ()
    #: The namespace of Socket.IO whose rooms they are.
    room_namespace: ClassVar[str] = "/"
    #: Rooms that a client may be in. 1,000; None is any number.
    max_rooms: ClassVar[int | None] = 1_000

    _room_keeper: ClassVar[ConsumerRooms | None] = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        cls._room_keeper = None
        if {"rooms", "discriminator_field"} & vars(cls).keys():
            for name, handler in handlers_for(cls.discriminator_field).items():
                setattr(cls, name, handler if cls.rooms else None)
        super().__init_subclass__(**arguments)

    @classmethod
    def keeper(cls) -> ConsumerRooms | None:
        """Return who keeps the rooms of the class; None without any."""
        if cls._room_keeper is None and cls.rooms:
            cls._room_keeper = ConsumerRooms(cls)
        return cls._room_keeper

    # What applications call.

    async def enter_room(self, room: Room) -> None:
        """
        Let the client into a room without asking ``can_join``; ``on_join`` is called.

        Raises:
            SetupError: The class has no rooms.
            ValueError: The client is in ``max_rooms`` rooms.
            BusError: The broker did not take it.
        """
        await self.room_keeper.enter(self, room)

    async def leave_room(self, room: Room) -> None:
        """
        Take the client out of a room; ``on_leave`` is called.

        Raises:
            SetupError: The class has no rooms.
        """
        await self.room_keeper.leave(self, room)

    # For the connection.

    async def send_control(self, action: str, payload: Any) -> None:
        """Send a message of the consumer itself."""
        await self.send(control_frame(self.discriminator_field, action, payload))

    def answer_at_once(self, message: Mapping[str, Any]) -> bool:
        """Begin to answer who is in a room, if a server asks that; False if it asks something else."""
        keeper = self.keeper()
        return keeper is not None and keeper.answer_at_once(message["socketio"], message.get("id"))

    async def obey(self, message: Mapping[str, Any]) -> None:
        """Do what a server asks: what concerns rooms first, then as any consumer."""
        keeper = self.keeper()
        if keeper is not None:
            order = message["socketio"]
            if not keeper.allows(self, order):
                logger.warning("%s: cannot enter %r by its name", type(self).__qualname__, order["room"])
                return
            await keeper.obey(self, order, message.get("id"))
        await super().obey(message)

    def attach(self, scope: Scope, connection: Connection) -> None:
        """Begin to serve a connection."""
        super().attach(scope, connection)
        self._peer.namespace = self.room_namespace

    async def release(self) -> None:
        """Leave the rooms, and close what the connection's dependencies opened."""
        try:
            keeper = self.keeper()
            if keeper is not None:
                await keeper.forget(self)
        finally:
            await super().release()

    @property
    def room_keeper(self) -> ConsumerRooms:
        """
        Who keeps the rooms, for ``Joined(...)``.

        Raises:
            SetupError: The class has no rooms.
        """
        keeper = self.keeper()
        if keeper is None:
            raise SetupError(f"{type(self).__qualname__} has no rooms; write rooms = [...]")
        return keeper
