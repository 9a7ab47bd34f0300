"""Op: a step of work that makes no table, defined by a typed function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, overload

from deltaworks.engine.definitions.calling import calling_place, calling_scope
from deltaworks.engine.definitions.ops.composing import current
from deltaworks.engine.definitions.ops.config import Config, secret_problem
from deltaworks.engine.definitions.ops.hooks import Hook, refuse_others
from deltaworks.engine.definitions.ops.op_signature import OpSignature, Outs, read_op_signature
from deltaworks.engine.definitions.ops.ports import In, InPort, OutPort
from deltaworks.engine.definitions.policies import Limits, RetryPolicy
from deltaworks.engine.definitions.signature import place_of, read_hints
from deltaworks.errors import InvalidDefinition, Place


class RunWhen(StrEnum):
    """What must have become of the steps that a step reads or waits for, once all of them have ended."""

    ALL_SUCCESS = "all_success"
    """Everything that it takes is there."""
    ANY_SUCCESS = "any_success"
    """At least one thing that it takes is there."""
    ALL_DONE = "all_done"
    """Nothing: it runs in any case."""
    ANY_FAILED = "any_failed"
    """One of them failed, or something above it did."""


@dataclass(frozen=True, eq=False)
class Op:
    """A step of work. In a graph, calling it says where its inputs are from; elsewhere it calls the function."""

    name: str
    function: Callable[..., Any]
    signature: OpSignature
    where: Place
    retry: RetryPolicy | None
    """None: as the job says, which is no retry by default."""
    pool: str | None
    limits: Limits
    tags: Mapping[str, str]
    run_when: RunWhen
    hooks: tuple[Hook, ...]
    config: Config | None
    """What its config is where the run's does not say otherwise."""
    description: str

    @property
    def inputs(self) -> Mapping[str, InPort]:
        """The inputs by name."""
        return {port.name: port for port in self.signature.inputs}

    @property
    def outputs(self) -> Mapping[str, OutPort]:
        """The outputs by name."""
        return {port.name: port for port in self.signature.outputs}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Put the op into the graph that is being composed; outside of one, call the function itself.

        Raises:
            InvalidDefinition: in a graph, what it is given does not fit its inputs.
        """
        composer = current()
        return self.function(*args, **kwargs) if composer is None else composer.add_op(self, args, kwargs)

    def alias(
        self,
        name: str,
        *,
        run_when: str | None = None,
        retry: RetryPolicy | None = None,
        hooks: Sequence[Hook] | None = None,
        config: Config | None = None,
    ) -> Op:
        """Return the op by another name, with what is given instead of its own."""
        where = calling_place() or self.where
        aliased = replace(
            self,
            name=name,
            run_when=self.run_when if run_when is None else _run_when(run_when, name, where),
            retry=retry or self.retry,
            hooks=self.hooks if hooks is None else refuse_others(hooks, f"op {name!r}", where, of_runs=False),
            config=config or self.config,
        )
        _refuse(aliased, where)
        return aliased

    def __repr__(self) -> str:
        return f"<op {self.name} at {self.where}>"


@overload
def op(function: Callable[..., Any], /) -> Op: ...


@overload
def op(
    *,
    name: str | None = None,
    ins: Mapping[str, In] | None = None,
    out: Outs | None = None,
    retry: RetryPolicy | None = None,
    pool: str | None = None,
    timeout_s: float | None = None,
    memory_mb: float | None = None,
    isolate: bool = False,
    tags: Mapping[str, str] | None = None,
    run_when: str = RunWhen.ALL_SUCCESS,
    hooks: Sequence[Hook] = (),
    config: Config | None = None,
) -> Callable[[Callable[..., Any]], Op]: ...


def op(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    ins: Mapping[str, In] | None = None,
    out: Outs | None = None,
    retry: RetryPolicy | None = None,
    pool: str | None = None,
    timeout_s: float | None = None,
    memory_mb: float | None = None,
    isolate: bool = False,
    tags: Mapping[str, str] | None = None,
    run_when: str = RunWhen.ALL_SUCCESS,
    hooks: Sequence[Hook] = (),
    config: Config | None = None,
) -> Op | Callable[[Callable[..., Any]], Op]:
    """Define a step of work by a function.

    Its arguments are inputs, by name and type. Those that are a `Resource`, a `Config`, a `Partition`, a `Logger` or an
    `Attempt` are injected. What it returns is its output; with several, a tuple in their order, or a generator that
    yields an `Output` for each that there is.

    Args:
        function: what `@op` without parentheses decorates.
        name: how graphs call it; none: the function's name.
        ins: what annotations do not say about inputs; `In(Nothing)` names one that is only waited for.
        out: one output or several by name; none: one, which there always is.
        retry: how often it is tried again when it raises; none: as the job says.
        pool: the name of the pool of slots that it takes one of while it runs.
        timeout_s: how long one try may take before it is ended; it then runs in a process of its own.
        memory_mb: how many millions of bytes its process may hold before it is ended; likewise.
        isolate: whether it runs in a process of its own though nothing limits it, so that it may crash.
        tags: words about it.
        run_when: what must have become of the steps before it, see `RunWhen`.
        hooks: what is told how its steps ended.
        config: what its config is where the run's does not say otherwise.

    Raises:
        InvalidDefinition: the definition does not make sense; the message has file and line.
    """
    scope = calling_scope()

    def define(function: Callable[..., Any]) -> Op:
        if not inspect.isfunction(function):
            hint = f"; write @op(name={function!r})" if isinstance(function, str) else ""
            raise InvalidDefinition(f"op decorates a function, not {function!r}{hint}", where=calling_place())
        where, called = place_of(function), function.__name__ if name is None else name
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidDefinition(
                f"op {called!r}: the function is async, but ops run on threads; make it plain", where=where
            )
        try:
            signature = read_op_signature(function, read_hints(function, scope), ins or {}, out)
            limits = Limits(timeout_s, memory_mb, isolate)
        except InvalidDefinition as error:
            raise InvalidDefinition(f"op {called!r}: {error.reason}", where=where) from error
        defined = Op(
            name=called,
            function=function,
            signature=signature,
            where=where,
            retry=retry,
            pool=pool,
            limits=limits,
            tags=dict(tags or {}),
            run_when=_run_when(run_when, called, where),
            hooks=refuse_others(hooks, f"op {called!r}", where, of_runs=False),
            config=config,
            description=inspect.getdoc(function) or "",
        )
        _refuse(defined, where)
        return defined

    return define if function is None else define(function)


def _run_when(text: str, name: str, where: Place) -> RunWhen:
    if text not in list(RunWhen):
        raise InvalidDefinition(
            f"op {name!r}: run_when={text!r} means nothing; it is one of {', '.join(RunWhen)}", where=where
        )
    return RunWhen(text)


def _refuse(op: Op, where: Place) -> None:
    problem = _problem(op)
    if problem:
        raise InvalidDefinition(f"op {op.name!r}: {problem}", where=where)


def _problem(op: Op) -> str | None:
    model = op.signature.config_model
    if not op.name.isidentifier():
        return "its name must be letters, digits and '_', as steps are addressed by it"
    if op.config is not None and model is None:
        return f"it is given a {type(op.config).__name__}, but the function has no argument for a config"
    if op.config is not None and model is not None and not isinstance(op.config, model):
        return f"it is given a {type(op.config).__name__}, but the function takes a {model.__name__}"
    if op.run_when is RunWhen.ANY_FAILED and all(port.asset is not None for port in op.signature.inputs):
        return "run_when='any_failed' needs an input, since otherwise there is nothing before it that could fail"
    given = model if op.config is None else type(op.config)
    return None if given is None else secret_problem(given)
