# ruff: noqa: B008, D103, TC001 - Depends() as a default is what is tested; models and handlers here are examples; annotations are resolved at run time
"""Running plans: pending endpoints, overrides, arity."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pydantic import BaseModel

from fastsio.exceptions import SignatureError
from fastsio.injection import Depends, HandlerKind, register_dependency
from fastsio.types import SocketID


def late_handler(sid, message: LateModel):  # noqa: F821 - not defined on purpose
    return message


def never_handler(sid: SocketID, message: NeverModel):  # noqa: F821 - not defined on purpose
    raise AssertionError


def noted_handler(sid, message: NeverModel):  # noqa: F821 - imported for type checkers only
    return sid, message


@pytest.fixture
def late_model(monkeypatch):
    """Define the class that late_handler names."""

    def define():
        class LateModel(BaseModel):
            text: str

        monkeypatch.setitem(globals(), "LateModel", LateModel)
        return LateModel

    return define


async def test_a_forward_reference_is_resolved_on_first_use(harness, late_model):
    """The class may be defined after the handler is registered."""
    endpoint = harness.compile(late_handler)
    assert endpoint.pending
    model = late_model()

    assert await endpoint.call(harness.context({"text": "hi"})) == model(text="hi")
    assert not endpoint.pending


def test_a_forward_reference_is_resolved_on_first_use_by_a_sync_server(harness, late_model):
    """Both servers compile late."""
    endpoint = harness.compile(late_handler, asynchronous=False)
    model = late_model()

    assert endpoint.call_sync(harness.context({"text": "hi"})) == model(text="hi")


async def test_a_reference_that_stays_unresolved_is_an_error_on_first_use(harness):
    """The message names handler, parameter and the missing name."""
    endpoint = harness.compile(never_handler)

    with pytest.raises(SignatureError, match=r"chat\.handler: parameter 'message' refers to .*NeverModel"):
        await endpoint.call(harness.context())


async def test_a_note_for_type_checkers_does_not_change_a_handler_without_markers(harness):
    """python-socketio's handlers may name what is imported under TYPE_CHECKING."""
    endpoint = harness.compile(noted_handler)
    assert endpoint.pending

    assert await endpoint.call(harness.context({"a": 1})) == ("sid-1", {"a": 1})
    assert endpoint.plain


async def test_an_exception_handler_must_be_resolved(harness):
    """It has no form to fall back to."""

    def on_error(exc: NeverModel):  # noqa: F821 - not defined on purpose
        raise AssertionError

    with pytest.raises(SignatureError, match="NeverModel"):
        await harness.compile(on_error, HandlerKind.EXCEPTION).call(harness.context())


def test_prepare_tells_before_the_first_event(harness):
    """A server may check its pending handlers when it starts."""
    endpoint = harness.compile(never_handler)

    with pytest.raises(SignatureError, match="NeverModel"):
        endpoint.prepare()


def test_a_real_mistake_is_never_put_off(harness):
    """Only what may still appear is waited for."""

    def handler(sid: SocketID, *, level):
        raise AssertionError

    with pytest.raises(SignatureError, match="level"):
        harness.compile(handler)


@pytest.mark.parametrize(
    ("handler", "accepted"),
    [
        (lambda sid, data: None, [2]),
        (lambda sid, data=None: None, [1, 2]),
        (lambda *args: None, [0, 1, 2, 3]),
        (lambda sid, *, flag=False: None, [1]),
    ],
)
def test_the_number_of_arguments_is_read_from_the_signature(harness, handler, accepted):
    """The shell chooses between two and three arguments without trying."""
    endpoint = harness.compile(handler)

    assert [count for count in range(4) if endpoint.accepts(count)] == accepted


def test_a_builtin_without_a_signature_accepts_anything(harness):
    """Nothing is known, so nothing is refused."""
    endpoint = harness.compile(dict.fromkeys.__self__)

    assert endpoint.accepts(0)
    assert endpoint.accepts(9)


def real():
    return "real"


def also_real():
    return "also real"


