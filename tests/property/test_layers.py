"""Channel layers against a model that is a list of messages a channel, and a set of channels a group."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fastsio.layers import safe_group_name
from fastsio.layers.codec import Codec, copier
from fastsio.layers.names import require_group_name
from tests.integration.layer_lab import Lab, soon, until
from tests.support.brokers import nats_server, redis_server

GROUPS = ["one", "two"]
NUMBERS = st.integers(0, 3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.dictionaries(st.text() | st.sampled_from(["__bytes__", "__pairs__", "type"]), VALUES, max_size=4)


class LayerMachine(RuleBasedStateMachine):
    """Whatever is done in whatever order, two layers and the model agree about who gets what, in which order."""

    kind: ClassVar[str]
    broker: ClassVar[Any] = None
    capacity: ClassVar[int] = 4

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.lab = Lab(self.kind, self.broker)
        self.layers: list[Any] = []
        self.channels: list[str] = []
        self.queues: dict[str, deque[int]] = defaultdict(deque)
        self.groups: dict[str, set[str]] = defaultdict(set)
        self.count = 0

    def run(self, operation: Any) -> Any:
        """Wait for an operation on a layer."""
        return self.runner.run(soon(operation))

    def layer(self, number: int) -> Any:
        """Return the layer that has a channel: the channels are spread over two."""
        return self.layers[number % len(self.layers)]

    @initialize()
    def begin(self):
        first = self.lab.layer(capacity=self.capacity)
        self.layers = [first] if self.kind == "memory" else [first, self.lab.layer(capacity=self.capacity)]
        self.channels = [self.run(self.layer(number).new_channel()) for number in range(4)]

    def expect(self, channel: str) -> None:
        """Add the present message to a queue of the model, if there is room."""
        if len(self.queues[channel]) < self.capacity:
            self.queues[channel].append(self.count)

    @rule(group=st.sampled_from(GROUPS), number=NUMBERS)
    def add(self, group, number):
        self.run(self.layer(number).group_add(group, self.channels[number]))
        self.groups[group].add(self.channels[number])

    @rule(group=st.sampled_from(GROUPS), number=NUMBERS)
    def discard(self, group, number):
        self.run(self.layer(number).group_discard(group, self.channels[number]))
        self.groups[group].discard(self.channels[number])

    @rule(group=st.sampled_from(GROUPS), sender=NUMBERS)
    def send_to_group(self, group, sender):
        self.count += 1
        self.run(self.layer(sender).group_send(group, {"n": self.count}))
        for channel in self.groups[group]:
            self.expect(channel)
        self.settle()

    @rule(number=NUMBERS, sender=NUMBERS)
    def send(self, number, sender):
        channel = self.channels[number]
        if len(self.queues[channel]) == self.capacity:
            return
        self.count += 1
        self.run(self.layer(sender).send(channel, {"n": self.count}))
        self.expect(channel)
        self.settle()

    @rule(number=NUMBERS)
    def receive(self, number):
        channel = self.channels[number]
        if self.queues[channel]:
            message = self.run(self.layer(number).receive(channel))
            assert message == {"n": self.queues[channel].popleft()}

    @rule(number=NUMBERS)
    def replace(self, number):
        channel, layer = self.channels[number], self.layer(number)
        self.run(layer.close_inbox(channel))
        self.queues.pop(channel, None)
        for members in self.groups.values():
            members.discard(channel)
        self.channels[number] = self.run(layer.new_channel())

    @rule()
    @precondition(lambda self: self.kind == "memory")
    def flush(self):
        self.run(self.layers[0].flush())
        self.queues.clear()
        self.groups.clear()

    def settle(self) -> None:
        """Wait until what was sent has arrived; what never should have would have come before, or shows later."""

        def has_arrived() -> bool:
            return all(
                self.layer(number)._table.inboxes[channel].waiting >= len(self.queues[channel])
                for number, channel in enumerate(self.channels)
            )

        self.run(until(has_arrived))

    @invariant()
    def queues_agree(self):
        for number, channel in enumerate(self.channels):
            assert self.layer(number)._table.inboxes[channel].waiting == len(self.queues[channel])

    @invariant()
    def groups_agree(self):
        for group in GROUPS if self.layers else ():
            shown = {channel for layer in self.layers for channel in self.run(layer.group_channels(group))}
            assert shown == self.groups[group]

    def teardown(self):
        self.runner.run(self.lab.close())
        self.runner.close()


MACHINES = {
    kind: type(f"{kind.title()}Machine", (LayerMachine,), {"kind": kind})
    for kind in ("memory", "local", "pubsub", "queue", "nats")
}


@pytest.fixture(scope="module")
def brokers():
    """A Redis and a NATS for the whole module."""
    with redis_server() as redis, nats_server() as nats:
        yield {"memory": None, "local": None, "pubsub": redis, "queue": redis, "nats": nats}


@pytest.mark.parametrize("kind", MACHINES)
def test_layers_and_the_model_agree(kind, brokers):
    """The model knows nothing of brokers, processes or streams."""
    machine = MACHINES[kind]
    machine.broker = brokers[kind]
    examples = settings.default.max_examples if kind == "memory" else max(10, settings.default.max_examples // 20)
    checked = machine.TestCase()
    checked.settings = settings(
        max_examples=examples, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
    checked.runTest()


@given(message=MESSAGES, written=st.sampled_from(["json", "msgpack"]), keys=st.sampled_from([None, ["key"]]))
def test_messages_survive_every_form(message, written, keys):
    """Whatever a message may hold, written in one form and read by the other's codec."""
    codecs = {form: Codec(form, keys) for form in ("json", "msgpack")}

    for reader in codecs.values():
        assert reader.decode(codecs[written].encode(message)) == message


@given(message=MESSAGES)
def test_copies_are_equal(message):
    """And two copies are two objects."""
    copy = copier(message)

    assert copy() == copy() == message
    assert copy() is not copy()


@given(st.lists(st.lists(st.text(), min_size=1, max_size=3).map(tuple), unique=True, max_size=30))
def test_names_of_groups_are_valid_and_different(parts):
    """For different parts."""
    names = [safe_group_name(*each) for each in parts]

    for name in names:
        require_group_name(name)
    assert len(set(names)) == len(parts)
