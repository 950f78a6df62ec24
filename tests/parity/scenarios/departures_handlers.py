"""What handlers are given, where fastsio departs from python-socketio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tests.parity.scenario import Difference, scenario

if TYPE_CHECKING:
    from tests.parity.lab import Lab


class Order(BaseModel):
    """What a client orders."""

    number: int


@scenario(
    differs=Difference(
        row="C-32",
        reason="The annotation asks for a model, and for nothing that is none.",
        socketio=["app: order dict {'number': '5'}", "app: order dict {'number': 'many'}"],
        fastsio=[
            "app: order Order {'number': 5}",
            (
                'c1: EVENT / ["error", {"detail": [{"loc": ["args", 0, "number"], "msg": "Input should be a valid integer, '
                'unable to parse string as an integer", "type": "int_parsing"}], "event": "order", "msg": "The data is not '
                'valid.", "type": "validation_error"}]'
            ),
        ],
    )
)
async def the_annotation_of_a_model_is_kept(lab: Lab) -> None:
    """A payload that fits becomes the model, one that does not never reaches the handler."""
    sio = lab.server()

    @sio.event
    async def order(sid: str, order: Order) -> None:
        lab.note(f"order {type(order).__name__}", dict(order))

    client = await lab.client("/")

    await client.send('2["order",{"number":"5"}]')
    await client.send('2["order",{"number":"many"}]')


@scenario()
async def other_annotations_mean_nothing(lab: Lab) -> None:
    """A handler with ``dict`` and ``int`` is called positionally, whatever comes."""
    sio = lab.server()

    @sio.event
    async def order(sid: int, order: dict[str, Any]) -> None:
        lab.note("order", type(sid).__name__, order)

    client = await lab.client("/")

    await client.send('2["order",5]')
    await client.send('2["order",{"number":"5"}]')