async def test_overrides_replace_dependencies_and_can_change(harness):
    """Tests swap what handlers depend on, without registering them again."""

    async def fake(sid: SocketID):
        return f"fake for {sid}"

    async def handler(first=Depends(real), second=Depends(also_real)):
        return first, second

    endpoint = harness.compile(handler)
    assert await endpoint.call(harness.context()) == ("real", "also real")

    harness.server.dependency_overrides[real] = fake
    assert await endpoint.call(harness.context()) == ("fake for sid-1", "also real")
    assert await endpoint.call(harness.context()) == ("fake for sid-1", "also real")

    harness.server.dependency_overrides[also_real] = lambda: "fake too"
    assert await endpoint.call(harness.context()) == ("fake for sid-1", "fake too")

    harness.server.dependency_overrides.clear()
    assert await endpoint.call(harness.context()) == ("real", "also real")


def test_overrides_work_on_a_sync_server(harness):
    """Both servers honour them, and a mistake in one is reported with the handler."""
    endpoint = harness.compile(lambda value=Depends(real): value, asynchronous=False)
    harness.server.dependency_overrides[real] = also_real

    assert endpoint.call_sync(harness.context()) == "also real"

    async def asynchronous():
        raise AssertionError

    harness.server.dependency_overrides[real] = asynchronous
    with pytest.raises(SignatureError, match="which is async"):
        endpoint.call_sync(harness.context())


async def test_overrides_do_not_touch_handlers_without_dependencies(harness):
    """There is nothing to replace."""
    harness.server.dependency_overrides[real] = also_real

    assert await harness.call(lambda sid, data: data, "hi") == "hi"


async def test_a_name_registered_later_is_found_and_can_be_replaced(harness):
    """Registration order is not the user's worry."""
    endpoint = harness.compile(lambda value=Depends("test_endpoint.late"): value)
    assert endpoint.pending

    register_dependency("test_endpoint.late", real)
    assert await endpoint.call(harness.context()) == "real"
    assert await endpoint.call(harness.context()) == "real"

    register_dependency("test_endpoint.late", also_real)
    assert await endpoint.call(harness.context()) == "also real"

    harness.server.dependency_overrides[also_real] = lambda: "fake"
    assert await endpoint.call(harness.context()) == "fake"


async def test_a_name_never_registered_is_an_error_that_lists_those_that_are(harness):
    """A misspelt name is easy to see."""
    register_dependency("test_endpoint.known", real)
    endpoint = harness.compile(lambda value=Depends("test_endpoint.unknown"): value)

    with pytest.raises(SignatureError, match=r"'test_endpoint\.unknown' \(registered: .*test_endpoint\.known"):
        await endpoint.call(harness.context())


def test_a_sync_endpoint_filters_its_response(harness):
    """response_model works on both servers."""
    endpoint = harness.compile(lambda sid, text: text, asynchronous=False, response_model=int)

    assert endpoint.call_sync(harness.context("5")) == 5


def test_a_sync_endpoint_shares_values_within_the_event(harness):
    """use_cache is per event on both servers."""
    calls = []

    def user():
        calls.append("user")
        return "Ada"

    endpoint = harness.compile(lambda who=Depends(user): who, asynchronous=False)
    context = harness.context()

    assert [endpoint.call_sync(context), endpoint.call_sync(context)] == ["Ada", "Ada"]
    assert calls == ["user"]


async def test_overrides_of_the_application_beside_the_server_count_too(harness):
    """The server's own come first."""

    def user():
        return "real"

    async def handler(who: str = Depends(user)):
        return who

    harness.server.host_app = SimpleNamespace(dependency_overrides={})
    endpoint = harness.compile(handler)
    assert await endpoint.call(harness.context()) == "real"

    harness.server.host_app.dependency_overrides = {user: lambda: "theirs"}
    assert await endpoint.call(harness.context()) == "theirs"

    harness.server.dependency_overrides[user] = lambda: "ours"
    assert await endpoint.call(harness.context()) == "ours"
