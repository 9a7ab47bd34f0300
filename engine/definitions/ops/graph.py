"""Graph: ops put together by a function that is called once, at load."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

from deltaworks.engine.definitions.calling import calling_place, calling_scope
from deltaworks.engine.definitions.ops.composing import (
    Composer,
    Invocation,
    Use,
    composing,
    current,
    outputs_of,
)
from deltaworks.engine.definitions.ops.config import Config
from deltaworks.engine.definitions.ops.handles import Handle
from deltaworks.engine.definitions.ops.hooks import Hook
from deltaworks.engine.definitions.ops.job import Job, define_job
from deltaworks.engine.definitions.ops.ports import InPort
from deltaworks.engine.definitions.ops.sources import FromInput
from deltaworks.engine.definitions.partitions.protocols import Partitions
from deltaworks.engine.definitions.policies import RetryPolicy
from deltaworks.engine.definitions.signature import place_of, read_hints
from deltaworks.errors import InvalidDefinition, Place


@dataclass(frozen=True, eq=False)
class Graph:
    """Ops and graphs, and what goes from one to the other. Calling it puts it into the graph that is being composed."""

    name: str
    function: Callable[..., Any]
    inputs: tuple[InPort, ...]
    defaults: Mapping[str, Any]
    """The inputs that need not be given."""
    invocations: Mapping[str, Invocation]
    """By name; each stands after what it reads."""
    outputs: Mapping[str, Handle]
    uses: Mapping[str, Sequence[Use]]
    """By input: where it goes."""
    where: Place
    description: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Put the graph into the one that is being composed.

        Raises:
            InvalidDefinition: no graph is being composed, or what it is given does not fit its inputs.
        """
        composer = current()
        if composer is None:
            raise InvalidDefinition(
                f"graph {self.name!r} is called outside of a graph; to run it, write "
                f"{self.name}.to_job().execute_in_process()",
                where=calling_place(),
            )
        return composer.add_graph(self, args, kwargs)

    def alias(self, name: str) -> Graph:
        """Return the graph by another name."""
        _refuse_name(name, calling_place() or self.where)
        return replace(self, name=name)

    def to_job(
        self,
        name: str | None = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | Config | None = None,
        partitions: Partitions | None = None,
        tags: Mapping[str, str] | None = None,
        retry: RetryPolicy | None = None,
        hooks: Sequence[Hook] = (),
        description: str | None = None,
    ) -> Job:
        """Return a job that runs the graph.

        Args:
            name: what it is run by; none: the graph's name.
            inputs: values for the graph's own inputs.
            config: what stands where the run's config does not say otherwise, by op; or a `Config` for all ops whose
                argument is of its type.
            partitions: what the job may be run for, one key a run.
            tags: words about it.
            retry: how often ops are tried again that do not say so themselves; not at all by default.
            hooks: what is told how each of its steps ended, or the run.
            description: what it does; none: the docstring of the graph's function.

        Raises:
            InvalidDefinition: what is given does not fit the graph.
        """
        return define_job(
            self,
            name or self.name,
            inputs=inputs or {},
            config=config,
            partitions=partitions,
            tags=tags or {},
            retry=retry,
            hooks=hooks,
            description=self.description if description is None else description,
            where=calling_place() or self.where,
        )

    def __repr__(self) -> str:
        return f"<graph {self.name} at {self.where}>"


@overload
def graph(function: Callable[..., Any], /) -> Graph: ...


@overload
def graph(*, name: str | None = None) -> Callable[[Callable[..., Any]], Graph]: ...


def graph(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None
) -> Graph | Callable[[Callable[..., Any]], Graph]:
    """Define a graph by a function that calls ops and other graphs; it is called now, and never again.

    Its arguments are the graph's inputs; what it returns, one output, a tuple or a mapping of them, its outputs.

    Args:
        function: what `@graph` without parentheses decorates.
        name: how other graphs call it; none: the function's name.

    Raises:
        InvalidDefinition: what is put together does not fit; the message has file and line.
    """
    scope = calling_scope()

    def define(function: Callable[..., Any]) -> Graph:
        return compose(function, name, scope)

    return define if function is None else define(function)


@overload
def job(function: Callable[..., Any], /) -> Job: ...


@overload
def job(
    *,
    name: str | None = None,
    config: Mapping[str, Any] | Config | None = None,
    partitions: Partitions | None = None,
    tags: Mapping[str, str] | None = None,
    retry: RetryPolicy | None = None,
    hooks: Sequence[Hook] = (),
) -> Callable[[Callable[..., Any]], Job]: ...


def job(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    config: Mapping[str, Any] | Config | None = None,
    partitions: Partitions | None = None,
    tags: Mapping[str, str] | None = None,
    retry: RetryPolicy | None = None,
    hooks: Sequence[Hook] = (),
) -> Job | Callable[[Callable[..., Any]], Job]:
    """Define a job by a function that calls ops and graphs: `@graph` and its `to_job` in one.

    Raises:
        InvalidDefinition: what is put together does not fit; the message has file and line.
    """
    scope = calling_scope()

    def define(function: Callable[..., Any]) -> Job:
        composed = compose(function, None, scope)
        return define_job(
            composed,
            name or composed.name,
            inputs={},
            config=config,
            partitions=partitions,
            tags=tags or {},
            retry=retry,
            hooks=hooks,
            description=composed.description,
            where=composed.where,
        )

    return define if function is None else define(function)


def compose(function: Callable[..., Any], name: str | None, scope: Mapping[str, Any]) -> Graph:
    """Call a function once and return what it puts together.

    Raises:
        InvalidDefinition: what is put together does not fit.
    """
    if not inspect.isfunction(function):
        raise InvalidDefinition(f"graph decorates a function, not {function!r}", where=calling_place())
    where, called = place_of(function), function.__name__ if name is None else name
    _refuse_name(called, where)
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise InvalidDefinition(f"graph {called!r}: its function is neither async nor a generator", where=where)
    hints = read_hints(function, scope)
    parameters = inspect.signature(function).parameters
    ports = tuple(
        InPort(name, hints.get(name, Any), has_default=parameter.default is not parameter.empty)
        for name, parameter in parameters.items()
    )
    composer = Composer(called)
    handles = {
        port.name: Handle(FromInput(port.name), port.type, (), f"input {port.name!r} of graph {called!r}")
        for port in ports
    }
    with composing(composer):
        found = function(**handles)
    if not composer.invocations:
        raise InvalidDefinition(f"graph {called!r} calls no op", where=where)
    return Graph(
        name=called,
        function=function,
        inputs=ports,
        defaults={name: each.default for name, each in parameters.items() if each.default is not each.empty},
        invocations=composer.invocations,
        outputs=outputs_of(found, f"graph {called!r}", where),
        uses=composer.uses,
        where=where,
        description=inspect.getdoc(function) or "",
    )


def _refuse_name(name: str, where: Place) -> None:
    if not name.isidentifier():
        raise InvalidDefinition(f"graph {name!r}: its name must be letters, digits and '_'", where=where)
