"""Environs that are freed while nobody uses them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any
from weakref import ref

import pytest

from fastsio.state.environs import Environs, LooseEnviron, Origin, environ_of, loosened

if TYPE_CHECKING:
    from collections.abc import Callable

ITEMS = {"PATH_INFO": "/", "QUERY_STRING": "a=1"}


class Request(Origin):
    """A request, which counts how often an environ is made of it."""

    def __init__(self) -> None:
        super().__init__()
        self.made = 0

    def make(self) -> dict[str, Any]:
        self.made += 1
        return ITEMS.copy()


def test_an_environ_is_the_same_while_it_is_used():
    """Loosened or not."""
    environ = LooseEnviron(Request())

    kept = loosened(environ)

    assert environ_of(environ) is environ
    assert environ_of(kept) is environ
    assert environ == ITEMS


def test_an_environ_that_nobody_uses_is_freed_and_made_again_once():
    """Without the garbage collector; the next one stays."""
    origin = Request()
    environ = LooseEnviron(origin)
    freed = ref(environ)
    kept = loosened(environ)
    assert origin.made == 1

    del environ

    assert freed() is None
    assert origin.made == 1
    assert environ_of(kept) == ITEMS
    assert environ_of(kept) is environ_of(kept)
    assert origin.made == 2


def put(environ: dict[str, Any]) -> None:
    """Change an item."""
    environ["a"] = 1


def drop(environ: dict[str, Any]) -> None:
    """Delete an item."""
    del environ["PATH_INFO"]


def join(environ: dict[str, Any]) -> None:
    """Add items."""
    environ |= {"a": 1}


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "[]=": put,
    "del": drop,
    "|=": join,
    "clear": lambda environ: environ.clear(),
    "pop": lambda environ: environ.pop("PATH_INFO"),
    "popitem": lambda environ: environ.popitem(),
    "setdefault": lambda environ: environ.setdefault("a", 1),
    "update": lambda environ: environ.update(a=1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("is_late", [False, True])
def test_a_change_is_kept(change, is_late):
    """Made before the environ is loosened, or after; and again when it has been changed already."""
    expected: dict[str, Any] = ITEMS.copy()
    change(expected)
    put(expected)
    environ = LooseEnviron(Request())
    kept: Any = environ
    if is_late:
        kept = loosened(environ)
    change(environ)
    kept = loosened(kept)
    put(environ)
    freed = ref(environ)

    del environ

    assert environ_of(kept) == expected
    assert environ_of(kept) is freed()
    del kept
    assert freed() is None


def test_a_copy_is_a_plain_dict():
    """It belongs to whoever made it."""
    environ = LooseEnviron(Request())

    copies = [copy.copy(environ), environ.copy(), dict(environ), {**environ}, environ | {}]

    assert copies == [ITEMS] * 5
    assert {type(each) for each in copies} == {dict}


def test_environs_are_found_by_the_sid_of_the_engine():
    """Those that can be made again, and others."""
    environs = Environs()
    origin = Request()
    environs["e1"] = LooseEnviron(origin)
    environs["e2"] = {"b": 2}

    for eio_sid in ("e1", "e2", "nobody"):
        environs.loosen(eio_sid)

    assert list(environs) == ["e1", "e2"]
    assert len(environs) == 2
    assert "e1" in environs
    assert "nobody" not in environs
    assert origin.made == 1
    assert environs == {"e1": ITEMS, "e2": {"b": 2}}
    assert repr(environs) == repr({"e1": ITEMS, "e2": {"b": 2}})
    assert environs.copy() == environs
    assert environs.get("nobody") is None
    environs["e1"]["late"] = 1
    assert environs["e1"]["late"] == 1
    del environs["e1"]
    assert environs.pop("e2") == {"b": 2}
    assert not environs


def test_an_environ_is_forgotten_without_making_it_again():
    """Its connection is gone, and nobody asks for it."""
    environs = Environs()
    origin = Request()
    environs["e1"] = LooseEnviron(origin)
    environs.loosen("e1")

    environs.forget("e1")
    environs.forget("e1")

    assert len(environs) == 0
    assert origin.made == 1
