"""What only the garbage collector would free."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def newcomers(*kinds: type) -> Callable[[], list[object]]:
    """Return a function that lists the objects of classes which have been made since, and are in memory: not those of other tests."""
    # Not isinstance(), which asks weak references to what is gone for their class.
    others = [each for each in gc.get_objects() if issubclass(type(each), kinds)]

    def listed() -> list[object]:
        found = [each for each in gc.get_objects() if issubclass(type(each), kinds)]
        return [each for each in found if all(each is not other for other in others)]

    return listed


def what_there_is() -> frozenset[int]:
    """Return the ids of all objects that the collector knows: what there is before a test is not its own."""
    gc.collect()
    return frozenset(map(id, gc.get_objects()))


@contextmanager
def circles(before: frozenset[int] = frozenset()) -> Iterator[set[str]]:
    """
    Keep the collector off; at the end fill the set with the names of the types of what refers to itself in a circle.

    Args:
        before: The ids of objects that do not count: those of other tests may come to their end meanwhile.
    """
    names: set[str] = set()
    gc.collect()
    gc.disable()
    try:
        yield names
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        names |= {type(each).__name__ for each in gc.garbage if id(each) not in before}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
