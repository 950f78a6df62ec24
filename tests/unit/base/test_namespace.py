"""What class-based namespaces share."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from fastsio.base.namespace import BaseNamespace, BaseServerNamespace
from fastsio.exceptions import SetupError
from fastsio.routing.namespaces import find_method, overrides_trigger


def test_the_default_namespace_is_the_root():
    """None is the root."""
    assert BaseNamespace().namespace == "/"
    assert BaseNamespace("/n").namespace == "/n"
    assert BaseNamespace().is_asyncio_based() is False


def test_a_class_based_namespace_begins_with_a_slash():
    """Its handlers would never run."""
    assert BaseNamespace("*").namespace == "*"
    with pytest.raises(SetupError, match="namespace 'chat' has no slash; write '/chat'"):
        BaseNamespace("chat")


def test_methods_are_found_by_the_name_of_the_event():
    """Attributes that cannot be called are no handlers."""

    class Own(BaseNamespace):
        on_number = 5

        def on_hello(self): ...

    own = Own()

    assert find_method(own, "hello") == own.on_hello
    assert find_method(own, "number") is None
    assert find_method(own, "nothing") is None
    assert overrides_trigger(own) is False


def test_the_rooms_of_a_client_are_those_in_the_namespace():
    """Unless another namespace is named."""
    namespace = BaseServerNamespace("/chat")
    namespace._set_server(SimpleNamespace(rooms=lambda sid, namespace: [sid, f"room of {namespace}"]))

    assert namespace.rooms("s1") == ["s1", "room of /chat"]
    assert namespace.rooms("s1", namespace="/other") == ["s1", "room of /other"]
