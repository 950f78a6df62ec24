"""
An endpoint: a function that the framework calls, with the plan for the call.

Runs plans; :mod:`compiler` makes them, which is the slow part.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, InitVar, dataclass, field
from types import CoroutineType
from typing import TYPE_CHECKING, Any, NoReturn

from fastsio.exceptions import SignatureError
from fastsio.injection.context import Opening, unwind, unwind_async
from fastsio.injection.markers import REGISTRY
from fastsio.injection.signature import UnresolvedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping

    from fastsio.injection.calls import Step
    from fastsio.injection.context import Context
    from fastsio.injection.parameters import HandlerKind
    from fastsio.injection.sources import Getter


def refuse_coroutine(coroutine: Any, label: str) -> NoReturn:
    """
    Refuse, with TypeError, the coroutine that a plain function returned to a server without an event loop.

    It would count as a true value, and never run.
    """
    coroutine.close()
    raise TypeError(f"{label}: returned a coroutine, which a sync server cannot await; return its result")


@dataclass(frozen=True, slots=True)
class Plan:
    """
    How to call one function.

    Args:
        steps: The dependencies, each before those that use it.
        call: Calls the function with its arguments.
        awaits: Whether the call returns a coroutine.
        plain: Whether the function has no marker, and no dependencies or response model were added at registration.
        named: Whether it uses dependencies that are found by name.
        finish: Applied to the result; None to leave it as it is.
        opens: Whether a dependency may have to be closed.
        brief_keys: The keys of the values that are closed when the call has returned.
    """

    steps: tuple[Step, ...]
    call: Getter
    awaits: bool
    plain: bool
    named: bool
    finish: Callable[[Any], Any] | None
    opens: bool = False
    brief_keys: tuple[Hashable, ...] = ()


@dataclass(slots=True, eq=False, repr=False)
class Endpoint:
    """
    A handler, hook or dependency, ready to be called.

    A *plain* endpoint has no marker: call ``handler(*prefix, sid, *args)`` as python-socketio does. For any other,
    build a :class:`Context`, call :meth:`call` (or :meth:`call_sync`), and close the context afterwards. Calling a
    plain one through :meth:`call` is allowed and does the same.

    Attributes:
        label: Its name in messages.
        is_coroutine: Whether its result is to be awaited.
        plain: Whether it is called by position; False while :attr:`pending`.
    """

    handler: Callable[..., Any]
    _: KW_ONLY
    kind: HandlerKind
    label: str
    is_coroutine: bool
    positional: InitVar[tuple[int, int | None]]
    compile_plan: Callable[..., Plan]
    plain: bool = field(default=False, init=False)
    _least: int = field(init=False)
    _most: int | None = field(init=False)
    _plan: Plan | None = field(default=None, init=False)
    _version: int = field(default=-1, init=False)
    _overridden: tuple[dict[Any, Any], int, Plan] | None = field(default=None, init=False)

    def __post_init__(self, positional: tuple[int, int | None]) -> None:
        self._least, self._most = positional

    @property
    def pending(self) -> bool:
        """Whether the plan waits for a name that did not exist at registration."""
        return self._plan is None

    def prepare(self, *, lenient: bool = False) -> None:
        """
        Compile the plan now, or raise SignatureError or DependencyCycleError.

        With *lenient*, stay pending if an annotation or a registered dependency does not exist yet.
        """
        try:
            self._renew(final=not lenient)
        except SignatureError as error:
            if not (lenient and isinstance(error.__cause__, UnresolvedError)):
                raise

    def _renew(self, *, final: bool = True) -> Plan:
        self._version = REGISTRY.version
        plan = self._plan = self._compiled({}, final=final)
        self.plain = plan.plain
        return plan

    def _compiled(self, overrides: Mapping[Any, Any], *, final: bool = True) -> Plan:
        try:
            return self.compile_plan(overrides, final=final)
        except UnresolvedError as error:
            cure = "import or register it before the server starts"
            raise SignatureError(f"{self.label}: {error.fault}; {cure}") from error

    def accepts(self, count: int) -> bool:
        """Tell whether the handler can be called with that many positional arguments."""
        return self._least <= count and (self._most is None or count <= self._most)

    async def call(self, context: Context, within: Callable[[Context], Awaitable[Any]] | None = None) -> Any:
        """
        Resolve the dependencies and call the handler.

        Args:
            context: The event. Dependencies that were opened stay open until it is closed, or the call fails.
            within: Called in place of the handler, with the dependencies resolved as for it.

        Raises:
            ValidationFailed: What the peer sent does not match an annotation; the handler was not called.
            SignatureError: A name the plan waited for still does not exist.
        """
        plan = self._plan
        server = context.server
        if plan is None or plan.named or (plan.steps and (server.dependency_overrides or server.host_app)):
            plan = self._select(server)
        opening = Opening(context, plan.brief_keys) if plan.opens else None
        try:
            values = context.values
            for step in plan.steps:
                key = step.key
                if not (step.shared and key in values):
                    acquire = step.acquire
                    value = acquire(context)
                    if step.awaits and (step.certain or type(value) is CoroutineType):
                        value = await value
                    values[key] = value
            call = within or plan.call
            result = call(context)
            if plan.awaits or within or type(result) is CoroutineType:
                result = await result
            if plan.finish is not None:
                result = plan.finish(result)
            if opening is not None:
                await unwind_async(opening.end_brief())
        except BaseException as exc:
            if opening is not None:
                await unwind_async(opening.end(), exc)
            raise
        return result

    def call_sync(self, context: Context, within: Callable[[Context], Any] | None = None) -> Any:
        """Do what :meth:`call` does, on a server without an event loop."""
        plan = self._plan
        server = context.server
        if plan is None or plan.named or (plan.steps and (server.dependency_overrides or server.host_app)):
            plan = self._select(server)
        opening = Opening(context, plan.brief_keys) if plan.opens else None
        try:
            values = context.values
            for step in plan.steps:
                key = step.key
                if not (step.shared and key in values):
                    values[key] = step.acquire(context)
            call = within or plan.call
            result = call(context)
            if type(result) is CoroutineType:
                refuse_coroutine(result, self.label)
            if plan.finish is not None:
                result = plan.finish(result)
            if opening is not None:
                unwind(opening.end_brief())
        except BaseException as exc:
            if opening is not None:
                unwind(opening.end(), exc)
            raise
        return result

    def _select(self, server: Any) -> Plan:
        """Return the plan for the current overrides, also those of the FastAPI application, and registered names."""
        plan = self._plan
        if plan is None or (plan.named and self._version != REGISTRY.version):
            plan = self._renew()
        if not plan.steps:
            return plan
        overrides = server.dependency_overrides
        if server.host_app is not None:
            overrides = {**server.host_app.dependency_overrides, **overrides}
        return self._plan_with(overrides) if overrides else plan

    def _plan_with(self, overrides: Mapping[Any, Any]) -> Plan:
        kept = self._overridden
        if kept is None or kept[0] != overrides or kept[1] != REGISTRY.version:
            snapshot = dict(overrides)
            kept = self._overridden = (snapshot, REGISTRY.version, self._compiled(snapshot))
        return kept[2]
