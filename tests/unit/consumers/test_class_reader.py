"""Reading consumer classes: what is a handler, and which mistakes are found when the class is made."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

import pytest

from fastsio.consumers import AsyncJsonWebsocketConsumer, Origin, channel, event_handler, ws_handler
from fastsio.exceptions import SetupError, SignatureError
from fastsio.messages import BaseMessage, ErrorMessage, PingMessage, PongMessage

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForCheckers


class Colour(Enum):
    RED = "red"


class Painted(BaseMessage):
    action: Literal[Colour.RED]
    payload: None = None


class Several(BaseMessage):
    action: Literal["one", "two"]
    payload: None = None


class Base(AsyncJsonWebsocketConsumer):
    @ws_handler(summary="of the base")
    async def ping(self, message: PingMessage) -> PongMessage | ErrorMessage:
        """Answer a ping."""
        return PongMessage()


def test_a_handler_takes_all_actions_of_its_message_class():
    """Literals with several values, enums and unions of classes."""

    class Consumer(AsyncJsonWebsocketConsumer):
        @ws_handler
        async def any_of(self, message: Several | Painted) -> None: ...

        @event_handler
        async def told(self, event: Several) -> None: ...

    plan = Consumer.plan()

    assert set(plan.actions) == {"one", "two", "red"}
    assert set(plan.events) == {"one", "two"}
    assert [info.origin for info in plan.handlers] == [Origin.CLIENT, Origin.LAYER]


def test_a_subclass_takes_over_replaces_and_removes_handlers():
    """A method of the same name inherits the decorator; None removes the handler; its own come after."""

    class Same(Base):
        async def ping(self, message: PingMessage) -> PongMessage:
            return PongMessage()

    class Without(Base):
        ping = None  # type: ignore[assignment] # that is how it is removed

    class More(Base):
        @ws_handler
        async def several(self, message: Several) -> None: ...

    assert Same.describe().handlers[0].summary == "of the base"
    assert Same.plan().actions["ping"].function is Same.ping
    assert Same.plan().actions["ping"].label.endswith("Same.ping")
    assert Without.plan().actions == {}
    assert set(More.plan().actions) == {"ping", "one", "two"}
    assert set(Base.plan().actions) == {"ping"}


def test_a_handler_is_described_by_its_docstring_and_return_annotation():
    """Where the decorator says nothing."""
    (info,) = Base.describe().handlers

    assert info.description == "Answer a ping."
    assert info.output_types == (PongMessage, ErrorMessage)
    assert info.tags == ()


def test_a_consumer_without_decorator_is_called_after_its_class():
    """Name and docstring are its own, not those of its parents."""

    class Documented(Base):
        __doc__ = """Says what it is,
        on two lines."""

    @channel()
    class Named(Documented): ...

    assert Base.describe().channel.name == "Base"
    assert Documented.describe().channel.description == "Says what it is, on two lines."
    assert (Named.describe().channel.name, Named.describe().channel.description) == ("Named", None)
    assert Documented.channel_info is None


def test_classes_may_be_subscripted_with_their_events():
    """That is for type checkers; the class stays the same."""

    class Told(Base[Several]): ...

    assert Told.__mro__[1] is Base


def test_local_message_classes_of_a_parent_are_known_to_its_children():
    """What was read once is not looked for again where it is not."""

    def make_parent() -> type[Any]:
        class Local(BaseMessage):
            action: Literal["local"] = "local"
            payload: None = None

        class Parent(AsyncJsonWebsocketConsumer):
            @ws_handler
            async def local(self, message: Local) -> Local:
                return message

        return Parent

    class Child(make_parent()): ...

    assert set(Child.plan().actions) == {"local"}


def test_a_class_that_is_defined_later_is_found_at_the_first_use():
    """Until then the class waits."""
    assert set(Early.plan().actions) == {"late"}


class Early(AsyncJsonWebsocketConsumer):
    @ws_handler
    async def late(self, message: Late) -> None: ...


class Late(BaseMessage):
    action: Literal["late"] = "late"
    payload: None = None


def test_what_exists_for_type_checkers_only_is_a_mistake_at_registration():
    """The error names the handler and says what to do."""

    class Consumer(AsyncJsonWebsocketConsumer):
        @ws_handler
        async def take(self, message: PingMessage, amount: OnlyForCheckers) -> None: ...

    with pytest.raises(SignatureError, match=r"Consumer.*'amount'.*import it, outside of TYPE_CHECKING"):
        Consumer.as_asgi()


def test_two_handlers_of_one_action_are_a_mistake():
    """Which one it would be, nobody could know."""
    with pytest.raises(SetupError, match=r"Twice\.ping and .*Twice\.other both handle 'ping'"):

        class Twice(Base):
            @ws_handler
            async def other(self, message: PingMessage) -> None: ...


def test_a_handler_without_message_class_is_a_mistake():
    """It says what to write instead."""
    with pytest.raises(SetupError, match=r"Vague\.guess: no parameter is annotated with a message class"):

        class Vague(AsyncJsonWebsocketConsumer):
            @ws_handler
            async def guess(self, message: dict[str, Any]) -> None: ...


def test_a_message_class_that_does_not_say_what_it_is_is_a_mistake():
    """Its discriminator has to be a Literal of texts."""

    class Nameless(BaseMessage):
        payload: int

    class Numbered(BaseMessage):
        action: Literal[7] = 7
        payload: None = None

    for model in (Nameless, Numbered):
        with pytest.raises(SetupError, match=rf"{model.__name__} does not say what it is; give it a field action"):

            class Consumer(AsyncJsonWebsocketConsumer):
                @ws_handler(input_type=model)
                async def take(self, message: Any) -> None: ...


def test_a_function_without_self_is_no_handler():
    """A handler is a method."""
    with pytest.raises(SetupError, match="a handler is a method, with 'self' first"):

        class Consumer(AsyncJsonWebsocketConsumer):
            @ws_handler(action="x")
            async def take() -> None: ...


def test_a_decorator_goes_on_a_method():
    """Not on what is none."""
    with pytest.raises(SetupError, match="is no method"):
        ws_handler(action="x")("text")  # type: ignore[type-var] # that is the mistake
