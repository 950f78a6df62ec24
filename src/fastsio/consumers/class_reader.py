"""
Reading a consumer class, once: its handlers, how each is called, and the description of the class.

**Which methods.** Those with ``@ws_handler`` and ``@event_handler``; a subclass's method of the same name takes the
place of its parent's, decorator included. On a consumer without message classes, every public method that the
application's classes add may be called from the channel layer by its name, as in Channels; methods of the framework's
classes never are.

**How.** A method whose only parameter is its message is called with it. One that has dependencies or middleware is
called through its endpoint, where the message is validated: after the dependencies, so that a client that is not
allowed to ask learns nothing of the schema.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from enum import Enum
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

from fastsio.consumers.camel import keys_of
from fastsio.consumers.decorators import MARK, FailureMark, HandlerMark, Origin
from fastsio.exceptions import SetupError
from fastsio.injection import Endpoint, HandlerKind, compile_endpoint
from fastsio.injection.parameters import classify, is_marked
from fastsio.injection.signature import (
    EMPTY,
    Colour,
    Parameter,
    Shape,
    Unresolved,
    UnresolvedError,
    colour_of,
    names_of_caller,
    read_parameters,
    read_returned,
)
from fastsio.injection.validation import validator_for
from fastsio.messages import BaseMessage
from fastsio.routing.middleware import Scope, Wrapper, fold, unreached

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fastsio.consumers.camel import Keys
    from fastsio.consumers.decorators import ChannelInfo
    from fastsio.routing.middleware import Call


@dataclass(frozen=True, slots=True)
class HandlerPlan:
    """
    How to call the handler of one action.

    Args:
        function: The method, not bound.
        validate: Makes a message of the frame's content; None without a message class.
        call: Runs it with its dependencies and middlewares; None for a handler without any, which is called directly.
        takes_valid: Whether *call* gets the message that *validate* made, rather than the frame's content.
        keys: The camelCase names of the message's fields.
        returns: The message classes it may return; empty is any.
    """

    label: str
    action: str
    function: Callable[..., Any]
    is_coroutine: bool
    validate: Callable[[Any], Any] | None
    call: Call | None
    takes_valid: bool
    keys: Keys | None
    returns: tuple[type[BaseMessage], ...]


@dataclass(frozen=True, slots=True)
class HookPlan:
    """A method of the connection, such as ``connect``, with dependencies; *self_name* is its first parameter."""

    self_name: str
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class HandlerInfo:
    """
    The description of a handler.

    Args:
        name: The method's name.
        origin: Whether it handles messages of clients or of the channel layer.
        actions: The actions that it handles, each with its message class, None for a plain dict.
        output_types: The message classes that it sends: first those that it returns, then those of ``output_type=``.
        summary: A description of one line.
        description: A longer description.
        tags: Tags for the document.
    """

    name: str
    origin: Origin
    actions: tuple[tuple[str, type[BaseMessage] | None], ...]
    output_types: tuple[type[BaseMessage], ...]
    summary: str | None
    description: str | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConsumerInfo:
    """
    The description of a consumer class.

    Args:
        channel: Name, description and tags.
        handlers: Its handlers, in the order of their definition.
        discriminator: The field that tells messages apart.
        camelize: Whether its fields are camelCase on the wire.
    """

    channel: ChannelInfo
    handlers: tuple[HandlerInfo, ...]
    discriminator: str
    camelize: bool


@dataclass(frozen=True, slots=True)
class ConsumerPlan:
    """
    How to call the methods of a consumer class.

    Args:
        actions: Action -> the handler of frames.
        events: Action -> the handler of typed events of the channel layer.
        methods: Name -> the method for plain messages of the channel layer.
        hooks: Methods of the connection that take dependencies.
        unreached: A sentence for each action that a middleware names and that no handler has.
    """

    actions: Mapping[str, HandlerPlan] = field(default_factory=dict)
    events: Mapping[str, HandlerPlan] = field(default_factory=dict)
    methods: Mapping[str, HandlerPlan] = field(default_factory=dict)
    failures: Mapping[type[BaseException], Endpoint] = field(default_factory=dict)
    hooks: Mapping[str, HookPlan] = field(default_factory=dict)
    handlers: tuple[HandlerInfo, ...] = ()
    unreached: tuple[str, ...] = ()


#: Hook of the connection -> the values that it may take by keyword, beside injected ones.
HOOKS: Final[dict[str, tuple[str, ...]]] = {
    "connect": (),
    "post_authentication": (),
    "disconnect": ("code", "close_code"),
    "receive": ("text_data", "bytes_data"),
}

#: Beginnings of the names of methods that the channel layer cannot call: private ones, and those for server messages.
_NOT_FOR_LAYERS: Final = ("_", "http_", "websocket_", "lifespan_")

#: The namespace of a consumer, for middlewares that are scoped to one.
NAMESPACE: Final = "/"


@dataclass(frozen=True, slots=True)
class _Method:
    """A method and its signature; subclasses use it again, because annotations may name classes local to the parent."""

    function: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    returns: Any


@dataclass(frozen=True, slots=True)
class MethodCache:
    """The signatures and endpoints of methods that were read before, for subclasses that inherit the methods."""

    methods: dict[Any, _Method] = field(default_factory=dict)
    endpoints: dict[Any, Endpoint] = field(default_factory=dict)

    @classmethod
    def of_parents(cls, consumer: type) -> MethodCache:
        """Return the signatures and endpoints of the classes that *consumer* extends."""
        cache = cls()
        for parent in reversed(consumer.__mro__[1:]):
            read = vars(parent).get("_method_cache")
            if isinstance(read, MethodCache):
                cache.methods.update(read.methods)
                cache.endpoints.update(read.endpoints)
        return cache


class ClassReader:
    """Reads one class; the methods that it reads are added to *cache*."""

    def __init__(self, consumer: Any, cache: MethodCache) -> None:
        self._consumer = consumer
        self._framework = [cls for cls in consumer.__mro__ if cls.__module__.startswith("fastsio.")]
        self._method_cache = cache
        self._discriminator: str = consumer.discriminator_field
        self._wrappers = [(Scope.of(one), Wrapper.of(one)) for one in consumer.middleware]
        #: The actions and methods that were read.
        self._handled: set[str] = set()

    def read(self, *, is_typed: bool) -> ConsumerPlan:
        """Return the plan; raise SetupError for a mistake, UnresolvedError for a name that is not there yet."""
        plans: dict[str, dict[str, HandlerPlan]] = {"actions": {}, "events": {}, "methods": {}}
        infos = []
        for name, mark in self._marks(HandlerMark):
            info, found = self._handler(name, mark)
            infos.append(info)
            kind = "actions" if mark.origin is Origin.CLIENT else "events"
            for plan in found:
                self._add(plans[kind if plan.validate is not None or kind == "actions" else "methods"], plan)
        if not is_typed:
            for name in self._public_methods():
                plans["methods"].setdefault(name, self._plain_plan(name))
        failures = {mark.exception_class: self._exception_endpoint(name) for name, mark in self._marks(FailureMark)}
        texts = self._unreached()  # after all handlers were read
        hooks = self._hooks()
        return ConsumerPlan(**plans, failures=failures, hooks=hooks, handlers=tuple(infos), unreached=texts)

    def _unreached(self) -> tuple[str, ...]:
        """Return a sentence for each action that a middleware names and that no handler has."""
        texts = [
            f"{wrapper.label} is for the namespace {scope.namespace!r}, and a consumer has none: it never runs"
            for scope, wrapper in self._wrappers
            if scope.namespace not in (None, NAMESPACE)
        ]
        texts += unreached(self._wrappers, {"*": self._handled})
        return tuple(f"{self._consumer.__qualname__}: {text}" for text in texts)

    def _marks(self, kind: type[Any]) -> Iterator[tuple[str, Any]]:
        """Yield methods with a mark; a method of the same name in a subclass inherits the mark, and None removes it."""
        marks: dict[str, Any] = {}
        for cls in reversed(self._consumer.__mro__):
            for name, value in vars(cls).items():
                mark = getattr(value, MARK, None)
                if isinstance(mark, kind):
                    marks[name] = mark
                elif name in marks and not callable(value):
                    del marks[name]
        yield from marks.items()

    def _public_methods(self) -> Iterator[str]:
        taken = {name for cls in self._framework for name in vars(cls)}
        for cls in self._consumer.__mro__:
            if cls in self._framework or cls is object:
                continue
            for name, value in vars(cls).items():
                public = not name.startswith(_NOT_FOR_LAYERS) and name not in taken and not hasattr(value, MARK)
                if public and inspect.isfunction(value) and value is getattr(self._consumer, name):
                    yield name

    @staticmethod
    def _add(plans: dict[str, HandlerPlan], plan: HandlerPlan) -> None:
        other = plans.setdefault(plan.action, plan)
        if other is not plan:
            raise SetupError(f"{other.label} and {plan.label} both handle {plan.action!r}; give one another action")

    # One handler.

    def _handler(self, name: str, mark: HandlerMark) -> tuple[HandlerInfo, list[HandlerPlan]]:
        method = self._method(name)
        position, models = self._message_of(name, method, mark)
        sent = tuple(dict.fromkeys((*message_types(method.returns), *message_types(mark.output_type))))
        info = HandlerInfo(
            name,
            mark.origin,
            tuple(models.items()),
            sent,
            mark.summary,
            mark.description or inspect.getdoc(method.function),
            mark.tags,
        )
        return info, [
            self._plan(name, method, action, model, position=position, returns=sent) for action, model in models.items()
        ]

    def _message_of(
        self, name: str, method: _Method, mark: HandlerMark
    ) -> tuple[Parameter | None, dict[str, type[BaseMessage] | None]]:
        """Return the parameter that takes the message, and the message classes by action."""
        parameter = next((each for each in method.parameters[1:] if message_types(each.annotation)), None)
        types = message_types(mark.input_type)
        if parameter is None:
            parameter = next((each for each in method.parameters[1:] if not is_marked(classify(each))), None)
        elif not types:
            types = message_types(parameter.annotation)
        if types:
            return parameter, {action: model for model in types for action in self._actions_of(model, name)}
        if mark.origin is Origin.CLIENT and mark.action is None:
            raise SetupError(
                f"{self._label(name)}: no parameter is annotated with a message class; annotate one with a subclass "
                "of BaseMessage, or write @ws_handler(action=...)"
            )
        return parameter, {mark.action or name: None}

    def _actions_of(self, model: type[BaseMessage], name: str) -> list[str]:
        known = model.model_fields.get(self._discriminator)
        values = get_args(known.annotation) if known and get_origin(known.annotation) is Literal else ()
        actions = [value.value if isinstance(value, Enum) else value for value in values]
        if not actions or not all(isinstance(action, str) for action in actions):
            raise SetupError(
                f"{self._label(name)}: {model.__name__} does not say what it is; give it a field "
                f'{self._discriminator}: Literal["..."] = "..."'
            )
        return actions

    def _plan(
        self,
        name: str,
        method: _Method,
        action: str,
        model: type[BaseMessage] | None,
        *,
        position: Parameter | None,
        returns: tuple[type[BaseMessage], ...],
    ) -> HandlerPlan:
        wrappers = self._wrappers_for(action)
        is_direct = _takes_message_only(method, position) and not wrappers and not self._consumer.dependencies
        annotated = position is not None and bool(message_types(position.annotation))
        return HandlerPlan(
            self._label(name),
            action,
            method.function,
            colour_of(method.function) in (Colour.COROUTINE, Colour.WRAPPER),
            None if model is None else self._validator(name, model),
            None if is_direct else fold(wrappers, self._endpoint(name).call),
            takes_valid=not annotated,
            keys=keys_of(model) if model is not None and self._consumer.camelize else None,
            returns=returns,
        )

    def _validator(self, name: str, model: type[BaseMessage]) -> Callable[[Any], Any]:
        try:
            return validator_for(model, ())
        except UnresolvedError as error:
            raise UnresolvedError(name, error.reason) from error

    def _plain_plan(self, name: str) -> HandlerPlan:
        function = getattr(self._consumer, name)
        parameters = _parameters(function, lenient=True)
        needs_more = any(is_marked(classify(each)) for each in parameters[1:])
        wrappers = self._wrappers_for(name)
        call = fold(wrappers, self._endpoint(name).call) if needs_more or wrappers else None
        is_coroutine = colour_of(function) in (Colour.COROUTINE, Colour.WRAPPER)
        return HandlerPlan(self._label(name), name, function, is_coroutine, None, call, True, None, ())

    def _exception_endpoint(self, name: str) -> Endpoint:
        return compile_endpoint(
            getattr(self._consumer, name),
            kind=HandlerKind.EXCEPTION,
            label=self._label(name),
            prefix=("self",),
            asynchronous=True,
        )

    def _hooks(self) -> Mapping[str, HookPlan]:
        """Return the methods of the connection that the application wrote with dependencies."""
        hooks = {}
        for name, offered in HOOKS.items():
            function = getattr(self._consumer, name, None)
            if function is None or function in {vars(cls).get(name) for cls in self._framework}:
                continue
            parameters = _parameters(function, lenient=True)
            if any(is_marked(classify(each)) for each in parameters[1:]):
                endpoint = compile_endpoint(
                    function,
                    kind=HandlerKind.HOOK,
                    label=self._label(name),
                    prefix=(parameters[0].name, *offered),
                    asynchronous=True,
                )
                hooks[name] = HookPlan(parameters[0].name, endpoint)
        return hooks

    def _endpoint(self, name: str) -> Endpoint:
        function, dependencies = getattr(self._consumer, name), tuple(self._consumer.dependencies)
        key = (function, *map(id, dependencies))
        endpoint = self._method_cache.endpoints.get(key)
        if endpoint is None or endpoint.pending:
            endpoint = self._method_cache.endpoints[key] = compile_endpoint(
                function,
                kind=HandlerKind.CONSUMER,
                label=self._label(name),
                prefix=("self",),
                asynchronous=True,
                dependencies=dependencies,
            )
        return endpoint

    def _method(self, name: str) -> _Method:
        function = getattr(self._consumer, name)
        method = self._method_cache.methods.get(function)
        if method is None:
            parameters = _parameters(function)
            if not parameters:
                raise SetupError(f"{self._label(name)}: a handler is a method, with 'self' first")
            returned = read_returned(function, names_of_caller(function), unresolved=Unresolved)
            method = self._method_cache.methods[function] = _Method(function, parameters, returned)
        return method

    def _wrappers_for(self, action: str) -> tuple[Wrapper, ...]:
        self._handled.add(action)
        return tuple(wrapper for scope, wrapper in self._wrappers if scope.holds(action, NAMESPACE))

    def _label(self, name: str) -> str:
        return f"{self._consumer.__qualname__}.{name}"


def message_types(annotation: Any) -> tuple[type[BaseMessage], ...]:
    """Return the message classes in an annotation: in a union, a list of classes, or on its own."""
    if isinstance(annotation, list | tuple):
        return tuple(dict.fromkeys(found for member in annotation for found in message_types(member)))
    origin = get_origin(annotation)
    if origin is Annotated:
        return message_types(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return message_types(get_args(annotation))
    if isinstance(annotation, type) and origin is None and issubclass(annotation, BaseMessage):
        return (annotation,)
    return ()


def _parameters(function: Callable[..., Any], *, lenient: bool = False) -> tuple[Parameter, ...]:
    unresolved = Unresolved if lenient else EMPTY
    return read_parameters(function, names_of_caller(function), unresolved=unresolved) or ()


def _takes_message_only(method: _Method, parameter: Parameter | None) -> bool:
    return (
        len(method.parameters) == 2  # noqa: PLR2004 - self and the message
        and parameter is not None
        and parameter is method.parameters[1]
        and parameter.shape is Shape.POSITIONAL
    )
