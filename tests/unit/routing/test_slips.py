"""Names that are nearly those that were meant."""

from __future__ import annotations

from functools import cached_property

from fastsio.routing import Registry
from fastsio.routing.slips import closest_name, did_you_mean, misspelt_methods, misspelt_settings, one_letter_off


def test_the_nearest_known_name_is_meant():
    """A letter too few, too many or in the wrong place; not just any name."""
    assert closest_name("mesage", ["message", "massage_chair", "leave"]) == "message"
    assert closest_name("join", ["message", "leave"]) is None


def test_how_alike_names_have_to_be_may_be_said():
    """Where a name is likely to be one of the application's own."""
    assert closest_name("before_emit", ["before_event"]) == "before_event"
    assert closest_name("before_emit", ["before_event"], alike=0.85) is None


def test_the_end_of_a_message():
    """Nothing where nothing is near; events may be numbers."""
    assert did_you_mean("mesage", ["message", 5]) == "; did you mean 'message'?"
    assert did_you_mean("join", ["message"]) == did_you_mean(5, ["message", 5]) == ""


class Own:
    """What an application writes; one of its names is a slip."""

    permission = ("a",)
    concurency = 3
    middleware = ()
    group = "b"
    number = 5

    def on_jion(self): ...

    @classmethod
    def can_join(cls): ...

    @staticmethod
    def can_joinn() -> None: ...

    def on_leaves(self): ...

    def _on_leave(self): ...

    def wave(self):
        return [self.on_leaves() for _ in self.group]

    @property
    def most(self):
        return self.concurency


class Grown(Own):
    """Takes the slips over, and calls one only where it is itself defined anew."""

    def on_jion(self):
        return super().on_jion()

    @cached_property
    def cached(self):
        return self.permission


def test_methods_that_are_nearly_called_like_hooks():
    """Of any kind, inherited ones too; not those that are private, known, or used by another method."""
    assert misspelt_methods(Own, ("on_join", "can_join", "on_leave")) == {"on_jion": "on_join", "can_joinn": "can_join"}
    assert misspelt_methods(Grown, ("on_join",)) == {"on_jion": "on_join"}


def test_attributes_that_are_nearly_called_like_settings():
    """Not methods, and not what a method or property of the class reads."""
    settings = ("permissions", "concurrency", "middleware", "groups", "numbers", "on_join")

    assert misspelt_settings(Own, settings) == {"permission": "permissions", "number": "numbers"}
    assert misspelt_settings(Grown, settings) == {"number": "numbers"}


def test_what_fastsio_brings_is_no_slip():
    """Its classes have methods of their own beside the hooks."""
    assert misspelt_methods(Registry, ("add_middlewares", "ad")) == {}
    assert misspelt_methods(dict, ("updates",)) == {}


def test_one_letter_off():
    """One too many, too few, exchanged, or two that have changed places; never the name itself."""
    for name in ("jon", "joinn", "jojn", "jion", "oin", "joi", "xoin"):
        assert one_letter_off(name, ["leave", "join"]) == "join"
    for name in ("join", "jn", "joined", "jonni", "niojj", ""):
        assert one_letter_off(name, ["leave", "join"]) is None
